"""The first page: what today asks of the people of a club, each number leading to its list."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _t

from backoffice.pages import ClubPage
from backoffice.selectors_today import Today, today_of
from clubs.models import Club
from palms.clock import local_day, now_utc, to_zone
from palms.money import Money


class TodayPage(ClubPage):
    """Only for its choice of a club: the first page itself is the theme's."""

    path, name = "", "index"


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the club and its numbers; nothing where the viewer has no club."""
    page = TodayPage()
    page.setup(request)
    if page.clubs:
        club, now = page.club, now_utc()
        start, end = local_day(to_zone(now, page.zone).date(), page.zone)
        found = today_of(club_id=club.pk, start=start, end=end, now=now)
        context |= {
            "club": club,
            "clubs": page.clubs,
            "numbers": _numbers(club, found),
            "day": to_zone(now, page.zone).date(),
        }
        context["board"] = _board(club)
    return context


def _numbers(club: Club, found: Today) -> list[tuple[str, str | int | Money, str, bool]]:
    """Words, the number, where its rows are, and whether somebody should look now."""
    bookings = "bookings_booking"
    return [
        (_t("Bookings today"), found.bookings, _list(bookings, club), False),
        (_t("To approve"), found.to_approve, _list(bookings, club, status="REQUESTED"), found.to_approve > 0),
        (
            _t("To close: the visit is over"),
            found.to_close,
            _list(bookings, club, status="CONFIRMED"),
            found.to_close > 0,
        ),
        (
            _t("Money today, taken less returned"),
            Money(found.money, club.currency),
            _list("payments_payment", club),
            False,
        ),
        (
            _t("Calls to the outside that are stuck"),
            found.stuck,
            _list("palms_intent", club, state="OPEN"),
            found.stuck > 0,
        ),
        (_t("Locks in trouble"), found.locks, _list("access_lock", club), found.locks > 0),
        (
            _t("Doors opened without a booking today"),
            found.unbooked,
            _list("access_lockrecord", club, is_unbooked="1"),
            found.unbooked > 0,
        ),
    ]


def _list(name: str, club: Club, **exact: str) -> str:
    asked = {"club__id__exact": club.pk} | {f"{column}__exact": value for column, value in exact.items()}
    return f"{reverse(f'admin:{name}_changelist')}?{urlencode(asked)}"


def _board(club: Club) -> str:
    """Return the address of the schedule, or nothing where there is none."""
    try:
        return f"{reverse('admin:board')}?club={club.pk}"
    except NoReverseMatch:
        return ""
