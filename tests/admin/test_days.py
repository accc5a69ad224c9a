"""Lists of what happens on days: slots that are still to come first, and any day by its date."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.utils import timezone

from palms.clock import MSK, now_utc
from slots.models import Slot
from tests.admin.conftest import World, browser_of
from tests.factories import AreaFactory, SlotFactory, tomorrow

SLOTS, BOOKINGS = "/admin/slots/slot/", "/admin/bookings/booking/"


def shown(browser: Browser, address: str) -> list[int]:
    return [row.pk for row in browser.get(address).context["cl"].result_list]


@pytest.fixture
def slots(mine: World) -> list[Slot]:
    """One that is over, then two days of offers; the later day was published first."""
    court = AreaFactory(club=mine.club)
    days = [tomorrow(9) + timedelta(days=day) for day in (40, -20, 39)]
    return [SlotFactory(club=mine.club, area=court, start=start) for start in days]


def test_the_list_of_slots_begins_with_what_is_still_to_come(mine: World, slots: list[Slot]) -> None:
    later, over, sooner = (slot.pk for slot in slots)
    browser = browser_of(mine.staff)
    found = shown(browser, SLOTS)
    assert [pk for pk in found if pk in {later, over, sooner}] == [sooner, later]
    assert over in shown(browser, f"{SLOTS}?when=all")
    assert over in shown(browser, f"{SLOTS}?q={over}")
    chosen = next(one for one in browser.get(SLOTS).context["cl"].filter_specs if one.parameter_name == "when")
    assert [one["selected"] for one in chosen.choices(browser.get(SLOTS).context["cl"])][:2] == [True, False]


@pytest.mark.parametrize("address", [SLOTS, BOOKINGS])
def test_one_day_is_chosen_by_its_date_and_other_filters_stay(mine: World, slots: list[Slot], address: str) -> None:
    browser = browser_of(mine.staff)
    day = slots[0].date_from.astimezone(MSK).date()
    page = browser.get(f"{address}?when={day}&area__id__exact={slots[0].area_id}&p=1")
    text = page.content.decode()

    assert f'<input type="date" name="when" value="{day}"' in text
    assert f'<input type="hidden" name="area__id__exact" value="{slots[0].area_id}">' in text
    assert 'type="hidden" name="p"' not in text
    if address == SLOTS:
        assert [row.pk for row in page.context["cl"].result_list] == [slots[0].pk]


@pytest.mark.parametrize("word", ["2026-13-40", "'", "999999999999", "0001-01-01", "2026-W01-1", "завтра"])
def test_what_is_no_day_is_no_filter(mine: World, slots: list[Slot], word: str) -> None:
    browser = browser_of(mine.staff)
    for address in (SLOTS, BOOKINGS):
        assert browser.get(address, {"when": word}).status_code == 200
    assert slots[0].pk in shown(browser, f"{SLOTS}?when={word}")


def test_a_slot_says_its_day_and_hours_by_the_clubs_clock(mine: World, slots: list[Slot]) -> None:
    with timezone.override("America/New_York"):
        text = browser_of(mine.staff).get(SLOTS).content.decode()
    start = slots[0].date_from.astimezone(MSK)
    assert f"{start:%H:%M}–{start + timedelta(hours=1):%H:%M}" in text
    assert slots[0].date_from > now_utc()
