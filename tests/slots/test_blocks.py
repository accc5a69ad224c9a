"""Time that the club keeps for itself is sold to nobody, by the database's own rule."""

from __future__ import annotations

from datetime import timedelta

import pytest

from palms.actors import Actor, Kind
from palms.clock import now_utc
from palms.errors import DomainError, NotPermitted, ValidationFailed
from slots import blocking
from slots import services as slots
from slots.editing import change_slot
from slots.errors import SlotClosed, SlotInPast, SlotInUse, SlotNotFound, SlotTaken
from slots.models import Claim, Slot
from slots.rules import SlotStatus
from slots.selectors import day_of_club, occupancy
from slots.services import Spot
from tests.factories import AreaFactory, ClubFactory, InstructorFactory, SlotFactory
from tests.play import booked_on_site, offer, staff, take
from tests.raw import sql, stopped_by

pytestmark = pytest.mark.django_db
HALF = timedelta(minutes=30)


def spot_over(slot: Slot, *, area: int | None = None, instructor: int | None = None) -> Spot:
    """Half an hour around the end of a slot, on its court."""
    place = (area, instructor) if area or instructor else (slot.area_id, None)
    return Spot(*place, slot.date_to - HALF, slot.date_to + HALF)


def block(slot: Slot, spot: Spot | None = None, reason: str = "The net is torn") -> Slot:
    return blocking.block(club_id=slot.club_id, spot=spot or spot_over(slot), reason=reason, actor=staff(slot))


def test_what_a_block_overlaps_is_sold_to_nobody_and_shown_to_customers_as_gone() -> None:
    slot = offer()
    block(slot)

    with pytest.raises(SlotTaken):
        take(slot)
    with pytest.raises(SlotTaken):
        booked_on_site(slot)
    day = day_of_club(club=slot.club, day=slot.date_from.date(), now=now_utc())
    assert [offer.status for offer in day.offers] == [SlotStatus.BOOKED]
    (seen,) = occupancy(club_id=slot.club_id, start=slot.date_from, end=slot.date_to)
    assert (seen.booked_minutes, seen.offered_minutes) == (0, 60)


def test_the_database_itself_refuses_a_claim_beside_a_block() -> None:
    slot = offer()
    block(slot)
    with stopped_by("claim_no_overlap_on_area"):
        sql(
            "INSERT INTO slots_claim (club_id, slot_id, place, area_id, exclusive, capacity, period, is_block, created_at)"
            " SELECT club_id, id, 0, area_id, exclusive, capacity, period, true, now() FROM slots_slot WHERE id = %s",
            slot.pk,
        )


def test_a_block_given_back_frees_the_time_and_the_second_time_changes_nothing() -> None:
    slot = offer()
    blocked = block(slot)
    for _again in range(2):
        blocking.unblock(club_id=slot.club_id, slot_id=blocked.pk, actor=staff(slot))

    with pytest.raises(SlotClosed):  # what stood for it is no offer, not even for staff
        booked_on_site(blocked)
    assert booked_on_site(slot).status == "CONFIRMED"


@pytest.mark.parametrize("way", ["booked", "requested", "blocked"])
def test_a_place_that_somebody_has_is_not_blocked(way: str) -> None:
    club = ClubFactory()
    slot = offer(club=club, area=AreaFactory(club=club, mode="request"))
    {"booked": booked_on_site, "requested": take, "blocked": block}[way](slot)
    before = Claim.objects.count()

    with pytest.raises(SlotTaken):
        block(slot)
    assert (Claim.objects.count(), Slot.objects.filter(origin="block").count()) == (before, int(way == "blocked"))


def test_an_instructors_time_is_blocked_on_every_court() -> None:
    instructor = InstructorFactory()
    slot = offer(club=instructor.club, instructor=instructor)
    block(slot, spot_over(slot, instructor=instructor.pk))

    with pytest.raises(SlotTaken):
        take(slot)


def test_a_block_is_not_opened_or_changed_into_an_offer() -> None:
    slot = offer()
    blocked = block(slot)
    for change in (
        lambda: slots.set_closed(slot_id=blocked.pk, closed=False, actor=staff(slot)),
        lambda: change_slot(club_id=slot.club_id, slot_id=blocked.pk, changes={"closed": False}, actor=staff(slot)),
    ):
        with pytest.raises(SlotInUse):
            change()
    with stopped_by("slot_block_is_not_offered"):
        sql("UPDATE slots_slot SET closed = false WHERE id = %s", blocked.pk)


@pytest.mark.parametrize(
    ("change", "guard"),
    [("is_block = false", "claim_one_owner"), ("held_until = now()", "claim_of_a_block_is_firm")],
)
def test_a_blocks_claim_has_no_other_owner_and_no_end(change: str, guard: str) -> None:
    block(offer())
    with stopped_by(guard):
        sql(f"UPDATE slots_claim SET {change}")


def test_what_cannot_be_blocked_is_refused_in_words() -> None:
    slot, other = offer(), SlotFactory()
    shared = AreaFactory(club=slot.club, exclusive=False)
    past = Spot(slot.area_id, None, now_utc() - 2 * HALF, now_utc() - HALF)
    backwards = Spot(slot.area_id, None, slot.date_to, slot.date_from)
    wrong: list[tuple[type[DomainError], Spot, str]] = [
        (SlotNotFound, spot_over(slot, area=other.area_id), "x"),
        (SlotNotFound, spot_over(slot, instructor=InstructorFactory().pk), "x"),
        (ValidationFailed, spot_over(slot, area=shared.pk), "x"),
        (ValidationFailed, Spot(None, None, slot.date_from, slot.date_to), "x"),
        (ValidationFailed, backwards, "x"),
        (ValidationFailed, spot_over(slot), " \0 "),
        (ValidationFailed, spot_over(slot), "x" * 121),
        (SlotInPast, past, "x"),
    ]
    for refusal, spot, reason in wrong:
        with pytest.raises(refusal):
            block(slot, spot, reason)
    assert not Claim.objects.exists()


def test_only_the_club_itself_blocks_its_places() -> None:
    slot = offer()
    blocked = block(slot)
    stranger = Actor(Kind.STAFF, 7, frozenset({SlotFactory().club_id}), "admin")
    with pytest.raises(NotPermitted):
        blocking.block(club_id=slot.club_id, spot=spot_over(slot), reason="x", actor=stranger)
    with pytest.raises(NotPermitted):
        blocking.unblock(club_id=slot.club_id, slot_id=blocked.pk, actor=stranger)
    with pytest.raises(SlotNotFound):
        blocking.unblock(club_id=slot.club_id, slot_id=slot.pk, actor=staff(slot))
