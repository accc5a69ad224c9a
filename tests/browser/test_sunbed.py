"""A sunbed booked now, in a real browser: the code on the page opens the sandbox's door until the club cancels."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from access.models import Lock
from bookings.models import Booking
from clubs.models import User
from tests import play
from tests.access.conftest import DOOR, World, door, world
from tests.bank import Bank
from tests.browser.conftest import OpenPage, fill, pay, signed_in
from tests.factories import IntervalAreaFactory, MembershipFactory, ProviderAccountFactory, UserFactory

__all__ = ["door", "world"]  # fixtures
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]
WIDE = (0, 24)  # open round the clock, so that there is a "now" whenever this runs


@pytest.fixture
def beach(world: World, door: Lock) -> Lock:
    """The lock on a sunbed that customers may take at once."""
    bed = IntervalAreaFactory(club=door.club, name="Лежак 1", open_hours=WIDE)
    ProviderAccountFactory(club=door.club)
    Lock.objects.filter(pk=door.pk).update(area=bed)
    return door


def types(page: Page, bank: Bank, code: str) -> str:
    """Type a code on the door's keypad; returns what the door says."""
    page.goto(f"{bank.url}/ttlock/doors/{DOOR}")
    page.fill("[name=code]", code)
    page.press("[name=code]", "Enter")
    page.wait_for_load_state()
    return page.inner_text("[role=status]")


def cancel_as_staff(page: Page, site: str, person: User, booking: Booking) -> None:
    signed_in(page, site, person)
    page.goto(f"{site}/admin/bookings/booking/{booking.pk}/change/")
    page.click("button[value=cancel_by_club]")
    page.fill("[name=reason]", "Шторм")
    page.click("button[name=apply]")
    page.wait_for_load_state()


def test_booked_now_the_code_opens_the_door_until_the_club_cancels(
    open_page: OpenPage, site: str, bank: Bank, beach: Lock, settings: Any
) -> None:
    page, keypad = open_page(375), open_page(375)
    page.goto(f"{site}/{beach.club.slug}/")
    page.click(".right-now a.button")
    page.click(".lengths a.offer >> nth=0")
    fill(page)
    page.click("button.go")
    page.wait_for_url(f"{bank.url}/**")
    pay(page)
    page.wait_for_url(f"{site}/booking/**")
    booking = Booking.objects.get()
    assert booking.status == "CONFIRMED"

    play.run_all()  # what a worker does
    code = page.locator("output").inner_text(timeout=15_000).strip()
    assert "Дверь открыта" in types(keypad, bank, code)
    assert "не подошёл" in types(keypad, bank, "0000" if code != "0000" else "1111")

    person = MembershipFactory(club=beach.club, user=UserFactory(password=None), role="STAFF").user
    cancel_as_staff(open_page(1280), site, person, booking)
    booking.refresh_from_db()
    assert booking.status == "CANCELED_BY_CLUB"
    play.run_all()
    assert "не подошёл" in types(keypad, bank, code)
    page.reload()
    expect(page.locator("output")).to_have_count(0)
