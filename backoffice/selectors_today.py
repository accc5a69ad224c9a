"""A club's numbers of one local day, for the first page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q, Sum

from access.models import Lock, LockRecord
from bookings.models import Booking
from palms.models import Intent
from payments.models import Payment, Refund

LATE = timedelta(minutes=5)  # a call that is due for longer is stuck
BACK_TO_LOOK = timedelta(days=60)  # visits that nobody closed


@dataclass(frozen=True, slots=True)
class Today:
    """`money`: taken less returned, minor units of the club's currency. The rest are rows."""

    bookings: int
    to_approve: int
    to_close: int
    money: int
    stuck: int
    locks: int
    unbooked: int  # openings that no booking covers


def today_of(*, club_id: int, start: datetime, end: datetime, now: datetime) -> Today:
    """Return the numbers of the local day [start, end): 7 queries."""
    of_club = Booking.objects.filter(club_id=club_id)
    living = Q(status__in=["REQUESTED", "APPROVED"]) & (Q(expires_at=None) | Q(expires_at__gt=now))
    stands = living | Q(status__in=["CONFIRMED", "SHOWN", "NOT_SHOWN"])
    near = of_club.filter(date_from__gte=now - BACK_TO_LOOK).aggregate(
        today=Count("pk", filter=stands & Q(date_from__gte=start, date_from__lt=end)),
        to_close=Count("pk", filter=Q(status="CONFIRMED", date_to__lte=now)),
    )
    waiting = of_club.filter(Q(expires_at=None) | Q(expires_at__gt=now), status="REQUESTED", date_from__gt=now)
    taken: Any = Payment.objects.filter(club_id=club_id, captured_at__gte=start, captured_at__lt=end)
    back: Any = Refund.objects.filter(club_id=club_id, state="DONE", finished_at__gte=start, finished_at__lt=end)
    return Today(
        bookings=near["today"], to_close=near["to_close"], to_approve=waiting.count(),
        money=(taken.aggregate(all=Sum("captured"))["all"] or 0) - (back.aggregate(all=Sum("amount"))["all"] or 0),
        stuck=Intent.objects.filter(club_id=club_id, state="OPEN", due_at__lt=now - LATE).count(),
        locks=Lock.objects.filter(club_id=club_id, is_active=True).exclude(trouble="").count(),
        unbooked=LockRecord.objects.filter(club_id=club_id, is_unbooked=True, at__gte=start, at__lt=end).count(),
    )  # fmt: skip
