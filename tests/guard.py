"""Looks over every test: Palms talks to the outside never inside a transaction, and on the way of money at named points only.

Seen is what goes through Python's sockets: a connection, a look for an address, bytes on a connection that is kept. PostgreSQL
is spoken to by libpq, which uses none of them. Calls that a test makes itself are its own affair: the code of the project that
is nearest to the socket says whose call it is.
"""

from __future__ import annotations

import socket
import ssl
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from django.db import connection

from palms import intents, points

ROOT = Path(__file__).resolve().parents[1]
MONEY = (
    "palms",
    "clubs",
    "clients",
    "slots",
    "payments",
    "notifications",
    "bookings",
)  # each call of theirs has a name
BESIDE = ("access", "webhooks", "backoffice")  # rooms that move no money
OURS = ("tests", "sandbox", "benchmarks", "palms/embedded")  # the last starts servers; the product never imports it
OUTSIDE = frozenset({"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"})


class Where(threading.local):
    """The points that this thread is inside of, outermost first."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def told(self, name: str, moment: str) -> None:
        if moment == "before":
            self.names.append(name)
        elif name in self.names:
            self.names.remove(name)

    def is_inside(self, kind: str) -> bool:
        return any(points.POINTS[name] == kind for name in self.names)


where = Where()
_books: list[list[str]] = []  # where to write down what is wrong; the innermost `watching` reads it


def _on_event(event: str, _args: tuple[Any, ...]) -> None:
    if event in OUTSIDE and _books:
        _look(event, sys._getframe(1))


def _look(event: str, frame: FrameType) -> None:
    room = _room_of(frame)
    if room is None:
        return
    wrong = []
    if any(not block._from_testcase for block in connection.atomic_blocks):
        wrong.append("inside a transaction")
    if room in MONEY and not where.is_inside("call"):
        wrong.append("outside a named point")
    if room in MONEY and connection.connection is not None and not _may_hold_one(room):
        wrong.append("while a database connection waits")
    if wrong:
        lines = [line for line in traceback.format_stack(frame) if "/site-packages/" not in line]
        _books[-1].append(f"{event} {' and '.join(wrong)}:\n{''.join(lines[-8:])}")


def _may_hold_one(room: str) -> bool:
    """A sweep keeps its one connection for letters; the broker answers within a second or not at all."""
    return (room == "notifications" and bool(intents._sweeping.get())) or "broker.send" in where.names


def _room_of(frame: FrameType | None) -> str | None:
    """Return the room whose code calls; None where no room's does, or a test on its own account."""
    while frame is not None:
        folder = _folder_of(frame.f_code.co_filename)
        if folder in (*MONEY, *BESIDE, *OURS):
            return None if folder in OURS else folder
        frame = frame.f_back
    return None


@cache
def _folder_of(file: str) -> str:
    path = Path(file)
    parts = path.relative_to(ROOT).parts if path.is_relative_to(ROOT) else ("",)
    return "palms/embedded" if parts[:2] == ("palms", "embedded") else parts[0]


def _over_kept_connections(kind: type, name: str) -> None:
    """No event tells of bytes sent over a connection that was opened before."""
    send: Callable[..., Any] = getattr(kind, name)

    def sent(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _books:
            _look(f"socket.{name}", sys._getframe(1))
        return send(self, *args, **kwargs)

    setattr(kind, name, sent)


def install() -> None:
    """Once per process; an audit hook cannot be taken out again."""
    points.watch(where.told)
    sys.addaudithook(_on_event)
    for kind in (socket.socket, ssl.SSLSocket):
        for name in ("send", "sendall"):
            _over_kept_connections(kind, name)


@contextmanager
def watching() -> Iterator[None]:
    """Raises AssertionError at its end when a call was made where none may be, in any thread."""
    wrong: list[str] = []
    _books.append(wrong)
    try:
        yield
    finally:
        _books.pop()
    assert not wrong, "\n".join(wrong)
