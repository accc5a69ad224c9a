"""The season's rules by themselves: days, hours, breaks, prices, and the nights when clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.season import Band, Offer, Season, by_weekday, offers

MOSCOW, BERLIN = ZoneInfo("Europe/Moscow"), ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)


def season(**changes: Any) -> Season:
    """Mondays to Sundays of one week of January, 9 to 12, an hour each, 1000.00."""
    said: dict[str, Any] = {
        "first": date(2027, 1, 11), "last": date(2027, 1, 17), "weekdays": frozenset(range(1, 8)),
        "opens": time(9), "closes": time(12), "lengths": ((HOUR, 100_000),),
    }  # fmt: skip
    return Season(**(said | changes))


def clocks(found: list[Offer], zone: ZoneInfo = MOSCOW) -> list[str]:
    return [f"{one.start.astimezone(zone):%H:%M}-{one.end.astimezone(zone):%H:%M}" for one in found]


def one_day(**changes: Any) -> list[Offer]:
    return list(offers(season(last=date(2027, 1, 11), **changes), MOSCOW))


def test_each_day_of_the_period_and_no_other() -> None:
    found = list(offers(season(weekdays=frozenset({1, 3, 7})), MOSCOW))

    assert len(found) == 9
    assert {one.start.date().isoformat() for one in found} == {"2027-01-11", "2027-01-13", "2027-01-17"}
    assert found[0] == Offer(datetime(2027, 1, 11, 6, tzinfo=UTC), datetime(2027, 1, 11, 7, tzinfo=UTC), 100_000)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["09:00-10:00", "10:00-11:00", "11:00-12:00"]),
        ({"closes": time(11, 59)}, ["09:00-10:00", "10:00-11:00"]),
        ({"closes": time(9, 30)}, []),
        ({"step": timedelta(minutes=75)}, ["09:00-10:00", "10:15-11:15"]),
        ({"closes": time(11), "step": timedelta(minutes=30)}, ["09:00-10:00", "09:30-10:30", "10:00-11:00"]),
        ({"breaks": ((time(10), time(10, 30)),)}, ["09:00-10:00", "10:30-11:30"]),
        ({"breaks": ((time(9), time(12)),)}, []),
        ({"breaks": ((time(8), time(9)), (time(12), time(13)))}, ["09:00-10:00", "10:00-11:00", "11:00-12:00"]),
        ({"opens": time(22), "closes": time(1)}, ["22:00-23:00", "23:00-00:00", "00:00-01:00"]),
        ({"opens": time(22), "closes": time(1), "breaks": ((time(0), time(0, 30)),)}, ["22:00-23:00", "23:00-00:00"]),
        ({"opens": time(22), "closes": time(0)}, ["22:00-23:00", "23:00-00:00"]),
        ({"holidays": frozenset({date(2027, 1, 11)})}, []),
    ],
)
def test_hours_steps_breaks_and_holidays(changes: dict[str, Any], expected: list[str]) -> None:
    assert clocks(one_day(**changes)) == expected


def test_lengths_stand_side_by_side_each_at_its_price() -> None:
    lengths = ((HOUR, 100_000), (1.5 * HOUR, 140_000))
    evening = Band(frozenset({1}), time(10), None, 200_000)

    found = one_day(lengths=lengths, bands=(evening,))

    assert [(text, one.price) for text, one in zip(clocks(found), found, strict=True)] == [
        ("09:00-10:00", 100_000), ("09:00-10:30", 140_000), ("10:00-11:00", 200_000),
        ("10:30-12:00", 280_000), ("11:00-12:00", 200_000),
    ]  # fmt: skip


def test_of_bands_the_last_one_counts_and_its_end_is_outside() -> None:
    weekend = Band(frozenset({6, 7}), time(0), None, 300_000)
    noon = Band(frozenset(range(1, 8)), time(10), time(11), 50_000)
    night = Band(frozenset(range(1, 8)), time(23), time(2), 1)

    found = list(offers(season(bands=(weekend, noon, night), special=frozenset({date(2027, 1, 13)})), MOSCOW))

    prices = {day: [one.price for one in found if one.start.date().day == day] for day in (11, 13, 16)}
    assert prices[11] == [100_000, 50_000, 100_000]
    assert prices[13] == prices[16] == [300_000, 50_000, 300_000]


@pytest.mark.parametrize(("day", "hours"), [(date(2027, 3, 28), 23), (date(2027, 10, 31), 25), (date(2027, 6, 1), 24)])
def test_a_day_and_night_place_fills_the_hours_that_there_are(day: date, hours: int) -> None:
    found = list(offers(season(first=day, last=day, opens=time(0), closes=time(0)), BERLIN))

    assert len(found) == hours
    assert all(one.end - one.start == HOUR for one in found)
    assert all(a.end == b.start for a, b in zip(found, found[1:], strict=False))


def test_across_the_change_of_clocks_morning_stays_morning() -> None:
    found = list(offers(season(first=date(2027, 3, 27), last=date(2027, 3, 29), closes=time(10)), BERLIN))

    assert clocks(found, BERLIN) == ["09:00-10:00"] * 3
    assert [one.start.hour for one in found] == [8, 7, 7]


@given(
    st.dates(date(2026, 1, 1), date(2030, 12, 1)), st.integers(0, 9), st.times(), st.times(), st.integers(5, 300),
    st.none() | st.integers(5, 300), st.lists(st.tuples(st.times(), st.times()), max_size=3),
    st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Yekaterinburg"]),
)  # fmt: skip
def test_whatever_is_written_offers_are_whole_in_order_and_outside_breaks(
    first: date, days: int, opens: time, closes: time, length: int, step: int | None,
    breaks: list[tuple[time, time]], name: str,
) -> None:  # fmt: skip
    zone, lasts = ZoneInfo(name), timedelta(minutes=length)
    said = season(
        first=first, last=first + timedelta(days=days), opens=opens.replace(second=0, microsecond=0),
        closes=closes.replace(second=0, microsecond=0), lengths=((lasts, 1),),
        step=timedelta(minutes=step) if step else None, breaks=tuple(breaks),
    )  # fmt: skip

    found = list(offers(said, zone))

    assert all(one.end - one.start == lasts for one in found)
    assert len({one.start for one in found}) == len(found)
    if step is None and not breaks:
        assert all(
            b.start >= a.end or b.start.astimezone(zone).date() > first for a, b in zip(found, found[1:], strict=False)
        )


def test_a_weekday_is_summed_up() -> None:
    found = one_day(opens=time(22), closes=time(1), bands=(Band(frozenset({1}), time(23), None, 5),))

    monday = by_weekday(found, MOSCOW)[1]

    assert (monday.count, len(monday.days), monday.earliest, monday.latest) == (2, 1, "22:00", (True, "00:00"))
    assert monday.prices == {100_000, 5}
