"""Availability, computed from claims and the clock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, TypedDict

from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce

from clubs.models import Area, Club
from clubs.selectors import zone_of
from palms.clock import local_day
from slots.errors import SlotClosed, SlotInPast, SlotNotFound
from slots.models import Claim, Slot
from slots.rules import SlotStatus, is_shown_to_customers, living, status_of

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    class Looked(TypedDict):
        taken: int
        blocked: bool

    LookedSlot = WithAnnotations[Slot, Looked]


@dataclass(frozen=True, slots=True)
class OfferView:
    slot: Slot
    status: SlotStatus
    places_left: int

    @property
    def is_free(self) -> bool:
        return self.status is SlotStatus.AVAILABLE


@dataclass(frozen=True, slots=True)
class DayView:
    """One local day of a club: [start, end) in UTC, offers by start, the areas that have offers, where to look next."""

    club: Club
    day: date
    start: datetime
    end: datetime
    offers: list[OfferView]
    areas: list[Area]
    next_free: OfferView | None


def offered(club_id: int) -> QuerySet[Slot]:
    """Return what the club offers to customers, soonest first: not made by a move, on areas that are in use."""
    rows = Slot.objects.filter(club_id=club_id).exclude(origin=Slot.Origin.MOVE)
    rows = rows.filter(Q(area__isnull=True) | Q(area__is_active=True))
    return rows.select_related("area", "instructor").order_by("date_from", "area__position", "pk")


def views_of(slots: Sequence[Slot], claims: Iterable[Claim], club: Club, now: datetime) -> list[OfferView]:
    """Join slots with the claims of their span. What notice or horizon hide is shown as closed."""
    by_slot: dict[int, list[Claim]] = defaultdict(list)
    by_area: dict[int | None, list[Claim]] = defaultdict(list)
    by_instructor: dict[int | None, list[Claim]] = defaultdict(list)
    for claim in claims:
        by_slot[claim.slot_id].append(claim)
        by_area[claim.area_id].append(claim)
        by_instructor[claim.instructor_id].append(claim)
    views = []
    for slot in slots:
        near = {claim.pk: claim for claim in by_slot[slot.pk]}
        near |= {claim.pk: claim for claim in by_area[slot.area_id] if slot.area_id}
        near |= {claim.pk: claim for claim in by_instructor[slot.instructor_id] if slot.instructor_id}
        status, left = status_of(slot, list(near.values()), now)
        if status is SlotStatus.AVAILABLE and not is_shown_to_customers(slot, club, now):
            status, left = SlotStatus.CLOSED, 0
        views.append(OfferView(slot, status, left))
    return views


def claims_between(club_id: int, start: datetime, end: datetime, now: datetime) -> QuerySet[Claim]:
    """Return the club's living claims that touch [start, end)."""
    return Claim.objects.filter(living(now), club_id=club_id, period__overlap=(start, end))


def day_of_club(*, club: Club, day: date, now: datetime) -> DayView:
    """Return one local day of a club: 2 queries, and a third when nothing is free on it."""
    start, end = local_day(day, zone_of(club))
    slots = list(offered(club.pk).filter(date_from__gte=start, date_from__lt=end))
    last = max([end, *(slot.date_to for slot in slots)])
    offers = views_of(slots, claims_between(club.pk, start, last, now), club, now)
    areas = {slot.area_id: slot.area for slot in slots if slot.area is not None}
    ordered = sorted(areas.values(), key=lambda area: (area.position, area.name, area.pk))
    free = any(offer.is_free for offer in offers)
    nearest = None if free else next(iter(nearest_free(club=club, around=start, now=now, limit=1)), None)
    return DayView(club, day, start, end, offers, ordered, nearest)


def offer(*, club: Club, slot_id: int, now: datetime) -> OfferView:
    """Return one offer of a club as a customer sees it. Raises SlotNotFound."""
    slot = offered(club.pk).filter(pk=slot_id).first()
    if slot is None:
        raise SlotNotFound
    return views_of([slot], claims_between(club.pk, slot.date_from, slot.date_to, now), club, now)[0]


def looked_at(rows: QuerySet[Slot], now: datetime) -> QuerySet[LookedSlot]:
    """Annotate `taken` (living claims) and `blocked` (a rival has the court or the instructor): `status_of` as a query.

    For looking only: it may refuse a taker, never let one in.
    """
    alive = Claim.objects.filter(living(now))
    own = alive.filter(slot=OuterRef("pk")).order_by().values("slot").annotate(number=Count("pk")).values("number")
    rivals = alive.exclude(slot=OuterRef("pk")).filter(period__overlap=OuterRef("period"))
    on_area = Q(Exists(rivals.filter(area=OuterRef("area"), exclusive=True)), exclusive=True)
    blocked = on_area | Q(Exists(rivals.filter(instructor=OuterRef("instructor"))))
    return rows.annotate(
        taken=Coalesce(Subquery(own), 0),
        blocked=Case(When(blocked, then=Value(value=True)), default=Value(value=False)),
    )


def room_seen(*, club_id: int, slot_id: int, now: datetime, for_customer: bool = True) -> tuple[Slot, int]:
    """Return a slot (club, area, instructor loaded) and how many places seem free: one plain read.

    Customers see what is offered to them; staff also book into a closed slot.

    Raises:
        SlotNotFound, SlotInPast, SlotClosed.
    """
    rows = offered(club_id) if for_customer else Slot.objects.filter(club_id=club_id)
    slot = looked_at(rows.filter(pk=slot_id).select_related("club", "area", "instructor"), now).first()
    if slot is None:
        raise SlotNotFound
    if slot.date_from <= now:
        raise SlotInPast
    if slot.closed and for_customer:
        raise SlotClosed
    return slot, 0 if slot.blocked else slot.capacity - slot.taken


def nearest_free(*, club: Club, around: datetime, now: datetime, limit: int = 3) -> list[OfferView]:
    """Return the free offers soonest after `around`, never in the past: one query."""
    first = max(around, now + timedelta(minutes=club.notice_minutes))
    rows = offered(club.pk).filter(
        date_from__gte=first, date_from__gt=now, date_from__lte=now + timedelta(days=club.horizon_days)
    )
    return [
        OfferView(slot, SlotStatus.AVAILABLE, slot.capacity - slot.taken)
        for slot in looked_at(rows, now).filter(closed=False, blocked=False, taken__lt=F("capacity"))[:limit]
    ]
