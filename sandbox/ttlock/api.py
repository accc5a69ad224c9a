"""The cloud's HTTP face: form fields in, HTTP 200 out whatever happened, one operation at a time per gateway."""

import contextlib
import json
import socket
import sqlite3
import threading

from werkzeug.wrappers import Request, Response

from sandbox.ttlock.cloud import BY_SECRET, CALLS, OPERATIONS, Fields, goes_through_a_gateway, know_caller, number
from sandbox.ttlock.errors import Refusal
from sandbox.ttlock.faults import Fault, take_fault
from sandbox.ttlock.site import Site, Work
from sandbox.web import BadInput, Json, json_response, read_form

BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
READS = ("list", "locks", "gateways", "count", "clock")


class Api:
    def __init__(self, site: Site) -> None:
        self._site = site
        self.stopping = threading.Event()

    def respond(self, request: Request, path: str) -> Response:
        if path not in OPERATIONS:
            return Response("Not Found", 404)
        if request.method != "POST" and not (request.method == "GET" and OPERATIONS[path] in READS):
            return Response("Method Not Allowed", 405)
        fields = _fields(request)
        with self._site.open() as work:
            call = work.db.execute(
                "INSERT INTO calls (at, path, lock) VALUES (?, ?, ?)", (work.now, path, fields.get("lockId"))
            ).lastrowid
            fault = take_fault(work, OPERATIONS[path])
        answer = self._answer(path, fields, fault)
        with self._site.open() as work:
            said = None if fault and fault.is_silent else json.dumps(answer)
            values = (said, fault.kind if fault else None, call)
            work.db.execute("UPDATE calls SET answer = ?, fault = ? WHERE id = ?", values)
        return self._say(request, answer, fault)

    def _answer(self, path: str, fields: Fields, fault: Fault | None) -> Json:
        try:
            if fault and not fault.has_effect:
                self._wait(fault.seconds)
                return Refusal(fault.errcode).body()
            return self._do(path, fields, fault)
        except Refusal as refusal:
            return refusal.body()

    def _do(self, path: str, fields: Fields, fault: Fault | None) -> Json:
        if path in BY_SECRET:
            with self._site.open() as work:
                return BY_SECRET[path](work, fields)
        with self._site.open() as work:
            know_caller(work, fields)
        seconds = fault.seconds if fault and fault.kind == "delay" else 0.0
        if not goes_through_a_gateway(path, fields):
            self._wait(seconds)
            with self._site.open() as work:
                return CALLS[path](work, fields)
        with self._site.open() as work:
            gateway = _occupy(work, fields)
        try:
            self._wait(seconds + gateway["latency"])
            with self._site.open() as work:
                return CALLS[path](work, fields)
        finally:
            with self._site.open() as work:
                work.db.execute("UPDATE gateways SET busy = 0 WHERE id = ?", (gateway["id"],))

    def _say(self, request: Request, answer: Json, fault: Fault | None) -> Response:
        kind = fault.kind if fault else ""
        if fault and fault.is_silent:
            if kind == "silence_after":
                self._wait(fault.seconds)
            connection: socket.socket = request.environ["werkzeug.socket"]
            with contextlib.suppress(OSError):  # the caller may have hung up first
                connection.shutdown(socket.SHUT_RDWR)
        if kind == "html_502":
            return Response(BAD_GATEWAY, 502, content_type="text/html; charset=utf-8")
        if kind == "garbled":
            whole = json.dumps(answer)
            return Response(whole[: len(whole) // 2], 200, content_type="application/json")
        if fault and kind == "errcode_after":
            return json_response(Refusal(fault.errcode).body())
        return json_response(answer)

    def _wait(self, seconds: float) -> None:
        if seconds > 0 and self.stopping.wait(seconds):
            raise SystemExit


def _occupy(work: Work, fields: Fields) -> sqlite3.Row:
    """Reach the lock through its gateway, which serves one call at a time. Returns the gateway."""
    lock = work.lock(number(fields, "lockId"))
    gateway: sqlite3.Row | None = work.db.execute("SELECT * FROM gateways WHERE id = ?", (lock["gateway"],)).fetchone()
    if gateway is None:
        raise Refusal(-2012)
    if not gateway["online"]:
        raise Refusal(-3002)
    if gateway["busy"]:
        raise Refusal(-3003)
    work.db.execute("UPDATE gateways SET busy = 1 WHERE id = ?", (gateway["id"],))
    return gateway


def _fields(request: Request) -> Fields:
    try:
        return read_form(request) if request.method == "POST" else dict(request.args.items())
    except BadInput:
        return {}
