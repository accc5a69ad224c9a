"""Availability, computed from claims and the clock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from django.db import connection
from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from psycopg.types.range import TimestamptzRange

from clubs.models import Area, Club
from clubs.selectors import zone_of
from palms.clock import local_day, to_zone
from slots.errors import SlotClosed, SlotInPast, SlotNotFound
from slots.intervals import Interval, areas_by_interval, judge_interval, slot_of_interval, timetables
from slots.models import MADE, Claim, Slot
from slots.rules import SlotStatus, is_rival, is_shown_to_customers, living, status_of
from slots.timetable import MINUTE, Busy, Opening, Timetable

DAYS_AHEAD = timedelta(days=8)

MERGED = """
    WITH spans AS (
        SELECT area_id, period * %(span)s AS span, false AS taken FROM slots_slot
        WHERE club_id = %(club)s AND date_from < %(end)s AND date_to > %(start)s AND NOT closed
          AND origin NOT IN ('interval', 'move')
        UNION ALL
        SELECT h.area_id, tstzrange(least(a.at, z.at), z.at) * %(span)s, false
        FROM clubs_hours h
        JOIN clubs_area p ON p.id = h.area_id AND p.booked_by = 'interval' AND p.is_active
        JOIN clubs_club c ON c.id = h.club_id,
        LATERAL generate_series(date_trunc('day', %(start)s::timestamptz AT TIME ZONE c.timezone),
            %(end)s::timestamptz AT TIME ZONE c.timezone, interval '1 day') AS d (day),
        LATERAL (SELECT (d.day + h.starts * interval '1 minute') AT TIME ZONE c.timezone) AS a (at),
        LATERAL (SELECT (d.day + h.ends * interval '1 minute') AT TIME ZONE c.timezone) AS z (at)
        WHERE h.club_id = %(club)s AND h.kind = 'open' AND h.weekday = extract(isodow FROM d.day)
        UNION ALL
        SELECT area_id, period * %(span)s, true FROM slots_claim
        WHERE club_id = %(club)s AND period && %(span)s AND held_until IS NULL AND NOT is_block
    ), merged AS (
        SELECT area_id, range_agg(span) AS offered, range_agg(span) FILTER (WHERE taken) AS booked
        FROM spans GROUP BY area_id
    )
"""  # of a %(club)s in [%(start)s, %(end)s), also %(span)s: what is offered and booked on each area, without overlaps
OCCUPANCY = f"""{MERGED}
    SELECT a.id, a.name,
        coalesce((SELECT sum(extract(epoch FROM upper(r) - lower(r))) FROM unnest(m.booked) AS r), 0),
        coalesce((SELECT sum(extract(epoch FROM upper(r) - lower(r))) FROM unnest(m.offered) AS r), 0)
    FROM clubs_area a LEFT JOIN merged m ON m.area_id = a.id
    WHERE a.club_id = %(club)s ORDER BY a.position, a.name, a.id
"""  # noqa: S608  constants of ours

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    class Looked(TypedDict):
        taken: int
        blocked: bool

    class Standing(Looked):
        standing: str

    LookedSlot = WithAnnotations[Slot, Looked]
    StandingSlot = WithAnnotations[Slot, Standing]


@dataclass(frozen=True, slots=True)
class OfferView:
    slot: Slot
    status: SlotStatus
    places_left: int

    @property
    def is_free(self) -> bool:
        return self.status is SlotStatus.AVAILABLE


@dataclass(frozen=True, slots=True)
class Occupancy:
    """Minutes of an area in which something is offered or booked, and of them those booked for good."""

    area_id: int
    name: str
    booked_minutes: int
    offered_minutes: int


@dataclass(frozen=True, slots=True)
class AreaDay:
    """One local day of an area that is booked by interval: its rules, and where intervals may begin."""

    area: Area
    table: Timetable
    openings: list[Opening]


@dataclass(frozen=True, slots=True)
class DayView:
    """One local day of a club: [start, end) in UTC, offers by start, the areas that have offers, where to look next.

    `by_interval` are the areas whose customers choose start and length; they have no offers.
    """

    club: Club
    day: date
    start: datetime
    end: datetime
    offers: list[OfferView]
    areas: list[Area]
    by_interval: list[AreaDay]
    next_free: OfferView | None


def offered(club_id: int) -> QuerySet[Slot]:
    """Return what the club offers to customers, soonest first: made for nobody, on areas in use that have set times."""
    rows = Slot.objects.filter(club_id=club_id).exclude(origin__in=[*MADE, Slot.Origin.BLOCK])
    rows = rows.filter(Q(area__isnull=True) | Q(area__is_active=True, area__booked_by=Area.BookedBy.SLOTS))
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
    """Return one local day of a club: 3 queries, 1 more where areas are booked by interval, and 1 to 4 to look further."""
    start, end = local_day(day, zone_of(club))
    slots = list(offered(club.pk).filter(date_from__gte=start, date_from__lt=end))
    chosen = _timetabled(club)
    last = max([end, *(slot.date_to for slot in slots), *(end + MINUTE * table.longest for _area, table in chosen)])
    claims = list(claims_between(club.pk, start, last, now))
    offers = views_of(slots, claims, club, now)
    by_interval = [
        AreaDay(area, table, table.openings(start, end, busy=_busy(area, claims), club=club, now=now))
        for area, table in chosen
    ]
    areas = {slot.area_id: slot.area for slot in slots if slot.area is not None}
    ordered = sorted(areas.values(), key=lambda area: (area.position, area.name, area.pk))
    free = any(offer.is_free for offer in offers) or any(each.lengths for one in by_interval for each in one.openings)
    nearest = [] if free else [*nearest_free(club=club, around=start, now=now, limit=1)]
    nearest += nearest_intervals(club=club, around=start, now=now, limit=1) if chosen and not free else []
    soonest = min(nearest, key=lambda offer: offer.slot.date_from, default=None)
    return DayView(club, day, start, end, offers, ordered, by_interval, soonest)


def _timetabled(club: Club) -> list[tuple[Area, Timetable]]:
    areas = list(areas_by_interval(club.pk))
    tables = timetables(areas, club)
    return [(area, tables[area.pk]) for area in areas]


def _busy(area: Area, claims: Iterable[Claim]) -> list[Busy]:
    return [
        Busy(claim.period.lower, claim.period.upper, claim.held_until is not None)
        for claim in claims
        if claim.area_id == area.pk and claim.exclusive
    ]


def interval_offer(*, club: Club, interval: Interval, now: datetime) -> OfferView:
    """Return an interval as a customer sees it, its slot stored or not, priced where it can be taken: at most 4 queries.

    Raises:
        SlotNotFound: no such area by interval. ValidationFailed: nobody could choose it here.
    """
    slot = slot_of_interval(interval, club=club)
    try:
        judge_interval(slot, now=now)
    except (SlotInPast, SlotClosed) as refusal:
        gone = SlotStatus.PAST if isinstance(refusal, SlotInPast) else SlotStatus.CLOSED
        return OfferView(slot, gone, 0)
    alive = _in_the_way(slot, now)
    if not alive:
        return OfferView(slot, SlotStatus.AVAILABLE, 1)
    return OfferView(slot, SlotStatus.HOLD if any(claim.held_until for claim in alive) else SlotStatus.BOOKED, 0)


def interval_seen(*, club_id: int, interval: Interval, now: datetime, for_customer: bool = True) -> tuple[Slot, int]:
    """Return the slot of an interval (stored or not, priced; club and area loaded) and whether there seems to be room, 0 or 1.

    Raises:
        SlotNotFound, ValidationFailed, SlotInPast, SlotClosed.
    """
    slot = slot_of_interval(interval, club=Club.objects.get(pk=club_id))
    judge_interval(slot, now=now, for_customer=for_customer)
    return slot, 0 if _in_the_way(slot, now) else 1


def _in_the_way(slot: Slot, now: datetime) -> list[Claim]:
    near = claims_between(slot.club_id, slot.date_from, slot.date_to, now)
    return [claim for claim in near if claim.slot_id == slot.pk or is_rival(claim, slot)]


def nearest_intervals(
    *, club: Club, around: datetime, now: datetime, limit: int = 3, minutes: int | None = None
) -> list[OfferView]:
    """Return the free intervals soonest after `around` within a week, as long as asked or as short as may be: 3 queries."""
    chosen, zone, first = _timetabled(club), zone_of(club), max(around, now)
    claims = list(claims_between(club.pk, first, first + DAYS_AHEAD, now)) if chosen else []
    busy = {area.pk: _busy(area, claims) for area, _table in chosen}
    found: list[OfferView] = []
    for number in range(DAYS_AHEAD.days - 1 if chosen else 0):
        start, end = local_day(to_zone(first, zone).date() + timedelta(days=number), zone)
        today = [
            OfferView(_chosen(club, area, each, minutes or table.shortest), SlotStatus.AVAILABLE, 1)
            for area, table in chosen
            for each in table.openings(start, end, busy=busy[area.pk], club=club, now=now)
            if each.start >= around and (minutes or table.shortest) in each.lengths
        ]
        found += sorted(today, key=lambda offer: offer.slot.date_from)  # areas stay in their order
        if len(found) >= limit:
            break
    return found[:limit]


def opening_at(*, club: Club, area_id: int, start: datetime, now: datetime) -> tuple[Area, Opening]:
    """Return one start of an area as customers see it: 3 queries. Raises SlotNotFound: intervals never begin there."""
    area = areas_by_interval(club.pk).filter(pk=area_id).first()
    if area is None:
        raise SlotNotFound
    table = timetables([area], club)[area.pk]
    claims = claims_between(club.pk, start, start + MINUTE * table.longest, now)
    found = table.openings(start, start + MINUTE, busy=_busy(area, claims), club=club, now=now)
    if not found:
        raise SlotNotFound
    return area, found[0]


def _chosen(club: Club, area: Area, opening: Opening, length: int) -> Slot:
    price = dict(zip(opening.lengths, opening.prices, strict=True))[length]
    return Slot(
        club=club, area=area, date_from=opening.start, date_to=opening.start + MINUTE * length, price=price,
        currency=club.currency, origin=Slot.Origin.INTERVAL, exclusive=area.exclusive,
    )  # fmt: skip


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
    return rows.annotate(
        taken=Coalesce(Subquery(own), 0),
        blocked=Case(When(_rivals_among(alive), then=Value(value=True)), default=Value(value=False)),
    )


def _rivals_among(claims: QuerySet[Claim]) -> Q:
    """Return whether one of these claims has the court or the instructor of the outer slot, for another slot."""
    rivals = claims.exclude(slot=OuterRef("pk")).filter(period__overlap=OuterRef("period"))
    on_area = Q(Exists(rivals.filter(area=OuterRef("area"), exclusive=True)), exclusive=True)
    return on_area | Q(Exists(rivals.filter(instructor=OuterRef("instructor"))))


def standing(rows: QuerySet[Slot], now: datetime) -> QuerySet[StandingSlot]:
    """Annotate `standing`, the status that `status_of` computes, beside what `looked_at` does. For staff: no horizon."""
    held = Claim.objects.filter(living(now), held_until__isnull=False)
    is_held = Q(Exists(held.filter(slot=OuterRef("pk")))) | _rivals_among(held)
    return looked_at(rows, now).annotate(
        standing=Case(
            When(date_from__lte=now, then=Value(SlotStatus.PAST.value)),
            When(closed=True, then=Value(SlotStatus.CLOSED.value)),
            When(origin=Slot.Origin.INTERVAL, taken=0, then=Value(SlotStatus.CLOSED.value)),
            When(blocked=False, taken__lt=F("capacity"), then=Value(SlotStatus.AVAILABLE.value)),
            When(is_held, then=Value(SlotStatus.HOLD.value)),
            default=Value(SlotStatus.BOOKED.value),
        )
    )


def view_of(slot: StandingSlot) -> OfferView:
    """Return a slot that `standing` has looked at, as it is shown."""
    status = SlotStatus(slot.standing)
    return OfferView(slot, status, slot.capacity - slot.taken if status is SlotStatus.AVAILABLE else 0)


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


def slots_for_moves(
    *, club_id: int, area_id: int | None, instructor_id: int | None, date_from: datetime, date_to: datetime
) -> QuerySet[Slot]:
    """Return the slot that the club offers of exactly this place and interval, and those that moves made there."""
    rows = Slot.objects.filter(club_id=club_id, date_from=date_from, date_to=date_to)
    rows = rows.filter(area_key=area_id or 0, instructor_key=instructor_id or 0)
    return rows.filter(Q(closed=False) | Q(origin__in=MADE)).order_by("pk")


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


def occupancy(*, club_id: int, start: datetime, end: datetime) -> list[Occupancy]:
    """Return every area of a club with its minutes in [start, end), overlapping offers counted once: one query."""
    asked: dict[str, Any] = {"club": club_id, "start": start, "end": end, "span": TimestamptzRange(start, end)}
    with connection.cursor() as cursor:
        cursor.execute(OCCUPANCY, asked)
        return [Occupancy(pk, name, int(booked // 60), int(total // 60)) for pk, name, booked, total in cursor]
