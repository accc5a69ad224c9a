"""The API as an application calls it: JSON out, JSON in."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client

from tests.api import described

ANNA = {"full_name": "Анна Петрова", "phone": "8 912 345-67-89", "email": "anna@example.com"}


@dataclass
class Caller:
    """An application. `post` sends a value as JSON, or bytes as they are; every answer is a HttpResponse with `json()`."""

    language: str = "en"
    client: Client = field(default_factory=lambda: Client(enforce_csrf_checks=True))

    def get(self, path: str, **headers: str) -> Any:
        return self._send("GET", path, b"", headers)

    def patch(self, path: str, body: Any, **headers: str) -> Any:
        return self._send(
            "PATCH", path, body if isinstance(body, bytes) else json.dumps(body).encode(), headers, "application/json"
        )

    def post(self, path: str, body: Any = None, *, content_type: str = "application/json", **headers: str) -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._send("POST", path, raw, headers, content_type)

    def _send(self, method: str, path: str, raw: bytes, headers: dict[str, str], content_type: str = "") -> Any:
        named = {"accept-language": self.language} | {name.replace("_", "-"): headers[name] for name in headers}
        answer = self.client.generic(method, path, raw, content_type=content_type, headers=named)
        described.check(method, path, answer)
        return answer


def order(slot_id: int, **changes: Any) -> dict[str, Any]:
    """Return the body of a checkout."""
    return {"slot_id": slot_id, "client": dict(ANNA)} | changes


def refusal(answer: HttpResponse) -> tuple[int, str]:
    """Return (status, code) of a problem, after checking its shape."""
    assert answer["Content-Type"] == "application/problem+json", answer.content
    body = json.loads(answer.content)
    assert body["type"] == f"/problems/{body['code']}"
    assert body["status"] == answer.status_code
    assert body["title"]
    assert body["detail"]
    assert answer["Cache-Control"].startswith("no-store")
    return answer.status_code, body["code"]


@pytest.fixture
def api() -> Caller:
    return Caller()


@pytest.fixture(autouse=True)
def _nobody_has_looked() -> None:
    cache.clear()
