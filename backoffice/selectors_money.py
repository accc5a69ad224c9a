"""What the page about a club's money shows: by day, what waits for people, and our books beside the provider's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q, Sum
from django.db.models.functions import TruncDate

from clubs.models import Club
from palms.clock import to_zone
from palms.models import Intent
from payments.models import Payment, ProviderAccount, Reconciliation, Refund
from payments.services.reconciling import lane_of

DAYS, MOST = 14, 100
SLOW = timedelta(minutes=10)  # due for longer: nothing runs


@dataclass(slots=True)
class Day:
    """One day of the club, minor units: taken by banks and on site, and returned."""

    day: Any
    bank: int = 0
    onsite: int = 0
    returned: int = 0

    @property
    def net(self) -> int:
        return self.bank + self.onsite - self.returned


def by_day(club: Club, now: datetime) -> list[Day]:
    """Return the last days with money, newest first, by the club's clock: money counts when it moved."""
    zone = ZoneInfo(club.timezone)
    today = to_zone(now, zone).date()
    since = datetime(today.year, today.month, today.day, tzinfo=zone) - timedelta(days=DAYS - 1)
    days = {today - timedelta(days=back): Day(today - timedelta(days=back)) for back in range(DAYS)}
    taken = Payment.objects.filter(club=club, currency=club.currency, captured_at__gte=since)
    for row in (
        taken.order_by().values("provider", day=TruncDate("captured_at", tzinfo=zone)).annotate(sum=Sum("captured"))
    ):
        day = days.get(row["day"])
        if day is not None and row["provider"] == "onsite":
            day.onsite += row["sum"]
        elif day is not None:
            day.bank += row["sum"]
    back = Refund.objects.filter(club=club, payment__currency=club.currency, state="DONE", finished_at__gte=since)
    for one in back.order_by().values(day=TruncDate("finished_at", tzinfo=zone)).annotate(sum=Sum("amount")):
        if one["day"] in days:
            days[one["day"]].returned += one["sum"]
    return [day for day in days.values() if day.bank or day.onsite or day.returned]


def stuck_calls(club: Club, now: datetime) -> list[Intent]:
    """Return the open calls that failed at least once, or that nobody makes, oldest first."""
    late = Q(due_at__lt=now - SLOW) | ~Q(last_error="")
    return list(Intent.objects.filter(late, club=club, state=Intent.State.OPEN).order_by("created_at", "pk")[:MOST])


def owed_on_site(club: Club) -> list[Refund]:
    """Return the refunds that people hand back, oldest first."""
    rows = Refund.objects.filter(club=club, account__isnull=True, state=Refund.State.INTENDED)
    return list(rows.select_related("payment__client").order_by("pk")[:MOST])


def in_trouble(club: Club) -> list[Payment]:
    """Return the payments with trouble that nobody has decided, newest first."""
    rows = Payment.objects.filter(club=club, decision__isnull=True).exclude(trouble="")
    return list(rows.select_related("client").order_by("-created_at", "-pk")[:MOST])


@dataclass(frozen=True, slots=True)
class Beside:
    """An account with its latest comparison, and with the one that is under way."""

    account: ProviderAccount
    latest: Reconciliation | None
    asked: Intent | None


def beside_the_providers(club: Club) -> list[Beside]:
    """Return a club's accounts, each with how its books stand beside the provider's: three queries."""
    accounts = list(ProviderAccount.objects.filter(club=club).exclude(provider="onsite").order_by("pk"))
    latest = Reconciliation.objects.filter(account__in=accounts).order_by("account_id", "-pk").distinct("account_id")
    found = {row.account_id: row for row in latest}
    lanes = [lane_of(account.pk) for account in accounts]
    asked = {row.subject_id: row for row in Intent.objects.filter(lane__in=lanes, state=Intent.State.OPEN)}
    return [Beside(account, found.get(account.pk), asked.get(account.pk)) for account in accounts]
