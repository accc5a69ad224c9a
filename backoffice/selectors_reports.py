"""What an owner asks of a span of local days: how full, what money moved, what fell through, how early people book."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import F, Sum
from django.db.models.functions import TruncDate
from psycopg.types.range import TimestamptzRange

from bookings.reports import PHASES, Summary, summary
from clubs.models import Club
from payments.models import Payment, Refund
from slots.selectors import MERGED

SECONDS = 8  # of one statement: a report must not take the database from those who sell
PHASE_OF = {status.value: phase for phase, statuses in PHASES.items() for status in statuses}
NO_BOOKING = "none"
PHASE_NAMES = (*PHASES, NO_BOOKING)

HOURS = f"""{MERGED}, parts AS (
        SELECT unnest(offered) AS span, false AS taken FROM merged WHERE area_id IS NOT NULL
        UNION ALL
        SELECT unnest(booked), true FROM merged WHERE area_id IS NOT NULL
    )
    SELECT extract(isodow FROM h.at AT TIME ZONE %(zone)s)::int, extract(hour FROM h.at AT TIME ZONE %(zone)s)::int,
        coalesce(sum(s.seconds) FILTER (WHERE p.taken), 0)::bigint, coalesce(sum(s.seconds) FILTER (WHERE NOT p.taken), 0)::bigint
    FROM parts p,
    LATERAL generate_series(date_trunc('hour', lower(p.span), %(zone)s), upper(p.span) - interval '1 second',
        interval '1 hour') AS h (at),
    LATERAL (SELECT extract(epoch FROM least(upper(p.span), h.at + interval '1 hour') - greatest(lower(p.span), h.at))
        AS seconds) AS s
    GROUP BY 1, 2
"""  # noqa: S608  constants of ours
VISITS = """
    SELECT avg(date_from - created_at), percentile_cont(0.5) WITHIN GROUP (ORDER BY date_from - created_at),
        count(*) FILTER (WHERE waits), coalesce(sum(price - secured_amount) FILTER (WHERE waits), 0)::bigint,
        count(*) FILTER (WHERE owes), coalesce(sum(price - secured_amount) FILTER (WHERE owes), 0)::bigint
    FROM bookings_booking,
    LATERAL (SELECT status IN ('REQUESTED', 'APPROVED') AND (expires_at IS NULL OR expires_at > %(now)s) AS waits,
        status IN ('CONFIRMED', 'SHOWN', 'NOT_SHOWN') AND secured_amount < price AS owes) AS seen
    WHERE club_id = %(club)s AND date_from >= %(start)s AND date_from < %(end)s AND NOT is_test
"""


@dataclass(frozen=True, slots=True)
class Filled:
    """Minutes of an hour of the week, an area or a weekday: booked for good, and offered."""

    booked: int = 0
    offered: int = 0

    def __add__(self, other: Filled) -> Filled:
        return Filled(self.booked + other.booked, self.offered + other.offered)

    @property
    def percent(self) -> int | None:
        """None where nothing was offered."""
        return round(100 * self.booked / self.offered) if self.offered else None


@dataclass(slots=True)
class Moved:
    """Money that moved on one local day, in minor units: taken, returned, and what is left by the phase of its booking."""

    taken: int = 0
    returned: int = 0
    by_phase: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PHASE_NAMES, 0))

    @property
    def net(self) -> int:
        return self.taken - self.returned


@dataclass(frozen=True, slots=True)
class Report:
    """`hours`: by (weekday, hour), Monday is 1. `money`: by (local day, currency). Lead times in seconds, None: no booking.

    `waiting`, `unpaid`: how many bookings hold their time without being paid, and how much is missing: those whose answer or
    payment is awaited, and confirmed or visited ones.
    """

    summary: Summary
    hours: dict[tuple[int, int], Filled]
    money: dict[tuple[date, str], Moved]
    lead_mean: float | None
    lead_median: float | None
    waiting: tuple[int, int]
    unpaid: tuple[int, int]


@transaction.atomic
def report(*, club: Club, start: datetime, end: datetime, now: datetime) -> Report:
    """Return the report of [start, end): 7 queries, each of at most SECONDS (then OperationalError: come again)."""
    zone = ZoneInfo(club.timezone)
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{SECONDS}s"])
        asked: dict[str, Any] = {"club": club.pk, "start": start, "end": end, "now": now, "zone": zone.key}
        asked["span"] = TimestamptzRange(start, end)
        cursor.execute(HOURS, asked)
        hours = {(day, hour): Filled(booked // 60, offered // 60) for day, hour, booked, offered in cursor}
        cursor.execute(VISITS, asked)
        mean, median, *rest = cursor.fetchone()
    return Report(
        summary(club_id=club.pk, start=start, end=end, now=now, with_tests=False), hours, _money(club.pk, start, end, zone),
        mean.total_seconds() if mean else None, median.total_seconds() if median else None,
        (rest[0], rest[1]), (rest[2], rest[3]),
    )  # fmt: skip


def _money(club_id: int, start: datetime, end: datetime, zone: ZoneInfo) -> dict[tuple[date, str], Moved]:
    """Return what was taken and what went back and arrived, by the day it happened; of test keys' bookings nothing."""
    taken: Any = Payment.objects.filter(club_id=club_id, captured__gt=0, captured_at__gte=start, captured_at__lt=end)
    back: Any = Refund.objects.filter(club_id=club_id, state="DONE", finished_at__gte=start, finished_at__lt=end)
    taken = taken.exclude(booking__is_test=True).exclude(overdue__booking__is_test=True)
    back = back.exclude(payment__booking__is_test=True).exclude(payment__overdue__booking__is_test=True)
    found: dict[tuple[date, str], Moved] = defaultdict(Moved)
    rows = taken.annotate(day=TruncDate("captured_at", tzinfo=zone), outcome=F("booking__status"), of=F("currency"))
    for row in rows.order_by().values("day", "outcome", "of").annotate(all=Sum("captured")):
        moved = found[row["day"], row["of"]]
        moved.taken += row["all"]
        moved.by_phase[PHASE_OF.get(row["outcome"], NO_BOOKING)] += row["all"]
    rows = back.annotate(
        day=TruncDate("finished_at", tzinfo=zone), outcome=F("payment__booking__status"), of=F("payment__currency")
    )
    for row in rows.order_by().values("day", "outcome", "of").annotate(all=Sum("amount")):
        moved = found[row["day"], row["of"]]
        moved.returned += row["all"]
        moved.by_phase[PHASE_OF.get(row["outcome"], NO_BOOKING)] -= row["all"]
    return dict(sorted(found.items()))
