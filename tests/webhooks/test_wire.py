"""One call to somebody's endpoint, against hosts that lie, drag their feet and point inside."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from tests.webhooks.receiver import Manner, Receiver
from webhooks.addresses import BadUrl, is_public, read
from webhooks.wire import Answer, post, resolve

NAME = "crm.palms.example"
PUBLIC = "93.184.216.34"
INSIDE = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "100.100.100.200", "192.0.0.192", "198.18.0.1", "192.0.2.1", "224.0.0.1", "239.255.255.250", "240.0.0.1",
    "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:a00:1",
    "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "ff0e::1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
    "2001:0:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:0:5db8:d822:0:0:80ff:fffe", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2001:db8::1", "100::1", "3fff::1", "5f00::1", "", "x", "1.2.3", "0x7f.1",
]  # fmt: skip
OUTSIDE = [PUBLIC, "8.8.8.8", "77.88.8.8", "2a02:6b8::1", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_refused(address: str) -> None:
    assert not is_public(address)
    answer = post(f"https://{NAME}/", b"{}", {}, private=False, resolver=lambda _host, _port: [address])
    assert answer == Answer(error="address_refused")
    mixed = post(f"https://{NAME}/", b"{}", {}, private=False, resolver=lambda _host, _port: [PUBLIC, address])
    assert mixed == Answer(error="address_refused")


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_outside_is_called(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "", "https://", "https:///x", "http://crm.example.com/", "ftp://crm.example.com/", "//crm.example.com/", "crm.example.com",
        "https://crm.example.com:80/", "https://crm.example.com:22/", "https://crm.example.com:0/",
        "https://crm.example.com:99999/", "https://crm.example.com:x/", "https://u:p@crm.example.com/",
        "https://@crm.example.com/", "https://crm.example.com#@evil/", "https://crm.example.com/#", "https://localhost/",
        "https://localhost./", "https://LOCALHOST/", "https://a.localhost/", "https://metadata.google.internal/",
        "https://printer.local/", "https://intranet/", "https://127.0.0.1/", "https://127.1/", "https://2130706433/",
        "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://017700000001/", "https://127.0.0.1./",
        "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[fe80::1%25eth0]/", "https://[::1/", "https://8.8.8.8/",
        "https://１２７.0.0.1/", "https://ⓛocalhost/", "https://crm.example.com\\@evil.com/",
        "https://crm.example.com/a b", "https://crm.example.com/\r\nX: y", "https://crm.example.com/\0",
        "https://crm..example.com/", "https://-a.example.com/", "https://crm.example.com/ключ", "https://a@b@c.example.com/",
        f"https://{'a' * 64}.example.com/", f"https://crm.example.com/{'a' * 500}", "https://crm.example.com/\x7f",
    ],
)  # fmt: skip
def test_an_address_that_is_not_called(url: str) -> None:
    with pytest.raises(BadUrl):
        read(url, private=False)
    assert post(url, b"", {}, private=False, resolver=lambda _host, _port: [PUBLIC]).error == "address_refused"


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("https://crm.example.com", "crm.example.com", 443, "/"),
        ("https://CRM.example.com.:8443/a?b=c", "crm.example.com", 8443, "/a?b=c"),
        ("https://срм.рф/hooks", "xn--l1ahc.xn--p1ai", 443, "/hooks"),
        ("https://crm.example.com/%D0%BA", "crm.example.com", 443, "/%D0%BA"),
    ],
)
def test_an_address_is_read(url: str, host: str, port: int, path: str) -> None:
    target = read(url, private=False)
    assert (target.is_secure, target.host, target.port, target.path) == (True, host, port, path)


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"https://crm.example.com{text}"):
        for private in (True, False):
            try:
                read(url, private=private)
            except BadUrl:
                continue


def test_a_name_that_moves_inside_after_the_check_is_not_looked_up_again(receiver: Receiver) -> None:
    """DNS rebinding: the first answer is outside, every later one is this machine. Only the first is ever used."""
    answers = iter([["192.88.98.1"]])
    asked: list[str] = []

    def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return next(answers, ["127.0.0.1"])

    answer = post(f"https://{NAME}:8443/", b"{}", {}, private=False, resolver=rebinding, patience=0.5)
    assert answer.status is None
    assert asked == [NAME]
    answers = iter([["127.0.0.2"]])  # the same where both are near, and the second listens
    answer = post(f"http://{NAME}:{receiver.port}/", b"{}", {}, private=True, resolver=rebinding, patience=0.5)
    assert answer.error == "no_connection"
    assert asked == [NAME, NAME]
    assert receiver.got == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_not_followed(receiver: Receiver, status: int) -> None:
    with Receiver() as inside:
        receiver.manner = lambda _got: Manner(status, {"Location": inside.url})
        answer = post(receiver.url, b"{}", {}, private=True)
        assert inside.got == []
    assert (answer.status, answer.is_success) == (status, False)


def test_no_proxy_of_the_environment_is_used(receiver: Receiver, monkeypatch: Any) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert post(receiver.url, b"{}", {}, private=True).status == 200


@contextmanager
def speaking(says: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that says whatever it likes to whoever connects. Yields its host and port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                line, _from = listener.accept()
            except OSError:
                return
            with line:
                try:
                    says(line)
                except OSError:
                    continue

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _drip(first: bytes, drop: bytes) -> Callable[[socket.socket], None]:
    def says(line: socket.socket) -> None:
        line.sendall(first)
        for _drop in range(200):
            time.sleep(0.05)
            line.sendall(drop)

    return says


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("says", "error"),
    [
        (_drip(b"", b"H"), "timed_out"),
        (_drip(OK, b"x"), "timed_out"),
        (_drip(OK, b"a: b\r\n"), "bad_answer|timed_out"),
        (_drip(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"), "timed_out"),
        (lambda line: time.sleep(3), "timed_out"),
        (lambda line: line.close(), "no_connection"),
        (lambda line: line.sendall(b"\x00\xff garbage\r\n\r\n"), "bad_answer|no_connection"),
        (lambda line: line.sendall(b"HTTP/1.1 999999 X\r\n\r\n"), "bad_answer|no_connection"),
        (lambda line: line.sendall(b"HTTP/1.1 200 OK\r\na:" + b"b" * 100_000), "bad_answer|no_connection"),
        (lambda line: line.sendall(OK + b"a: b\r\n" * 1000 + b"\r\n"), "bad_answer|no_connection"),
    ],
)
def test_a_server_that_drags_or_babbles_ends_in_time(says: Any, error: str) -> None:
    begun = time.monotonic()
    with speaking(says) as where:
        answer = post(f"http://{where}/", b"{}", {}, private=True, patience=1.0)
    assert answer.status is None
    assert answer.error in error.split("|")
    assert time.monotonic() - begun < 4


def _flood(line: socket.socket) -> None:
    line.sendall(OK + b"\r\n")
    for _block in range(10_000):
        line.sendall(b"x" * 65536)


@pytest.mark.parametrize(
    "says",
    [
        _flood,
        _drip(OK + b"Content-Length: 100000\r\n\r\n", b"x"),
        lambda line: line.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\nzzz\r\n"),
        lambda line: line.sendall(OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"),
    ],
)
def test_a_body_of_any_size_and_speed_does_not_matter_after_the_status(says: Any) -> None:
    def after_reading(line: socket.socket) -> None:
        line.recv(4096)
        says(line)

    begun = time.monotonic()
    with speaking(after_reading) as where:
        answer = post(f"http://{where}/", b"{}", {}, private=True, patience=8.0)
    assert answer == Answer(200)
    assert time.monotonic() - begun < 5


def test_garbage_in_the_place_of_tls_and_tls_in_the_place_of_http() -> None:
    with speaking(lambda line: line.sendall(b"SSH-2.0-OpenSSH_9.6\r\n" * 50)) as where:
        assert post(f"https://{where}/", b"{}", {}, private=True, patience=3.0).error in ("tls_failed", "no_connection")
    with speaking(_drip(b"\x16\x03\x03", b"\x00")) as where:
        assert post(f"https://{where}/", b"{}", {}, private=True, patience=1.0).error in ("timed_out", "tls_failed")


def certificate(folder: Path, *names: str) -> tuple[Path, ssl.SSLContext]:
    """Return the file of an authority, and the context of a server that it vouches for under these names."""
    moment = datetime.now(UTC)

    def sign(subject: str, key: Any, issuer: str, by: Any, extension: Any) -> x509.Certificate:
        name, who = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (subject, issuer))
        made = x509.CertificateBuilder().subject_name(name).issuer_name(who).public_key(key.public_key())
        made = made.serial_number(x509.random_serial_number()).add_extension(extension, critical=False)
        made = made.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
        made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        return (
            made.not_valid_before(moment - timedelta(1))
            .not_valid_after(moment + timedelta(1))
            .sign(by, hashes.SHA256())
        )

    authority, key = (ec.generate_private_key(ec.SECP256R1()) for _one in range(2))
    root = sign("Test root", authority, "Test root", authority, x509.BasicConstraints(ca=True, path_length=None))
    leaf = sign(
        "leaf", key, "Test root", authority, x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    )
    (folder / "root.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "leaf.pem").write_bytes(secret + leaf.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "leaf.pem")
    return folder / "root.pem", context


def test_the_certificate_is_checked_for_the_name_and_not_for_the_address(tmp_path: Path, monkeypatch: Any) -> None:
    root, context = certificate(tmp_path, NAME)
    asked_for: list[str | None] = []
    context.sni_callback = lambda _line, name, _context: asked_for.append(name)
    with Receiver(tls=context) as receiver:

        def call(host: str) -> Answer:
            url = f"https://{host}:{receiver.port}/"
            return post(url, b"{}", {}, private=True, resolver=lambda _host, _port: ["127.0.0.1"])

        assert call(NAME).error == "tls_failed"  # nobody vouches for it
        monkeypatch.setenv("SSL_CERT_FILE", str(root))
        assert call(NAME).status == 200
        assert receiver.got[0].headers["host"] == f"{NAME}:{receiver.port}"
        assert asked_for[-1] == NAME
        assert call("other.palms.example").error == "tls_failed"


def test_the_next_address_is_tried_where_one_does_not_answer(receiver: Receiver) -> None:
    url = f"http://{NAME}:{receiver.port}/"
    assert post(url, b"{}", {}, private=True, resolver=lambda _host, _port: ["127.0.0.2", "127.0.0.1"]).status == 200


def test_a_name_that_nobody_knows() -> None:
    assert post("https://no-such-host.palms.invalid.example/", b"{}", {}, private=True).error == "no_such_host"
    assert resolve("localhost", 80)


@pytest.mark.parametrize(("given", "read_as"), [("7", 7), ("-1", None), ("x", None), ("9" * 30, None), ("٣", None)])
def test_retry_after_is_read_where_it_is_seconds(receiver: Receiver, given: str, read_as: int | None) -> None:
    receiver.manner = lambda _got: Manner(503, {"Retry-After": given} if given.isascii() else {})
    assert post(receiver.url, b"{}", {}, private=True) == Answer(503, retry_after=read_as)
