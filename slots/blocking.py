"""Time that the club keeps for itself: a firm claim without a customer, so that the database itself sells it to nobody."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from clubs.models import Area, Instructor
from palms.actors import Actor, acting
from palms.clock import now_utc
from palms.errors import NotPermitted, ValidationFailed, refusing
from slots import services
from slots.errors import SlotInPast, SlotNotFound, SlotTaken
from slots.models import Claim, Slot
from slots.offers import must_be_valid
from slots.publishing import lock_offers
from slots.services import Spot

LONGEST_REASON = 120


@transaction.atomic
def block(*, club_id: int, spot: Spot, reason: str, actor: Actor) -> Slot:
    """Keep a place for the club over [date_from, date_to): no offer that overlaps it can be taken until `unblock`.

    What is offered there stays offered, and cannot be had. Returns the slot that stands for the block, never offered itself.

    Raises:
        NotPermitted. SlotNotFound: the place is not this club's. ValidationFailed: `errors` names the fields.
        SlotTaken: somebody has, or holds, a part of it. SlotInPast: it is over.
    """
    if not actor.serves(club_id):
        raise NotPermitted
    club = lock_offers(club_id)
    area, instructor = _lock_place(club_id, spot)
    slot = Slot(
        club=club, area=area, instructor=instructor, date_from=spot.date_from, date_to=spot.date_to, price=0,
        currency=club.currency, title=_must_be_said(reason), closed=True, origin=Slot.Origin.BLOCK,
        exclusive=area is not None,
    )  # fmt: skip
    must_be_valid(slot, club)
    now = now_utc()
    if slot.date_to <= now:
        raise SlotInPast
    services.clear_the_way(slot, now=now)
    with acting(actor), refusing(SlotTaken, *services.CLAIM_RULES):
        slot.save()
        services.claim(slot, [0], held_until=None, is_block=True)
    return slot


@transaction.atomic
def unblock(*, club_id: int, slot_id: int, actor: Actor) -> None:
    """Give the time of a block back; one given back already is left alone. Raises NotPermitted, SlotNotFound: no block."""
    if not actor.serves(club_id):
        raise NotPermitted
    if not Slot.objects.filter(pk=slot_id, club_id=club_id, origin=Slot.Origin.BLOCK).exists():
        raise SlotNotFound
    services.lock_slots([slot_id])
    with acting(actor):
        Claim.objects.filter(slot_id=slot_id, is_block=True).delete()


def _lock_place(club_id: int, spot: Spot) -> tuple[Area | None, Instructor | None]:
    """Lock the area and the instructor, in this order, as takers do. Raises SlotNotFound, ValidationFailed."""
    areas = list(Area.objects.select_for_update(no_key=True).filter(club_id=club_id, pk=spot.area_id or 0))
    people = list(Instructor.objects.select_for_update(no_key=True).filter(club_id=club_id, pk=spot.instructor_id or 0))
    if (spot.area_id is not None and not areas) or (spot.instructor_id is not None and not people):
        raise SlotNotFound
    if areas and not areas[0].exclusive:
        raise ValidationFailed(errors={"area": [_("Several parties share this place: close its times one by one")]})
    return next(iter(areas), None), next(iter(people), None)


def _must_be_said(reason: str) -> str:
    words = " ".join(reason.replace("\0", "").split())
    if not 1 <= len(words) <= LONGEST_REASON:
        raise ValidationFailed(errors={"reason": [_("Say why, in up to 120 letters")]})
    return words
