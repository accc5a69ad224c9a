"""One sandbox bank for the whole run, emptied before each test; and a shop's ear for its notifications."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from tests.bank import Bank

PAYMENT = {
    "amount": {"value": "1000.00", "currency": "RUB"},
    "capture": False,
    "confirmation": {"type": "redirect", "return_url": "https://palms.test/back?b=1"},
    "description": "Корт 1, 10:00",
    "metadata": {"booking": "17"},
}

web = httpx.Client(trust_env=False, timeout=30)  # one for all: each new client reads the system's certificates


class Ear:
    """A shop that listens. `answers` are given in order, the last one for ever; None hangs up without an answer."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.answers: list[int | None] = [200]
        self._lock = threading.Lock()
        ear = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer = ear.hear(body)
                if answer is None:
                    self.close_connection = True
                    return
                self.send_response(answer)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def hear(self, body: dict[str, Any]) -> int | None:
        with self._lock:
            self.heard.append(body)
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def events(self) -> list[str]:
        with self._lock:
            return [body["event"] for body in self.heard]

    def wait_for(self, count: int) -> list[str]:
        """Wait until that many were heard; fails after ten seconds."""
        eventually(lambda: len(self.heard) >= count)
        return self.events()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def eventually(holds: Callable[[], bool], limit: float = 10) -> None:
    deadline = time.monotonic() + limit
    while not holds():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.02)


@pytest.fixture(scope="session")
def running_bank() -> Iterator[Bank]:
    with Bank(shops={"200600": "live_other_secret"}) as bank:
        yield bank


@pytest.fixture
def bank(running_bank: Bank) -> Bank:
    running_bank.reset()
    running_bank.shop(notify_url=None, receipts=False, partial_amount="captured")
    return running_bank


@pytest.fixture
def ear(bank: Bank) -> Iterator[Ear]:
    ear = Ear()
    bank.notify_url = ear.url
    yield ear
    bank.notify_url = None
    ear.stop()


@pytest.fixture
def make(bank: Bank) -> Callable[..., str]:
    """Create a payment and return its id; pay=True pays it; fields override PAYMENT."""
    made = iter(range(1_000_000))

    def create(pay: bool = False, **changes: Any) -> str:
        response = bank.api("POST", "/payments", PAYMENT | changes, key=f"make-{next(made)}")
        assert response.status_code == 200, response.text
        payment_id: str = response.json()["id"]
        if pay:
            bank.pay(payment_id)
        return payment_id

    return create
