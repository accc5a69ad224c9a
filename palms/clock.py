"""The only place that reads the clock, and the only place that turns a moment into a club's local time."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MSK = ZoneInfo("Europe/Moscow")


def now_utc() -> datetime:
    """Return this moment, aware, in UTC. Services call it after their locks; rules and transitions take `now`."""
    return datetime.now(UTC)


def to_msk(moment: datetime) -> datetime:
    """Return the same moment in Moscow time, for people."""
    return to_zone(moment, MSK)


def to_zone(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return the same moment in a club's zone, for people. Raises ValueError for a naive moment."""
    if moment.tzinfo is None:
        raise ValueError("a naive moment has no place on the time line")
    return moment.astimezone(zone)


def local_day(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the half-open span [start, end) in UTC of one local calendar day; 23 to 25 hours where clocks change."""
    start = datetime.combine(day, time.min, zone)
    end = datetime.combine(day + timedelta(days=1), time.min, zone)
    return start.astimezone(UTC), end.astimezone(UTC)
