"""A process that is killed: it forks itself for each order, and the fork dies by SIGKILL where the order says.

    python -m tests.crashes.child      reads orders from stdin, one JSON object a line, and answers each with a line

An order: {"act": name, "args": {...}, "ahead": seconds the clock is ahead, "kill": [number, "before" | "after"] or null}.
Steps are counted from outside the product: the end of each outermost transaction, each statement outside of one that
writes, and each HTTP call. The answer: {"steps": [what each step was], "killed": true or false, "error": ""}.
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

import requests.adapters  # noqa: E402
import time_machine  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.db.backends.signals import connection_created  # noqa: E402

from palms import intents  # noqa: E402
from palms.clock import now_utc  # noqa: E402
from slots.models import Slot  # noqa: E402
from tests import play  # noqa: E402

WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE)\b")
NAME = "palms-crash-child"


class Steps:
    """The points of one run. `at` says before or after which one the process dies."""

    def __init__(self, kill: list[Any] | None, pipe: int) -> None:
        self._number, self._moment = kill or (0, "")
        self._pipe, self._count = pipe, 0

    def step(self, name: str) -> int:
        self._count += 1
        os.write(self._pipe, f"{name}\n".encode())
        self._die(self._count, "before")
        return self._count

    def past(self, number: int) -> None:
        self._die(number, "after")

    def _die(self, number: int, moment: str) -> None:
        if (number, moment) == (self._number, self._moment):
            os.kill(os.getpid(), signal.SIGKILL)


def install(steps: Steps) -> None:
    """Wrap what commits and what calls."""
    leave, send = transaction.Atomic.__exit__, requests.adapters.HTTPAdapter.send

    def exit_counted(self: Any, kind: Any, error: Any, trace: Any) -> None:
        if connection.savepoint_ids or kind is not None:
            leave(self, kind, error, trace)
            return
        number = steps.step("commit")
        leave(self, kind, error, trace)
        steps.past(number)

    def send_counted(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        number = steps.step(f"{request.method} {re.sub('[0-9a-f-]{36}', 'id', request.path_url.split('?')[0])}")
        answer = send(self, request, *args, **kwargs)
        steps.past(number)
        return answer

    def write_counted(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        if connection.in_atomic_block or not WRITES.match(str(sql)):
            return execute(sql, params, many, context)
        number = steps.step(str(sql).split()[0].lower())
        answer = execute(sql, params, many, context)
        steps.past(number)
        return answer

    transaction.Atomic.__exit__ = exit_counted  # type: ignore[method-assign]
    requests.adapters.HTTPAdapter.send = send_counted  # type: ignore[method-assign]
    connection.execute_wrappers.append(write_counted)


def checkout(slot: int, key: str) -> None:
    play.take(Slot.objects.get(pk=slot), key=key)


def look(token: str) -> None:
    """The return page, and then whatever is due."""
    play.services.look_again(token=token)
    play.run_all()


def sweep() -> None:
    play.services.end_expired()
    play.run_all()


def cancel(booking: int, client: int) -> None:
    play.services.cancel_by_customer(booking_id=booking, actor=play.customer(client), reason="rain")
    play.run_all()


def close(booking: int, slot: int, charge: int) -> None:
    actor = play.staff(Slot.objects.get(pk=slot))
    play.services.close(booking_id=booking, actor=actor, outcome="NOT_SHOWN", charge=charge)
    play.run_all()


ACTS = {act.__name__: act for act in (checkout, look, sweep, cancel, close)}


def run(order: dict[str, Any], pipe: int) -> None:
    install(Steps(order.get("kill"), pipe))
    with time_machine.travel(now_utc() + timedelta(seconds=order.get("ahead", 0))):
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
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(fork(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
