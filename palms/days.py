"""How the staff narrow lists of what happens on days: each club by its own clock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.apps import apps
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from palms.admin import is_platform_admin, roles_of
from palms.clock import now_utc, to_zone

Rows = QuerySet[Any]
SPANS = {  # a word: days from today, how many
    "yesterday": (-1, 1), "today": (0, 1), "tomorrow": (1, 1), "week": (0, 7), "past": (-7, 7), "coming": (0, 3650),
}  # fmt: skip


def clubs_seen(request: HttpRequest) -> dict[int, str]:
    """Return the zones of the clubs whose rows the viewer sees, by club; one query a request."""
    known: dict[int, str] | None = getattr(request, "palms_zones", None)
    if known is None:
        rows = apps.get_model("clubs", "Club").objects.order_by("pk")
        rows = rows if is_platform_admin(request) else rows.filter(pk__in=list(roles_of(request)))
        known = dict(rows.values_list("pk", "timezone"))
        request.palms_zones = known  # type: ignore[attr-defined]
    return known


class Choice(admin.SimpleListFilter):
    """A filter of ours: what nobody offers is no filter."""

    def apply(self, request: HttpRequest, rows: Rows, value: str) -> Rows:
        raise NotImplementedError

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        raise NotImplementedError

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        value = self.value()
        return queryset if not value else self.apply(request, queryset, value)


class WhenFilter(Choice):
    """By the day of the visit, each club by its own clock. `?when=2026-11-21` names a day."""

    title, parameter_name = _("date of the visit"), "when"
    template = "admin/day_filter.html"

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        self.searched = bool(request.GET.get("q"))
        super().__init__(request, *args)
        others = [
            (name, texts) for name, texts in request.GET.lists() if name not in (self.parameter_name, "p", "page")
        ]
        self.kept = [(name, text) for name, texts in others for text in texts]  # beside the day that is typed

    @property
    def day(self) -> str:
        """The one day that is asked for, or nothing where a word names the days."""
        return value if is_day(value := self.value() or "") else ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return (
            ("today", _("today")), ("tomorrow", _("tomorrow")), ("yesterday", _("yesterday")),
            ("week", _("the next 7 days")), ("past", _("the last 7 days")),
        )  # fmt: skip

    def apply(self, request: HttpRequest, rows: Rows, value: str) -> Rows:
        clubs, now = clubs_seen(request), now_utc()
        found = Q(pk__in=[])
        for zone in sorted(set(clubs.values())):
            span = days_of(value, now, ZoneInfo(zone))
            if span is None:
                return rows
            ids = [pk for pk, name in clubs.items() if name == zone]
            found |= Q(club_id__in=ids, date_from__gte=span[0], date_from__lt=span[1])
        return rows.filter(found)


def days_of(word: str, now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    """Return [start, end) of the days that a word names in a zone; None for what is no day."""
    today = to_zone(now, zone).date()
    if word in SPANS:
        ahead, count = SPANS[word]
        first = today + timedelta(days=ahead)
    elif is_day(word):
        first, count = date.fromisoformat(word), 1
    else:
        return None
    start = datetime(first.year, first.month, first.day, tzinfo=zone)
    last = first + timedelta(days=count)
    return start, datetime(last.year, last.month, last.day, tzinfo=zone)


def is_day(word: str) -> bool:
    """Whether a word names a day, as "2026-11-21"."""
    try:
        day = date.fromisoformat(word)
    except ValueError:
        return False
    return day.isoformat() == word and 2000 <= day.year <= 2199


class ComingFilter(WhenFilter):
    """What is still to come, unless another day is asked for or something is searched."""

    title = _("day")

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return (("all", _("all days")), *super().lookups(request, model_admin))

    def value(self) -> Any:
        return super().value() or ("all" if self.searched else "coming")

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        return [first | {"selected": self.value() == "coming", "display": _("still to come")}, *others]
