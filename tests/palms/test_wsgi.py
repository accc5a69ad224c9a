"""The door that every request comes through."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from django.test import RequestFactory

from palms.wsgi import MOST, application


class Cut(BytesIO):
    """A connection that breaks."""

    def read(self, size: int | None = -1) -> bytes:
        raise OSError


def sent(body: BytesIO, path: str = "/api/v1/site/bookings/individual") -> dict[str, Any]:
    """Return the problem that a POST in chunks, as gunicorn hands it on, is answered with."""
    factory = RequestFactory(HTTP_TRANSFER_ENCODING="chunked", HTTP_ACCEPT_LANGUAGE="en")
    known = factory.generic("POST", path).environ
    environ = known | {"CONTENT_TYPE": "application/json", "wsgi.input": body, "wsgi.input_terminated": True}
    environ.pop("CONTENT_LENGTH", None)
    answer = b"".join(application(environ, lambda *_told: lambda _data: None))
    found: dict[str, Any] = json.loads(answer)
    return found


def test_a_body_in_chunks_is_read() -> None:
    told = sent(BytesIO(b'{"slot_id": "7", "client": {}}'))

    assert told["errors"]["slot_id"] == ["A valid integer is required."]
    assert sent(BytesIO(b"{"))["code"] == "malformed_request"


@pytest.mark.parametrize("size", [2_000_000, MOST + 10])
def test_a_large_body_in_chunks_is_too_large(size: int) -> None:
    assert sent(BytesIO(b'{"a": "' + b"x" * size + b'"}'))["code"] == "request_too_large"


def test_chunks_that_break_off_are_refused() -> None:
    assert sent(Cut())["code"] == "validation_failed", "read as nothing"
