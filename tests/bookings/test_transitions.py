"""The transition table of domain section 3, over every state and event, in Python and in SQL."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django_fsm import TransitionNotAllowed, can_proceed

from bookings import services
from bookings.models import Booking
from bookings.states import ACTIVE, CANCELLED, COMPLETED, MOVES, TERMINAL, WAITING, S
from palms.clock import now_utc
from palms.errors import violated
from slots.models import Slot
from tests.play import customer, offer, staff, typed

EVENTS = {
    "approve": ([S.REQUESTED], S.APPROVED),
    "confirm": ([S.REQUESTED, S.APPROVED], S.CONFIRMED),
    "cancel_by_customer": (WAITING, S.CANCELED_BY_CUSTOMER),
    "cancel_confirmed_by_customer": ([S.CONFIRMED], S.CANCELED_BY_CUSTOMER),
    "cancel_by_club": (ACTIVE, S.CANCELED_BY_CLUB),
    "end_otherwise": (ACTIVE, S.OTHER),
    "close_as_shown": ([S.CONFIRMED], S.SHOWN),
    "close_as_not_shown": ([S.CONFIRMED], S.NOT_SHOWN),
}


@pytest.mark.parametrize(("status", "event"), list(product(S, EVENTS)))
def test_only_the_listed_events_exist_in_each_state(status: S, event: str) -> None:
    sources, _target = EVENTS[event]
    step = getattr(Booking(status=status), event)
    assert can_proceed(step, check_conditions=False) is (status in sources)


def test_python_declares_exactly_the_moves_of_the_table() -> None:
    declared = {(S(t.source), S(t.target)) for t in Booking._meta.get_field("status").get_all_transitions(Booking)}
    assert declared == set(MOVES)


def test_every_event_is_in_the_table_above() -> None:
    names = {t.name for t in Booking._meta.get_field("status").get_all_transitions(Booking)}
    assert names == set(EVENTS)


def test_no_money_no_confirmation() -> None:
    booking = Booking(status=S.APPROVED, price=1, secured_amount=0)
    with pytest.raises(TransitionNotAllowed):
        booking.confirm()


def make(status: S, slot: Slot) -> Booking:
    """Return a booking in this state, brought there by services."""
    if status == S.REQUESTED:
        slot.area.mode = "request"
        slot.area.save()
        token = services.checkout(
            slot_id=slot.pk, club_id=slot.club_id, typed=typed(), participants_count=1, key="k", visitor="",
            actor=staff(slot),
        ).token  # fmt: skip
        return Booking.objects.get(token=token)
    actor = staff(slot)
    booking = services.book_for_client(
        slot_id=slot.pk, club_id=slot.club_id, typed=typed(), participants_count=1, actor=actor, key="k",
        onsite_amount=None if status == S.APPROVED else slot.price,
    )  # fmt: skip
    if status == S.CANCELED_BY_CLUB:
        services.cancel_by_club(booking_id=booking.pk, actor=actor, reason="rain")
    elif status == S.OTHER:
        services.end_otherwise(booking_id=booking.pk, actor=actor, reason="flood")
    elif status in COMPLETED:
        with time_machine.travel(slot.date_from + timedelta(minutes=1)):
            services.close(booking_id=booking.pk, actor=actor, outcome=status, charge="full")
    elif status == S.CANCELED_BY_CUSTOMER:
        services.cancel_by_customer(booking_id=booking.pk, actor=customer(booking.client_id), reason="ill")
    return Booking.objects.get(pk=booking.pk)


FIELDS = {
    **{s: "expires_at = date_from, finished_at = NULL" for s in WAITING},
    S.CONFIRMED: "expires_at = NULL, finished_at = NULL",
    **{s: "expires_at = NULL, finished_at = now(), reason = 'because'" for s in TERMINAL},
}


@pytest.mark.django_db
@pytest.mark.parametrize("status", list(S))
def test_sql_allows_exactly_the_moves_of_the_table(status: S) -> None:
    slot = offer(start=now_utc() + timedelta(days=2))
    booking = make(status, slot)
    for target in S:
        expected = "" if (status, target) in MOVES or (status == target and status in ACTIVE) else "refused"
        assert bool(_refusal(booking, target)) == bool(expected), (status, target)
        if expected:
            assert _refusal(booking, target) == ("booking_frozen" if status in TERMINAL else "booking_transition")


def _refusal(booking: Booking, target: S) -> str:
    """Try the move by raw SQL and undo it; return the name of the guard that refused it at once."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE bookings_booking SET status = %s, {FIELDS[target]} WHERE id = %s",
                [target, booking.pk],
            )
            raise _Undo
    except _Undo:
        return ""
    except IntegrityError as error:
        return violated(error)


class _Undo(Exception):
    pass


@pytest.mark.django_db
@pytest.mark.parametrize("status", list(TERMINAL))
def test_sql_bears_no_finished_booking(status: S) -> None:
    slot = offer()
    booking = make(S.APPROVED, slot)
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        Booking(
            club_id=booking.club_id, client_id=booking.client_id, slot=slot, area=slot.area, date_from=slot.date_from,
            date_to=slot.date_to, price=0, currency="RUB", status=status, reason="x", finished_at=now_utc(),
        ).save()  # fmt: skip
    assert violated(refusal.value) == "booking_birth"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        "price = price + 1", "reason = 'other'", "date_to = date_to + interval '1 hour'", "secured_amount = 0",
        "finished_at = now()", "version = version + 1", "updated_at = now()", "reference_id = 5", "participants_count = 2",
    ],
)  # fmt: skip
def test_a_finished_booking_is_frozen_against_raw_sql(change: str) -> None:
    booking = make(S.CANCELED_BY_CLUB, offer())
    with pytest.raises(IntegrityError) as refusal, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE bookings_booking SET {change} WHERE id = %s", [booking.pk])
    assert violated(refusal.value) == "booking_frozen"
    with pytest.raises(IntegrityError) as refusal, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM bookings_booking WHERE id = %s", [booking.pk])
    assert violated(refusal.value) == "booking_never_deleted"


def test_cancelled_and_completed_are_the_ends() -> None:
    assert set(CANCELLED) | set(COMPLETED) == set(TERMINAL)
    assert not {old for old, _new in MOVES} & set(TERMINAL)
