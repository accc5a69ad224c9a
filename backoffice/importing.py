"""Rows of a club's table as drafts of slots: by the names of its columns, by the club's clock and words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from backoffice.errors import FileRefused
from backoffice.sheets import Row, bare
from clubs.models import Area, Club, Instructor
from palms.errors import DomainError, ValidationFailed
from palms.money import Money, MoneyError
from slots.models import Slot
from slots.offers import DEAREST, MOST_PLACES, Draft

# What a column is called when it is written, and how else it may be called when it is read.
COLUMNS: dict[str, tuple[str, frozenset[str]]] = {
    "area": (
        gettext_noop("Area"),
        frozenset({"area", "court", "place", "площадка", "корт", "место", "зал", "area_id"}),
    ),
    "instructor": (gettext_noop("Instructor"), frozenset({"instructor", "coach", "тренер", "инструктор"})),
    "date": (gettext_noop("Date"), frozenset({"date", "day", "дата", "день"})),
    "start": (gettext_noop("Start"), frozenset({"start", "from", "начало", "с", "время"})),
    "end": (gettext_noop("End"), frozenset({"end", "to", "until", "конец", "до", "окончание"})),
    "price": (gettext_noop("Price"), frozenset({"price", "цена", "стоимость"})),
    "capacity": (gettext_noop("Places"), frozenset({"places", "capacity", "мест", "места", "вместимость"})),
    "title": (gettext_noop("Title"), frozenset({"title", "name", "название", "занятие"})),
    "sport": (gettext_noop("Sport"), frozenset({"sport", "sport_type", "вид спорта", "спорт"})),
    "reference": (gettext_noop("CRM id"), frozenset({"crm id", "reference_id", "id crm", "id в crm", "номер в crm"})),
}
NEEDED = ("date", "start", "end", "price")
MONEY = re.compile(r"\d{1,9}([.,]\d{1,2})?")
WHOLE = re.compile(r"\d{1,18}(?:[.,]0+)?")
DATES = ("%d.%m.%Y", "%Y-%m-%d", "%d.%m.%y", "%d/%m/%Y", "%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M")
TIMES = ("%H:%M", "%H:%M:%S", "%H.%M")
EPOCH, LAST_DAY = date(2000, 1, 1), date(2199, 12, 1)


@dataclass(frozen=True, slots=True)
class Read:
    """One row: its number in the file, what it is about in a few words, and its draft or what is wrong with it."""

    number: int
    words: str
    draft: Draft | DomainError


class Reader:
    """Reads the rows of one club's table. Two queries, whatever their number."""

    def __init__(self, club: Club) -> None:
        self.club, self.zone = club, ZoneInfo(club.timezone)
        self.areas = _by_name(Area.objects.filter(club=club).order_by("pk"))
        self.instructors = _by_name(Instructor.objects.filter(club=club).order_by("pk"))

    def read(self, header: Row, rows: Sequence[tuple[int, Row]]) -> list[Read]:
        """Raises FileRefused: a needed column is missing or stands there twice."""
        places = columns_of(header)
        return [self._row(number, {name: _at(row, place) for name, place in places.items()}) for number, row in rows]

    def _row(self, number: int, cells: dict[str, Any]) -> Read:
        errors: dict[str, list[str]] = {}

        def said(name: str, how: Callable[[Any], Any]) -> Any:
            cell = cells.get(name)
            if cell in (None, ""):
                if name in NEEDED:
                    errors[name] = [_("%(column)s: is empty") % {"column": _(COLUMNS[name][0])}]
                return None
            try:
                return how(cell)
            except (ValueError, OverflowError) as wrong:
                shown = _shown(cell)
                words = str(wrong) if isinstance(wrong, _Wrong) else _("cannot be read")
                errors[name] = [f"{_(COLUMNS[name][0])}: {words} ({shown})"]
                return None

        found: dict[str, Any] = {
            "area_id": said("area", lambda cell: _named(self.areas, cell)),
            "instructor_id": said("instructor", lambda cell: _named(self.instructors, cell)),
            "price": said("price", self._price),
            "capacity": said("capacity", lambda cell: _whole(cell, 1, MOST_PLACES)),
            "title": said("title", lambda cell: _line(cell, 120)),
            "sport_type": said("sport", lambda cell: _line(cell, 40)),
            "reference_id": said("reference", lambda cell: _whole(cell, 0, 2**63 - 1)),
        }
        day, start, end = said("date", _date), said("start", _time), said("end", _time)
        words = " ".join(_shown(cells.get(name)) for name in ("area", "instructor", "date", "start") if cells.get(name))
        if errors:
            return Read(number, words, ValidationFailed(errors=errors))
        span = self._span(day, start, end)
        return Read(number, words, span if isinstance(span, DomainError) else Draft(**found | span))

    def _span(self, day: date, start: time, end: time) -> dict[str, datetime] | DomainError:
        """Return the moments of a row; an end at or before the start is on the next day."""
        begins = datetime.combine(day, start, self.zone)
        if begins.astimezone(ZoneInfo("UTC")).astimezone(self.zone).time() != start:
            words = _("The clock skips this time on this day.")
            return ValidationFailed(errors={"start": [words]})
        ends = datetime.combine(day + timedelta(days=1) if end <= start else day, end, self.zone)
        utc = ZoneInfo("UTC")
        return {"date_from": begins.astimezone(utc), "date_to": ends.astimezone(utc)}

    def _price(self, cell: Any) -> int:
        if isinstance(cell, bool):
            raise ValueError
        text = f"{cell:.2f}" if isinstance(cell, float) else str(cell)
        text = re.sub(r"[\s₽$€]|руб\.?|р\.?$", "", text)
        if not MONEY.fullmatch(text):
            raise ValueError
        try:
            amount = Money.parse(text.replace(",", "."), self.club.currency).amount
        except MoneyError:
            raise _Wrong(_("this currency has no such part")) from None
        if amount > DEAREST:
            raise _Wrong(_("too much"))
        return amount


class _Wrong(ValueError):
    """A cell that can be read and still cannot be."""


def columns_of(header: Row) -> dict[str, int]:
    """Return where each column stands. Raises FileRefused."""
    found: dict[str, int] = {}
    for place, cell in enumerate(header):
        words = bare(str(cell)).strip().strip("*").casefold()
        for name, (label, others) in COLUMNS.items():
            if words in others or words in (label.casefold(), str(_(label)).casefold()):
                if name in found:
                    raise FileRefused(_("The column %(column)s stands there twice.") % {"column": _(label)})
                found[name] = place
    missing = [str(_(COLUMNS[name][0])) for name in NEEDED if name not in found]
    if "area" not in found and "instructor" not in found:
        missing.insert(0, _("Area or Instructor"))
    if missing:
        words = _("The first row must name the columns. Missing: %(columns)s.") % {"columns": ", ".join(missing)}
        raise FileRefused(words)
    return found


def header_of() -> list[str]:
    """Return the names of the columns as they are written."""
    return [str(_(label)) for label, _others in COLUMNS.values()]


def row_of(slot: Slot, zone: ZoneInfo) -> list[Any]:
    """Return a slot as a row of such a table."""
    start, end = slot.date_from.astimezone(zone), slot.date_to.astimezone(zone)
    return [
        slot.area.name if slot.area else "", slot.instructor.name if slot.instructor else "", start.date(),
        start.time(), end.time(), Money(slot.price, slot.currency).decimal, slot.capacity, slot.title, slot.sport_type,
        slot.reference_id,
    ]  # fmt: skip


def _by_name(rows: Any) -> dict[str, int | None]:
    """Return ids by name; None where two have the same."""
    found: dict[str, int | None] = {}
    for row in rows:
        key = row.name.strip().casefold()
        found[key] = None if key in found else row.pk
    return found


def _named(known: dict[str, int | None], cell: Any) -> int:
    key = bare(_shown(cell)).strip().casefold()
    if key not in known:
        raise _Wrong(_("the club has no such name"))
    found = known[key]
    if found is None:
        raise _Wrong(_("two have this name"))
    return found


def _date(cell: Any) -> date:
    found = cell.date() if isinstance(cell, datetime) else cell if isinstance(cell, date) else None
    for pattern in DATES if isinstance(cell, str) else ():
        try:
            found = datetime.strptime(cell, pattern).date()  # noqa: DTZ007  a day has no zone
            break
        except ValueError:
            continue
    if found is None:
        raise ValueError
    if not EPOCH <= found <= LAST_DAY:
        raise _Wrong(_("too far away"))
    return found


def _time(cell: Any) -> time:
    if isinstance(cell, datetime):
        return cell.time().replace(second=0, microsecond=0)
    if isinstance(cell, time):
        return cell.replace(second=0, microsecond=0, tzinfo=None)
    if isinstance(cell, timedelta) and timedelta() <= cell <= timedelta(days=1):
        minutes = int(cell.total_seconds() // 60) % (24 * 60)
        return time(minutes // 60, minutes % 60)
    if cell == "24:00":
        return time()
    for pattern in TIMES if isinstance(cell, str) else ():
        try:
            return datetime.strptime(cell, pattern).time()  # noqa: DTZ007  the club's wall clock
        except ValueError:
            continue
    raise ValueError


def _whole(cell: Any, least: int, most: int) -> int:
    text = str(cell).strip()
    if isinstance(cell, bool) or not WHOLE.fullmatch(text):
        raise ValueError
    number = int(re.split("[.,]", text)[0])
    if not least <= number <= most:
        raise _Wrong(_("from %(least)s to %(most)s") % {"least": least, "most": most})
    return number


def _line(cell: Any, longest: int) -> str:
    text = bare(_shown(cell))
    if len(text) > longest:
        raise _Wrong(_("longer than %(most)s letters") % {"most": longest})
    return text


def _shown(cell: Any) -> str:
    text = f"{cell:%d.%m.%Y}" if isinstance(cell, datetime) else "" if cell is None else str(cell)
    text = text.removesuffix(".0") if isinstance(cell, float) else text
    return "".join(letter for letter in text if letter.isprintable()).strip()[:200]


def _at(row: Row, place: int) -> Any:
    return row[place] if place < len(row) else None
