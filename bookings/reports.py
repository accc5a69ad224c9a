"""A club's summary of a span of visits: outcomes, money, occupancy, in a few aggregate queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import (
    BigIntegerField,
    Case,
    CharField,
    Count,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Greatest

from bookings.models import Booking
from bookings.states import ACTIVE, CANCELLED, COMPLETED, WAITING, S
from payments.models import Payment, Refund
from slots.selectors import Occupancy, occupancy

PHASES = {"pending": WAITING, "confirmed": (S.CONFIRMED,), "completed": COMPLETED, "cancelled": CANCELLED}
assert {*ACTIVE, *COMPLETED, *CANCELLED} == set(S)  # noqa: S101  every state has its phase


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many bookings, of how many participants, in a state or a phase."""

    bookings: int = 0
    participants: int = 0

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(self.bookings + other.bookings, self.participants + other.participants)


@dataclass(frozen=True, slots=True)
class Takings:
    """Money of one currency, in minor units.

    Fees for staying are in it. `held` on cards for bookings, `captured` ever, `returned` and arrived, `owed`: to go back and
    not returned yet, `kept`: captured less the two.
    """

    currency: str
    held: int
    captured: int
    returned: int
    owed: int
    kept: int


@dataclass(frozen=True, slots=True)
class Summary:
    by_status: dict[str, Outcome]
    by_phase: dict[str, Outcome]
    money: list[Takings]
    occupancy: list[Occupancy]


def summary(*, club_id: int, start: datetime, end: datetime, now: datetime, with_tests: bool = True) -> Summary:
    """Return what became of the visits that begin in [start, end), and of their money: 3 queries.

    Bookings of test keys count where `with_tests`; in occupancy always: their time is taken.
    """
    rows = Booking.objects.filter(club_id=club_id, date_from__gte=start, date_from__lt=end)
    rows = rows if with_tests else rows.filter(is_test=False)
    by_status = _outcomes(rows, now)
    by_phase = {phase: sum((by_status[one] for one in states), Outcome()) for phase, states in PHASES.items()}
    return Summary(by_status, by_phase, _money(club_id, rows), occupancy(club_id=club_id, start=start, end=end))


def _outcomes(rows: QuerySet[Booking], now: datetime) -> dict[str, Outcome]:
    """Count by status; a request whose deadline has passed is over already, whether or not somebody has written it."""
    over = When(status__in=WAITING, expires_at__lte=now, then=Value(S.OTHER.value))
    counted = (
        rows.annotate(outcome=Case(over, default=F("status"), output_field=CharField()))
        .order_by()
        .values("outcome")
        .annotate(bookings=Count("pk"), participants=Sum("participants_count"))
    )
    found = {row["outcome"]: Outcome(row["bookings"], row["participants"]) for row in counted}
    return {status.value: found.get(status.value, Outcome()) for status in S}


def _money(club_id: int, visits: QuerySet[Booking]) -> list[Takings]:
    """Return the money of the bookings of these visits, the fees for staying with it."""
    payments = Payment.objects.filter(club_id=club_id).order_by()
    own, fees = payments.filter(booking__in=visits), payments.filter(overdue__booking__in=visits)
    rows = Payment.objects.filter(pk__in=own.values("pk").union(fees.values("pk")))
    done = Refund.objects.filter(payment=OuterRef("pk"), state=Refund.State.DONE).order_by().values("payment")
    back = Coalesce(Subquery(done.annotate(all=Sum("amount")).values("all")), 0, output_field=BigIntegerField())
    due = Case(
        When(status="AUTHORIZED", keep=0, then=F("amount")),
        When(status="CAPTURED", keep__isnull=False, then=Greatest(F("captured") - F("back") - F("keep"), 0)),
        default=Value(0),
        output_field=BigIntegerField(),
    )
    held = Q(status="AUTHORIZED", decision="USED")
    totals: Any = (
        rows.annotate(back=back, due=due)
        .order_by()
        .values("currency")
        .annotate(
            all_held=Coalesce(Sum("keep", filter=held), 0), all_captured=Sum("captured"), all_back=Sum("back"),
            all_due=Sum("due"), captured_due=Coalesce(Sum("due", filter=Q(status="CAPTURED")), 0),
        )
        .order_by("currency")
    )  # fmt: skip
    return [
        Takings(
            row["currency"], row["all_held"], row["all_captured"], row["all_back"], row["all_due"],
            row["all_captured"] - row["all_back"] - row["captured_due"],
        )
        for row in totals
    ]  # fmt: skip
