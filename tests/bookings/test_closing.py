"""How visits end: closed with a charge, completed by themselves, forced by staff."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from bookings import services
from bookings.errors import (
    BookingFinished,
    ChargeExceedsAuthorization,
    ChargeRequired,
    ReasonRequired,
    TooEarlyToClose,
    TransitionRefused,
)
from bookings.models import Booking
from palms.errors import NotPermitted
from slots.models import Claim
from tests.play import booked_on_site, customer, offer, staff, typed

pytestmark = pytest.mark.django_db


def test_no_close_before_the_visit_begins() -> None:
    slot = offer()
    booking = booked_on_site(slot)
    with pytest.raises(TooEarlyToClose):
        services.close(booking_id=booking.pk, actor=staff(slot), outcome="SHOWN")


def test_the_club_must_say_what_a_missed_visit_costs() -> None:
    slot = offer()
    booking = booked_on_site(slot)
    with time_machine.travel(slot.date_from):
        with pytest.raises(ChargeRequired):
            services.close(booking_id=booking.pk, actor=staff(slot), outcome="NOT_SHOWN")
        with pytest.raises(ChargeExceedsAuthorization):
            services.close(booking_id=booking.pk, actor=staff(slot), outcome="NOT_SHOWN", charge=150_001)
        with pytest.raises(ChargeRequired):
            services.close(booking_id=booking.pk, actor=staff(slot), outcome="NOT_SHOWN", charge=-1)


def test_the_same_close_again_is_fine_and_another_is_refused() -> None:
    slot = offer()
    booking = booked_on_site(slot)
    with time_machine.travel(slot.date_from):
        first = services.close(booking_id=booking.pk, actor=staff(slot), outcome="SHOWN")
        again = services.close(booking_id=booking.pk, actor=staff(slot), outcome="SHOWN")
        assert (first.charged, first.returned) == (again.charged, again.returned) == (150_000, 0)
        with pytest.raises(BookingFinished):
            services.close(booking_id=booking.pk, actor=staff(slot), outcome="NOT_SHOWN", charge="none")
        with pytest.raises(BookingFinished):
            services.close(booking_id=booking.pk, actor=staff(slot), outcome="SHOWN", charge=1)
    assert Claim.objects.filter(booking=booking).count() == 1


def test_force_passes_the_clock_and_never_the_state_machine() -> None:
    slot = offer()
    booking = booked_on_site(slot)
    with pytest.raises(TooEarlyToClose):
        services.try_complete_booking(booking_id=booking.pk, actor=staff(slot))
    with pytest.raises(ReasonRequired):
        services.try_complete_booking(booking_id=booking.pk, actor=staff(slot), force=True)
    services.try_complete_booking(booking_id=booking.pk, actor=staff(slot), force=True, reason="left early")
    assert Booking.objects.get().status == "SHOWN"
    other = offer()
    waiting = services.book_for_client(
        slot_id=other.pk, club_id=other.club_id, typed=typed(), participants_count=1, actor=staff(other), key="k"
    )
    with pytest.raises(TransitionRefused):
        services.try_complete_booking(booking_id=waiting.pk, actor=staff(other), force=True, reason="because")


def test_a_stranger_closes_nothing() -> None:
    slot = offer()
    booking = booked_on_site(slot)
    with time_machine.travel(slot.date_to + timedelta(minutes=1)):
        for stranger in (customer(booking.client_id), staff(offer())):
            with pytest.raises(NotPermitted):
                services.try_complete_booking(booking_id=booking.pk, actor=stranger)


def test_the_customer_cancels_by_the_policy_that_was_shown() -> None:
    slot = offer()
    booking = booked_on_site(slot)
    slot.club.customer_cancel = "never"
    slot.club.save()
    with time_machine.travel(booking.cancelation_time), pytest.raises(TransitionRefused):
        services.cancel_by_customer(booking_id=booking.pk, actor=customer(booking.client_id), reason="late")
    with time_machine.travel(booking.cancelation_time - timedelta(seconds=1)):
        with pytest.raises(NotPermitted):
            services.cancel_by_customer(booking_id=booking.pk, actor=customer(0), reason="not mine")
        with pytest.raises(ReasonRequired):
            services.cancel_by_customer(booking_id=booking.pk, actor=customer(booking.client_id), reason="  ")
        services.cancel_by_customer(booking_id=booking.pk, actor=customer(booking.client_id), reason="ill")
    booking = Booking.objects.get()
    assert (booking.status, booking.reason) == ("CANCELED_BY_CUSTOMER", "ill")
    assert booking.payments.get().keep == 0


def test_a_late_cancel_keeps_the_fee_where_the_policy_says_so() -> None:
    slot = offer()
    slot.club.customer_cancel, slot.club.late_cancel_fee_percent = "always_with_fee", 30
    slot.club.save()
    booking = booked_on_site(slot)
    with time_machine.travel(slot.date_from - timedelta(minutes=5)):
        services.cancel_by_customer(booking_id=booking.pk, actor=customer(booking.client_id), reason="ill")
    assert booking.payments.get().keep == 45_000
