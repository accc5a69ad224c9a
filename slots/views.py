"""The day of a club: a grid of places and times on wide screens, a list by time on phones. One markup for both."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import View

from clubs.models import Club
from clubs.selectors import public_club, zone_of
from palms.clock import now_utc, to_zone
from slots.rules import SlotStatus
from slots.selectors import AreaDay, DayView, OfferView, day_of_club, nearest_intervals, opening_at
from slots.timetable import Opening

BIGGEST_ID = 2**63 - 1
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 30)  # beyond these a day cannot be shown with its neighbours
WEEK = 7
PARTS = {"morning": 12, "afternoon": 17, "evening": 24}  # until which hour
LONG_DAY, MANY_PARTS = 8, 2  # lines, parts: from then on it helps to jump


@dataclass(slots=True)
class Cell:
    """What one column offers at one start: several lengths, or several groups, may begin together."""

    name: str
    free: list[OfferView] = field(default_factory=list)
    gone: str = ""  # the status to name when nothing here is free
    day: AreaDay | None = None  # where customers choose the length themselves: the area, and its start
    opening: Opening | None = None


@dataclass(slots=True)
class Line:
    """Everything that begins at one moment, one cell per column (None where nothing begins)."""

    start: datetime
    cells: list[Cell | None]
    part: str = ""  # of the day, on its first line: somewhere to go to on a long day

    @property
    def is_past(self) -> bool:
        return all(cell.gone == SlotStatus.PAST for cell in self.cells if cell)


@dataclass(frozen=True, slots=True)
class Board:
    """A day as a table: columns are areas, then instructors who come without one. `now`: what can begin at once."""

    columns: list[str]
    lines: list[Line]
    free: int
    now: list[Cell]
    parts: list[str]


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
            "board": board_of(shown, zone_of(club)),
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


class ChooseLength(View):
    """One start of an area whose customers choose the length: each length with its end and its price."""

    def get(self, request: HttpRequest, slug: str, area_id: int, start: datetime) -> HttpResponse:
        club, now = public_club(slug), now_utc()
        area, opening = opening_at(club=club, area_id=min(area_id, BIGGEST_ID), start=start, now=now)
        choices = [
            {"minutes": minutes, "end": start + timedelta(minutes=minutes), "price": price}
            for minutes, price in zip(opening.lengths, opening.prices, strict=True)
        ]
        context = {
            "club": club,
            "area": area,
            "opening": opening,
            "choices": choices,
            "nearest": [] if choices else nearest_intervals(club=club, around=start, now=now),
        }
        response = render(request, "slots/start.html", context)
        response.headers["Cache-Control"] = "no-cache"
        return response


def board_of(shown: DayView, zone: ZoneInfo) -> Board:
    """Arrange the day's offers and starts by time and by column. What the club withdrew is not shown."""
    offers = [offer for offer in shown.offers if offer.status is not SlotStatus.CLOSED]
    starts = _starts(shown)
    places = sorted(
        [*shown.areas, *(day.area for day in shown.by_interval)], key=lambda one: (one.position, one.name, one.pk)
    )
    columns = {area.pk: area.name for area in places}
    columns |= {_column(offer): str(offer.slot.instructor) for offer in offers if offer.slot.area_id is None}
    used = {_column(offer) for offer in offers} | {day.area.pk for day, _each in starts}
    order = {key: number for number, key in enumerate(key for key in columns if key in used)}
    names = [columns[key] for key in order]
    lines: dict[datetime, Line] = {}

    def cell_of(column: int, start: datetime) -> Cell:
        line, number = lines.setdefault(start, Line(start, [None] * len(order))), order[column]
        cell = line.cells[number] or Cell(names[number])
        line.cells[number] = cell
        return cell

    for offer in offers:
        _put(cell_of(_column(offer), offer.slot.date_from), offer)
    for day, opening in starts:
        cell = cell_of(day.area.pk, opening.start)
        cell.day, cell.opening, cell.gone = day, opening if opening.lengths else None, str(opening.gone or "")
    ordered = [lines[start] for start in sorted(lines)]
    for cell in (cell for line in ordered for cell in line.cells if cell):
        cell.free.sort(key=lambda offer: (offer.slot.date_to, offer.slot.pk))
    now = [cell for line in ordered for cell in line.cells if cell and cell.opening and cell.opening.is_now]
    parts = _parts([line for line in ordered if not line.is_past], zone)
    free = sum(offer.is_free for offer in offers) + sum(bool(each.lengths) for _day, each in starts)
    return Board(names, ordered, free, now, parts)


def _parts(lines: list[Line], zone: ZoneInfo) -> list[str]:
    """Mark where a long day's morning, afternoon and evening begin. Returns those there are, none of a short day."""
    first: dict[str, Line] = {}
    for line in lines:
        hour = to_zone(line.start, zone).hour
        first.setdefault(next(part for part, until in PARTS.items() if hour < until), line)
    if len(first) < MANY_PARTS or len(lines) < LONG_DAY:
        return []
    for part, line in first.items():
        line.part = part
    return list(first)


def _starts(shown: DayView) -> list[tuple[AreaDay, Opening]]:
    """Return the starts worth a line: hidden ones never, past ones where nothing else is left of the day."""
    starts = [(day, each) for day in shown.by_interval for each in day.openings if each.gone is not SlotStatus.CLOSED]
    ahead = [(day, each) for day, each in starts if each.gone is not SlotStatus.PAST]
    return ahead or starts


def _put(cell: Cell, offer: OfferView) -> None:
    if offer.is_free:
        cell.free.append(offer)
    elif cell.gone != SlotStatus.HOLD:  # held may become free again: the better news of the two
        cell.gone = offer.status


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
