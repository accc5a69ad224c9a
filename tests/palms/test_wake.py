"""Waking a worker is a courtesy: with no broker, or a dead one, nothing fails and a sweep does the work."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from bookings.models import Booking
from notifications.models import Notification
from palms.celery import app
from tests.bank import Bank
from tests.play import booked, offer, run_all

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def dead_broker(settings: Any) -> Iterator[None]:
    """Point Celery at a port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"redis://127.0.0.1:{taken.getsockname()[1]}/0"
    before = app.conf.broker_url
    settings.CELERY_BROKER_URL = app.conf.broker_url = address
    _forget_connections()
    yield
    app.conf.broker_url = before
    _forget_connections()


def _forget_connections() -> None:
    """Let Celery open new ones, to where it is pointed now."""
    app._pool = app.amqp._producer_pool = None


def test_a_dead_broker_stops_no_sale_and_no_letter(bank: Bank, dead_broker: None, caplog: Any) -> None:
    with caplog.at_level(logging.WARNING, logger="palms.wake"):
        booked(offer(), bank)
        run_all()
    assert Booking.objects.get().status == "CONFIRMED"
    assert Notification.objects.get().state == "SENT"
    assert "no broker for palms.run_intent" in caplog.text
