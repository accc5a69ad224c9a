"""Changing many offers at once: a price or an intention for each, in a few statements whatever their number."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from django.db import transaction

from palms.actors import Actor, acting
from palms.clock import now_utc
from palms.errors import DomainError, NotPermitted
from slots.errors import SlotDuplicate, SlotInPast, SlotNotFound, SlotNotOffered
from slots.models import Slot
from slots.offers import DEAREST, Key, key_of, offered_as
from slots.publishing import Outcome, lock_offers


@transaction.atomic
def set_prices(*, club_id: int, prices: Mapping[int, int], actor: Actor) -> dict[int, Outcome]:
    """Give slots (by id) a new price per participant, in minor units; bookings keep theirs. Returns an outcome for each.

    Refused, each by itself: SlotNotFound, SlotNotOffered (made for an interval, or a block), SlotInPast.
    Raises NotPermitted; ValueError: a price that no slot may have.
    """
    if not all(0 <= price <= DEAREST for price in prices.values()):
        raise ValueError("a price beyond all bounds")
    outcomes, slots = _locked(club_id, prices.keys(), actor)
    changed = []
    for slot in slots:
        if slot.price != prices[slot.pk]:
            slot.price = prices[slot.pk]
            changed.append(slot)
    with acting(actor):
        Slot.objects.bulk_update(changed, ["price"])
    return outcomes | {slot.pk: Outcome("changed", slot.pk) for slot in changed}


@transaction.atomic
def set_closed(*, club_id: int, slot_ids: Collection[int], closed: bool, actor: Actor) -> dict[int, Outcome]:
    """Withdraw slots or offer them again. A running hold and a booking stay. Returns an outcome for each id.

    Refused, each by itself: SlotNotFound, SlotInPast, SlotDuplicate (the same is offered already). Raises NotPermitted.
    """
    outcomes, slots = _locked(club_id, slot_ids, actor)
    other = [slot for slot in slots if slot.closed != closed]
    twins = {} if closed else _twins(other)
    moving = [slot for slot in other if slot.pk not in twins]
    with acting(actor):
        Slot.objects.filter(pk__in=[slot.pk for slot in moving]).update(closed=closed)
    refused = {pk: Outcome("refused", pk, refusal) for pk, refusal in twins.items()}
    return outcomes | refused | {slot.pk: Outcome("changed", slot.pk) for slot in moving}


def _locked(club_id: int, ids: Collection[int], actor: Actor) -> tuple[dict[int, Outcome], list[Slot]]:
    """Return what becomes of each id where nothing is changed, and the locked slots that can be changed, by id.

    Neither areas nor instructors are locked: no claim depends on what is changed here.
    """
    if not actor.serves(club_id):
        raise NotPermitted
    lock_offers(club_id)
    mine = Slot.objects.filter(club_id=club_id, pk__in=list(ids)).order_by("pk")
    found = {slot.pk: slot for slot in mine.select_for_update(no_key=True)}
    now = now_utc()
    outcomes = {pk: _standing(found.get(pk), pk, now) for pk in ids}
    return outcomes, [slot for pk, slot in found.items() if outcomes[pk].refusal is None]


def _standing(slot: Slot | None, pk: int, now: datetime) -> Outcome:
    if slot is None:
        return Outcome("refused", pk, SlotNotFound())
    if slot.is_by_interval or slot.origin == Slot.Origin.BLOCK:
        return Outcome("refused", pk, SlotNotOffered())
    return Outcome("refused", pk, SlotInPast()) if slot.date_from <= now else Outcome("unchanged", pk)


def _twins(slots: list[Slot]) -> dict[int, DomainError]:
    """Return the refusals of closed slots that cannot be offered beside what is offered already, or beside each other."""
    offers = [slot for slot in slots if slot.origin != Slot.Origin.MOVE]
    taken: dict[Key, int] = offered_as(key_of(slot) for slot in offers)
    refused: dict[int, DomainError] = {}
    for slot in offers:
        twin = taken.setdefault(key_of(slot), slot.pk)
        if twin != slot.pk:
            refused[slot.pk] = SlotDuplicate(conflicts_with=twin)
    return refused
