"""Many people at the same moment: threads, each with a connection of its own, let go together."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection, transaction

from bookings.services import Checkout
from slots.models import Slot
from tests.play import take

PATIENCE = 90.0  # seconds until a race counts as hung
Act = Callable[[], Any]


def at_once(acts: Sequence[Act]) -> list[Any]:
    """Run every act in a thread and a connection of its own, behind one barrier; return what each gave or raised."""
    results: list[Any] = [None] * len(acts)
    barrier = threading.Barrier(len(acts))

    def run(number: int, act: Act) -> None:
        try:
            connection.ensure_connection()
            barrier.wait(PATIENCE)
            results[number] = act()
        except BaseException as error:  # noqa: BLE001  whatever happened is the result
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number, act), daemon=True) for number, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + PATIENCE
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    assert not any(thread.is_alive() for thread in threads), "the race hangs"
    return results


def kinds(results: Sequence[Any]) -> Counter[str]:
    """Count results by the name of their type: {"Checkout": 1, "SlotTaken": 199}."""
    return Counter(type(result).__name__ for result in results)


def only(results: Sequence[Any], kind: type) -> Any:
    """Return the one result of this kind."""
    (found,) = [result for result in results if isinstance(result, kind)]
    return found


def buyer(slot: Slot, number: int, **changes: Any) -> Callable[[], Checkout]:
    """Return the checkout of one person among many, with a phone of their own."""
    return lambda: take(slot, phone=phone(number), **changes)


def phone(number: int) -> str:
    return f"+7912{number:07d}"


def buyers(count: int, *slots: Slot) -> list[Callable[[], Checkout]]:
    """Return this many people, spread evenly over the slots."""
    return [buyer(slots[number % len(slots)], number) for number in range(count)]


class Background:
    """One act in a thread and a connection of its own, that goes on while the test does something else."""

    def __init__(self, act: Act) -> None:
        self._result: Any = None
        self._thread = threading.Thread(target=self._run, args=(act,), daemon=True)
        self._thread.start()

    def _run(self, act: Act) -> None:
        try:
            self._result = act()
        except BaseException as error:  # noqa: BLE001  whatever happened is the result
            self._result = error
        finally:
            connection.close()

    @property
    def is_over(self) -> bool:
        return not self._thread.is_alive()

    def result(self) -> Any:
        """Wait for the end; return what the act gave or raised."""
        self._thread.join(PATIENCE)
        assert self.is_over, "the race hangs"
        return self._result


class Holder:
    """Somebody who stands on rows in a transaction of their own, and changes things under it, until told to go.

    with Holder(lambda: list(Area.objects.select_for_update().filter(pk=1))) as holder: ...
    """

    def __init__(self, first: Act) -> None:
        self._acts: queue.Queue[Act | None] = queue.Queue()
        self._answers: queue.Queue[Any] = queue.Queue()
        self._thread = Background(self._work)
        self.does(first)

    def _work(self) -> None:
        with transaction.atomic():
            while (act := self._acts.get(timeout=PATIENCE)) is not None:
                try:
                    self._answers.put(act())
                except BaseException as error:
                    self._answers.put(error)
                    raise

    def asks(self, act: Act) -> None:
        """Do this in the transaction, too, without waiting for its end."""
        self._acts.put(act)

    def answer(self) -> Any:
        result = self._answers.get(timeout=PATIENCE)
        if isinstance(result, BaseException):
            raise result
        return result

    def does(self, act: Act) -> Any:
        """Do this in the transaction, too, and say what came of it."""
        self.asks(act)
        return self.answer()

    def commit(self) -> None:
        self._acts.put(None)
        assert self._thread.result() is None

    def __enter__(self) -> Holder:
        return self

    def __exit__(self, *_: object) -> None:
        self._acts.put(None)
        self._thread.result()


def waiting() -> int:
    """Return how many connections wait for a row that another one holds."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])


def until_waiting(count: int = 1) -> None:
    """Return when exactly this many connections wait for a row; fail when they never do."""
    deadline = time.monotonic() + 20.0
    while waiting() != count:
        assert time.monotonic() < deadline, f"{waiting()} wait for a lock, not {count}"
        time.sleep(0.005)
