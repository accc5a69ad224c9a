"""Time: aware UTC inside, the club's zone for people, local days of 23 to 25 hours."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from palms.clock import local_day, now_utc, to_msk, to_zone


def test_now_is_aware_utc() -> None:
    assert now_utc().tzinfo is UTC


def test_moscow_is_three_hours_ahead() -> None:
    assert to_msk(datetime(2026, 11, 21, 12, tzinfo=UTC)).isoformat() == "2026-11-21T15:00:00+03:00"


def test_naive_moments_are_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        to_zone(datetime(2026, 11, 21, 12), ZoneInfo("Europe/Moscow"))


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)])
def test_a_local_day_is_as_long_as_its_clocks_say(day: date, hours: int) -> None:
    start, end = local_day(day, ZoneInfo("Europe/Berlin"))
    assert end - start == timedelta(hours=hours)
