"""What must be true after an outage: nothing acknowledged is lost, what waited is done, books and bank agree."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.outages.customers import Crowd, Ledger, Visit, wait_until
from tests.outages.platform import Platform

HOLD = 300  # seconds, a club's default
BACKLOG = "SELECT count(*) FROM palms_intent WHERE state = 'OPEN' AND due_at <= least(now(), %s::timestamptz)"
FOUND = """
    SELECT p.token, p.provider_payment_id, (p.snapshot ->> 'slot_id')::bigint, p.status, p.decision, b.token, b.status,
           EXISTS (SELECT FROM slots_claim c WHERE c.payment_id = p.id AND c.held_until > now())
    FROM payments_payment p LEFT JOIN bookings_booking b ON b.id = p.booking_id
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A payment as PostgreSQL has it."""

    token: str
    provider_id: str | None
    slot: int
    status: str
    decision: str | None
    booking: str | None
    booked: str | None
    is_held: bool


def lost(palms: Platform, visits: list[Visit]) -> list[str]:
    """Return what was acknowledged to a customer and is not there."""
    rows = [Found(*row) for row in palms.sql(FOUND)]
    known = {row.token: row for row in rows} | {row.provider_id: row for row in rows if row.provider_id}
    words = []
    for visit in visits:
        row = known.get(visit.token or visit.provider_id)
        if visit.held_at is not None and (wrong := _wrong(visit, row)):
            words.append(f"{wrong}: {visit}, there is {row}")
    return words


def _wrong(visit: Visit, row: Found | None) -> str:
    if row is None or row.slot != visit.slot:
        return "an acknowledged hold is lost"
    fresh = visit.held_at is not None and time.monotonic() - visit.held_at < HOLD - 20
    if fresh and row.status == "PENDING" and row.decision is None and not row.is_held:
        return "an acknowledged hold does not hold its place"
    if visit.booked_at and (row.decision, row.booking) != ("USED", visit.booking):
        return "an acknowledged booking is lost"
    if visit.cancelled_at and row.booked != "CANCELED_BY_CUSTOMER":
        return "an acknowledged cancel is lost"
    if visit.booked_at and not visit.cancelled_at and row.booked not in ("CONFIRMED", "CANCELED_BY_CUSTOMER"):
        return "an acknowledged booking is not confirmed"
    return ""


def undecided(palms: Platform, visits: list[Visit]) -> list[str]:
    """Return what the bank has taken and nothing has been decided about."""
    rows = {row.provider_id: row for row in (Found(*row) for row in palms.sql(FOUND)) if row.provider_id}
    paid = [visit.provider_id for visit in visits if visit.paid_at]
    return [name for name in paid if name not in rows or rows[name].decision is None]


def backlog(palms: Platform, *, before: str) -> int:
    """Return how many calls wait that were due at a moment of the database: a watch that came due later is no backlog."""
    return int(palms.sql(BACKLOG, [before])[0][0])


def moment(palms: Platform) -> str:
    return str(palms.sql("SELECT now()::text")[0][0])


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time under load: monotonic from, to."""

    start: float
    end: float

    def rate(self, ledger: Ledger) -> float:
        """Return the sales a minute."""
        return 60 * ledger.sales(self.start, self.end) / (self.end - self.start)


@dataclass(frozen=True, slots=True)
class Outage:
    """How one outage of helpers went. `drained` is None where the backlog was still there after `limit` seconds."""

    name: str
    before: float  # sales a minute
    during: float
    after: float
    slowest: tuple[float, float]  # seconds of the slowest answer before, during
    waiting: int
    drained: float | None


def without(
    palms: Platform,
    crowd: Crowd,
    name: str,
    kill: Callable[[], None],
    start: Callable[[], None],
    *,
    seconds: float,
    around: float,
    limit: float = 60.0,
) -> Outage:
    """Kill under load, wait, start again, and watch the backlog drain while people go on buying."""
    spans = []
    for act, length in ((None, around), (kill, seconds)):
        if act:
            act()
        began = time.monotonic()
        time.sleep(length)
        spans.append(Span(began, time.monotonic()))
    now = moment(palms)
    waiting = backlog(palms, before=now)
    began = time.monotonic()
    start()
    drained = wait_until(lambda: backlog(palms, before=now) == 0, limit)
    time.sleep(max(0.0, around - (time.monotonic() - began)))
    spans.append(Span(began, time.monotonic()))
    ledger = crowd.ledger
    before, during, after = (span.rate(ledger) for span in spans)
    slowest = tuple(ledger.longest(span.start, span.end) for span in spans[:2])
    return Outage(name, before, during, after, (slowest[0], slowest[1]), waiting, drained)


@dataclass(frozen=True, slots=True)
class Death:
    """How the death of PostgreSQL went; seconds from its taking connections until the first page and the first sale."""

    down: float
    page: float | None
    checkout: float | None
    lost: list[str]


def without_postgres(palms: Platform, crowd: Crowd, *, around: float, seconds: float, limit: float) -> Death:
    """Kill PostgreSQL under load, keep it dead, start it; look for a page and a checkout as soon as it is there."""
    time.sleep(around)
    crowd.may_see_unavailable(True)
    before = list(crowd.ledger.visits)
    began = time.monotonic()
    palms.kill_postgres()
    time.sleep(seconds)
    up = palms.start_postgres()
    gone = lost(palms, before)
    page = wait_until(lambda: crowd.page_answers(), limit, 0.05)
    page = None if page is None else time.monotonic() - up
    held = wait_until(lambda: any((visit.held_at or 0) > up for visit in crowd.ledger.visits), limit, 0.05)
    held = None if held is None else time.monotonic() - up
    return Death(up - began, page, held, gone)


def settled(palms: Platform, crowd: Crowd) -> list[str]:
    """After the load: everything due is done, nothing acknowledged is lost, the audit and the books are clean."""
    wrong = list(crowd.ledger.bad)
    if wait_until(lambda: backlog(palms, before="infinity") == 0, 60) is None:
        wrong.append(f"{backlog(palms, before='infinity')} calls still wait")
    visits = crowd.ledger.visits
    if wait_until(lambda: not undecided(palms, visits), 60) is None:
        wrong.append(f"paid and undecided: {undecided(palms, visits)}")
    wrong += lost(palms, visits)
    for command in ("audit", "reconcile"):
        try:
            palms.manage(command)
        except AssertionError as error:
            wrong.append(str(error))
    return wrong
