"""What a guest reads about staying longer, and what they can do: leave, pay, read that it is paid."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from bookings import services
from bookings.models import Booking, Overdue
from payments.models import Payment
from tests import play
from tests.access.conftest import World
from tests.bank import Bank
from tests.factories import AreaFactory
from tests.pages.conftest import text_of

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(bank: Bank) -> World:
    return World(bank)


@pytest.fixture
def booking(bank: Bank) -> Booking:
    area = AreaFactory(kind="sunbed", self_service=True, overdue_rate=60_000, overdue_cap=100_000)
    return play.booked(play.offer(club=area.club, area=area), bank)


def page(booking: Booking, query: str = "") -> str:
    answer = Client().get(f"/booking/{booking.token}/{query}", query_params={"lang": "en"})
    assert answer.status_code == 200
    return text_of(answer)


def english(address: str) -> Any:
    return Client().get(address, headers={"cookie": "django_language=en"})


def press(booking: Booking, what: str) -> str:
    answer = Client().post(f"/booking/{booking.token}/{what}/")
    assert answer.status_code == 303
    return str(answer["Location"])


def test_before_and_in_the_visit_the_terms_are_told(world: World, booking: Booking) -> None:
    checkout = Client().get(f"/{booking.club.slug}/slots/{booking.slot_id}/")
    assert checkout.status_code == 200
    assert 'id="stay"' not in page(booking)
    with world.at(booking.date_from + MINUTE):
        assert "Until 16:15 staying is free; then each hour costs ₽600" in page(booking)
        assert press(booking, "left").endswith("#stay")
        assert "You left at" in page(booking)
        press(booking, "left")


def test_the_fee_runs_stops_and_is_paid(world: World, booking: Booking, bank: Bank) -> None:
    with world.at(booking.date_to + 45 * MINUTE):
        running = page(booking)
        assert "So far: <strong>₽300" in running
        assert 'hx-trigger="every 60s"' in running
        assert Overdue.objects.get().state == "RUNNING", "who reads has it written"
        press(booking, "left")
        assert "For staying you owe <strong>₽300" in page(booking)
        bank_page = press(booking, "overdue")
        assert press(booking, "overdue") == bank_page
        payment = Payment.objects.get(overdue_id=booking.pk)
        bank.fault(on="get", kind="error_before", times=None)
        back = Client().get(f"/overdue/{payment.token}/return/")
        assert "do not pay again" in text_of(english(back["Location"]))
        bank.clear_faults()
        bank.pay(payment.provider_payment_id or "")
        back = Client().get(f"/overdue/{payment.token}/return/")
        shown = text_of(english(back["Location"]))
        assert "The fee for staying, ₽600" not in shown
        assert "The fee for staying, ₽300" in shown
        assert Booking.objects.get(pk=booking.pk).status == "SHOWN", "nobody is on site: it closes by itself"
        assert "So far" not in page(booking, "stay/")


def test_a_waived_fee_says_why(world: World, booking: Booking) -> None:
    with world.at(booking.date_to + 45 * MINUTE):
        services.waive_fee(booking_id=booking.pk, actor=play.staff(booking.slot), reason="The gate was stuck")
        assert "The gate was stuck" in page(booking)
        assert press(booking, "overdue").endswith("#stay")
        assert not Payment.objects.filter(overdue__isnull=False).exists()


def test_a_fee_is_no_checkout(world: World, booking: Booking) -> None:
    """The page of a checkout knows nothing of a fee's payment, and cannot give anything back for it."""
    with world.at(booking.date_to + 45 * MINUTE):
        press(booking, "overdue")
        token = Payment.objects.get(overdue_id=booking.pk).token
        own = booking.payments.get().token
        for address in (f"/checkout/{token}/", f"/checkout/{token}/return/", f"/overdue/{own}/return/"):
            assert Client().get(address).status_code == 404, address
        assert Client().post(f"/checkout/{token}/release/").status_code == 404
        assert Client().get(f"/api/v1/site/checkouts/{token}").status_code == 404


@pytest.mark.parametrize("part", ["stay", "left", "overdue"])
def test_garbage_is_not_there(part: str, db: None) -> None:
    for token in ("0" * 22, "x" * 64):
        assert Client().post(f"/booking/{token}/{part}/").status_code in (404, 405)
        assert Client().get(f"/overdue/{token}/return/").status_code == 404
