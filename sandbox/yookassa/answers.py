"""Putting an answer on the wire, or spoiling it as a fault says."""

import contextlib
import json
import socket

from werkzeug.wrappers import Request, Response

from sandbox.web import Json, json_response
from sandbox.yookassa.errors import ApiError
from sandbox.yookassa.faults import Fault
from sandbox.yookassa.memory import Answer
from sandbox.yookassa.notifications import merged
from sandbox.yookassa.works import Works

RETRY_AFTER = 1800  # ms, as in YooKassa's own examples
SILENCE = 60.0  # seconds a silent call keeps the socket open
BAD_GATEWAY = (
    "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
)


def respond(works: Works, request: Request, answer: Answer | None, fault: Fault | None) -> Response | None:
    """Return what the caller gets; None when the connection was closed without an answer."""
    if fault is None:
        return _plain(answer)
    kind = fault.kind
    if kind in ("silence", "silence_after"):
        works.wait(fault.seconds(SILENCE))
    elif kind != "delay":  # a delay has passed before the effect
        works.wait(fault.seconds())
    if kind in ("silence", "silence_after", "drop_before", "drop_after"):
        _drop(request)
        return None
    return _spoiled(kind, fault.options, answer)


def _plain(answer: Answer | None) -> Response | None:
    return json_response(answer.body, answer.status) if answer else None


def _spoiled(kind: str, options: Json, answer: Answer | None) -> Response | None:
    if kind in ("error_before", "error_after"):
        return _error(500, "internal_server_error", "Internal server error", options.get("retry_after"))
    if kind == "too_many_429":
        return _error(429, "too_many_requests", "Too many requests", options.get("retry_after", RETRY_AFTER))
    if kind == "html_502":
        return Response(BAD_GATEWAY, 502, content_type="text/html; charset=utf-8")
    if kind == "processing_202":
        wait = options.get("retry_after", RETRY_AFTER)
        return json_response(
            {"type": "processing", "description": "Request accepted, but not processed yet", "retry_after": wait}, 202
        )
    if kind == "garbled":
        whole = json.dumps(answer.body if answer else {"type": "payment"}, ensure_ascii=False)
        return Response(whole[: len(whole) // 2], 200, content_type="application/json")
    if kind == "lie" and answer and answer.status == 200:
        return json_response(_lie(answer.body, options.get("set", {})))
    return _plain(answer)


def _error(status: int, code: str, description: str, retry_after: int | None) -> Response:
    return json_response(ApiError(status, code, description, None, retry_after).body(), status)


def _lie(truth: Json, changes: Json) -> Json:
    if truth.get("type") == "list":
        return truth | {"items": [merged(item, changes) for item in truth["items"]]}
    return merged(truth, changes)


def _drop(request: Request) -> None:
    connection: socket.socket = request.environ["werkzeug.socket"]
    with contextlib.suppress(OSError):  # the caller may have hung up first
        connection.shutdown(socket.SHUT_RDWR)
