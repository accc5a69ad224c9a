"""Moving a booking: to what is offered or to a place made for it; whatever is refused changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail

from bookings import services
from bookings.audit import broken
from bookings.errors import BookingFinished, HoldExpired
from bookings.models import Booking
from notifications.models import Notification
from palms.clock import now_utc
from palms.errors import DomainError, NotPermitted, ValidationFailed
from payments.models import Payment
from slots.errors import SlotClosed, SlotInPast, SlotNotFound, SlotTaken
from slots.models import Claim, Slot
from tests.bank import Bank
from tests.factories import AreaFactory, InstructorFactory, SlotFactory, ahead
from tests.play import booked, booked_on_site, customer, offer, run_all, staff, take, typed

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def moved(booking: Booking, **where: Any) -> Booking:
    return services.move(booking_id=booking.pk, actor=staff(booking.slot), **where)


def approved(slot: Slot, count: int = 1, key: str = "k") -> Booking:
    return services.book_for_client(
        slot_id=slot.pk, club_id=slot.club_id, typed=typed(), participants_count=count, actor=staff(slot), key=key
    )


def by(booking: Booking, span: timedelta) -> dict[str, datetime]:
    """Return the booking's interval, so much later."""
    return {"date_from": booking.date_from + span, "date_to": booking.date_to + span}


def everything() -> list[Any]:
    """Return what a refused move must leave as it was."""
    rows: list[Any] = list(Booking.objects.order_by("pk").values())
    return [
        *rows, *Claim.objects.order_by("pk").values(), *Slot.objects.order_by("pk").values(), Notification.objects.count(),
    ]  # fmt: skip


def test_a_move_goes_to_the_slot_that_is_offered_there() -> None:
    slot = offer()
    there = SlotFactory(club=slot.club, start=slot.date_from + 3 * HOUR, price=999)
    booking = booked_on_site(slot)

    after = moved(booking, area_id=there.area_id, **by(booking, 3 * HOUR))

    assert (after.slot_id, after.area_id, after.date_from, after.date_to) == (
        there.pk, there.area_id, there.date_from, there.date_to,
    )  # fmt: skip
    assert (after.price, after.status, after.secured_amount) == (150_000, "CONFIRMED", 150_000)
    assert list(Claim.objects.values_list("slot_id", "booking_id", "held_until")) == [(there.pk, booking.pk, None)]
    assert (Slot.objects.count(), Slot.objects.get(pk=slot.pk).closed) == (2, False)
    assert broken() == {}


def test_a_move_to_a_slot_by_its_id_also_where_it_is_closed() -> None:
    slot = offer()
    there = SlotFactory(club=slot.club, closed=True)
    assert moved(booked_on_site(slot), slot_id=there.pk).slot_id == there.pk


def test_where_nothing_is_offered_a_slot_is_made_that_nobody_else_is_offered() -> None:
    slot = offer(title="Йога", instructor=None, capacity=3, area__exclusive=False)
    booking = approved(slot, count=2)

    after = moved(booking, **by(booking, HOUR))

    made = after.slot
    assert (made.origin, made.capacity, made.price, made.title) == ("move", 2, 150_000, "Йога")
    assert (made.area_id, made.date_from - slot.date_from) == (slot.area_id, HOUR)
    assert Claim.objects.filter(slot=made, held_until=booking.expires_at).count() == 2
    with pytest.raises(SlotNotFound):
        take(made)
    assert broken() == {}


def test_a_place_made_by_a_move_is_withdrawn_when_left_and_used_again() -> None:
    booking = booked_on_site(offer())
    first = moved(booking, **by(booking, HOUR)).slot_id
    back = moved(booking, **by(booking, timedelta(0)))
    assert (back.slot_id, Slot.objects.get(pk=first).closed) == (booking.slot_id, True)

    again = moved(booking, **by(booking, HOUR))

    assert (again.slot_id, Slot.objects.get(pk=first).closed) == (first, False)
    services.cancel_by_club(booking_id=booking.pk, actor=staff(booking.slot), reason="rain")
    assert Slot.objects.get(pk=first).closed is True
    assert broken() == {}


def test_a_place_made_by_a_move_grows_for_a_larger_party() -> None:
    slot = offer(capacity=3)
    alone = booked_on_site(slot)
    made = moved(alone, **by(alone, HOUR)).slot_id
    moved(alone, slot_id=slot.pk)
    services.cancel_by_club(booking_id=alone.pk, actor=staff(slot), reason="rain")
    party = approved(slot, count=3)

    assert moved(party, **by(party, HOUR)).slot_id == made

    assert Slot.objects.get(pk=made).capacity == 3
    assert broken() == {}


def test_own_places_are_no_rivals_of_an_overlapping_move() -> None:
    booking = booked_on_site(offer())
    after = moved(booking, **by(booking, HOUR / 2))
    assert after.date_from == booking.date_from + HOUR / 2
    assert Claim.objects.get().slot_id == after.slot_id


@pytest.mark.parametrize("shared", ["area", "instructor"])
def test_another_partys_court_or_instructor_is_not_taken(shared: str) -> None:
    slot = offer(area__exclusive=True)
    mine = InstructorFactory(club=slot.club)
    Slot.objects.filter(pk=slot.pk).update(instructor=mine)
    same = {"instructor": mine} if shared == "instructor" else {"area": slot.area}
    booked_on_site(SlotFactory(club=slot.club, start=slot.date_from + HOUR, **same))
    booking = booked_on_site(Slot.objects.get(pk=slot.pk), phone="+79120000001")
    before = everything()

    with pytest.raises(SlotTaken):
        moved(booking, **by(booking, HOUR / 2))

    assert everything() == before


def test_a_group_needs_as_many_places_as_it_has_people() -> None:
    slot = offer(capacity=4)
    there = SlotFactory(club=slot.club, capacity=4)
    party = approved(slot, count=3)
    approved(there, count=2, key="k2")
    before = everything()

    with pytest.raises(SlotTaken):
        moved(party, slot_id=there.pk)

    assert everything() == before


def refused_moves() -> dict[str, tuple[type[DomainError], Callable[[Booking], dict[str, Any]]]]:
    """Return, by name, what is refused and how."""

    def stranger(booking: Booking) -> dict[str, Any]:
        return {"slot_id": offer().pk}

    def strange_area(booking: Booking) -> dict[str, Any]:
        return {"area_id": AreaFactory().pk}

    def idle_area(booking: Booking) -> dict[str, Any]:
        return {"area_id": AreaFactory(club=booking.club, is_active=False).pk}

    def slot_of_idle_area(booking: Booking) -> dict[str, Any]:
        area = AreaFactory(club=booking.club, is_active=False)
        return {"slot_id": SlotFactory(club=booking.club, area=area).pk}

    day, far = timedelta(days=1), datetime(2199, 12, 31, 23, tzinfo=UTC)
    return {
        "another club's slot": (SlotNotFound, stranger),
        "another club's area": (SlotNotFound, strange_area),
        "no such slot": (SlotNotFound, lambda b: {"slot_id": 10**17}),
        "a number that no column holds": (SlotNotFound, lambda b: {"slot_id": 10**30}),
        "an area that no column holds": (SlotNotFound, lambda b: {"area_id": 10**30}),
        "a negative area": (SlotNotFound, lambda b: {"area_id": -1}),
        "no area": (SlotNotFound, lambda b: {"area_id": 0}),
        "an area out of use": (SlotClosed, idle_area),
        "a slot of an area out of use": (SlotClosed, slot_of_idle_area),
        "the past": (SlotInPast, lambda b: by(b, timedelta(days=-3))),
        "long ago": (SlotInPast, lambda b: {"date_from": datetime(1, 1, 2, tzinfo=UTC), "date_to": datetime(1, 1, 3, tzinfo=UTC)}),
        "nowhere": (ValidationFailed, lambda b: {}),
        "one end only": (ValidationFailed, lambda b: {"date_from": b.date_from}),
        "the other end only": (ValidationFailed, lambda b: {"date_to": b.date_from}),
        "both ways": (ValidationFailed, lambda b: {"slot_id": b.slot_id, "area_id": b.area_id}),
        "backwards": (ValidationFailed, lambda b: {"date_from": b.date_to, "date_to": b.date_from}),
        "empty": (ValidationFailed, lambda b: {"date_from": b.date_to, "date_to": b.date_to}),
        "too long": (ValidationFailed, lambda b: {"date_from": b.date_from, "date_to": b.date_to + 31 * day}),
        "beyond 2200": (ValidationFailed, lambda b: {"date_from": far, "date_to": far + HOUR}),
        "the end of time": (ValidationFailed, lambda b: {"date_from": far, "date_to": datetime.max.replace(tzinfo=UTC)}),
        "naive": (ValidationFailed, lambda b: {k: v.replace(tzinfo=None) for k, v in by(b, HOUR).items()}),
    }  # fmt: skip


@pytest.mark.parametrize("name", refused_moves())
def test_a_refused_move_changes_nothing(name: str) -> None:
    refusal, where = refused_moves()[name]
    booking = booked_on_site(offer())
    given = where(booking)
    before = everything()

    with pytest.raises(refusal):
        moved(booking, **given)

    assert everything() == before


def test_a_place_may_be_booked_up_to_a_month_at_once() -> None:
    booking = booked_on_site(offer())
    after = moved(booking, date_from=booking.date_from, date_to=booking.date_from + timedelta(days=31))
    assert after.date_to - after.date_from == timedelta(days=31)


def test_what_is_over_or_not_theirs_is_not_moved() -> None:
    slot = offer()
    booking = booked_on_site(slot)
    for stranger in (customer(booking.client_id), staff(offer())):
        with pytest.raises(NotPermitted):
            services.move(booking_id=booking.pk, actor=stranger, **by(booking, HOUR))
    services.cancel_by_club(booking_id=booking.pk, actor=staff(slot), reason="rain")
    with pytest.raises(BookingFinished):
        moved(booking, **by(booking, HOUR))


def test_an_approval_whose_deadline_has_passed_is_ended_and_not_moved() -> None:
    booking = approved(offer())
    with time_machine.travel(booking.expires_at or now_utc()), pytest.raises(HoldExpired):
        moved(booking, **by(booking, HOUR))
    assert (Booking.objects.get().status, Claim.objects.count()) == ("OTHER", 0)


def test_a_deadline_never_lies_behind_the_new_start_and_the_claims_follow() -> None:
    slot = offer()
    booking = approved(slot)
    soon = now_utc().replace(microsecond=0) + timedelta(minutes=10)

    after = moved(booking, date_from=soon, date_to=soon + HOUR)

    assert (after.status, after.expires_at) == ("APPROVED", soon)
    assert Claim.objects.get().held_until == soon
    later = moved(booking, slot_id=slot.pk)
    assert later.expires_at == Claim.objects.get().held_until == soon  # nobody promised more time


@pytest.mark.parametrize(("hours", "free_hours"), [(72, 48), (30, 6), (25, 1), (6, 0)])
def test_free_cancellation_ends_no_earlier_than_was_shown_nor_shorter_before_the_start(
    hours: float, free_hours: float
) -> None:
    """Shown: until 24 h before a start in 25 h, that is 1 h from now."""
    with time_machine.travel(ahead(9), tick=False):
        now = now_utc()
        booking = booked_on_site(offer(start=now + 25 * HOUR))
        assert booking.cancelation_time == now + HOUR
        after = moved(booking, date_from=now + hours * HOUR, date_to=now + (hours + 1) * HOUR)
        assert after.cancelation_time == now + max(free_hours, 1) * HOUR


def test_a_slot_with_a_kinder_moment_of_its_own_gives_it() -> None:
    slot = offer()
    there = SlotFactory(club=slot.club, cancelation_time=slot.date_from - HOUR)
    assert moved(booked_on_site(slot), slot_id=there.pk).cancelation_time == slot.date_from - HOUR


def test_moved_earlier_it_is_free_to_cancel_until_the_start_at_most() -> None:
    booking = booked_on_site(offer(start=now_utc() + timedelta(days=9)))
    soon = now_utc() + HOUR
    assert moved(booking, date_from=soon, date_to=soon + HOUR).cancelation_time == soon


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("days", "taken"), [(3, False), (30, True)])
def test_money_on_hold_is_taken_at_once_where_the_hold_would_die_before_the_new_visit(
    bank: Bank, days: int, taken: bool
) -> None:
    booking = booked(offer(), bank)
    assert Payment.objects.get().status == "AUTHORIZED"
    moved(booking, **by(booking, timedelta(days=days)))
    run_all()
    payment = Payment.objects.get()
    assert (payment.status == "CAPTURED", payment.capture_at is not None) == (taken, taken)
    assert broken() == {}


@pytest.mark.django_db(transaction=True)
def test_money_for_a_request_that_was_moved_is_taken_once_it_is_confirmed(bank: Bank) -> None:
    """Held for a request, then moved beyond the life of the hold: never taken before the club has agreed."""
    booking = asked_and_paid(bank)
    moved(booking, **by(booking, timedelta(days=30)))
    run_all()
    assert Payment.objects.get().status == "AUTHORIZED"
    services.approve(booking_id=booking.pk, actor=staff(booking.slot))
    run_all()
    assert (Booking.objects.get().status, Payment.objects.get().status) == ("CONFIRMED", "CAPTURED")


def asked_and_paid(bank: Bank) -> Booking:
    slot = offer(area__mode="request")
    booking = Booking.objects.get(token=take(slot).token)
    services.pay_for_approved(booking_id=booking.pk, actor=customer(booking.client_id))
    payment = Payment.objects.get()
    bank.pay(payment.provider_payment_id)
    services.look_again(token=payment.token)
    return Booking.objects.select_related("slot").get()


def test_a_move_to_where_it_is_changes_nothing() -> None:
    slot = offer()
    booking = booked_on_site(slot)
    SlotFactory(club=slot.club, area=slot.area, instructor=InstructorFactory(club=slot.club))
    before = everything()
    for where in ({"slot_id": slot.pk}, {"area_id": slot.area_id}, by(booking, timedelta(0))):
        assert moved(booking, **where).slot_id == slot.pk
    assert everything() == before


def test_the_instructor_comes_along() -> None:
    slot = offer(instructor=None)
    teacher = InstructorFactory(club=slot.club)
    both = SlotFactory(club=slot.club, instructor=teacher)
    court = AreaFactory(club=slot.club)
    without = SlotFactory(club=slot.club, area=court)  # offered there, with nobody to teach
    booking = booked_on_site(both)

    after = moved(booking, area_id=court.pk)

    assert (after.instructor_id, after.area_id) == (teacher.pk, court.pk)
    assert after.slot_id != without.pk


def test_a_lesson_without_a_place_moves_too() -> None:
    slot = offer()
    lesson = SlotFactory(club=slot.club, area=None, instructor=InstructorFactory(club=slot.club))
    booking = booked_on_site(lesson)
    after = moved(booking, **by(booking, HOUR))
    assert (after.area_id, after.instructor_id, after.slot.exclusive) == (None, lesson.instructor_id, False)


def test_a_dead_hold_gives_way_to_a_move() -> None:
    slot = offer(price=0)
    there = SlotFactory(club=slot.club)
    booking = booked_on_site(slot)
    approved(there)
    with time_machine.travel(Claim.objects.get(slot=there).held_until or now_utc()):
        assert moved(booking, slot_id=there.pk).slot_id == there.pk
    assert sorted(Booking.objects.values_list("status", flat=True)) == ["CONFIRMED", "OTHER"]
    assert broken() == {}


@pytest.mark.django_db(transaction=True)
def test_every_move_has_its_letter(bank: Bank) -> None:
    booking = booked_on_site(offer())
    mail.outbox.clear()
    for hour in (1, 2):
        moved(booking, **by(booking, hour * HOUR))
    run_all()
    letters = [letter for letter in mail.outbox if letter.subject.startswith("Перенесено:")]
    assert len(letters) == 2
    assert booking.token in letters[0].body
    assert Notification.objects.filter(event__startswith="booking_moved:", state="SENT").count() == 2


@pytest.mark.django_db(transaction=True)
def test_money_that_waits_at_the_bank_pays_a_booking_that_was_moved(bank: Bank) -> None:
    booking = approved(offer())
    services.pay_for_approved(booking_id=booking.pk, actor=customer(booking.client_id))
    moved(booking, **by(booking, HOUR))
    payment = Payment.objects.get()
    bank.pay(payment.provider_payment_id)
    services.look_again(token=payment.token)
    after = Booking.objects.get()
    assert (after.status, after.date_from) == ("CONFIRMED", booking.date_from + HOUR)
    assert Payment.objects.get().decision == "USED"
    assert broken() == {}
