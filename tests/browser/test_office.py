"""The door, the report and the theme's own pages of the back office in a real browser: axe finds nothing at both widths."""

from __future__ import annotations

from base64 import b32decode

import pytest
from playwright.sync_api import Page

from clubs.models import Authenticator, Club, User
from tests.admin.test_signing import code_of
from tests.browser.conftest import OpenPage
from tests.browser.looks import SCHEMES, SIDEWAYS, troubles
from tests.factories import MembershipFactory, UserFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]
PASSWORD = "kfm7-x3hp-9wdt"


@pytest.fixture
def owner(club: Club) -> User:
    return MembershipFactory(user=UserFactory(password=PASSWORD), club=club, role="OWNER").user


def wrong(page: Page) -> list[str]:
    """What axe finds in both schemes, and whether the page runs out of its side."""
    found = ["sideways"] if page.evaluate(SIDEWAYS) > 0 else []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        found += [f"{page.url} {scheme} {words}" for words in troubles(page)]
    return found


def test_the_way_in_and_every_kind_of_page(site: str, owner: User, open_page: OpenPage, settings: object) -> None:
    settings.PALMS_REQUIRE_TWO_FACTOR = True  # type: ignore[attr-defined]
    page = open_page(1280)
    page.goto(f"{site}/admin/login/")
    found = wrong(page)
    page.fill("[name=username]", owner.email)
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url("**/second-factor/**")
    found += wrong(page)
    page.fill("[name=code]", "000000")
    page.press("[name=code]", "Enter")
    page.wait_for_selector("[role=alert]")
    key = page.inner_text(".desk-key").replace(" ", "")
    page.fill("[name=code]", code_of(b32decode(key)))
    page.press("[name=code]", "Enter")
    page.wait_for_selector(".desk-codes")
    found += wrong(page)
    assert page.locator(".desk-codes li").count() == 10
    assert Authenticator.objects.filter(user=owner).exists()
    page.click(".desk-button.is-main")
    page.wait_for_selector(".desk-numbers")

    for width in (1280, 768):
        page.set_viewport_size({"width": width, "height": 900})
        for path in ("", "reports/", "account/", "bookings/booking/", "clubs/area/add/"):
            page.goto(f"{site}/admin/{path}")
            found += wrong(page)

    assert found == []
