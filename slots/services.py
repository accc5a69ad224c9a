"""Taking, handing over and giving back places. Callers open the transaction; the locks come first, the clock after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from clubs.models import Area, Instructor
from palms import points
from palms.actors import Actor, acting
from palms.errors import NotPermitted, refusing
from palms.locking import Moved, starting_over
from slots import owners
from slots.errors import SlotClosed, SlotDuplicate, SlotInPast, SlotInUse, SlotNotFound, SlotNotOffered, SlotTaken
from slots.models import Claim, Slot
from slots.publishing import lock_offers
from slots.rules import is_alive, is_rival, living

DROPPED = points.commit("slots.drop_dead_holds")
Place = tuple[int | None, int | None]  # ids of area and instructor
CLAIM_RULES = (
    "claim_one_party_per_place",
    "claim_no_overlap_on_area",
    "claim_no_overlap_on_instructor",
    "claim_place_within_capacity",
)


@dataclass(frozen=True, slots=True)
class Spot:
    """A place of a club over [date_from, date_to), UTC: an area, an instructor or both."""

    area_id: int | None
    instructor_id: int | None
    date_from: datetime
    date_to: datetime


def lock_slots(slot_ids: Iterable[int], *, seen: dict[int, Place] | None = None) -> list[Slot]:
    """Lock areas, instructors and slots, in that order, each kind by id; return the slots as they are now, by id.

    `seen` may name the places read earlier without locks. A place that moved meanwhile is unlocked and sought again, so
    that the order of locks always holds. Must run inside a transaction. Source: domain section 2.

    Raises:
        SlotNotFound: one of the ids does not exist.
    """
    tries = iter([seen])
    return starting_over(lambda: try_lock_slots(slot_ids, seen=next(tries, None)))


def try_lock_slots(
    slot_ids: Iterable[int], *, seen: dict[int, Place] | None = None, area_ids: Iterable[int] = ()
) -> list[Slot]:
    """Lock as `lock_slots`, once, as a part of an attempt that starts over; `area_ids` are locked too.

    Raises Moved, SlotNotFound.
    """
    ids = sorted(set(slot_ids))
    return _lock(ids, seen or _places(ids), set(area_ids))


def _places(ids: list[int]) -> dict[int, Place]:
    rows = Slot.objects.filter(pk__in=ids).values_list("pk", "area_id", "instructor_id")
    return {pk: (area, instructor) for pk, area, instructor in rows}


def _lock(ids: list[int], places: dict[int, Place], more_areas: set[int]) -> list[Slot]:
    area_ids = more_areas | {area for area, _ in places.values() if area}
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


def find_room(
    slot: Slot, *, count: int, now: datetime, for_customer: bool = True, moving: int | None = None
) -> list[int]:
    """Return `count` free places of a locked slot, after ending the waits of dead rivals in the same transaction.

    The claims of the booking that is `moving` here are no rivals.

    Raises:
        SlotInPast, SlotClosed: nobody can take it any more (customers; staff may book into a closed slot, not a block). An
            interval can be taken while it lasts: how late is judged before.
        SlotTaken: not that many places are left, or the court or instructor is taken at that time.
    """
    if (slot.date_to if slot.is_by_interval else slot.date_from) <= now:
        raise SlotInPast
    if slot.closed and (for_customer or slot.origin == Slot.Origin.BLOCK):
        raise SlotClosed
    return _room(slot, count, now, moving)


def clear_the_way(slot: Slot, *, now: datetime) -> None:
    """Make sure that nobody has the place of a slot to be, whose area and instructor are locked. Raises SlotTaken."""
    _room(slot, 1, now, None)


def _room(slot: Slot, count: int, now: datetime, moving: int | None) -> list[int]:
    claims = [claim for claim in _claims_around(slot) if moving is None or claim.booking_id != moving]
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
    is_block: bool = False,
) -> list[Claim]:
    """Take these places of a locked slot for one owner; `held_until` None makes them firm.

    Raises:
        SlotTaken: a constraint knew better than our look.
    """
    rows = [
        Claim(
            club_id=slot.club_id, slot=slot, place=place, area_id=slot.area_id, instructor_id=slot.instructor_id,
            exclusive=slot.exclusive, capacity=slot.capacity, period=(slot.date_from, slot.date_to),
            held_until=held_until, payment_id=payment_id, booking_id=booking_id, is_block=is_block,
        )
        for place in places
    ]  # fmt: skip
    with refusing(SlotTaken, *CLAIM_RULES, slot_id=slot.pk):
        return Claim.objects.bulk_create(rows)


def make_room(
    spot: Spot, known: Sequence[Slot], *, like: Slot, count: int, now: datetime, moving: int
) -> tuple[Slot, list[int]]:
    """Find places for a moving booking on a locked spot: in the slot that the club offers there, else in one that moves make.

    `known` are the locked slots of exactly this spot. A slot that moves make is offered to nobody; a free one is used
    again. It takes its price and words from `like`.

    Raises:
        SlotInPast, SlotTaken.
    """
    offered = next((slot for slot in known if slot.origin != Slot.Origin.MOVE), None)
    if offered is not None:
        return offered, find_room(offered, count=count, now=now, for_customer=False, moving=moving)
    free = (slot for slot in known if not Claim.objects.filter(living(now), slot=slot).exists())
    made = next(free, None) or _new(spot, like.club_id, count)
    made.price, made.currency, made.title, made.sport_type = like.price, like.currency, like.title, like.sport_type
    made.capacity, made.closed = max(made.capacity, count), False
    places = find_room(made, count=count, now=now, for_customer=False, moving=moving)
    made.save()
    return made, places


def _new(spot: Spot, club_id: int, count: int) -> Slot:
    area = Area.objects.get(pk=spot.area_id) if spot.area_id is not None else None
    by_interval = area is not None and area.booked_by == Area.BookedBy.INTERVAL and spot.instructor_id is None
    return Slot(
        club_id=club_id, area=area, instructor_id=spot.instructor_id, date_from=spot.date_from, date_to=spot.date_to,
        origin=Slot.Origin.INTERVAL if by_interval and count == 1 else Slot.Origin.MOVE, capacity=count,
        exclusive=area is not None and area.exclusive,
    )  # fmt: skip


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
def set_closed(*, slot_id: int, closed: bool, actor: Actor) -> Slot:
    """Withdraw a slot or offer it again. A running hold is not touched.

    Raises:
        SlotDuplicate, SlotNotFound, NotPermitted. SlotNotOffered: it was made for an interval. SlotInUse: for a block.
    """
    club_id = Slot.objects.values_list("club_id", flat=True).filter(pk=slot_id).first()
    if club_id is None:
        raise SlotNotFound
    if not actor.serves(club_id):
        raise NotPermitted
    lock_offers(club_id)
    (slot,) = lock_slots([slot_id])
    must_be_an_offer(slot)
    if slot.closed != closed:
        slot.closed = closed
        unblocked = refusing(SlotInUse, "slot_block_is_not_offered")
        with acting(actor), unblocked, refusing(SlotDuplicate, "slot_offered_once"):
            slot.save(update_fields=["closed"])
    return slot


def must_be_an_offer(slot: Slot) -> None:
    """Refuse to change by hand what was made for an interval. Raises SlotNotOffered."""
    if slot.is_by_interval:
        raise SlotNotOffered


def withdraw_if_empty(slot: Slot, *, now: datetime) -> None:
    """Close a locked slot that nobody has any more: after a cancel, where the club publishes a new one itself.

    One of an interval stays as it is: it is offered to nobody anyway.
    """
    if not slot.is_by_interval and not Claim.objects.filter(living(now), slot=slot).exists():
        slot.closed = True
        slot.save(update_fields=["closed"])


def drop_dead_holds(*, now: datetime, limit: int) -> int:
    """Housekeeping: delete claims of payments whose hold has passed. They were nobody's from that moment."""
    dead = (
        Claim.objects.filter(payment__isnull=False, held_until__lte=now).order_by("pk").values("slot_id", "payment_id")
    )
    dropped = 0
    for row in list(dead[:limit]):
        with DROPPED:
            lock_slots([row["slot_id"]])
            end_owners(list(Claim.objects.filter(payment_id=row["payment_id"], held_until__lte=now)), now)
            dropped += 1
    return dropped
