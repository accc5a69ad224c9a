"""Many slots changed at once: each by its own fate, in as many statements for a thousand as for one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clubs.models import Club
from palms.actors import Actor, Kind
from palms.clock import now_utc
from palms.errors import NotPermitted
from slots import bulk
from slots.models import Slot
from slots.offers import DEAREST, Draft
from slots.publishing import preview_slots
from tests.factories import AreaFactory, ClubFactory, SlotFactory, ahead

pytestmark = pytest.mark.django_db


def staff(club: Club) -> Actor:
    return Actor(Kind.STAFF, 1, frozenset({club.pk}), "admin")


def states(outcomes: dict[int, bulk.Outcome], *slots: Slot) -> list[str]:
    return [outcomes[slot.pk].refusal.code if outcomes[slot.pk].refusal else outcomes[slot.pk].state for slot in slots]


def test_prices_change_where_they_differ_and_others_are_told_apart() -> None:
    club = ClubFactory()
    dear, same = SlotFactory(club=club, price=100), SlotFactory(club=club, price=200)
    past, foreign = SlotFactory(club=club, start=now_utc() - timedelta(hours=1)), SlotFactory()
    prices = {slot.pk: 200 for slot in (dear, same, past, foreign)}

    outcomes = bulk.set_prices(club_id=club.pk, prices=prices, actor=staff(club))

    assert states(outcomes, dear, same, past, foreign) == ["changed", "unchanged", "slot_in_past", "not_found"]
    assert [Slot.objects.get(pk=slot.pk).price for slot in (dear, same, past, foreign)] == [200, 200, 150_000, 150_000]
    event = dear.events.order_by("pgh_id").last()
    assert (event.price, event.pgh_context.metadata["actor"]) == (200, "staff")


def test_slots_close_and_reopen_but_not_beside_their_twins() -> None:
    club = ClubFactory()
    area = AreaFactory(club=club)
    offered, alone = SlotFactory(club=club, area=area), SlotFactory(club=club)
    twin = SlotFactory(club=club, area=area, closed=True)
    pair = [SlotFactory(club=club, area=area, start=ahead(18), closed=True) for _ in range(2)]

    closed = bulk.set_closed(club_id=club.pk, slot_ids=[alone.pk], closed=True, actor=staff(club))
    opened = bulk.set_closed(
        club_id=club.pk, slot_ids=[s.pk for s in (alone, twin, *pair)], closed=False, actor=staff(club)
    )

    assert states(closed, alone) == ["changed"]
    assert states(opened, alone, twin, *pair) == ["changed", "slot_duplicate", "changed", "slot_duplicate"]
    assert set(Slot.objects.filter(club=club, closed=True)) == {twin, pair[1]}
    assert Slot.objects.get(pk=offered.pk).closed is False


def test_as_many_statements_for_many_as_for_few() -> None:
    club = ClubFactory()
    ids = [SlotFactory(club=club, start=ahead(hour)).pk for hour in range(12)]

    def asked(ids: list[int]) -> int:
        with CaptureQueriesContext(connection) as captured:
            bulk.set_prices(club_id=club.pk, prices=dict.fromkeys(ids, 1), actor=staff(club))
            bulk.set_closed(club_id=club.pk, slot_ids=ids, closed=True, actor=staff(club))
        return len(captured)

    assert asked(ids[:2]) == asked(ids[2:])


@pytest.mark.parametrize("price", [-1, DEAREST + 1])
def test_a_price_beyond_all_bounds_is_a_defect(price: int) -> None:
    slot = SlotFactory()
    with pytest.raises(ValueError, match="bounds"):
        bulk.set_prices(club_id=slot.club_id, prices={slot.pk: price}, actor=staff(slot.club))


def test_strangers_change_and_preview_nothing() -> None:
    slot, stranger = SlotFactory(), staff(ClubFactory())
    draft = Draft(date_from=ahead(), date_to=ahead(13), area_id=slot.area_id, price=1)
    for act in (
        lambda: bulk.set_prices(club_id=slot.club_id, prices={slot.pk: 1}, actor=stranger),
        lambda: bulk.set_closed(club_id=slot.club_id, slot_ids=[slot.pk], closed=True, actor=stranger),
        lambda: preview_slots(club_id=slot.club_id, drafts=[draft], actor=stranger),
    ):
        with pytest.raises(NotPermitted):
            act()


def test_a_preview_says_what_publishing_would_and_writes_nothing() -> None:
    slot = SlotFactory(start=ahead(12))
    drafts = [
        Draft(date_from=ahead(hour), date_to=ahead(hour) + timedelta(hours=1), area_id=slot.area_id, price=1)
        for hour in (12, 13, 13)
    ]

    outcomes = preview_slots(club_id=slot.club_id, drafts=drafts, actor=staff(slot.club))

    assert [one.state for one in outcomes] == ["refused", "created", "refused"]
    assert Slot.objects.count() == 1
