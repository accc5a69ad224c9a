"""Where a process may die on the way of money: every commit and every call to the outside has a name.

    CHECKED_OUT = points.commit("bookings.checkout")     with CHECKED_OUT: ...     or @points.commit("bookings.close")
    ASKED = points.call("yookassa.create")               with ASKED: ...

POINTS lists them as soon as the rooms are loaded. At a point nothing happens: no setting and no environment variable reaches it.
Only code that calls `watch` in this very process is told, and only tests do.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ContextDecorator
from types import TracebackType

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.transaction import Atomic

Watcher = Callable[[str, str], None]  # the name of a point; "before" or "after"

POINTS: dict[str, str] = {}  # name: "commit" or "call"
_watchers: list[Watcher] = []


def watch(watcher: Watcher) -> None:
    """Tell `watcher` before and after every point that this process passes, in the thread that passes it."""
    _watchers.append(watcher)


def unwatch(watcher: Watcher) -> None:
    _watchers.remove(watcher)


def commit(name: str) -> Commit:
    """Return a transaction whose COMMIT is a point. Made once, where its module is loaded; any thread may enter it."""
    return Commit(_list(name, "commit"))


def call(name: str) -> Call:
    """Return what goes around one call to the outside. Made once, where its module is loaded; any thread may enter it."""
    return Call(_list(name, "call"))


def _list(name: str, kind: str) -> str:
    if name in POINTS:
        raise ValueError(f"two points are called {name}")
    POINTS[name] = kind
    return name


def _tell(name: str, moment: str) -> None:
    for watcher in _watchers:
        watcher(name, moment)


class Commit(Atomic):
    """`transaction.atomic()`; inside another transaction it is a savepoint, and no point."""

    def __init__(self, name: str) -> None:
        super().__init__(using=DEFAULT_DB_ALIAS, savepoint=True, durable=False)
        self._name = name

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None or connection.savepoint_ids:
            super().__exit__(kind, error, trace)
            return
        _tell(self._name, "before")
        super().__exit__(kind, error, trace)
        _tell(self._name, "after")


class Call(ContextDecorator):
    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        _tell(self._name, "before")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _tell(self._name, "after")
