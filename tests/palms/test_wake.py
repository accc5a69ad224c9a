"""Waking a worker is a courtesy: with no broker, or a dead one, nothing fails and a sweep does the work."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from bookings.models import Booking
from notifications.models import Notification
from palms import tasks, wake
from palms.celery import app
from palms.embedded.broker import BrokerServer
from tests.bank import Bank
from tests.play import booked, booked_on_site, offer, run_all

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def broker_at(address: str) -> Iterator[None]:
    before = app.conf.broker_url
    app.conf.broker_url = address
    _forget_connections()
    yield
    app.conf.broker_url = before
    _forget_connections()


def _forget_connections() -> None:
    """Let Celery open new ones, to where it is pointed now."""
    app._pool = app.amqp._producer_pool = None
    wake._silent_until = 0.0


@pytest.fixture
def dead_broker(settings: Any) -> Iterator[None]:
    """Point Celery at a port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{taken.getsockname()[1]}/0"
    with broker_at(settings.CELERY_BROKER_URL):
        yield


@pytest.fixture
def silent_broker(settings: Any) -> Iterator[None]:
    """Point Celery at somebody who takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{listening.getsockname()[1]}/0"
        with broker_at(settings.CELERY_BROKER_URL):
            yield


@pytest.fixture
def queue(settings: Any, tmp_path: Path) -> Iterator[redis.Redis]:
    """Point Celery at a broker that lives; nobody works on what it is told."""
    server = BrokerServer(tmp_path / "broker", log=tmp_path / "broker.log")
    server.start()
    settings.CELERY_BROKER_URL = server.url
    with broker_at(server.url), redis.Redis.from_url(server.url) as line:
        yield line
    server.stop()


def seconds_of_a_wake() -> float:
    began = time.monotonic()
    wake.wake("palms.run_intent", intent_id=1)
    return time.monotonic() - began


def test_a_refused_connection_costs_a_customer_nothing(dead_broker: None) -> None:
    assert seconds_of_a_wake() < 0.5


def test_a_silent_broker_costs_one_customer_a_second_and_is_then_left_alone(silent_broker: None) -> None:
    assert seconds_of_a_wake() < 3
    assert [seconds_of_a_wake() < 0.1 for _ in range(20)] == [True] * 20


def test_a_broker_that_was_dead_is_tried_again(dead_broker: None, monkeypatch: Any, caplog: Any) -> None:
    monkeypatch.setattr(wake, "SILENCE", 0.05)
    with caplog.at_level(logging.WARNING, logger="palms.wake"):
        wake.wake("palms.run_intent", intent_id=1)
        wake.wake("palms.run_intent", intent_id=2)
        time.sleep(0.06)
        wake.wake("palms.run_intent", intent_id=3)
    assert caplog.text.count("no broker") == 2


def test_a_dead_broker_stops_no_sale_and_no_letter(bank: Bank, dead_broker: None, caplog: Any) -> None:
    with caplog.at_level(logging.WARNING, logger="palms.wake"):
        booked(offer(), bank)
        run_all()
    assert Booking.objects.get().status == "CONFIRMED"
    assert Notification.objects.get().state == "SENT"
    assert "no broker for palms.run_intent" in caplog.text


def told(queue: redis.Redis) -> list[str]:
    """Return the names of the tasks that wait."""
    return [json.loads(message)["headers"]["task"] for message in queue.lrange("celery", 0, -1)]


@pytest.mark.parametrize(("letters", "handed_on"), [(2, ["palms.run_due_intents"] * 2), (1, [])])
def test_a_sweep_that_leaves_some_is_followed_by_two_at_once(
    queue: redis.Redis, monkeypatch: Any, letters: int, handed_on: list[str]
) -> None:
    for _ in range(letters):
        booked_on_site(offer())
    queue.delete("celery")
    monkeypatch.setattr(tasks, "SWEEP", 2)
    assert tasks.run_due_intents() == letters
    assert told(queue) == handed_on
