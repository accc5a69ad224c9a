"""A season of offers, from rules that people write: pure, by the club's clock, with no row in sight.

The offers of a day stand one after the other in real time from opening to closing. So on the night when clocks change none
overlaps, none is lost, and each lasts as long as it says. After a break the row begins anew at its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Band:
    """A price for offers that begin on these weekdays (Monday is 1) in [start, end) by the wall clock; no end: midnight.

    An offer past midnight belongs to the day whose opening hours it is in.
    """

    weekdays: frozenset[int]
    start: time
    end: time | None
    price: int

    def covers(self, local: datetime, weekday: int) -> bool:
        clock, end = local.time(), self.end
        if end is not None and end <= self.start:
            return weekday in self.weekdays and (self.start <= clock or clock < end)
        return weekday in self.weekdays and self.start <= clock and (end is None or clock < end)


@dataclass(frozen=True, slots=True)
class Season:
    """What to offer, from `first` to `last` day, both included. `closes` at or before `opens` is on the next day.

    `lengths` are durations with their prices (minor units). An offer begins every `step`, or when the one before it has
    ended. Of bands that cover an offer the last one counts: its price is for the first length, others cost in proportion.
    `holidays` are closed days; those in `special` are priced like a Sunday.
    """

    first: date
    last: date
    weekdays: frozenset[int]
    opens: time
    closes: time
    lengths: tuple[tuple[timedelta, int], ...]
    step: timedelta | None = None
    unit: int = 100  # prices in proportion are rounded to it
    breaks: tuple[tuple[time, time], ...] = ()
    holidays: frozenset[date] = frozenset()
    special: frozenset[date] = frozenset()
    bands: tuple[Band, ...] = ()

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


@dataclass(frozen=True, slots=True)
class Offer:
    """One offer of the season, [start, end) in UTC."""

    start: datetime
    end: datetime
    price: int


def offers(season: Season, zone: ZoneInfo) -> Iterator[Offer]:
    """Yield the season's offers of one place, soonest first."""
    for number in range(season.days):
        day = season.first + number * DAY
        if day.isoweekday() in season.weekdays and day not in season.holidays:
            yield from _of_day(season, day, zone)


def _of_day(season: Season, day: date, zone: ZoneInfo) -> list[Offer]:
    opens, closes = _moment(day, season.opens, zone), _end_of(day, season.opens, season.closes, zone)
    pauses = [_break_of(season, day, start, end, zone) for start, end in season.breaks]
    weekday = 7 if day in season.special else day.isoweekday()
    found = []
    for length, price in season.lengths:
        start = opens
        while start + length <= closes:
            met = [until for begin, until in pauses if begin < start + length and start < until]
            if met:
                start = max(met)
                continue
            found.append(Offer(start, start + length, _price(season, start.astimezone(zone), weekday, price)))
            start += season.step or length
    return sorted(found, key=lambda offer: (offer.start, offer.end))


def _break_of(season: Season, day: date, start: time, end: time, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return a break in UTC; it is on the next date where the opening hours pass midnight and it comes after."""
    begins = day + DAY if season.closes <= season.opens and start < season.opens else day
    return _moment(begins, start, zone), _end_of(begins, start, end, zone)


def _price(season: Season, local: datetime, weekday: int, price: int) -> int:
    found = [band.price for band in season.bands if band.covers(local, weekday)]
    first = season.lengths[0][1]
    if not found or price == first:
        return found[-1] if found else price
    share = found[-1] * price / first if first else found[-1]
    return round(share / season.unit) * season.unit


def _moment(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """Return the first moment at which the wall clock shows this; where it skips it, as much later."""
    return datetime.combine(day, clock, zone).astimezone(UTC)


def _end_of(day: date, start: time, end: time, zone: ZoneInfo) -> datetime:
    return _moment(day + DAY if end <= start else day, end, zone)


@dataclass
class Week:
    """What a weekday of the season looks like: how many offers on how many days, from when to when, and for how much."""

    count: int = 0
    days: set[date] = field(default_factory=set)
    earliest: str = "99"
    latest: tuple[bool, str] = (False, "")  # whether it is past midnight, and the clock
    prices: set[int] = field(default_factory=set)


def by_weekday(found: list[Offer], zone: ZoneInfo) -> dict[int, Week]:
    """Return each weekday that has offers, Monday (1) first."""
    weeks: dict[int, Week] = {}
    for offer in found:
        local, until = offer.start.astimezone(zone), offer.end.astimezone(zone)
        week = weeks.setdefault(local.isoweekday(), Week())
        week.count += 1
        week.days.add(local.date())
        week.prices.add(offer.price)
        week.earliest = min(week.earliest, f"{local:%H:%M}")
        week.latest = max(week.latest, (until.date() > local.date(), f"{until:%H:%M}"))
    return dict(sorted(weeks.items()))
