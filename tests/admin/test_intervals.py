"""Areas booked by interval in the back office: hours and prices as people write them, errors beside their fields."""

from __future__ import annotations

from typing import Any

import pytest

from clubs.models import Area, Hours
from tests.admin.conftest import World, browser_of

pytestmark = pytest.mark.django_db
ADD = "/admin/clubs/area/add/"
TOO_MUCH = "99999999999999999999"


def form(world: World, **changes: Any) -> dict[str, Any]:
    given = {
        "club": world.club.pk, "name": "Лежак 77", "kind": "sunbed", "location": "", "exclusive": "on", "mode": "instant",
        "is_active": "on", "position": "7", "booked_by": "interval", "step_minutes": "30", "min_minutes": "60",
        "max_minutes": "240", "price_per_hour": "600.50", "overdue_grace_minutes": "15", "open": "1-5 8:00-22:00\n6-7 10:00-24:00",
        "peak": "6-7 12:00–17:00 800", "_events-TOTAL_FORMS": "0",
    }  # fmt: skip
    return {name: value for name, value in (given | changes).items() if value is not None}


def test_an_area_by_interval_is_made_shown_and_changed(mine: World) -> None:
    browser = browser_of(mine.owner)
    assert browser.post(ADD, form(mine)).status_code == 302
    area = Area.objects.get(name="Лежак 77")
    rows = list(area.hours.values_list("kind", "weekday", "starts", "ends", "price_per_hour"))
    assert (area.booked_by, area.price_per_hour, len(rows)) == ("interval", 60_050, 9)
    assert rows[-1] == ("peak", 7, 720, 1020, 80_000)

    address = f"/admin/clubs/area/{area.pk}/change/"
    page = browser.get(address).content.decode()
    for words in ("1-5 08:00-22:00\n6-7 10:00-24:00", "6-7 12:00-17:00 800.00", 'value="600.50"'):
        assert words in page
    kept = set(area.hours.filter(kind="open", weekday__lte=5).values_list("pk", flat=True))
    changed = form(mine, club=None, open="1-5 08:00-22:00", peak="")
    assert browser.post(address, changed).status_code == 302
    assert set(area.hours.values_list("pk", flat=True)) == kept
    assert browser.post(address, form(mine, club=None, booked_by="slots", exclusive=None)).status_code == 302


def test_weekdays_may_run_over_sunday_and_hours_may_be_two_in_a_day(mine: World) -> None:
    browser_of(mine.owner).post(ADD, form(mine, open="6-1 08:00-12:00; 6-1 14:00-20:00", peak=""))
    found = Hours.objects.filter(area__name="Лежак 77").values_list("weekday", "starts")
    assert set(found) == {(day, start) for day in (6, 7, 1) for start in (480, 840)}


@pytest.mark.parametrize(
    ("field", "values"),
    [
        (
            "open",
            ["", "8 08:00-22:00", "1 08:00-25:00", "1 22:00-08:00", "1 08:00-08:00", "пн 8-22", "1 08:00-22:00 500", "\x00", "1",
             "1 08:00-12:00\n1 11:00-14:00", "x" * 3000],
        ),
        ("peak", ["1 08:00-22:00", "1 08:00-22:00 -5", "1 08:00-22:00 0.001", "1 08:00-22:00 NaN", "1 08:00-22:00 1e99", "?"]),
        ("step_minutes", ["", "0", "4", "1441", "-5", "x", TOO_MUCH]),
        ("min_minutes", ["", "0", "45", "15", TOO_MUCH]),
        ("max_minutes", ["", "30", "250", "1470", TOO_MUCH]),
        ("price_per_hour", ["", "-1", "0.001", "NaN", "1e400", "x"]),
        ("exclusive", [None]),
        ("booked_by", ["", "moon"]),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_an_error_beside_its_field(mine: World, field: str, values: list[str | None]) -> None:
    browser, before = browser_of(mine.owner), Area.objects.count()
    for value in values:
        page = browser.post(ADD, form(mine, **{field: value}))
        assert page.status_code == 200, value
        assert field in page.context["adminform"].form.errors, (value, page.context["adminform"].form.errors)
    assert Area.objects.count() == before
