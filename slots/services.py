"""Taking, handing over and giving back places. Callers open the transaction; the locks come first, the clock after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from clubs.models import Area, Instructor
from palms.actors import Actor, acting
from palms.errors import NotPermitted, ValidationFailed, refusing
from palms.locking import Moved, starting_over
from slots import owners
from slots.errors import SlotClosed, SlotDuplicate, SlotInPast, SlotNotFound, SlotTaken
from slots.models import Claim, Slot
from slots.rules import is_alive, is_rival, living

Place = tuple[int | None, int | None]  # ids of area and instructor
CLAIM_RULES = (
    "claim_one_party_per_place",
    "claim_no_overlap_on_area",
    "claim_no_overlap_on_instructor",
    "claim_place_within_capacity",
)


def lock_slots(slot_ids: Iterable[int], *, seen: dict[int, Place] | None = None) -> list[Slot]:
    """Lock areas, instructors and slots, in that order, each kind by id; return the slots as they are now, by id.

    `seen` may name the places read earlier without locks. A place that moved meanwhile is unlocked and sought again, so
    that the order of locks always holds. Must run inside a transaction. Source: domain section 2.

    Raises:
        SlotNotFound: one of the ids does not exist.
    """
    tries = iter([seen])
    return starting_over(lambda: try_lock_slots(slot_ids, seen=next(tries, None)))


def try_lock_slots(slot_ids: Iterable[int], *, seen: dict[int, Place] | None = None) -> list[Slot]:
    """Lock as `lock_slots`, once, as a part of an attempt that starts over. Raises Moved, SlotNotFound."""
    ids = sorted(set(slot_ids))
    return _lock(ids, seen or _places(ids))


def _places(ids: list[int]) -> dict[int, Place]:
    rows = Slot.objects.filter(pk__in=ids).values_list("pk", "area_id", "instructor_id")
    return {pk: (area, instructor) for pk, area, instructor in rows}


def _lock(ids: list[int], places: dict[int, Place]) -> list[Slot]:
    area_ids = {area for area, _ in places.values() if area}
    instructor_ids = {instructor for _, instructor in places.values() if instructor}
    areas: dict[int, Area] = {}
    if area_ids:
        areas = {a.pk: a for a in Area.objects.select_for_update(no_key=True).filter(pk__in=area_ids).order_by("pk")}
    if instructor_ids:
        list(Instructor.objects.select_for_update(no_key=True).filter(pk__in=instructor_ids).order_by("pk"))
    slots = list(Slot.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk"))
    if len(slots) != len(ids):
        raise SlotNotFound
    for slot in slots:
        if (slot.area_id, slot.instructor_id) != places.get(slot.pk):
            raise Moved
        if slot.area_id is not None:
            slot.area = areas[slot.area_id]  # as it is now, under its lock
    return slots


def find_room(slot: Slot, *, count: int, now: datetime, for_customer: bool = True) -> list[int]:
    """Return `count` free places of a locked slot, after ending the waits of dead rivals in the same transaction.

    Raises:
        SlotInPast, SlotClosed: nobody can take it any more (customers; staff may book into a closed slot).
        SlotTaken: not that many places are left, or the court or instructor is taken at that time.
    """
    if slot.date_from <= now:
        raise SlotInPast
    if slot.closed and for_customer:
        raise SlotClosed
    claims = list(_claims_around(slot))
    living = [claim for claim in claims if is_alive(claim, now)]
    own = {claim.place for claim in living if claim.slot_id == slot.pk}
    free = [place for place in range(slot.capacity) if place not in own]
    if len(free) < count or any(is_rival(claim, slot) for claim in living):
        raise SlotTaken(slot_id=slot.pk)
    dead = [
        claim for claim in claims if not is_alive(claim, now) and (claim.slot_id == slot.pk or is_rival(claim, slot))
    ]
    end_owners(dead, now)
    return free[:count]


def _claims_around(slot: Slot) -> Iterable[Claim]:
    near = Q(slot_id=slot.pk)
    if slot.exclusive:
        near |= Q(area_id=slot.area_id, exclusive=True, period__overlap=(slot.date_from, slot.date_to))
    if slot.instructor_id is not None:
        near |= Q(instructor_id=slot.instructor_id, period__overlap=(slot.date_from, slot.date_to))
    return Claim.objects.filter(near).order_by("pk")


def end_owners(dead: Sequence[Claim], now: datetime) -> None:
    """End the waits of the owners of these dead claims: their claims go, a booking becomes OTHER (expired)."""
    gone = owners.Owners(
        {claim.payment_id for claim in dead if claim.payment_id},
        {claim.booking_id for claim in dead if claim.booking_id},
    )
    if gone:
        owners.end_waits(gone, now)


def claim(
    slot: Slot,
    places: Sequence[int],
    *,
    held_until: datetime | None,
    payment_id: int | None = None,
    booking_id: int | None = None,
) -> list[Claim]:
    """Take these places of a locked slot for one owner; `held_until` None makes them firm.

    Raises:
        SlotTaken: a constraint knew better than our look.
    """
    rows = [
        Claim(
            club_id=slot.club_id, slot=slot, place=place, area_id=slot.area_id, instructor_id=slot.instructor_id,
            exclusive=slot.exclusive, capacity=slot.capacity, period=(slot.date_from, slot.date_to),
            held_until=held_until, payment_id=payment_id, booking_id=booking_id,
        )
        for place in places
    ]  # fmt: skip
    with refusing(SlotTaken, *CLAIM_RULES, slot_id=slot.pk):
        return Claim.objects.bulk_create(rows)


def claims_of(*, payment_id: int | None = None, booking_id: int | None = None) -> list[Claim]:
    """Return the claims of one owner, dead ones too."""
    mine = Q(payment_id=payment_id) if payment_id is not None else Q(booking_id=booking_id)
    return list(Claim.objects.filter(mine).order_by("pk"))


def hand_over(*, payment_id: int, booking_id: int) -> None:
    """Make the claims of a payment firm claims of its booking."""
    Claim.objects.filter(payment_id=payment_id).update(payment_id=None, booking_id=booking_id, held_until=None)


def hold_until(*, booking_id: int, moment: datetime | None) -> None:
    """Let a booking's claims live until `moment`, or make them firm (None). The place's locks are held."""
    Claim.objects.filter(booking_id=booking_id).update(held_until=moment)


def release(*, payment_ids: Iterable[int] = (), booking_ids: Iterable[int] = ()) -> int:
    """Give back every claim of these owners; returns how many there were."""
    gone, _each = Claim.objects.filter(
        Q(payment_id__in=list(payment_ids)) | Q(booking_id__in=list(booking_ids))
    ).delete()
    return gone


@transaction.atomic
def publish_slot(
    *,
    club_id: int,
    area_id: int | None,
    instructor_id: int | None = None,
    date_from: datetime,
    date_to: datetime,
    price: int,
    currency: str,
    actor: Actor,
    capacity: int = 1,
    title: str = "",
    cancelation_time: datetime | None = None,
    reference_id: int | None = None,
    origin: str = Slot.Origin.PUBLISHED,
) -> Slot:
    """Offer one slot; price per participant in minor units, dates aware and half-open.

    Raises:
        NotPermitted: the actor does not serve this club. ValidationFailed: it ends before it starts.
        SlotNotFound: the area or the instructor is not this club's.
        SlotDuplicate: the same area, instructor and interval is already offered.
    """
    if not actor.serves(club_id):
        raise NotPermitted
    if not date_from < date_to:
        raise ValidationFailed(errors={"date_to": [_("The end must come after the start")]})
    area = Area.objects.filter(pk=area_id, club_id=club_id).first() if area_id is not None else None
    known = instructor_id is None or Instructor.objects.filter(pk=instructor_id, club_id=club_id).exists()
    if (area_id is not None and area is None) or not known:
        raise SlotNotFound
    with acting(actor), refusing(SlotDuplicate, "slot_offered_once", "slot_reference_once"):
        return Slot.objects.create(
            club_id=club_id, area=area, instructor_id=instructor_id, date_from=date_from, date_to=date_to, price=price,
            currency=currency, capacity=capacity, title=title, cancelation_time=cancelation_time,
            reference_id=reference_id, origin=origin, exclusive=area is not None and area.exclusive,
        )  # fmt: skip


@transaction.atomic
def set_closed(*, slot_id: int, closed: bool, actor: Actor) -> Slot:
    """Withdraw a slot or offer it again. A running hold is not touched. Raises SlotDuplicate, SlotNotFound, NotPermitted."""
    (slot,) = lock_slots([slot_id])
    if not actor.serves(slot.club_id):
        raise NotPermitted
    slot.closed = closed
    with acting(actor), refusing(SlotDuplicate, "slot_offered_once"):
        slot.save(update_fields=["closed", "updated_at"])
    return slot


def withdraw_if_empty(slot: Slot, *, now: datetime) -> None:
    """Close a locked slot that nobody has any more: after a cancel, where the club publishes a new one itself."""
    if not Claim.objects.filter(living(now), slot=slot).exists():
        slot.closed = True
        slot.save(update_fields=["closed", "updated_at"])


def drop_dead_holds(*, now: datetime, limit: int) -> int:
    """Housekeeping: delete claims of payments whose hold has passed. They were nobody's from that moment."""
    dead = (
        Claim.objects.filter(payment__isnull=False, held_until__lte=now).order_by("pk").values("slot_id", "payment_id")
    )
    dropped = 0
    for row in list(dead[:limit]):
        with transaction.atomic():
            lock_slots([row["slot_id"]])
            end_owners(list(Claim.objects.filter(payment_id=row["payment_id"], held_until__lte=now)), now)
            dropped += 1
    return dropped
