"""Opening hours, steps, lengths and prices, read off the club's wall clock: also on the nights when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from clubs.models import Area, Club, Hours
from slots.rules import SlotStatus
from slots.timetable import Busy, Timetable, timetable

MOSCOW, BERLIN = ZoneInfo("Europe/Moscow"), ZoneInfo("Europe/Berlin")
CLUB = Club(timezone="Europe/Moscow", notice_minutes=0, horizon_days=60)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
EVERY_DAY = range(1, 8)


def rules(
    *, opens: list[tuple[float, float]], peaks: list[tuple[float, float, int]] = [],  # noqa: B006
    zone: ZoneInfo = MOSCOW, days: range = EVERY_DAY, **changes: object,
) -> Timetable:  # fmt: skip
    area = Area(**{"step_minutes": 30, "min_minutes": 30, "max_minutes": 240, "price_per_hour": 60_000} | changes)
    hours = [Hours(weekday=day, starts=int(a * 60), ends=int(b * 60)) for day in days for a, b in opens]
    hours += [
        Hours(weekday=day, starts=int(a * 60), ends=int(b * 60), price_per_hour=price)
        for day in days
        for a, b, price in peaks
    ]
    return timetable(area, hours, zone)


def at(day: str, hour: float, zone: ZoneInfo = MOSCOW, fold: int = 0) -> datetime:
    whole = datetime.fromisoformat(day).replace(hour=int(hour), minute=round(hour % 1 * 60), tzinfo=zone, fold=fold)
    return whole.astimezone(UTC)


def starts(table: Timetable, day: str, zone: ZoneInfo = MOSCOW, **changes: object) -> dict[str, tuple[int, ...]]:
    """Return the lengths by start, as the club's clock shows it."""
    start, end = at(day, 0, zone), at((datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat(), 0, zone)
    asked = {"busy": [], "club": CLUB, "now": start - HOUR} | changes
    found = table.openings(start, end, **asked)  # type: ignore[arg-type]
    return {f"{one.start.astimezone(zone):%H:%M %z}"[:-5].strip(): one.lengths for one in found}


def test_a_price_is_that_of_its_minutes_rounded_down_once() -> None:
    table = rules(opens=[(8, 22)], peaks=[(17, 20, 90_001)])
    day = "2026-11-24"

    assert table.price(at(day, 12), at(day, 13)) == 60_000
    assert table.price(at(day, 16.5), at(day, 17.5)) == (30 * 60_000 + 30 * 90_001) // 60
    assert table.price(at(day, 16), at(day, 21)) == 60_000 * 2 + 90_001 * 3
    assert table.price(at(day, 17), at(day, 17) + 20 * MINUTE) == 30_000  # 30,000.33
    assert table.price(at(day, 3), at(day, 4)) == 60_000  # closed: staff may, at the usual price


def test_a_price_runs_over_midnight_into_the_next_days_peak() -> None:
    table = rules(opens=[(0, 24)], peaks=[(0, 1, 120_000)], days=range(3, 4))  # Wednesday's
    assert table.price(at("2026-11-24", 23), at("2026-11-25", 2)) == 60_000 + 120_000 + 60_000


def test_an_hour_that_comes_twice_is_paid_twice_and_one_that_never_comes_is_not() -> None:
    table = rules(opens=[(0, 24)], peaks=[(2, 3, 120_000)], zone=BERLIN)

    assert table.price(at("2026-10-25", 1, BERLIN), at("2026-10-25", 4, BERLIN)) == 60_000 + 2 * 120_000 + 60_000
    assert table.price(at("2026-03-29", 1, BERLIN), at("2026-03-29", 4, BERLIN)) == 120_000


def test_starts_on_the_nights_when_clocks_change() -> None:
    table = rules(opens=[(1, 4)], zone=BERLIN, step_minutes=60, min_minutes=60, max_minutes=60)

    spring = starts(table, "2026-03-29", BERLIN)
    autumn = table.openings(
        at("2026-10-25", 0, BERLIN), at("2026-10-26", 0, BERLIN), busy=[], club=CLUB, now=at("2026-10-24", 12, BERLIN)
    )

    assert list(spring) == ["01:00", "03:00"]
    assert [one.start - autumn[0].start for one in autumn] == [HOUR * number for number in range(4)]


def test_starts_are_steps_from_each_opening_and_end_before_closing() -> None:
    table = rules(opens=[(8.25, 10), (13, 14)], min_minutes=60, max_minutes=90)
    assert starts(table, "2026-11-24") == {"08:15": (60, 90), "08:45": (60,), "13:00": (60,)}


def test_hours_that_touch_at_midnight_are_one_stretch() -> None:
    table = rules(opens=[(0, 2), (22, 24)], step_minutes=60, min_minutes=120, max_minutes=180)
    assert starts(table, "2026-11-24") == {"00:00": (120,), "22:00": (120, 180), "23:00": (120, 180)}


def test_a_day_without_hours_has_no_starts() -> None:
    table = rules(opens=[(8, 22)], days=range(1, 2))
    assert starts(table, "2026-11-24") == {}
    assert len(starts(table, "2026-11-23")) == 28


def test_what_is_taken_shortens_and_removes_starts() -> None:
    day, table = "2026-11-24", rules(opens=[(8, 12)], max_minutes=120)
    busy = [Busy(at(day, 10), at(day, 11), True), Busy(at(day, 8), at(day, 8.5), False)]
    found = table.openings(at(day, 0), at(day, 23), busy=busy, club=CLUB, now=at(day, 1))

    shown = {f"{one.start.astimezone(MOSCOW):%H:%M}": one.lengths or one.gone for one in found}
    assert shown == {
        "08:00": SlotStatus.BOOKED, "08:30": (30, 60, 90), "09:00": (30, 60), "09:30": (30,), "10:00": SlotStatus.HOLD,
        "10:30": SlotStatus.HOLD, "11:00": (30, 60), "11:30": (30,),
    }  # fmt: skip


def test_the_current_step_can_be_taken_while_enough_of_it_is_left() -> None:
    day, table = "2026-11-24", rules(opens=[(8, 22)], max_minutes=60)
    found = {one.start: one for one in table.openings(at(day, 0), at(day, 23), busy=[], club=CLUB, now=at(day, 12.2))}

    assert (found[at(day, 12)].lengths, found[at(day, 12)].is_now) == (
        (60,),
        True,
    )  # of half an hour 18 minutes are left
    assert (found[at(day, 12.5)].lengths, found[at(day, 12.5)].is_now) == ((30, 60), False)
    assert found[at(day, 11.5)].gone is SlotStatus.PAST


@pytest.mark.parametrize("why", ["notice", "request"])
def test_nothing_begins_now_where_notice_or_approval_comes_first(why: str) -> None:
    table = rules(opens=[(8, 22)], mode="request" if why == "request" else "instant")
    club = Club(notice_minutes=30 if why == "notice" else 0, horizon_days=60)
    day = "2026-11-24"
    found = table.openings(at(day, 12), at(day, 14), busy=[], club=club, now=at(day, 12) + 5 * MINUTE)

    assert found[0].gone is SlotStatus.PAST
    assert found[1].gone is (SlotStatus.CLOSED if why == "notice" else None)


def test_the_horizon_hides_far_starts() -> None:
    table = rules(opens=[(8, 9)])
    found = table.openings(at("2026-11-24", 0), at("2026-11-25", 0), busy=[], club=CLUB, now=LONG_AGO)
    assert {one.gone for one in found} == {SlotStatus.CLOSED}


def test_lists_and_quotes_agree_whatever_the_rules() -> None:
    """What is listed can be chosen at exactly the price listed; what is not listed cannot. In a zone that changes clocks."""
    random = Random(2026)
    for _ in range(40):
        step = random.choice([15, 20, 30, 45, 60])
        shortest = step * random.randint(1, 3)
        opens, ends = sorted(random.sample(range(97), 2))
        a, b = sorted(random.sample(range(97), 2))
        table = rules(
            opens=[(opens / 4, ends / 4)], peaks=[(a / 4, b / 4, random.randint(0, 99_999))], zone=BERLIN, step_minutes=step,
            min_minutes=shortest, max_minutes=shortest + step * random.randint(0, 3),
            price_per_hour=random.randint(0, 99_999),
        )  # fmt: skip
        day = random.choice(["2026-03-29", "2026-10-25", "2026-11-24"])
        start = at(day, 0, BERLIN)
        listed = {
            (one.start, length): price
            for one in table.openings(start, start + 24 * HOUR, busy=[], club=CLUB, now=start - HOUR)
            for length, price in zip(one.lengths, one.prices, strict=True)
        }
        for minute in range(0, 24 * 60, 5):
            moment = start + minute * MINUTE
            for length in range(step, table.longest + 2 * step, step):
                end = moment + length * MINUTE
                may = (
                    table.is_on_step(moment) and table.is_length(end - moment) and table.is_open_throughout(moment, end)
                )
                assert may == ((moment, length) in listed)
                if may:
                    assert table.price(moment, end) == listed[moment, length]
