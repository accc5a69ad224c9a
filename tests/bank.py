"""The sandbox bank for tests: a subprocess on a free port with its own data folder. Amounts are minor units."""

import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

ROOT = Path(__file__).resolve().parent.parent
START_LIMIT = 20.0  # seconds
STOP_LIMIT = 5.0  # seconds
Json = dict[str, Any]


class Bank:
    """with Bank(notify_url="http://127.0.0.1:9000/hook") as bank: ...

    `shops` are extra ones, {"200600": "test_other"}; the default shop is always there.
    """

    shop_id = "100500"
    secret = "test_sandbox_secret"

    def __init__(self, notify_url: str | None = None, shops: dict[str, str] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bank-"))
        self._shops = {self.shop_id: self.secret, **(shops or {})}
        self._notify_url = notify_url
        self._process: subprocess.Popen[str] | None = None
        self._client = httpx.Client(trust_env=False, timeout=30)
        self.url = ""
        self._start(port=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def api_url(self) -> str:
        """What PALMS calls YOOKASSA_API_URL."""
        return f"{self.url}/v3"

    @property
    def notify_url(self) -> str | None:
        return self._notify_url

    @notify_url.setter
    def notify_url(self, address: str | None) -> None:
        """Where the default shop's notifications go from now on."""
        self._notify_url = address
        self.control("POST", "shops", {"shop_id": self.shop_id, "notify_url": address})

    def api(
        self, method: str, path: str, body: object = None, *, key: str | None = None, timeout: float = 30
    ) -> httpx.Response:
        """Call the API as the default shop: bank.api("POST", "/payments", {...}, key="k1")."""
        headers = {"Idempotence-Key": key} if key is not None else {}
        auth = (self.shop_id, self.secret)
        return self._client.request(method, self.api_url + path, json=body, headers=headers, auth=auth, timeout=timeout)

    def pay(self, payment_id: str, card: str = "4111111111111111") -> Json:
        """Pay as the payer would. Returns the payment object."""
        return self._object(self.control("POST", "pay", {"payment_id": payment_id, "card_number": card}))

    def pay_on_page(self, payment_id: str, card: str = "4111111111111111") -> httpx.Response:
        """Send the form of the hosted page. A 302 to the return_url when the card was taken or declined."""
        return self._client.post(f"{self.url}/pay/{payment_id}", data={"card_number": card})

    def state(self) -> Json:
        return self._object(self.control("GET", "state"))

    def payment(self, payment_id: str) -> Json:
        """{"object", "money", "effects", "refunds", "receipt", "page_url", "status", ...}"""
        return self._object(self.control("GET", f"payments/{payment_id}"))

    def money(self, payment_id: str) -> dict[str, int]:
        """{"amount", "held", "captured", "refunded", "voided", "net", "refundable"}"""
        found: dict[str, int] = self.payment(payment_id)["money"]
        return found

    def calls(self, method: str | None = None, path: str | None = None) -> list[Json]:
        """The API calls so far; `path` is a part of it, such as "/capture"."""
        return [
            call
            for call in self.state()["calls"]
            if method in (None, call["method"]) and (path is None or path in call["path"])
        ]

    def effects(self, payment_id: str) -> list[tuple[str, int]]:
        """Movements of money in order: [("held", 100000), ("captured", 60000), ("voided", 40000)]."""
        return [(effect["kind"], effect["amount"]) for effect in self.payment(payment_id)["effects"]]

    def notifications(self) -> list[Json]:
        found: list[Json] = self.state()["notifications"]
        return found

    def fault(self, *, on: str = "any", kind: str, times: int | None = 1, **options: Any) -> int:
        """Switch a fault on; times=None is for ever. Returns its id. Kinds and options: sandbox/README.md."""
        answer = self.control("POST", "faults", {"on": on, "kind": kind, "times": times, **options})
        return int(self._object(answer)["id"])

    def clear_faults(self) -> None:
        self.control("DELETE", "faults")

    def advance(self, seconds: float) -> None:
        self.control("POST", "clock", {"advance": seconds})

    def refund_in_cabinet(self, payment_id: str, amount: int | None = None) -> Json:
        """A refund made by people, not by us. Returns the refund object."""
        body = {"payment_id": payment_id} | ({"amount": amount} if amount is not None else {})
        return self._object(self.control("POST", "refund", body))

    def expire(self, payment_id: str) -> Json:
        """End a pending payment or a hold now, as its deadline would, without moving the clock."""
        return self._object(self.control("POST", "expire", {"payment_id": payment_id}))

    def notify(self, payment_id: str | None = None, **options: Any) -> Json:
        """Send a notification now: event=, times=, forge={...}, refund_id=, object={...}, shop_id=."""
        named = {"payment_id": payment_id} if payment_id else {}
        return self._object(self.control("POST", "notify", named | options))

    def shop(self, shop_id: str | None = None, **options: Any) -> Json:
        """Change or add a shop: secret=, notify_url=, currency=, receipts=, partial_amount="captured" | "original"."""
        return self._object(self.control("POST", "shops", {"shop_id": shop_id or self.shop_id, **options}))

    def reset(self) -> None:
        """Forget everything but the shops; the clock shows real time again."""
        self.control("POST", "reset")

    def control(self, method: str, path: str, body: Json | None = None) -> httpx.Response:
        """Any control call. Raises httpx.HTTPStatusError when it is refused."""
        response = self._client.request(method, f"{self.url}/_control/{path}", json=body)
        response.raise_for_status()
        return response

    def stop(self) -> None:
        """End the server and remove its data."""
        self._end()
        self._client.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def restart(self, *, kill: bool = False) -> None:
        """End the server (with SIGKILL when `kill`) and start it again on the same port with the same data."""
        port = int(self.url.rsplit(":", 1)[1])
        self._end(kill=kill)
        self._start(port=port)

    def _start(self, *, port: int) -> None:
        command = [sys.executable, "-m", "sandbox", "--port", str(port), "--data", str(self.folder)]
        command += ["--notify-url", self._notify_url] if self._notify_url else []
        for shop_id, secret in self._shops.items():
            command += ["--shop", f"{shop_id}:{secret}"]
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment)
        self.url = self._ready_line(self._process).rsplit(" ", 1)[1]

    def _ready_line(self, process: "subprocess.Popen[str]") -> str:
        assert process.stdout is not None
        deadline = time.monotonic() + START_LIMIT
        while time.monotonic() < deadline and process.poll() is None:
            if select.select([process.stdout], [], [], 0.2)[0]:
                line = process.stdout.readline().strip()
                if line.startswith("sandbox ready"):
                    return line
        process.kill()
        raise RuntimeError("the sandbox did not start")

    def _end(self, *, kill: bool = False) -> None:
        process = self._process
        if process is None:
            return
        process.kill() if kill else process.terminate()
        try:
            process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()
        self._process = None

    @staticmethod
    def _object(response: httpx.Response) -> Json:
        found: Json = response.json()
        return found
