"""Changing what is offered already: dates, area, price, places, and whether it is offered at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from clubs.models import Area
from palms.actors import Actor, acting
from palms.clock import now_utc
from palms.errors import NotFound, NotPermitted, refusing
from palms.locking import starting_over
from palms.preconditions import require_version
from slots.errors import SlotDuplicate, SlotInPast, SlotInUse, SlotNotFound
from slots.models import MADE, Claim, Slot
from slots.offers import key_of, must_be_valid, must_have_offers, offered_as
from slots.publishing import lock_offers
from slots.rules import is_alive
from slots.services import end_owners, must_be_an_offer, try_lock_slots

CHANGEABLE = frozenset({"closed", "date_from", "date_to", "price", "area_id", "capacity"})
PLACE = frozenset({"date_from", "date_to", "area_id"})
IN_USE = (
    "claim_place_is_its_slots",
    "claim_capacity_is_its_slots",
    "claim_place_within_capacity",
    "booking_place_is_its_slots",
    "slot_block_is_not_offered",
)


@transaction.atomic
def change_slot(
    *, club_id: int, slot_id: int, changes: Mapping[str, Any], actor: Actor, version: int | None = None
) -> None:
    """Change a slot of a club: any of `CHANGEABLE`. Where everything is so already, nothing is written.

    Its bookings keep their price. A free-cancellation moment of its own keeps its distance to the start.

    Raises:
        NotPermitted, SlotNotFound. StaleVersion: `version` is not the stored one. ValidationFailed.
        SlotInPast: it has begun, or would have. SlotDuplicate: the same is offered already.
        SlotNotOffered: it was made for an interval.
        SlotInUse: somebody has it, and its dates or its area would change, or a taken place would vanish.
        NotFound: the area is not this club's.
    """
    if not actor.serves(club_id):
        raise NotPermitted
    lock_offers(club_id)
    slot = _locked(club_id, slot_id, changes.get("area_id"))
    require_version(slot.version, version)
    must_be_an_offer(slot)
    new = {name: value for name, value in changes.items() if name in CHANGEABLE and getattr(slot, name) != value}
    if not new:
        return
    now = now_utc()
    if min(slot.date_from, new.get("date_from", slot.date_from)) <= now:
        raise SlotInPast
    claims = list(Claim.objects.filter(slot=slot).order_by("pk"))
    if any(is_alive(claim, now) and _rests_on(claim, new) for claim in claims):
        raise SlotInUse
    changed = _apply(slot, new)
    end_owners([claim for claim in claims if _rests_on(claim, new)], now)
    with acting(actor), refusing(SlotDuplicate, "slot_offered_once"), refusing(SlotInUse, *IN_USE):
        slot.save(update_fields=changed)


def _locked(club_id: int, slot_id: int, area_id: int | None) -> Slot:
    if not Slot.objects.filter(club_id=club_id, pk=slot_id).exists():
        raise SlotNotFound
    areas = list(Area.objects.filter(club_id=club_id, pk=area_id or 0).values_list("pk", flat=True))
    (slot,) = starting_over(lambda: try_lock_slots([slot_id], area_ids=areas))
    return slot


def _rests_on(claim: Claim, new: Mapping[str, Any]) -> bool:
    """Whether a claim is in the way of these changes, if it is alive."""
    return bool(PLACE & new.keys()) or claim.place >= new.get("capacity", claim.place + 1)


def _apply(slot: Slot, new: Mapping[str, Any]) -> list[str]:
    """Change the slot in memory and return the fields to be saved."""
    changed = set(new)
    if "area_id" in new:
        area = Area.objects.filter(club_id=slot.club_id, pk=new["area_id"]).first()
        if area is None:
            raise NotFound(errors={"area_id": [_("The club has no such thing")]})
        must_have_offers(area)
        slot.area, slot.exclusive = area, area.exclusive
        changed |= {"exclusive"}
    if slot.cancelation_time is not None and "date_from" in new:
        slot.cancelation_time += new["date_from"] - slot.date_from
        changed |= {"cancelation_time"}
    for name in new.keys() - {"area_id"}:
        setattr(slot, name, new[name])
    must_be_valid(slot, slot.club)
    twin = None if slot.closed else offered_as([key_of(slot)]).get(key_of(slot), slot.pk)
    if twin not in (None, slot.pk) and slot.origin not in MADE:
        raise SlotDuplicate(conflicts_with=twin)
    return sorted(changed)
