"""A process that is killed: it forks itself for each order, and the fork dies by SIGKILL where the order says.

    python -m tests.crashes.child      reads orders from stdin, one JSON object a line, and answers each with a line

An order: {"act": name, "args": {...}, "ahead": seconds the clock is ahead, "kill": [step, "before" | "after"] or null}. A step is
the number of a passage through any point of palms.points, from 1, or a point's name: its first passage. The answer: {"steps":
[the point of each], "killed": true or false, "error": ""}. A commit, a write or a call to the outside that no point announces is
an error.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from datetime import timedelta
from typing import Any

import django

django.setup()

import time_machine  # noqa: E402
from django.conf import settings  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.db.backends.signals import connection_created  # noqa: E402

from palms import intents, points  # noqa: E402
from palms.celery import app as celery  # noqa: E402
from palms.clock import now_utc  # noqa: E402
from payments import services as money  # noqa: E402
from payments.models import ProviderAccount  # noqa: E402
from payments.providers import provider_for  # noqa: E402
from payments.services.inbox import receive_yookassa  # noqa: E402
from slots.models import Slot  # noqa: E402
from tests import guard, play  # noqa: E402

WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE)\b")
NAME = "palms-crash-child"


class Steps:
    """The points of one run. `kill` says before or after which one the process dies."""

    def __init__(self, kill: list[Any] | None, pipe: int) -> None:
        self._step, self._moment = kill or (0, "")
        self._pipe, self._count = pipe, 0
        self._open: list[int] = []

    def told(self, name: str, moment: str) -> None:
        if moment == "before":
            self._count += 1
            self._open.append(self._count)
            os.write(self._pipe, f"{name}\n".encode())
        number = self._open[-1] if moment == "before" else self._open.pop()
        if moment == self._moment and self._step in (number, name):
            os.kill(os.getpid(), signal.SIGKILL)


def refuse_the_unnamed() -> None:
    """Raise where something is committed or written at no named commit; the guard sees the calls."""
    leave = transaction.Atomic.__exit__

    def exit_named(self: Any, kind: Any, error: Any, trace: Any) -> None:
        if not connection.savepoint_ids and kind is None and not guard.where.is_inside("commit"):
            raise AssertionError("a commit without a name")
        leave(self, kind, error, trace)

    def write_named(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        if WRITES.match(str(sql)) and not connection.in_atomic_block:
            raise AssertionError(f"a write that is a commit without a name: {str(sql)[:80]}")
        return execute(sql, params, many, context)

    transaction.Atomic.__exit__ = exit_named  # type: ignore[method-assign]
    connection.execute_wrappers.append(write_named)


def checkout(slot: int, key: str) -> None:
    play.take(Slot.objects.get(pk=slot), key=key)


def look(token: str) -> None:
    """The return page, and then whatever is due."""
    play.services.look_again(token=token)
    play.run_all()


def sweep() -> None:
    play.services.end_expired()
    play.run_all()


def cancel(booking: int, client: int, broker: str = "") -> None:
    settings.CELERY_BROKER_URL = celery.conf.broker_url = broker
    play.services.cancel_by_customer(booking_id=booking, actor=play.customer(client), reason="rain")
    play.run_all()


def close(booking: int, slot: int, charge: int) -> None:
    actor = play.staff(Slot.objects.get(pk=slot))
    play.services.close(booking_id=booking, actor=actor, outcome="NOT_SHOWN", charge=charge)
    play.run_all()


def complete(booking: int, slot: int) -> None:
    play.services.try_complete_booking(booking_id=booking, actor=play.staff(Slot.objects.get(pk=slot)))
    play.run_all()


def look_at_fee(token: str) -> None:
    """The guest comes back from paying for staying, and then whatever is due."""
    play.services.look_again_at_fee(token=token)
    play.run_all()


def move(booking: int, slot: int) -> None:
    play.services.move(booking_id=booking, actor=play.staff(Slot.objects.get(pk=slot)), slot_id=slot)
    play.run_all()


def edit(booking: int, slot: int, price: int) -> None:
    play.services.edit(booking_id=booking, actor=play.staff(Slot.objects.get(pk=slot)), price=price)
    play.run_all()


def hand_back(refund: int, slot: int) -> None:
    money.handed_back(refund_id=refund, actor=play.staff(Slot.objects.get(pk=slot)))


def release(token: str) -> None:
    play.services.release_hold(token=token, actor=play.customer())


def staff_books(slot: int, key: str) -> None:
    offered = Slot.objects.get(pk=slot)
    play.services.book_for_client(
        slot_id=slot,
        club_id=offered.club_id,
        typed=play.typed(),
        participants_count=1,
        actor=play.staff(offered),
        key=key,
    )
    play.run_all()


def told(body: dict[str, Any]) -> None:
    """The bank's notification arrives."""
    receive_yookassa(body)
    play.run_all()


def reconcile(account: int) -> None:
    now = now_utc()
    since, until = now - timedelta(days=30), now + timedelta(minutes=5)
    money.reconcile(account_id=account, since=since, until=until)


def compare(account: int, slot: int) -> None:
    money.ask_to_compare(account_id=account, actor=play.staff(Slot.objects.get(pk=slot)))
    intents.run_due(kinds=["payments.compare"])


def check(account: int) -> None:
    """People test the credentials that they have typed."""
    provider_for(ProviderAccount.objects.get(pk=account)).check(patience=5)


ACTS = {
    act.__name__: act
    for act in (
        checkout,
        look,
        sweep,
        cancel,
        close,
        complete,
        release,
        staff_books,
        told,
        reconcile,
        compare,
        check,
        move,
        edit,
        hand_back,
        look_at_fee,
    )
}


def run(order: dict[str, Any], pipe: int) -> None:
    points.watch(Steps(order.get("kill"), pipe).told)
    with guard.watching(), time_machine.travel(now_utc() + timedelta(seconds=order.get("ahead", 0))):
        ACTS[order["act"]](**order["args"])


def fork(order: dict[str, Any]) -> dict[str, Any]:
    """Run an order in a child of our own and tell how it ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        code = 1
        try:
            run(order, writing)
            code = 0
        except BaseException as error:  # noqa: BLE001  told to the test
            os.write(writing, f"! {error!r}".replace("\n", " ").encode() + b"\n")
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as lines:
        told = lines.read().splitlines()
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    error = next((line for line in told if line.startswith("! ")), "")
    return {"steps": [line for line in told if not line.startswith("! ")], "killed": killed, "error": error}


def name_connection(connection: Any, **_: Any) -> None:
    """Let the test see when the database has noticed that a killed process is gone."""
    connection.connection.execute(f"SET application_name = '{NAME}'")


def main() -> None:
    connection_created.connect(name_connection)
    assert intents.HANDLERS
    guard.install()
    refuse_the_unnamed()
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(fork(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
