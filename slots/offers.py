"""One offer as a club writes it: what it may say, what a program says for it, and whether it is there already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from clubs.models import Area, Club, Instructor
from palms.errors import NotFound, ValidationFailed
from slots.models import LONGEST_MINUTES, Program, Slot

DEAREST = 1_000_000_000  # minor units, per participant
MOST_PLACES = 1000
LONGEST = timedelta(minutes=LONGEST_MINUTES)
LAST = datetime(2200, 1, 1, tzinfo=UTC)
COMPARED = (
    "area_id", "instructor_id", "program_id", "date_from", "date_to", "price", "currency", "capacity", "title",
    "sport_type", "cancelation_time",
)  # fmt: skip
Key = tuple[int, int, datetime, datetime]  # area or 0, instructor or 0, from, to
OFFERED = """
    SELECT s.area_key, s.instructor_key, s.date_from, s.date_to, s.id
    FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS k (area, instructor, a, b)
    JOIN slots_slot s ON (s.area_key, s.instructor_key, s.date_from, s.date_to) = (k.area, k.instructor, k.a, k.b)
    WHERE NOT s.closed AND s.origin NOT IN ('interval', 'move')
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is asked to be offered; None is not said. `price` per participant in minor units, dates aware, half-open."""

    date_from: datetime
    date_to: datetime
    area_id: int | None = None
    instructor_id: int | None = None
    program_id: int | None = None
    price: int | None = None
    currency: str | None = None
    capacity: int | None = None
    title: str | None = None
    sport_type: str | None = None
    cancelation_time: datetime | None = None
    reference_id: int | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What drafts of a club may name, by id."""

    club: Club
    areas: Mapping[int, Area] = field(default_factory=dict)
    instructors: Mapping[int, Instructor] = field(default_factory=dict)
    programs: Mapping[int, Program] = field(default_factory=dict)


def known_to(club: Club, drafts: Iterable[Draft]) -> Known:
    """Load the places, people and programs of the club that drafts name: 3 queries."""
    rows = list(drafts)
    programs = Program.objects.in_bulk({row.program_id for row in rows if row.program_id})
    programs = {pk: program for pk, program in programs.items() if program.club_id == club.pk}
    named: list[Draft | Program] = [*rows, *programs.values()]
    areas = Area.objects.filter(club=club, pk__in={one.area_id for one in named if one.area_id})
    people = Instructor.objects.filter(club=club, pk__in={one.instructor_id for one in named if one.instructor_id})
    return Known(club, {area.pk: area for area in areas}, {person.pk: person for person in people}, programs)


def slot_of(draft: Draft, known: Known) -> Slot:
    """Return the slot that a draft asks for, not stored. What it does not say its program says.

    Raises:
        ValidationFailed: it contradicts itself or the club.
        NotFound: its area, instructor or program is not this club's; `errors` names which.
    """
    _must_be_found(draft, known)
    program = known.programs.get(draft.program_id or 0)

    def said(name: str, otherwise: Any = None) -> Any:
        value = getattr(draft, name)
        return getattr(program, name, otherwise) if value is None else value

    area = known.areas.get(said("area_id") or 0)
    must_have_offers(area)
    title = draft.title if draft.title is not None else (program.name if program else "")
    slot = Slot(
        club=known.club, area=area, instructor_id=said("instructor_id"), program=program, date_from=draft.date_from,
        date_to=draft.date_to, price=said("price"), currency=draft.currency or known.club.currency,
        capacity=said("capacity", 1), title=title, sport_type=said("sport_type", ""),
        cancelation_time=draft.cancelation_time, reference_id=draft.reference_id,
        exclusive=area is not None and area.exclusive,
        origin=Slot.Origin.PROGRAM if program else Slot.Origin.PUBLISHED,
    )  # fmt: skip
    must_be_valid(slot, known.club)
    return slot


def _must_be_found(draft: Draft, known: Known) -> None:
    asked = {"area_id": known.areas, "instructor_id": known.instructors, "program_id": known.programs}
    missing = [name for name, rows in asked.items() if getattr(draft, name) not in (None, *rows)]
    if missing:
        raise NotFound(errors={name: [_("The club has no such thing")] for name in missing})


def must_have_offers(area: Area | None) -> None:
    """Refuse to offer times of an area whose customers choose start and length themselves. Raises ValidationFailed."""
    if area is not None and area.booked_by == Area.BookedBy.INTERVAL:
        raise ValidationFailed(errors={"area_id": [_("Here customers choose start and length themselves")]})


def must_be_valid(slot: Slot, club: Club) -> None:
    """Judge the fields of an offer by themselves, before any row is looked at. Raises ValidationFailed."""
    errors = _wrong_times(slot)
    if slot.area_id is None and slot.instructor_id is None:
        errors["area_id"] = _("Choose an area, an instructor or both.")
    if slot.price is None or not 0 <= slot.price <= DEAREST:
        errors["price"] = _("A whole number of minor units from 0 to %(most)s") % {"most": DEAREST}
    if not 1 <= slot.capacity <= MOST_PLACES:
        errors["capacity"] = _("From 1 to 1000 places.")
    if slot.currency != club.currency:
        errors["currency"] = _("The club takes %(currency)s") % {"currency": club.currency}
    if errors:
        raise ValidationFailed(errors={name: [words] for name, words in errors.items()})


def _wrong_times(slot: Slot) -> dict[str, str]:
    if not slot.date_from < slot.date_to:
        return {"date_to": _("The end must come after the start")}
    if slot.date_to - slot.date_from > LONGEST or slot.date_to >= LAST:
        return {"date_to": _("An offer lasts 31 days at most and ends before the year 2200")}
    if slot.cancelation_time is not None and slot.cancelation_time > slot.date_from:
        return {"cancelation_time": _("Free cancellation cannot last longer than the beginning.")}
    return {}


def key_of(slot: Slot) -> Key:
    """Return what no two open offers may share."""
    return slot.area_id or 0, slot.instructor_id or 0, slot.date_from, slot.date_to


def offered_as(keys: Iterable[Key]) -> dict[Key, int]:
    """Return the ids of the open slots that offer these: one query."""
    columns = [list(column) for column in zip(*keys, strict=True)]
    if not columns:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(OFFERED, columns)
        return {(area, instructor, start, end): pk for area, instructor, start, end, pk in cursor.fetchall()}


def differences(stored: Slot, asked: Slot, draft: Draft) -> list[str]:
    """Return the fields in which a slot differs from what is asked again; what a program says for it is not asked."""
    said = [name for name in COMPARED if draft.program_id is None or getattr(draft, name) is not None]
    return [name for name in said if getattr(stored, name) != getattr(asked, name)]
