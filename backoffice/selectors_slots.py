"""The slots that a change is about, and those that a file of them is made of."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import ExtractHour, ExtractIsoWeekDay, ExtractMinute

from backoffice.models import Job
from clubs.models import Club
from palms.clock import local_day
from slots.models import MADE, Claim, Slot
from slots.rules import living

LATEST_JOBS = 10
NOT_OFFERED = (*MADE, Slot.Origin.BLOCK)


@dataclass(frozen=True, slots=True)
class Choice:
    """Offers of a club that begin from `first` to `last`, both included, by its clock. Nothing named: all of that kind."""

    first: date
    last: date
    weekdays: frozenset[int]
    area_ids: Collection[int] = ()
    instructor_id: int | None = None
    begins: time | None = None
    before: time | None = None


def chosen(club: Club, choice: Choice, *, now: datetime) -> QuerySet[Slot]:
    """Return the chosen offers that have not begun, soonest first, each with `has_takers`."""
    zone = ZoneInfo(club.timezone)
    start, end = local_day(choice.first, zone)[0], local_day(choice.last, zone)[1]
    rows = Slot.objects.filter(club=club, date_from__gte=max(start, now), date_from__lt=end)
    rows = rows.exclude(origin__in=NOT_OFFERED).exclude(date_from__lte=now)
    if len(choice.weekdays) < 7:
        rows = rows.annotate(weekday=ExtractIsoWeekDay("date_from", tzinfo=zone)).filter(weekday__in=choice.weekdays)
    if choice.area_ids:
        rows = rows.filter(area_id__in=list(choice.area_ids))
    if choice.instructor_id is not None:
        rows = rows.filter(instructor_id=choice.instructor_id)
    if choice.begins or choice.before:
        hour, minute = ExtractHour("date_from", tzinfo=zone), ExtractMinute("date_from", tzinfo=zone)
        rows = rows.annotate(minutes=hour * 60 + minute).filter(_between(choice.begins, choice.before))
    takers = Claim.objects.filter(living(now), slot=OuterRef("pk"))
    rows = rows.annotate(has_takers=Exists(takers)).select_related("area", "instructor")
    return rows.order_by("date_from", F("area__position").asc(nulls_last=True), "pk")


def _between(begins: time | None, before: time | None) -> Q:
    """A `before` at or ahead of `begins` is past midnight."""
    first = begins.hour * 60 + begins.minute if begins else 0
    end = before.hour * 60 + before.minute if before else 24 * 60
    if begins and before and end <= first:
        return Q(minutes__gte=first) | Q(minutes__lt=end)
    return Q(minutes__gte=first, minutes__lt=end)


def published(club: Club, first: date, last: date) -> QuerySet[Slot]:
    """Return the club's offers that begin in these days, as a table of them is written."""
    zone = ZoneInfo(club.timezone)
    rows = Slot.objects.filter(
        club=club, date_from__gte=local_day(first, zone)[0], date_from__lt=local_day(last, zone)[1]
    )
    rows = rows.exclude(origin__in=NOT_OFFERED).filter(closed=False).select_related("area", "instructor")
    return rows.order_by("date_from", "pk")


def latest_jobs(club: Club) -> list[Job]:
    """Return the club's latest work that was begun, newest first; checks of accounts stand elsewhere."""
    checks = (Job.Kind.CHECK_BANK, Job.Kind.CHECK_LOCKS)
    rows = Job.objects.filter(club=club).exclude(state=Job.State.DRAFT).exclude(kind__in=checks)
    return list(rows.select_related("user").defer("sealed", "preview", "errors").order_by("-pk")[:LATEST_JOBS])
