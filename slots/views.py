"""The day of a club: a grid of places and times on wide screens, a list by time on phones. One markup for both."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import View

from clubs.models import Club
from clubs.selectors import public_club, zone_of
from palms.clock import now_utc, to_zone
from slots.rules import SlotStatus
from slots.selectors import DayView, OfferView, day_of_club

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 30)  # beyond these a day cannot be shown with its neighbours
WEEK = 7


@dataclass(slots=True)
class Cell:
    """What one column offers at one start: several lengths, or several groups, may begin together."""

    name: str
    free: list[OfferView] = field(default_factory=list)
    gone: str = ""  # the status to name when nothing here is free


@dataclass(slots=True)
class Line:
    """Everything that begins at one moment, one cell per column (None where nothing begins)."""

    start: datetime
    cells: list[Cell | None]

    @property
    def is_past(self) -> bool:
        return all(cell.gone == SlotStatus.PAST for cell in self.cells if cell)


@dataclass(frozen=True, slots=True)
class Board:
    """A day as a table: columns are areas, then instructors who come without one."""

    columns: list[str]
    lines: list[Line]
    free: int


class ClubDay(View):
    def get(self, request: HttpRequest, slug: str) -> HttpResponse:
        club, now = public_club(slug), now_utc()
        today = to_zone(now, zone_of(club)).date()
        asked = request.GET.get("day", "")
        day = _read_day(asked) if asked else today
        shown = day_of_club(club=club, day=day or today, now=now)
        context = {
            "club": club,
            "shown": shown,
            "board": board_of(shown),
            "today": today,
            "not_understood": day is None,
            "is_partial": "HX-Request" in request.headers,
            **_neighbours(shown.day, today, club),
        }
        template = "slots/_day.html" if context["is_partial"] else "slots/day.html"
        response = render(request, template, context, status=400 if day is None else 200)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Vary"] = "HX-Request"
        return response


def board_of(shown: DayView) -> Board:
    """Arrange the day's offers by start and by column. What the club withdrew is not shown."""
    offers = [offer for offer in shown.offers if offer.status is not SlotStatus.CLOSED]
    columns = {area.pk: area.name for area in shown.areas}
    columns |= {_column(offer): str(offer.slot.instructor) for offer in offers if offer.slot.area_id is None}
    used = {_column(offer) for offer in offers}
    order = {key: number for number, key in enumerate(key for key in columns if key in used)}
    names = [columns[key] for key in order]
    lines: dict[datetime, Line] = {}
    for offer in offers:
        line = lines.setdefault(offer.slot.date_from, Line(offer.slot.date_from, [None] * len(order)))
        number = order[_column(offer)]
        cell = line.cells[number] or Cell(names[number])
        line.cells[number] = cell
        if offer.is_free:
            cell.free.append(offer)
        elif cell.gone != SlotStatus.HOLD:  # held may become free again: the better news of the two
            cell.gone = offer.status
    for cell in (cell for line in lines.values() for cell in line.cells if cell):
        cell.free.sort(key=lambda offer: (offer.slot.date_to, offer.slot.pk))
    return Board(names, [lines[start] for start in sorted(lines)], sum(offer.is_free for offer in offers))


def _column(offer: OfferView) -> int:
    return offer.slot.area_id or -(offer.slot.instructor_id or 0)


def _read_day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text[:10]) if len(text) == len("2026-01-01") else None
    except ValueError:
        return None
    return day if day and FIRST_DAY <= day <= LAST_DAY else None


def _neighbours(day: date, today: date, club: Club) -> dict[str, object]:
    """Return the days around: a week that keeps the shown day in sight, the day before and the day after."""
    first = max(today, day - timedelta(days=3)) if day >= today else day - timedelta(days=3)
    last = today + timedelta(days=club.horizon_days)
    return {
        "week": [first + timedelta(days=number) for number in range(WEEK)],
        "before": day - timedelta(days=1) if day > today else None,
        "after": day + timedelta(days=1) if day < last else None,
        "last": last,
        "is_beyond": day > last,
        "is_over": day < today,
    }
