"""Opening transactions of the bank: each starts by letting the clock do what it would have done by now."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.clock import Clock
from sandbox.storage import Storage
from sandbox.yookassa.operations import expire_due
from sandbox.yookassa.work import Work


class Works:
    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self.wake = threading.Event()  # something may be waiting to be sent
        self.stopping = threading.Event()

    @contextmanager
    def open(self) -> Iterator[Work]:
        """One transaction at one moment; the sender is woken after it."""
        with self._storage.transaction() as db:
            work = Work(db, self._clock.now())
            expire_due(work)
            yield work
        self.wake.set()

    @contextmanager
    def peek(self) -> Iterator[Work]:
        """The same for the sender itself, which must not wake itself."""
        with self._storage.transaction() as db:
            work = Work(db, self._clock.now())
            expire_due(work)
            yield work

    def wait(self, seconds: float) -> None:
        """Sleep in real time. A stop of the server cuts it short and ends the calling thread: its caller hears nothing."""
        if seconds > 0 and self.stopping.wait(seconds):
            raise SystemExit
