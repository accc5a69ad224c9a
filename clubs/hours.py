"""Opening hours and peak prices of areas booked by interval, as people type them and as rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from clubs.models import Area, Hours
from palms.errors import ValidationFailed
from palms.money import Money, MoneyError

DEAREST = 1_000_000_000  # minor units, per hour
LINE = re.compile(
    r"(?P<first>[1-7])(?:\s?[-–]\s?(?P<last>[1-7]))?\s+"
    r"(?P<from>[0-9]{1,2}:[0-5][0-9])\s?[-–]\s?(?P<to>[0-9]{1,2}:[0-5][0-9])(?:\s+(?P<price>\S+))?"
)


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """One row to be. Weekday 1 is Monday; `starts` and `ends` in minutes from midnight; the price in minor units."""

    kind: str
    weekday: int
    starts: int
    ends: int
    price_per_hour: int | None = None


def read(text: str, *, kind: str, currency: str) -> list[Stretch]:
    """Return the stretches of lines like "1-5 08:00-22:00", of peaks like "6-7 12:00-17:00 800.50", by weekday and start.

    Raises:
        ValidationFailed: `errors` under the kind; a line that is none, or two that overlap.
    """
    lines = [" ".join(line.split()) for line in re.split(r"[\n;]", text)]
    found = sorted(stretch for line in lines if line for stretch in _of(line, kind, currency))
    for earlier, later in zip(found, found[1:], strict=False):
        if earlier.weekday == later.weekday and later.starts < earlier.ends:
            wrong = _("These hours overlap: %(one)s and %(other)s") % {
                "one": written([earlier]),
                "other": written([later]),
            }
            raise ValidationFailed(errors={kind: [wrong]})
    return found


def _of(line: str, kind: str, currency: str) -> list[Stretch]:
    found = LINE.fullmatch(line)
    starts, ends = (_minutes(found[name]) if found else -1 for name in ("from", "to"))
    if found is None or not 0 <= starts < ends <= 24 * 60 or (found["price"] is None) != (kind == Hours.Kind.OPEN):
        raise ValidationFailed(errors={kind: [_("Not understood: %(line)s") % {"line": line[:60]}]})
    first, last = int(found["first"]), int(found["last"] or found["first"])
    days = range(first, last + 1) if first <= last else [*range(first, 8), *range(1, last + 1)]
    price = _price(found["price"], currency, kind) if found["price"] else None
    return [Stretch(kind, day, starts, ends, price) for day in days]


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _price(text: str, currency: str, kind: str) -> int:
    try:
        price = Money.parse(text.replace(",", "."), currency).amount
    except MoneyError:
        price = -1
    if not 0 <= price <= DEAREST:
        raise ValidationFailed(errors={kind: [_("Not a price per hour: %(text)s") % {"text": text[:30]}]})
    return price


def written(stretches: Iterable[Stretch | Hours], currency: str = "") -> str:
    """Return stretches as `read` takes them, weekdays with the same hours together."""
    days: dict[tuple[int, int, int | None], list[int]] = {}
    for one in stretches:
        days.setdefault((one.starts, one.ends, one.price_per_hour), []).append(one.weekday)
    runs = [(run, hours) for hours, found in days.items() for run in _runs(sorted(found))]
    return "\n".join(
        _line(run, hours, currency) for run, hours in sorted(runs, key=lambda pair: (pair[0], pair[1][:2]))
    )


def _runs(days: Sequence[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for day in days:
        if runs and runs[-1][1] == day - 1:
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    return runs


def _line(run: tuple[int, int], hours: tuple[int, int, int | None], currency: str) -> str:
    starts, ends, price = hours
    days = f"{run[0]}" if run[0] == run[1] else f"{run[0]}-{run[1]}"
    cost = f" {Money(price, currency).decimal}" if price is not None and currency else ""
    return f"{days} {starts // 60:02}:{starts % 60:02}-{ends // 60:02}:{ends % 60:02}{cost}"


def set_hours(*, area: Area, stretches: Iterable[Stretch]) -> None:
    """Let an area have exactly these hours and peaks. The caller has its row locked, in the same transaction."""
    stored = {
        Stretch(row.kind, row.weekday, row.starts, row.ends, row.price_per_hour): row.pk for row in area.hours.all()
    }
    wanted = set(stretches)
    Hours.objects.filter(pk__in=[pk for stretch, pk in stored.items() if stretch not in wanted]).delete()
    Hours.objects.bulk_create(
        Hours(
            club_id=area.club_id, area=area, kind=one.kind, weekday=one.weekday, starts=one.starts, ends=one.ends,
            price_per_hour=one.price_per_hour,
        )
        for one in sorted(wanted - set(stored))
    )  # fmt: skip
