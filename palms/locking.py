"""Starting over: what was read before the locks may be found changed under them; then every lock is let go first."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from django.db import transaction

T = TypeVar("T")


class Moved(Exception):
    """What was read before the locks is not so any more."""


def starting_over(attempt: Callable[[], T]) -> T:
    """Run an attempt to take locks in a savepoint; where it raises Moved, let its locks go and try again.

    The attempt itself opens no savepoint around a lock: whoever waits for a lock that was taken in a savepoint since
    released goes on waiting for the whole transaction, even after a rollback above it, and two such waits are a deadlock.
    """
    while True:
        with suppress(Moved), transaction.atomic():
            return attempt()
