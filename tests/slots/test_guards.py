"""What PostgreSQL itself refuses about places, whoever writes. Each test names the guard."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from payments.models import Payment
from slots.models import Claim, Slot
from tests.factories import AreaFactory, ClientFactory, ClubFactory, InstructorFactory, SlotFactory
from tests.play import booked_on_site, offer
from tests.raw import sql, stopped_by

pytestmark = pytest.mark.django_db


def held(slot: Slot, place: int = 0) -> Claim:
    """Return an unsaved claim of a hold on this slot."""
    client = ClientFactory(club=slot.club)
    payment = Payment.objects.create(
        club=slot.club, client=client, account=slot.club.provider_accounts.get(), provider="yookassa", amount=1,
        currency="RUB", snapshot={},
    )  # fmt: skip
    return Claim(
        club=slot.club, slot=slot, place=place, area=slot.area, instructor=slot.instructor, exclusive=slot.exclusive,
        capacity=slot.capacity, period=(slot.date_from, slot.date_to), held_until=slot.date_from, payment=payment,
    )  # fmt: skip


def test_one_party_per_place() -> None:
    slot = offer()
    held(slot).save()
    with stopped_by("claim_one_party_per_place"):
        held(slot).save()


def test_no_place_beyond_the_capacity() -> None:
    with stopped_by("claim_place_within_capacity"):
        held(offer(), place=1).save()


def test_capacity_does_not_shrink_under_a_taken_place() -> None:
    slot = offer(capacity=2)
    booked_on_site(slot)
    booked_on_site(slot, phone="+79120000002")
    with stopped_by("claim_place_within_capacity"):
        sql("UPDATE slots_slot SET capacity = 1 WHERE id = %s", slot.pk)


def test_capacity_grows_and_claims_follow() -> None:
    slot = offer()
    booked_on_site(slot)
    sql("UPDATE slots_slot SET capacity = 5 WHERE id = %s", slot.pk)
    assert Claim.objects.get().capacity == 5


def test_two_slots_of_one_court_are_not_both_taken() -> None:
    slot = offer()
    rival = SlotFactory(club=slot.club, area=slot.area, start=slot.date_from + timedelta(minutes=30))
    booked_on_site(slot)
    with stopped_by("claim_no_overlap_on_area"):
        held(rival).save()


def test_two_slots_of_one_instructor_are_not_both_taken() -> None:
    club = ClubFactory()
    one = InstructorFactory(club=club)
    slot, rival = offer(club=club, instructor=one), offer(club=club, instructor=one)
    booked_on_site(slot)
    with stopped_by("claim_no_overlap_on_instructor"):
        held(rival).save()


def test_slots_that_only_touch_do_not_overlap() -> None:
    slot = offer()
    booked_on_site(slot)
    booked_on_site(SlotFactory(club=slot.club, area=slot.area, start=slot.date_to), phone="+79120000002")
    assert Claim.objects.count() == 2


@pytest.mark.parametrize(
    ("change", "guard"),
    [
        ("date_from = date_from + interval '1 minute'", "claim_place_is_its_slots"),
        ("date_to = date_to + interval '1 minute'", "claim_place_is_its_slots"),
        ("area_id = NULL, exclusive = false, instructor_id = %(instructor)s", "claim_place_is_its_slots"),
        ("area_id = %(area)s", "claim_place_is_its_slots"),
        ("instructor_id = %(instructor)s", "claim_place_is_its_slots"),
        ("exclusive = false", "slot_exclusive_is_its_areas"),
    ],
)
def test_a_slot_in_use_keeps_its_dates_and_place(change: str, guard: str) -> None:
    slot = offer()
    booked_on_site(slot)
    ids = {
        "area": AreaFactory(club=slot.club).pk,
        "instructor": InstructorFactory(club=slot.club).pk,
        "slot": slot.pk,
    }
    with stopped_by(guard), connection.cursor() as cursor:
        cursor.execute(f"UPDATE slots_slot SET {change} WHERE id = %(slot)s", ids)


@pytest.mark.parametrize(
    ("change", "guard"),
    [
        ("period = tstzrange(lower(period), upper(period) + interval '1 hour')", "claim_place_is_its_slots"),
        ("period = 'empty'", "claim_period_is_a_span"),
        ("period = tstzrange(lower(period), NULL)", "claim_period_is_a_span"),
        ("period = tstzrange(lower(period), upper(period), '[]')", "claim_period_is_a_span"),
        ("area_id = NULL", "claim_place_is_its_slots"),
        ("exclusive = false", "claim_capacity_is_its_slots"),
        ("capacity = 9", "claim_capacity_is_its_slots"),
        ("place = -1", "claim_place_within_capacity"),
        ("booking_id = NULL", "claim_one_owner"),
        ("held_until = now()", "booking_claims_agree"),
    ],
)
def test_a_claims_copies_are_its_slots(change: str, guard: str) -> None:
    booked_on_site(offer())
    with stopped_by(guard):
        sql(f"UPDATE slots_claim SET {change}")


def test_a_claim_of_a_confirmed_booking_is_not_deleted() -> None:
    booked_on_site(offer())
    with stopped_by("booking_claims_agree"):
        sql("DELETE FROM slots_claim")


def test_a_court_does_not_become_exclusive_over_overlapping_claims() -> None:
    slot = offer(area__exclusive=False, capacity=1)
    rival = SlotFactory(club=slot.club, area=slot.area, start=slot.date_from + timedelta(minutes=30))
    booked_on_site(slot)
    booked_on_site(rival, phone="+79120000002")
    with stopped_by("claim_no_overlap_on_area"):
        sql("UPDATE clubs_area SET exclusive = true WHERE id = %s", slot.area_id)


@pytest.mark.parametrize(
    ("changes", "guard"),
    [
        ({"minutes": 0}, "slot_dates_in_order"),
        ({"price": -1}, "slot_price_not_negative"),
        ({"capacity": 0}, "slot_has_places"),
        ({"currency": "рубль"[:3]}, "slot_currency_is_iso4217"),
        ({"area": None, "exclusive": False}, "slot_has_area_or_instructor"),
        ({"origin": "wish"}, "slot_origin_known"),
    ],
)
def test_a_slot_makes_sense(changes: dict[str, object], guard: str) -> None:
    club = ClubFactory()
    with stopped_by(guard):
        SlotFactory(club=club, **changes)


def test_the_same_offer_stands_once() -> None:
    slot = offer()
    with stopped_by("slot_offered_once"):
        SlotFactory(club=slot.club, area=slot.area)


def test_a_slot_stays_inside_its_club() -> None:
    stranger = AreaFactory()
    with stopped_by("slot_area_of_same_club"):
        SlotFactory(area=stranger)
    with stopped_by("slot_instructor_of_same_club"):
        SlotFactory(instructor=InstructorFactory())


def test_a_claim_stays_inside_its_club() -> None:
    slot = offer()
    claim = held(slot)
    claim.club = ClubFactory()
    with stopped_by("claim_slot_of_same_club"):
        claim.save()


def test_a_hold_of_a_payment_always_ends() -> None:
    claim = held(offer())
    claim.held_until = None
    with stopped_by("claim_of_a_payment_is_held"):
        claim.save()


def test_a_hold_outlives_no_stay() -> None:
    """It may outlive the start, where an interval that has begun is being paid."""
    slot = offer()
    held(slot).save()
    sql("UPDATE slots_claim SET held_until = upper(period)")
    with stopped_by("claim_hold_ends_by_the_end"):
        sql("UPDATE slots_claim SET held_until = held_until + interval '1 second'")
