"""Programs in the back office: prices as people write them, weekly times as people say them."""

from __future__ import annotations

from typing import Any

import pytest

from slots.models import Program
from tests.admin.conftest import World, browser_of
from tests.factories import AreaFactory

pytestmark = pytest.mark.django_db
ADD = "/admin/slots/program/add/"


def form(world: World, **changes: Any) -> dict[str, Any]:
    given = {
        "club": world.club.pk, "name": "Школа тенниса", "description": "Для всех", "sport_type": "tennis",
        "area": world.slot.area_id, "instructor": "", "price": "900.50", "capacity": "8", "duration_minutes": "90",
        "weekly": "3 9:05, 1 18:00", "is_active": "on",
    }  # fmt: skip
    return given | changes


def test_a_program_is_made_and_changed(mine: World) -> None:
    browser = browser_of(mine.staff)
    assert browser.post(ADD, form(mine)).status_code == 302
    program = Program.objects.get(name="Школа тенниса")
    assert (program.price, program.currency, program.weekly) == (90_050, "RUB", [1080, 2 * 1440 + 545])

    page = browser.get(f"/admin/slots/program/{program.pk}/change/").content.decode()
    assert 'value="900.50"' in page
    assert 'value="1 18:00, 3 09:05"' in page
    changed = form(mine, price="1000", weekly="")
    assert browser.post(f"/admin/slots/program/{program.pk}/change/", changed).status_code == 302
    program.refresh_from_db()
    assert (program.price, program.weekly) == (100_000, [])


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"weekly": "8 10:00"}, "weekly"),
        ({"weekly": "1 24:00"}, "weekly"),
        ({"weekly": "понедельник"}, "weekly"),
        ({"weekly": "1 10:00\x00"}, "weekly"),
        ({"price": "-1"}, "price"),
        ({"price": "1e400"}, "price"),
        ({"price": "0.001"}, "price"),
        ({"price": "NaN"}, "price"),
        ({"capacity": "0"}, "capacity"),
        ({"capacity": "1001"}, "capacity"),
        ({"duration_minutes": "0"}, "duration_minutes"),
        ({"duration_minutes": "99999999999999999999"}, "duration_minutes"),
        ({"name": ""}, "name"),
        ({"area": "999999"}, "area"),
    ],
)
def test_what_makes_no_sense_is_an_error_of_the_form(mine: World, wrong: dict[str, Any], field: str) -> None:
    before = Program.objects.count()

    page = browser_of(mine.staff).post(ADD, form(mine, **wrong))

    assert page.status_code == 200
    assert field in page.context["adminform"].form.errors
    assert Program.objects.count() == before


def test_two_programs_of_one_name_and_an_area_of_another_club_are_errors_of_the_form(
    mine: World, theirs: World
) -> None:
    browser = browser_of(mine.owner)
    browser.post(ADD, form(mine))

    assert browser.post(ADD, form(mine)).context["adminform"].form.errors
    foreign = form(mine, name="Другая", area=AreaFactory(club=theirs.club).pk)
    assert "area" in browser.post(ADD, foreign).context["adminform"].form.errors
