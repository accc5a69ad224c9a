"""Intervals from choice to end: the slot is made with its claim, used again, offered to nobody, and never in two hands."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from bookings import services
from bookings.models import Booking
from bookings.states import S
from clubs.models import Area, Club
from palms.actors import Actor, Kind
from palms.clock import now_utc
from palms.errors import ValidationFailed
from slots import bulk
from slots.blocking import block, unblock
from slots.editing import change_slot
from slots.errors import SlotClosed, SlotInPast, SlotNotFound, SlotNotOffered, SlotTaken
from slots.intervals import Interval
from slots.models import Claim, Slot
from slots.offers import Draft
from slots.publishing import publish_slot
from slots.rules import SlotStatus
from slots.selectors import day_of_club, interval_offer, nearest_intervals, occupancy, standing, view_of
from slots.services import Spot, set_closed
from tests.bank import Bank
from tests.factories import IntervalAreaFactory, SlotFactory, ahead
from tests.play import booked_on_site, look, payment_of, run_all, stay, stay_on_site, sunbed, take_stay

money_moves = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)


def staff_of(area: Area) -> Actor:
    return Actor(Kind.STAFF, 1, club_ids=frozenset({area.club_id}), through="admin")


def seen(area: Area, interval: Interval) -> SlotStatus:
    return interval_offer(club=Club.objects.get(pk=area.club_id), interval=interval, now=now_utc()).status


def lengths(area: Area, interval: Interval) -> tuple[int, ...]:
    """Return what the club's day offers from this start."""
    day = day_of_club(club=area.club, day=interval.date_from.date(), now=now_utc())
    (mine,) = [one for one in day.by_interval if one.area == area]
    return next((each.lengths for each in mine.openings if each.start == interval.date_from), ())


@money_moves
def test_an_interval_is_held_paid_and_booked_at_the_price_of_its_minutes(bank: Bank) -> None:
    area = sunbed(peak_hours=(13, 17))
    wanted = stay(area, 12, 120)

    held = take_stay(area, wanted)

    slot = Slot.objects.get()
    assert (slot.origin, slot.price, slot.currency, slot.closed) == ("interval", 150_000, "RUB", False)
    assert (held.state, payment_of(held).amount, seen(area, wanted)) == ("held", 150_000, SlotStatus.HOLD)
    bank.pay(payment_of(held).provider_payment_id)
    look(held)
    booking = Booking.objects.get()
    assert (booking.status, booking.slot_id, booking.price) == (S.CONFIRMED, slot.pk, 150_000)
    assert (booking.date_from, booking.date_to) == (wanted.date_from, wanted.date_to)
    assert seen(area, wanted) is SlotStatus.BOOKED
    assert lengths(area, stay(area, 11)) == (30, 60)
    assert lengths(area, stay(area, 13)) == ()


@money_moves
def test_a_dead_hold_leaves_nothing_to_be_seen_and_its_slot_serves_the_next(bank: Bank) -> None:
    area, later = sunbed(), now_utc() + timedelta(seconds=301)
    wanted = stay(area)
    take_stay(area, wanted)
    Area.objects.update(price_per_hour=90_000)

    with time_machine.travel(later):
        assert seen(area, wanted) is SlotStatus.AVAILABLE
        slot = standing(Slot.objects.all(), now_utc()).get()
        assert view_of(slot).status is SlotStatus.CLOSED  # nobody is offered it
        second = take_stay(area, wanted, phone="+79120000002")

    assert (Slot.objects.count(), Claim.objects.count()) == (1, 1)
    assert (Slot.objects.get().price, payment_of(second).amount) == (90_000, 90_000)


@money_moves
def test_who_overlaps_hears_that_it_is_taken_and_leaves_no_slot_behind(bank: Bank) -> None:
    area = sunbed()
    take_stay(area, stay(area, 12))
    for hour, minutes in ((12, 60), (11.5, 60), (12.5, 30), (11, 240)):
        with pytest.raises(SlotTaken):
            take_stay(area, stay(area, hour, minutes), phone="+79120000002")
    take_stay(area, stay(area, 13), phone="+79120000002")
    take_stay(area, stay(area, 11.5, 30), phone="+79120000003")
    assert Slot.objects.count() == 3


@money_moves
def test_a_repeat_answers_what_the_first_one_made(bank: Bank) -> None:
    area = sunbed()
    first = take_stay(area, stay(area), key="form-1", visitor="v1")
    assert take_stay(area, stay(area), key="form-1", visitor="v1").token == first.token
    assert take_stay(area, stay(area), key="form-2", visitor="v1").token == first.token
    assert Slot.objects.count() == 1


@money_moves
def test_released_and_cancelled_intervals_are_free_again_at_once(bank: Bank) -> None:
    area = sunbed(club__reopen="manual", club__customer_cancel="always_with_fee")
    held = take_stay(area, stay(area))
    services.release_hold(token=held.token, actor=staff_of(area))
    assert seen(area, stay(area)) is SlotStatus.AVAILABLE
    booking = stay_on_site(area, stay(area))
    services.cancel_by_club(booking_id=booking.pk, actor=staff_of(area), reason="storm")
    assert seen(area, stay(area)) is SlotStatus.AVAILABLE  # there is nothing for the club to publish anew
    assert stay_on_site(area, stay(area)).slot_id == booking.slot_id


@money_moves
def test_now_begins_at_the_current_step_and_the_hold_outlives_the_start(bank: Bank) -> None:
    area = sunbed()
    wanted = stay(area, 12)
    with time_machine.travel(wanted.date_from + timedelta(minutes=10)) as clock:
        held = take_stay(area, wanted)
        assert held.hold_until == now_utc().replace(microsecond=held.hold_until.microsecond) + timedelta(seconds=300)  # type: ignore[union-attr]
        bank.pay(payment_of(held).provider_payment_id)
        assert Booking.objects.get(pk=look(held).booking_id).status == S.CONFIRMED
        clock.shift(timedelta(minutes=25))
        for hour in (11.5, 12):
            with pytest.raises(SlotInPast):
                take_stay(area, stay(area, hour, 120, days=0), phone="+79120000002")


@money_moves
def test_by_request_an_interval_waits_for_the_club_and_never_begins_now(bank: Bank) -> None:
    area = sunbed(mode="request")
    made = take_stay(area, stay(area))
    booking = Booking.objects.get(token=made.token)
    assert (made.state, booking.status) == ("requested", S.REQUESTED)
    services.approve(booking_id=booking.pk, actor=staff_of(area))
    with time_machine.travel(stay(area, 15).date_from + timedelta(minutes=5)), pytest.raises(SlotInPast):
        take_stay(area, stay(area, 15, 120, days=0), phone="+79120000002")
    run_all()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("hour", "minutes", "field"),
    [
        (12.25, 60, "date_from"), (7.5, 60, "date_from"), (21.5, 60, "date_to"), (12, 45, "date_to"), (12, 270, "date_to"),
        (12, 0, "date_to"), (12, -60, "date_to"), (12, 32 * 1440, "date_to"), (12 + 1 / 3600, 60, "date_from"),
        (23, 60, "date_from"),
    ],
)  # fmt: skip
def test_what_nobody_may_choose_is_refused_by_field(hour: float, minutes: int, field: str) -> None:
    area = sunbed()
    with pytest.raises(ValidationFailed) as refusal:
        take_stay(area, stay(area, hour, minutes))
    assert set(refusal.value.facts["errors"]) == {field}
    assert not Slot.objects.exists()


@pytest.mark.django_db
def test_places_without_intervals_and_other_clubs_places_are_not_found() -> None:
    mine, theirs, off = sunbed(), sunbed(), sunbed(is_active=False)
    court = SlotFactory(club=mine.club).area
    for area in (theirs, off, court):
        with pytest.raises(SlotNotFound):
            take_stay(mine, Interval(area.pk, stay(mine).date_from, stay(mine).date_to))


@pytest.mark.django_db
def test_notice_and_horizon_bind_customers_only() -> None:
    area = sunbed(club__notice_minutes=3 * 24 * 60)
    with pytest.raises(SlotClosed):
        take_stay(area, stay(area))
    assert stay_on_site(area, stay(area)).status == S.CONFIRMED
    with pytest.raises(SlotClosed):
        take_stay(area, stay(area, days=100))


@pytest.mark.django_db
def test_staff_choose_freely_and_pay_on_site_for_what_has_begun() -> None:
    area = sunbed()
    odd = stay_on_site(area, stay(area, 5.25, 25))
    assert (odd.price, odd.status) == (25_000, S.CONFIRMED)
    with time_machine.travel(stay(area, 12).date_from + timedelta(minutes=7)):
        with pytest.raises(SlotInPast):
            services.book_for_client(
                interval=stay(area, 12, 60, days=0), club_id=area.club_id, typed=services.Typed("Анна", "+79120000003", ""),
                participants_count=1, actor=staff_of(area), key="k",
            )  # fmt: skip
        walk_in = stay_on_site(area, stay(area, 12, 60, days=0), phone="+79120000002")
        assert walk_in.status == S.CONFIRMED
        with pytest.raises(SlotTaken):
            stay_on_site(area, stay(area, 12.5, 60, days=0), phone="+79120000003")


@pytest.mark.django_db
def test_a_booking_moves_to_another_interval_and_back_by_the_common_code() -> None:
    area = sunbed()
    other = IntervalAreaFactory(club=area.club)
    booking, there = stay_on_site(area, stay(area)), stay(other, 15, 90)
    first = booking.slot_id

    moved = services.move(
        booking_id=booking.pk, actor=staff_of(area), area_id=other.pk, date_from=there.date_from, date_to=there.date_to
    )
    assert (moved.slot.origin, moved.area_id, moved.price) == ("interval", other.pk, 60_000)
    assert seen(area, stay(area)) is SlotStatus.AVAILABLE
    assert seen(other, there) is SlotStatus.BOOKED
    stay_on_site(area, stay(area, 12.5), phone="+79120000002")
    with pytest.raises(SlotTaken):
        services.move(booking_id=booking.pk, actor=staff_of(area), area_id=area.pk, **span(stay(area)))
    back = services.move(booking_id=booking.pk, actor=staff_of(area), area_id=area.pk, **span(stay(area, 11)))
    assert back.slot_id != first
    again = services.move(booking_id=booking.pk, actor=staff_of(area), **span(stay(area, 10)))
    services.move(booking_id=booking.pk, actor=staff_of(area), **span(stay(area, 11)))
    assert Booking.objects.get(pk=booking.pk).slot_id == back.slot_id != again.slot_id


def span(interval: Interval) -> dict[str, datetime]:
    return {"date_from": interval.date_from, "date_to": interval.date_to}


@pytest.mark.django_db
def test_a_guest_moves_to_another_bed_in_the_middle_of_the_stay() -> None:
    area = sunbed(club__payment_deadline_minutes=5000)
    other = IntervalAreaFactory(club=area.club)
    booking = stay_on_site(area, stay(area, 12, 120))
    waiting = services.book_for_client(
        interval=stay(area, 16), club_id=area.club_id, typed=services.Typed("Анна", "+79120000003", ""),
        participants_count=1, actor=staff_of(area), key="k",
    )  # fmt: skip
    with time_machine.travel(stay(area, 13).date_from):
        assert services.move(booking_id=booking.pk, actor=staff_of(area), area_id=other.pk).area_id == other.pk
        with pytest.raises(SlotInPast):
            services.move(booking_id=waiting.pk, actor=staff_of(area), **span(stay(area, 12.5, 60, days=0)))


@pytest.mark.django_db
def test_times_are_not_offered_where_intervals_are_and_the_other_way_round() -> None:
    slot = SlotFactory(start=ahead(9))
    with pytest.raises(ValidationFailed):
        publish_slot(
            club_id=slot.club_id, actor=staff_of(slot),  # type: ignore[arg-type]
            draft=Draft(area_id=IntervalAreaFactory(club=slot.club).pk, date_from=slot.date_from, date_to=slot.date_to, price=1),
        )  # fmt: skip
    day = day_of_club(club=slot.club, day=slot.date_from.date(), now=now_utc())
    assert [len(day.offers), len(day.by_interval)] == [1, 1]
    Area.objects.filter(pk=slot.area_id).update(
        booked_by="interval", step_minutes=30, min_minutes=30, max_minutes=60, price_per_hour=1
    )
    day = day_of_club(club=slot.club, day=slot.date_from.date(), now=now_utc())
    assert [len(day.offers), len(day.by_interval)] == [0, 2]
    assert booked_on_site(slot).status == S.CONFIRMED  # staff still may


@pytest.mark.django_db
def test_what_an_interval_made_is_not_changed_by_hand() -> None:
    area = sunbed()
    slot = stay_on_site(area, stay(area)).slot
    with pytest.raises(SlotNotOffered):
        set_closed(slot_id=slot.pk, closed=True, actor=staff_of(area))
    with pytest.raises(SlotNotOffered):
        change_slot(club_id=area.club_id, slot_id=slot.pk, changes={"price": 1}, actor=staff_of(area))
    for closed in (True, False):
        (outcome,) = bulk.set_closed(
            club_id=area.club_id, slot_ids=[slot.pk], closed=closed, actor=staff_of(area)
        ).values()
        assert isinstance(outcome.refusal, SlotNotOffered)


@pytest.mark.django_db
def test_what_the_club_blocks_cannot_be_chosen() -> None:
    area = sunbed()
    wanted = stay(area, 12, 120)
    spot = Spot(area.pk, None, wanted.date_from, wanted.date_to)
    kept = block(club_id=area.club_id, spot=spot, reason="ремонт", actor=staff_of(area))
    assert lengths(area, stay(area, 11)) == (30, 60)
    with pytest.raises(SlotTaken):
        stay_on_site(area, stay(area, 13))
    unblock(club_id=area.club_id, slot_id=kept.pk, actor=staff_of(area))
    assert lengths(area, wanted) == tuple(range(30, 241, 30))


@pytest.mark.django_db
def test_the_database_keeps_one_slot_of_one_party_for_an_interval() -> None:
    area = sunbed()
    slot = stay_on_site(area, stay(area)).slot
    copy: dict[str, Any] = {
        "club": area.club, "area": area, "date_from": slot.date_from, "date_to": slot.date_to, "price": 1, "origin": "interval",
    }  # fmt: skip
    for changes, rule in (
        ({}, "slot_made_once"),
        ({"capacity": 2}, "slot_by_interval_is_one_party"),
        ({"closed": True}, "slot_by_interval_is_one_party"),
    ):
        with pytest.raises(IntegrityError, match=rule), transaction.atomic():
            Slot.objects.create(**copy | changes)
    Slot.objects.create(**copy | {"origin": "published"})  # another time it may be offered


@pytest.mark.django_db
def test_the_nearest_free_intervals_and_a_constant_number_of_queries() -> None:
    area = sunbed()
    IntervalAreaFactory(club=area.club, name="Рядом", position=1)
    stay_on_site(area, stay(area, 12, 60))
    found = nearest_intervals(club=area.club, around=stay(area, 12).date_from, now=now_utc(), minutes=60)
    assert [(one.slot.area.name, one.slot.date_from) for one in found if one.slot.area] == [
        ("Рядом", stay(area, 12).date_from), ("Рядом", stay(area, 12.5).date_from), (area.name, stay(area, 13).date_from),
    ]  # fmt: skip

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen_queries:
            day_of_club(club=area.club, day=stay(area).date_from.date(), now=now_utc())
        return len(seen_queries)

    before = queries()
    for number in range(6):
        bed = IntervalAreaFactory(club=area.club)
        stay_on_site(bed, stay(bed, 10 + number), phone=f"+7912000010{number}")
    assert queries() == before == 4


@pytest.mark.django_db
def test_occupancy_counts_opening_hours_as_offered() -> None:
    area = sunbed()
    wanted = stay(area, 12, 90)
    stay_on_site(area, wanted)
    (row,) = occupancy(club_id=area.club_id, start=stay(area, 0).date_from, end=stay(area, 24).date_from)
    assert (row.booked_minutes, row.offered_minutes) == (90, 14 * 60)
