"""The guard that every test runs under is awake: planted calls are found where they may not be, and nowhere else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from palms import points
from palms.celery import app
from palms.wake import ENQUEUED, wake
from tests import guard
from tests.bank import Bank
from tests.play import booked, offer

ASKED = ENQUEUED  # any named call
CONNECT = "import socket\nsocket.create_connection(address, 5).close()"
SPEAK = "line.sendall(b'PING')"


@pytest.fixture
def address() -> Iterator[tuple[str, int]]:
    """Somebody who listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


def planted(source: str, **names: Any) -> Callable[[], None]:
    """Return code that passes for a module of a room."""
    code = compile(source, str(guard.ROOT / "payments" / "planted.py"), "exec")
    return lambda: exec(code, names)


def test_a_call_at_a_named_point_is_fine(address: tuple[str, int]) -> None:
    with guard.watching(), ASKED:
        planted(CONNECT, address=address)()


def test_a_call_without_a_point_fails_the_test(address: tuple[str, int]) -> None:
    with (
        pytest.raises(AssertionError, match=r"socket.connect outside a named point:[\s\S]*planted.py"),
        guard.watching(),
    ):
        planted(CONNECT, address=address)()


def test_a_look_for_an_address_is_a_call() -> None:
    source = "import socket\nsocket.getaddrinfo('localhost', 80)"
    with pytest.raises(AssertionError, match="socket.getaddrinfo outside a named point"), guard.watching():
        planted(source)()


def test_a_call_in_another_thread_fails_the_test(address: tuple[str, int]) -> None:
    thread = threading.Thread(target=planted(CONNECT, address=address))

    def run() -> None:
        thread.start()
        thread.join()

    with pytest.raises(AssertionError, match="outside a named point"), guard.watching():
        run()


@pytest.mark.django_db
def test_a_call_inside_a_transaction_fails_the_test(address: tuple[str, int]) -> None:
    """Even where the test itself runs in one, which is no transaction of ours."""
    with guard.watching(), ASKED:
        planted(CONNECT, address=address)()
    with (
        pytest.raises(AssertionError, match="socket.connect inside a transaction"),
        guard.watching(),
        transaction.atomic(),
        ASKED,
    ):
        planted(CONNECT, address=address)()


@pytest.mark.django_db(transaction=True)
def test_so_does_one_over_a_connection_that_was_kept(address: tuple[str, int]) -> None:
    with socket.create_connection(address, 5) as line:
        with guard.watching(), ASKED:
            planted(SPEAK, line=line)()
        with (
            pytest.raises(AssertionError, match="socket.sendall inside a transaction"),
            guard.watching(),
            transaction.atomic(),
            ASKED,
        ):
            planted(SPEAK, line=line)()


@pytest.mark.django_db(transaction=True)
def test_a_worker_is_woken_after_the_commit(address: tuple[str, int], settings: Any, monkeypatch: Any) -> None:
    """The real way to the broker, which hangs up; asked for before the commit, it is a planted defect."""
    monkeypatch.setattr(app.conf, "broker_url", f"redis://127.0.0.1:{address[1]}/0")
    monkeypatch.setattr("palms.wake._silent_until", 0.0)
    settings.CELERY_BROKER_URL = app.conf.broker_url
    told: list[tuple[str, bool]] = []

    def watcher(name: str, moment: str) -> None:
        told.append((f"{moment} {name}", connection.in_atomic_block))

    points.watch(watcher)
    try:
        with guard.watching(), transaction.atomic():
            wake("palms.run_intent", intent_id=0)
    finally:
        points.unwatch(watcher)
    assert told == [("before broker.send", False), ("after broker.send", False)]
    assert Path(guard.ROOT / "palms" / "wake.py").read_text().count("send_task") == 1


@pytest.mark.django_db(transaction=True)
def test_a_bank_asked_without_a_point_is_found_on_the_way_of_money(bank: Bank, monkeypatch: Any) -> None:
    """The same sale twice: as it is, and with the name taken off the call that asks for a page."""
    with guard.watching():
        booked(offer(), bank)
    monkeypatch.setattr(points.Call, "__enter__", lambda self: None)
    with pytest.raises(AssertionError, match="yookassa_client.py"), guard.watching():
        booked(offer(), bank)
