"""What a guest sees of the door: nothing before the time, the code inside it, whom to call where it does not open."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from access.models import Lock
from bookings import services as bookings
from bookings.models import Booking
from palms.clock import now_utc
from tests import play
from tests.access.conftest import World, booked, door, world

__all__ = ["door", "world"]  # fixtures
pytestmark = pytest.mark.django_db(transaction=True)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def booking(door: Lock) -> Booking:
    door.club.phone = "+74950000000"
    door.club.save(update_fields=["phone"])
    return booked(door)


def page(booking: Booking, part: str = "") -> str:
    answer = Client().get(
        f"/booking/{booking.token}/{part}", headers={"accept-language": "en"}, query_params={"lang": "en"}
    )
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    return answer.content.decode()


def asked(booking: Booking) -> Any:
    return Client().get(f"/api/v1/user/bookings/{booking.token}/access")


def test_before_the_time_the_page_says_when(world: World, booking: Booking) -> None:
    assert "The code of the lock appears here" in page(booking)
    assert (asked(booking).status_code, asked(booking).json()["code"]) == (403, "access_not_open")


def test_inside_the_time_the_page_prepares_and_then_shows_the_code(world: World, booking: Booking) -> None:
    with world.at(booking.date_from + MINUTE):
        first = page(booking)
        assert "Opening is being prepared" in first
        assert 'hx-trigger="every 3s"' in first
        assert asked(booking).json()["code"] == "access_preparing"
        play.run_all()
        code = asked(booking).json()["code"]
        assert world.opens(code)
        assert f">{code}</output>" in page(booking, "door/")
    with world.at(booking.date_to + MINUTE):
        assert "<output" not in page(booking)
        assert asked(booking).status_code == 403


def test_a_door_that_does_not_answer_says_whom_to_call(world: World, booking: Booking) -> None:
    world.online(False)
    with world.at(booking.date_from + MINUTE):
        play.run_all()
        assert "+74950000000" in page(booking, "door/")
        assert "does not answer" in page(booking, "door/")


def test_with_all_workers_dead_the_page_says_whom_to_call(world: World, booking: Booking) -> None:
    with world.at(booking.date_from + MINUTE):
        page(booking)
    with world.at(booking.date_from + 2 * MINUTE):
        assert "Call the club" in page(booking, "door/")


def test_a_canceled_booking_shows_no_door(world: World, booking: Booking) -> None:
    with world.at(booking.date_from + MINUTE):
        play.run_all()
        bookings.cancel_by_club(booking_id=booking.pk, actor=play.staff(booking.slot), reason="repairs")
        assert "<output" not in page(booking)
        assert asked(booking).status_code == 403


def test_a_place_without_a_lock_has_no_door(world: World) -> None:
    other = play.booked_on_site(play.offer(start=now_utc() + timedelta(hours=5)))
    assert 'id="door"' not in page(other)
    assert asked(other).status_code == 404
