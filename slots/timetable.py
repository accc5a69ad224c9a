"""When an area booked by interval is open, where intervals begin, how long they last, what they cost. Pure: no queries.

Hours and prices are read off the club's wall clock, minute by minute. So where clocks change, an hour that comes twice is
open and paid twice, one that never comes is neither; and a peak counts for exactly the minutes inside it. A sum is rounded
once, down to a whole minor unit, in the customer's favour.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from palms.clock import to_zone
from slots.rules import SlotStatus, may_start

if TYPE_CHECKING:
    from clubs.models import Area, Club, Hours

DAY, WEEK, MINUTE = 24 * 60, 7 * 24 * 60, timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Busy:
    """Somebody has the area over [start, end), for good or while paying."""

    start: datetime
    end: datetime
    is_held: bool


@dataclass(frozen=True, slots=True)
class Opening:
    """One possible start: the lengths that are free from it, in minutes, and their prices in minor units.

    Without lengths `gone` says why. `is_now`: it has begun, and what is left of it is still worth while.
    """

    start: datetime
    lengths: tuple[int, ...] = ()
    prices: tuple[int, ...] = ()
    gone: SlotStatus | None = None
    is_now: bool = False

    @property
    def until(self) -> datetime:
        """The end of the longest of them."""
        return self.start + MINUTE * self.longest

    @property
    def longest(self) -> int:
        return max(self.lengths, default=0)


@dataclass(frozen=True, slots=True)
class Timetable:
    """An area's rules. Minutes of the week count from Monday 00:00; `rates` are prices per hour, minor units."""

    zone: ZoneInfo
    step: int
    shortest: int
    longest: int
    is_instant: bool
    is_open: bytearray  # by minute of the week
    is_start: bytearray
    rates: list[int]

    def price(self, start: datetime, end: datetime) -> int:
        """Return what [start, end) costs, minor units, whatever the opening hours; whole minutes count."""
        walls = self._walls(start, _minutes(end - start))
        return sum(self.rates[wall] for wall in walls) // 60

    def is_on_step(self, moment: datetime) -> bool:
        """Whether an interval may begin at this moment of an open week."""
        local = to_zone(moment, self.zone)
        return not (local.second or local.microsecond) and bool(self.is_start[_wall(local)])

    def is_open_throughout(self, start: datetime, end: datetime) -> bool:
        return all(self.is_open[wall] for wall in self._walls(start, _minutes(end - start)))

    def is_length(self, span: timedelta) -> bool:
        """Whether an interval may last so long."""
        minutes = _minutes(span)
        return span == minutes * MINUTE and self.shortest <= minutes <= self.longest and minutes % self.step == 0

    def is_late(self, start: datetime, end: datetime, *, now: datetime) -> bool:
        """Whether an interval has begun too long ago: before the current step, or too little of it is left."""
        has_passed = start <= now - self.step * MINUTE or end - now < self.shortest * MINUTE
        return start <= now and (has_passed or not self.is_instant)

    def openings(
        self, start: datetime, end: datetime, *, busy: Iterable[Busy], club: Club, now: datetime
    ) -> list[Opening]:
        """Return every start in [start, end), soonest first, as customers see it at `now`."""
        walls = self._walls(start, _minutes(end - start) + self.longest)
        sums = [0, *accumulate(self.rates[wall] for wall in walls)]
        open_for = self._open_for(walls)
        taken = sorted((one for one in busy), key=lambda one: one.start)
        found = []
        for number in range(_minutes(end - start)):
            if not self.is_start[walls[number]] or open_for[number] < self.shortest:
                continue
            moment = start + number * MINUTE
            room, status = _room(moment, taken)
            lengths = range(self.shortest, min(open_for[number], room, self.longest) + 1, self.step)
            fitting = tuple(length for length in lengths if self._may_begin(moment, length, club, now))
            if fitting:
                prices = tuple((sums[number + length] - sums[number]) // 60 for length in fitting)
                found.append(Opening(moment, fitting, prices, is_now=moment <= now))
            else:
                gone = SlotStatus.PAST if moment <= now else SlotStatus.CLOSED if lengths else status
                found.append(Opening(moment, gone=gone))
        return found

    def _may_begin(self, start: datetime, length: int, club: Club, now: datetime) -> bool:
        if start <= now:
            return club.notice_minutes == 0 and not self.is_late(start, start + length * MINUTE, now=now)
        return may_start(start, club, now)

    def _open_for(self, walls: Sequence[int]) -> list[int]:
        """Return for how many minutes it stays open from each of these."""
        left, found = 0, [0] * len(walls)
        for number in range(len(walls) - 1, -1, -1):
            left = left + 1 if self.is_open[walls[number]] else 0
            found[number] = left
        return found

    def _walls(self, start: datetime, count: int) -> list[int]:
        """Return what the club's clock shows in each of so many minutes from `start`, as minutes of the week."""
        walls: list[int] = []
        while len(walls) < count:
            rest = min(60, count - len(walls))
            moments = [start + len(walls) * MINUTE, start + (len(walls) + rest - 1) * MINUTE]
            first, last = (to_zone(moment, self.zone) for moment in moments)
            if first.utcoffset() == last.utcoffset():
                walls += [(_wall(first) + number) % WEEK for number in range(rest)]
            else:  # clocks change within this hour
                walls += [_wall(to_zone(moments[0] + number * MINUTE, self.zone)) for number in range(rest)]
        return walls


def timetable(area: Area, hours: Iterable[Hours], zone: ZoneInfo) -> Timetable:
    """Return the rules of an area that is booked by interval. Steps count from each opening."""
    step, usual = area.step_minutes or DAY, area.price_per_hour or 0
    is_open, is_start, rates = bytearray(WEEK), bytearray(WEEK), [usual] * WEEK
    for row in hours:
        first, end = (row.weekday - 1) * DAY + row.starts, (row.weekday - 1) * DAY + row.ends
        if row.price_per_hour is not None:
            rates[first:end] = [row.price_per_hour] * (end - first)
        else:
            is_open[first:end] = b"\1" * (end - first)
            is_start[first:end:step] = b"\1" * len(range(first, end, step))
    shortest, longest = area.min_minutes or step, area.max_minutes or step
    return Timetable(zone, step, shortest, longest, area.mode == area.Mode.INSTANT, is_open, is_start, rates)


def _wall(local: datetime) -> int:
    return (local.isoweekday() - 1) * DAY + local.hour * 60 + local.minute


def _minutes(span: timedelta) -> int:
    return span // MINUTE


def _room(start: datetime, taken: Sequence[Busy]) -> tuple[int, SlotStatus]:
    """Return for how many minutes nobody has the area from here, and the status that whoever comes then gives it.

    `taken` are in order and do not overlap.
    """
    number = bisect_right(taken, start, key=lambda one: one.start)
    around = taken[max(0, number - 1) : number + 1]
    ahead = [one for one in around if one.end > start]
    if not ahead:
        return WEEK, SlotStatus.CLOSED
    status = SlotStatus.HOLD if ahead[0].is_held else SlotStatus.BOOKED
    return max(0, _minutes(ahead[0].start - start)), status
