"""What the SDK does on its own and Palms must not: retries, redirects, other people's credentials, logs, endless waits."""

import base64
import datetime as dt
import ipaddress
import json
import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from yookassa import Configuration
from yookassa.client import ApiClient
from yookassa.domain.exceptions import ApiError

from palms.money import Money
from palms.secrets import seal
from payments.models import ProviderAccount
from payments.providers import provider_for
from payments.providers.base import NewPayment, PaymentSeen, ProviderRefused, ProviderUnknown
from payments.providers.yookassa import YooKassa
from payments.providers.yookassa_client import Shop, ShopClient

SECRET = "test_very_secret"
PAYMENT_ID = "2d0a1f0b-000f-5000-8000-1a2b3c4d5e6f"
GOOD: dict[str, Any] = {
    "id": PAYMENT_ID,
    "status": "pending",
    "amount": {"value": "1000.00", "currency": "RUB"},
    "paid": False,
    "test": True,
    "confirmation": {"type": "redirect", "confirmation_url": "https://yoomoney.ru/x"},
}
Reply = Callable[[BaseHTTPRequestHandler], None]


class Wire:
    """A server that answers as a test says, and keeps what came."""

    def __init__(self, reply: Reply, tls: ssl.SSLContext | None = None) -> None:
        self.heard: list[tuple[str, str, dict[str, str], bytes]] = []
        wire = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                wire.heard.append((self.command, self.path, dict(self.headers.items()), body))
                self.close_connection = True
                reply(self)

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server.server_port}/v3"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def shop(self) -> YooKassa:
        return YooKassa(Shop("100500", SECRET, self.url))


def answer(status: int, body: object = None, **headers: str) -> Reply:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()

    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    return reply


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.close()


@pytest.fixture
def wire() -> Iterator[Callable[..., Wire]]:
    made: list[Wire] = []

    def make(reply: Reply, tls: ssl.SSLContext | None = None) -> Wire:
        made.append(Wire(reply, tls))
        return made[-1]

    yield make
    for one in made:
        one.server.shutdown()
        one.server.server_close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def tls(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    monkeypatch.setattr(ShopClient, "verify", str(certificate))
    return context


def create(shop: YooKassa, amount: Money | None = None, patience: float = 5) -> PaymentSeen:
    new = NewPayment("tok", amount or Money(100000, "RUB"), True, "d", "https://palms.test/b", "ru")
    return shop.create(new, key="k", patience=patience)


# --- nothing is sent twice

REPLIES = {
    "202": answer(202, {"type": "processing", "retry_after": 1}),
    "202, come back": answer(202, {"type": "processing"}, Retry_After="0"),
    "429, come back": answer(429, {"type": "error", "code": "too_many_requests"}, Retry_After="0"),
    "503, come back": answer(503, {"type": "error", "code": "x"}, Retry_After="0"),
    "500": answer(500, {"type": "error", "code": "internal_server_error"}),
    "hang up": hang_up,
    "half a body": answer(200, b'{"id":', Content_Length="1000"),
}


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_over_https_nothing_is_sent_twice(wire: Callable[..., Wire], tls: ssl.SSLContext, reply: Reply) -> None:
    bank = wire(reply, tls)

    with pytest.raises(ProviderUnknown):
        create(bank.shop)
    with pytest.raises(ProviderUnknown):
        bank.shop.read(PAYMENT_ID, patience=5)

    assert [method for method, *_ in bank.heard] == ["POST", "GET"]


def test_over_https_the_sdk_itself_does_send_twice(
    wire: Callable[..., Wire], tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the server above would see a repeat if there was one."""
    bank = wire(REPLIES["503, come back"], tls)
    asked = {"account_id": "1", "secret_key": "x", "api_url": bank.url, "verify": str(certificate), "timeout": 0}
    for name, value in asked.items():
        monkeypatch.setattr(Configuration, name, value)

    with pytest.raises(ApiError):
        ApiClient().request("post", "/payments", None, {}, {})

    assert len(bank.heard) == 4


def test_a_certificate_nobody_vouches_for_is_no_answer(
    wire: Callable[..., Wire], tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = wire(answer(200, GOOD), tls)
    assert create(bank.shop).id == PAYMENT_ID

    monkeypatch.setattr(ShopClient, "verify", True)
    with pytest.raises(ProviderUnknown, match="SSLError"):
        create(bank.shop)
    assert len(bank.heard) == 1


@pytest.mark.parametrize("scheme", ["https://api.yookassa.ru/v3", "http://127.0.0.1:1/v3"])
def test_no_adapter_retries(scheme: str) -> None:
    session = ShopClient(Shop("1", "x", scheme), patience=1).get_session()

    for address in ("https://api.yookassa.ru/v3", "http://127.0.0.1:1/v3"):
        retries = session.get_adapter(address).max_retries  # type: ignore[attr-defined]
        assert (retries.total, retries.read, retries.status_forcelist) == (0, False, set())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(wire: Callable[..., Wire], status: int) -> None:
    elsewhere = wire(answer(200, GOOD))
    bank = wire(answer(status, {}, Location=elsewhere.url + "/payments"))

    with pytest.raises(ProviderUnknown, match=str(status)):
        create(bank.shop)

    assert (len(bank.heard), elsewhere.heard) == (1, [])


# --- what is sent


@pytest.mark.parametrize(
    ("minor", "currency", "value"),
    [
        (1, "RUB", "0.01"),
        (100, "RUB", "1.00"),
        (10_000_001, "RUB", "100000.01"),
        (9_007_199_254_740_993, "RUB", "90071992547409.93"),  # no float can hold it
        (9_223_372_036_854_775_807, "RUB", "92233720368547758.07"),
        (1000, "JPY", "1000"),
    ],
)
def test_every_amount_reaches_the_wire_exactly(
    wire: Callable[..., Wire], minor: int, currency: str, value: str
) -> None:
    bank = wire(answer(200, GOOD))
    create(bank.shop, Money(minor, currency))
    bank.shop.capture(PAYMENT_ID, Money(minor, currency), key="c", patience=5)

    assert [json.loads(body)["amount"] for *_, body in bank.heard] == [{"value": value, "currency": currency}] * 2


def test_what_is_sent_is_only_what_we_say(
    wire: Callable[..., Wire], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No cms_name in the metadata, and no credentials from ~/.netrc in place of the club's."""
    (tmp_path / "netrc").write_text("default login stranger password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr("payments.providers.yookassa_client.HERE", ())  # as for an address that is not this machine
    monkeypatch.setenv("NO_PROXY", "*")
    bank = wire(answer(200, GOOD))
    create(bank.shop)
    bank.shop.void(PAYMENT_ID, key="v", patience=5)

    (_, path, headers, body), (_, void_path, _, void_body) = bank.heard
    assert (path, void_path, void_body) == ("/v3/payments", f"/v3/payments/{PAYMENT_ID}/cancel", b"")
    assert headers["Authorization"] == "Basic " + base64.b64encode(f"100500:{SECRET}".encode()).decode()
    assert headers["Idempotence-Key"] == "k"
    assert json.loads(body)["metadata"] == {"payment_token": "tok"}


def test_a_proxy_is_not_asked_for_this_machine(wire: Callable[..., Wire], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)

    assert create(wire(answer(200, GOOD)).shop).id == PAYMENT_ID


def test_neither_secrets_nor_cards_are_logged(
    wire: Callable[..., Wire], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(Configuration, "logger", logging.getLogger("yookassa"))
    card = {"type": "bank_card", "card": {"first6": "411111", "last4": "1111"}}
    shop = wire(answer(200, GOOD | {"payment_method": card})).shop
    create(shop)
    told = "no"
    try:
        create(wire(answer(401, {"type": "error", "code": "invalid_credentials"})).shop)
    except ProviderRefused as no:
        told = f"{no!r} {no.__cause__!r}"

    seen = caplog.text + told + repr(shop.__dict__)
    for secret in (SECRET, base64.b64encode(f"100500:{SECRET}".encode()).decode(), "411111"):
        assert secret not in seen


# --- what comes back


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b'"x"', b"1", b"{", b"<html>", b"\xff\xfe\xff", b"\x80", b"[" * 100_000, b'{"a":' * 50_000,
        json.dumps(GOOD | {"x": float("nan")}).encode(), json.dumps(GOOD | {"x": float("inf")}).encode(),
        json.dumps(GOOD).replace('"paid"', '"x": 1e999, "paid"').encode(),
        json.dumps(GOOD).replace('"paid"', f'"x": {"9" * 5000}, "paid"').encode(),
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 410, 500, 502])
def test_a_body_that_is_no_object_is_unknown(wire: Callable[..., Wire], body: bytes, status: int) -> None:
    with pytest.raises(ProviderUnknown):
        create(wire(answer(status, body)).shop)


@pytest.mark.parametrize(
    "body",
    [
        {}, GOOD, {"code": "forbidden"}, {"type": "error"}, {"type": "error", "code": None}, {"type": "error", "code": 1},
        {"type": "error", "code": ["forbidden"]}, {"type": "error", "code": {}}, {"type": "error", "code": "a\x00"},
        {"type": "error", "code": ""}, {"message": "blocked by a firewall"},
    ],
)  # fmt: skip
def test_an_error_that_is_not_the_providers_is_no_verdict(wire: Callable[..., Wire], body: Any) -> None:
    for status in (400, 401, 403, 404):
        with pytest.raises(ProviderUnknown):
            create(wire(answer(status, body)).shop)


@pytest.mark.parametrize("status", [405, 415])
@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[]"])
def test_a_defect_of_ours_is_final_whatever_the_body(wire: Callable[..., Wire], status: int, body: bytes) -> None:
    with pytest.raises(ProviderRefused, match=f"http_{status}"):
        create(wire(answer(status, body)).shop)


def test_a_success_is_only_a_200(wire: Callable[..., Wire]) -> None:
    for status in (201, 203, 206):
        with pytest.raises(ProviderUnknown, match=str(status)):
            create(wire(answer(status, GOOD)).shop)


def test_an_answer_in_drops_ends_within_patience(wire: Callable[..., Wire]) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(100):
            try:
                handler.wfile.write(b" ")
            except OSError:
                return
            time.sleep(0.05)

    started = time.monotonic()
    with pytest.raises(ProviderUnknown, match="ReadTimeout"):
        create(wire(drip).shop, patience=0.4)

    assert time.monotonic() - started < 1.5


def test_an_endless_answer_is_cut(wire: Callable[..., Wire], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payments.providers.yookassa_client.LONGEST", 1000)

    with pytest.raises(ProviderUnknown):
        create(wire(answer(200, json.dumps(GOOD).encode() + b" " * 100_000)).shop)


def test_a_list_that_never_ends_is_unknown(wire: Callable[..., Wire]) -> None:
    bank = wire(answer(200, {"type": "list", "items": [], "next_cursor": "same"}))

    with pytest.raises(ProviderUnknown, match="without an end"):
        bank.shop.refunds(PAYMENT_ID, patience=5)
    assert len(bank.heard) == 2


def test_pages_share_one_patience(wire: Callable[..., Wire]) -> None:
    cursors = iter(range(1000))

    def slow_page(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.2)
        answer(200, {"type": "list", "items": [], "next_cursor": f"c{next(cursors)}"})(handler)

    bank = wire(slow_page)
    started = time.monotonic()
    with pytest.raises(ProviderUnknown):
        bank.shop.refunds(PAYMENT_ID, patience=0.5)

    assert time.monotonic() - started < 1.2
    assert len(bank.heard) == 3


def test_a_defect_in_our_own_code_is_not_taken_for_silence(
    wire: Callable[..., Wire], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: ShopClient) -> requests.Session:
        raise KeyError("a defect")

    monkeypatch.setattr(ShopClient, "get_session", broken)

    with pytest.raises(AttributeError):
        create(wire(answer(200, GOOD)).shop)


# --- whose credentials


@pytest.fixture
def of_the_platform(settings: Any) -> None:
    settings.YOOKASSA_SHOP_ID, settings.YOOKASSA_SECRET_KEY = "300700", "test_platform"


def authorization(account: ProviderAccount, bank: Wire, settings: Any) -> str:
    settings.YOOKASSA_API_URL = bank.url
    create(provider_for(account))  # type: ignore[arg-type]
    return base64.b64decode(bank.heard[-1][2]["Authorization"].removeprefix("Basic ")).decode()


@pytest.mark.usefixtures("of_the_platform")
@pytest.mark.parametrize(
    ("credentials", "used"),
    [({"shop_id": "1", "secret_key": "s"}, "1:s"), ({}, "300700:test_platform"), (None, "300700:test_platform")],
)
def test_a_clubs_own_credentials_come_first(
    wire: Callable[..., Wire], settings: Any, credentials: dict[str, str] | None, used: str
) -> None:
    account = ProviderAccount(
        provider="yookassa", account_id=used.split(":")[0], credentials="" if credentials is None else seal(credentials)
    )

    assert authorization(account, wire(answer(200, GOOD)), settings) == used


@pytest.mark.usefixtures("of_the_platform")
@pytest.mark.parametrize(
    "credentials",
    [
        "garbage",
        seal({"shop_id": "1"}),
        seal({"secret_key": "s"}),
        seal({"shop_id": "", "secret_key": "s"}),
        seal({"shop_id": 1, "secret_key": "s"}),
    ],
)
def test_half_a_set_of_credentials_is_never_completed_from_another_shop(credentials: str) -> None:
    with pytest.raises(ProviderRefused) as no:
        provider_for(ProviderAccount(provider="yookassa", credentials=credentials))

    assert no.value.code == "not_configured"


def test_without_any_credentials_it_says_so(settings: Any) -> None:
    settings.YOOKASSA_SHOP_ID = settings.YOOKASSA_SECRET_KEY = ""

    with pytest.raises(ProviderRefused, match="not_configured"):
        provider_for(ProviderAccount(provider="yookassa"))


def test_a_payment_on_site_has_nobody_to_call() -> None:
    with pytest.raises(ProviderRefused, match="not_configured"):
        provider_for(ProviderAccount(provider="onsite"))
