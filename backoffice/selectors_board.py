"""What the schedule board shows: a club's places over some days, with everything that is offered or taken there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import CharField, F, Q, TextChoices
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from bookings.models import Booking
from clubs.models import Area, Club
from clubs.selectors import zone_of
from palms.clock import local_day, to_zone
from palms.templatetags.palms import money
from slots.models import LONGEST_MINUTES, Slot
from slots.rules import SlotStatus, is_rival, status_of
from slots.selectors import claims_between

MINUTE = timedelta(minutes=1)
LONGEST = timedelta(minutes=LONGEST_MINUTES)
USUAL_DAY = (8 * 60, 22 * 60)  # what an empty day shows, in minutes from midnight
MADE = (Slot.Origin.MOVE, Slot.Origin.INTERVAL, Slot.Origin.BLOCK)  # slots that offer nothing once nobody has them
S = Booking.Status


class State(TextChoices):
    """How a piece of time stands. The words stand beside the colour and the icon."""

    FREE = "free", _("free")
    HELD = "held", _("held, being paid")
    REQUESTED = "requested", _("requested")
    APPROVED = "approved", _("waiting for payment")
    CONFIRMED = "confirmed", _("confirmed")
    AWAITING = "awaiting", _("awaiting close")
    VISITED = "visited", _("visited")
    NOT_SHOWN = "not_shown", _("not shown")
    CLOSED = "closed", _("closed")
    BLOCKED = "blocked", _("kept by the club")
    BUSY = "busy", _("the instructor is busy")
    PAST = "past", _("not sold")


ICONS = {
    State.FREE: "add_circle", State.HELD: "hourglass_top", State.REQUESTED: "help", State.APPROVED: "schedule",
    State.CONFIRMED: "check_circle", State.AWAITING: "pending_actions", State.VISITED: "done_all",
    State.NOT_SHOWN: "person_off", State.CLOSED: "block", State.BLOCKED: "build", State.BUSY: "event_busy",
    State.PAST: "history",
}  # fmt: skip
OF_BOOKING = {
    S.REQUESTED: State.REQUESTED, S.APPROVED: State.APPROVED, S.CONFIRMED: State.CONFIRMED, S.SHOWN: State.VISITED,
    S.NOT_SHOWN: State.NOT_SHOWN,
}  # fmt: skip


@dataclass(slots=True)
class Cell:
    """One piece of time in a column. `key` names what a click opens; minutes are counted from the column's midnight."""

    state: State
    key: str
    column: str
    start: datetime
    end: datetime
    hours: str
    who: str = ""
    note: str = ""
    left: int = 0  # places that can be taken
    until: datetime | None = None
    booking_id: int | None = None
    top: int = 0
    height: int = 0
    lane: int = 0
    lanes: int = 1

    @property
    def clock(self) -> str:
        """The hours, or the start alone where little room is left."""
        return self.hours if self.lanes == 1 else self.hours[:5]

    @property
    def moves(self) -> bool:
        return self.booking_id is not None and self.state in (State.REQUESTED, State.APPROVED, State.CONFIRMED)


@dataclass(slots=True)
class Column:
    """A place, or a day of one place. `place` is "a12" for an area, "i7" for an instructor who comes without one."""

    place: str
    name: str
    day: date
    start: datetime
    end: datetime
    cells: list[Cell] = field(default_factory=list)

    @property
    def free(self) -> int:
        return sum(cell.state == State.FREE for cell in self.cells)

    @property
    def counts(self) -> list[tuple[State, str, int]]:
        """How many pieces stand how, in the order of the legend."""
        found: dict[State, int] = defaultdict(int)
        for cell in self.cells:
            found[cell.state] += 1
        return [(state, ICONS[state], found[state]) for state in State if found[state]]


@dataclass(slots=True)
class Board:
    """Columns under one axis of time, [first, last) in minutes from midnight; `marks` name its hours."""

    columns: list[Column]
    first: int
    last: int
    marks: list[tuple[int, str]]

    @property
    def height(self) -> int:
        return self.last - self.first


def board(*, club: Club, days: Sequence[date], now: datetime, place: str = "") -> Board:
    """Return the places of a club, or one of them, on these days in a row: 3 queries, however many there are."""
    zone = zone_of(club)
    spans = [(day, *local_day(day, zone)) for day in days]
    start, end = spans[0][1], spans[-1][2]
    areas = list(Area.objects.filter(club=club).order_by("position", "name", "pk"))
    slots = _slots(club, start, end, place)
    near = _near(_claims(club, start, end, slots, now))
    columns: dict[tuple[str, date], Column] = {}
    for area in areas:
        for day, first, last in spans:
            columns[f"a{area.pk}", day] = Column(f"a{area.pk}", area.name, day, first, last)
    for slot in slots:
        cell = cell_of(slot, near, club, now)
        for day, first, last in spans:
            if cell and slot.date_from < last and first < slot.date_to:
                new = Column(place_of(slot), str(slot.instructor), day, first, last)
                columns.setdefault((new.place, day), new).cells.append(cell)
    used = {area.pk for area in areas if area.is_active}
    shown = [
        column
        for (key, _day), column in columns.items()
        if (key == place if place else column.cells or int(key[1:]) in used)
    ]
    return _laid_out(shown, club)


def place_of(slot: Slot) -> str:
    return f"a{slot.area_id}" if slot.area_id is not None else f"i{slot.instructor_id}"


def at(place: str) -> Q:
    """Return the condition on a slot of being at a place of the board."""
    number = int(place[1:])
    return Q(area_id=number) if place[0] == "a" else Q(area__isnull=True, instructor_id=number)


def _slots(club: Club, start: datetime, end: datetime, place: str) -> list[Slot]:
    rows = Slot.objects.filter(club=club, date_from__lt=end, date_from__gt=start - LONGEST, date_to__gt=start)
    if place:
        rows = rows.filter(at(place))
    return list(rows.select_related("instructor").order_by("date_from", "date_to", "pk"))


def _claims(club: Club, start: datetime, end: datetime, slots: Sequence[Slot], now: datetime) -> Iterable[Any]:
    """Return the living claims around these slots, each with the words that the board says of its owner."""
    first = min([start, *(slot.date_from for slot in slots)])
    last = max([end, *(slot.date_to for slot in slots)])
    return claims_between(club.pk, first, last, now).annotate(
        who=Coalesce(F("booking__client__full_name"), F("payment__contact__full_name"), output_field=CharField()),
        status=F("booking__status"),
    )


@dataclass(slots=True)
class Near:
    """Living claims by what they lie on."""

    of_slot: dict[int, list[Any]]
    on_area: dict[int, list[Any]]
    with_instructor: dict[int, list[Any]]


def _near(claims: Iterable[Any]) -> Near:
    near = Near(defaultdict(list), defaultdict(list), defaultdict(list))
    for claim in claims:
        near.of_slot[claim.slot_id].append(claim)
        if claim.area_id is not None and claim.exclusive:
            near.on_area[claim.area_id].append(claim)
        if claim.instructor_id is not None:
            near.with_instructor[claim.instructor_id].append(claim)
    return near


def cell_of(slot: Slot, near: Near, club: Club, now: datetime) -> Cell | None:
    """Return how a slot stands, None where another piece of the same column says it."""
    own = near.of_slot.get(slot.pk, [])
    if own and (slot.capacity == 1 or slot.origin in MADE):
        return _taken(slot, own[0], club, now)
    if not own and slot.origin in MADE:
        return None
    on_area = near.on_area.get(slot.area_id or 0, [])
    if not own and any(is_rival(claim, slot) for claim in on_area):
        return None
    rivals = [claim for claim in near.with_instructor.get(slot.instructor_id or 0, []) if is_rival(claim, slot)]
    status, left = status_of(slot, [*own, *rivals], now)
    cell = _cell(_standing(slot, status, own, bool(rivals), now), slot, club)
    cell.left, cell.note = left, money(slot.price, slot.currency)
    if slot.capacity > 1:
        cell.who, cell.note = slot.title, f"{len(own)} / {slot.capacity}"
    elif slot.instructor is not None and slot.area_id is not None:
        cell.who = slot.instructor.name
    return cell


def _standing(slot: Slot, status: SlotStatus, own: Sequence[Any], is_busy: bool, now: datetime) -> State:
    if status is SlotStatus.AVAILABLE:
        return State.FREE
    if is_busy and not own:
        return State.BUSY
    if status is SlotStatus.CLOSED:
        return State.CLOSED
    if status is SlotStatus.HOLD:
        return State.HELD
    if not own:
        return State.PAST
    if any(claim.status == S.CONFIRMED for claim in own):
        return State.AWAITING if slot.date_to <= now else State.CONFIRMED
    return State.VISITED if any(claim.status == S.SHOWN for claim in own) else State.NOT_SHOWN


def _taken(slot: Slot, claim: Any, club: Club, now: datetime) -> Cell:
    """Return the cell of time that one party has, is paying for, or that the club keeps."""
    if claim.is_block:
        cell = _cell(State.BLOCKED, slot, club)
        cell.who = slot.title
        return cell
    if claim.booking_id is None:
        cell = _cell(State.HELD, slot, club)
        cell.who, cell.until = claim.who or "", claim.held_until
        return cell
    state = OF_BOOKING[claim.status]
    if state is State.CONFIRMED and slot.date_to <= now:
        state = State.AWAITING
    cell = _cell(state, slot, club)
    cell.key, cell.booking_id = f"booking={claim.booking_id}", claim.booking_id
    cell.who, cell.until = claim.who, claim.held_until
    if slot.instructor is not None and slot.area_id is not None:
        cell.note = slot.instructor.name
    return cell


def _cell(state: State, slot: Slot, club: Club) -> Cell:
    zone = zone_of(club)
    start, end = to_zone(slot.date_from, zone), to_zone(slot.date_to, zone)
    hours = f"{start:%H:%M}–{end:%H:%M}"
    return Cell(state, f"slot={slot.pk}", place_of(slot), slot.date_from, slot.date_to, hours)


def _laid_out(columns: list[Column], club: Club) -> Board:
    """Give each cell its place on the axis, and a lane of its own beside those that it overlaps."""
    first, last = USUAL_DAY
    for column in columns:
        cells = [_within(cell, column) for cell in column.cells]
        column.cells = cells
        _into_lanes(cells)
        first = min([first, *(cell.top for cell in cells)])
        last = max([last, *(cell.top + cell.height for cell in cells)])
    first, last = first // 60 * 60, -(-last // 60) * 60
    for column in columns:
        for cell in column.cells:
            cell.top -= first
    return Board(columns, first, last, _marks(columns, first, last, club))


def _within(cell: Cell, column: Column) -> Cell:
    """Return the part of a cell that lies in its column's day."""
    start, end = max(cell.start, column.start), min(cell.end, column.end)
    copy = Cell(
        cell.state, cell.key, cell.column, cell.start, cell.end, cell.hours, cell.who, cell.note, cell.left, cell.until,
        cell.booking_id,
    )  # fmt: skip
    copy.top, copy.height = (start - column.start) // MINUTE, (end - start) // MINUTE
    return copy


def _into_lanes(cells: list[Cell]) -> None:
    cells.sort(key=lambda cell: (cell.top, -cell.height, cell.key))
    together: list[Cell] = []
    ends: list[int] = []
    for cell in cells:
        if together and cell.top >= max(ends):
            _share(together, len(ends))
            together, ends = [], []
        lane = next((number for number, end in enumerate(ends) if end <= cell.top), len(ends))
        ends[lane : lane + 1] = [cell.top + cell.height]
        cell.lane = lane
        together.append(cell)
    _share(together, len(ends))


def _share(cells: list[Cell], lanes: int) -> None:
    for cell in cells:
        cell.lanes = lanes


def _marks(columns: list[Column], first: int, last: int, club: Club) -> list[tuple[int, str]]:
    if not columns:
        return []
    zone, midnight = zone_of(club), columns[0].start
    return [(at - first, f"{to_zone(midnight + at * MINUTE, zone):%H:%M}") for at in range(first, last, 60)]
