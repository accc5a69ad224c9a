"""One call to somebody's endpoint: resolve, check, connect to the checked address, and never longer than agreed.

No redirects, no proxy from the environment, no second look at the name. Python's own client, since its socket is ours to make.
"""

from __future__ import annotations

import io
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from time import monotonic
from typing import Any

import certifi

from webhooks.addresses import BadUrl, Target, is_public, read

PATIENCE = 15.0  # seconds, for everything from the name to the status
POLITE = 1.0  # seconds for the body of the answer, of which nothing is kept
LARGEST_ANSWER = 64 * 1024
MOST_ADDRESSES, CONNECT = 4, 5.0
Resolve = Callable[[str, int], list[str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a call. `status` is None where nobody answered, and then `error` is a short code."""

    status: int | None = None
    error: str = ""
    retry_after: int | None = None  # seconds

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def resolve(host: str, port: int) -> list[str]:
    """Return every address of a name, in the order of the system. Raises OSError, UnicodeError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(row[4][0]) for row in found))


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    private: bool,
    resolver: Resolve = resolve,
    patience: float = PATIENCE,
) -> Answer:
    """Send a body once and tell what was answered. Never raises for what the other side does."""
    until = monotonic() + patience
    try:
        target = read(url, private=private)
        addresses = resolver(target.host, target.port)
    except BadUrl:
        return Answer(error="address_refused")
    except (OSError, UnicodeError):
        return Answer(error="no_such_host")
    if not addresses or not (private or all(map(is_public, addresses))):
        return Answer(error="address_refused")
    try:
        return _ask(target, addresses, body, headers, until)
    except TimeoutError:
        return Answer(error="timed_out")
    except ssl.SSLError:
        return Answer(error="tls_failed")
    except (OSError, EOFError):
        return Answer(error="no_connection")
    except (HTTPException, ValueError):
        return Answer(error="bad_answer")


def _ask(target: Target, addresses: list[str], body: bytes, headers: Mapping[str, str], until: float) -> Answer:
    line = _Line(target, addresses, until)
    try:
        line.request("POST", target.path, body, dict(headers))
        response = line.getresponse()
        asked = response.headers.get("Retry-After", "")
        _drop(response, line)
        return Answer(response.status, retry_after=int(asked) if asked.isdecimal() and len(asked) < 8 else None)
    finally:
        line.close()


def _drop(response: HTTPResponse, line: _Line) -> None:
    """Read the body a little, so that the other side can finish writing; the status has been said already."""
    line.stream.until = min(line.stream.until, monotonic() + POLITE)
    with suppress(OSError, HTTPException, ValueError):
        response.read(LARGEST_ANSWER)


class _Stream(io.RawIOBase):
    """The reading half of a connection, which waits until one moment however slowly bytes drip."""

    def __init__(self, line: socket.socket, until: float) -> None:
        self.line, self.until = line, until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.line.settimeout(_left(self.until))
        return self.line.recv_into(buffer)


class _Socket:
    """What Python's client needs of a socket, with the stream above in the place of its own."""

    def __init__(self, line: socket.socket, stream: _Stream) -> None:
        self.line, self.stream = line, stream

    def sendall(self, data: bytes) -> None:
        self.line.settimeout(_left(self.stream.until))
        self.line.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self.stream)

    def close(self) -> None:
        self.line.close()


class _Line(HTTPConnection):
    """A connection to one of the checked addresses; certificate, SNI and Host are those of the name."""

    stream: _Stream

    def __init__(self, target: Target, addresses: list[str], until: float) -> None:
        super().__init__(target.host, target.port)
        self.default_port = 443 if target.is_secure else 80
        self.target, self.addresses, self.until = target, addresses[:MOST_ADDRESSES], until

    def connect(self) -> None:
        line = self._reach()
        try:
            if self.target.is_secure:
                line.settimeout(_left(self.until))
                line = _trust().wrap_socket(line, server_hostname=self.target.host)
        except BaseException:
            line.close()
            raise
        self.stream = _Stream(line, self.until)
        self.sock = _Socket(line, self.stream)

    def _reach(self) -> socket.socket:
        problem: OSError = ConnectionError("no address")
        for address in self.addresses:
            try:
                return socket.create_connection((address, self.target.port), timeout=min(CONNECT, _left(self.until)))
            except OSError as error:
                problem = error
        raise problem


def _trust() -> ssl.SSLContext:
    """Return what certificates are judged by: the authorities of the system (SSL_CERT_FILE adds its own) and of certifi."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _left(until: float) -> float:
    """Return the seconds that are left. Raises TimeoutError."""
    left = until - monotonic()
    if left <= 0:
        raise TimeoutError
    return left
