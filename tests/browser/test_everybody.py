"""Every page for everybody: axe, both widths, light and dark, big targets, no sideways scroll, zoom, no script."""

from __future__ import annotations

from datetime import UTC, timedelta

import pytest
from playwright.sync_api import Page

from slots.models import Claim, Slot
from tests.bank import Bank
from tests.browser.conftest import OpenPage, booking_of, fill, status_of
from tests.browser.looks import CUT, SCHEMES, SIDEWAYS, SMALL, still, troubles
from tests.factories import AreaFactory, IntervalAreaFactory, SlotFactory, tomorrow
from tests.play import offer, stay, stay_on_site, take

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]


def addresses(court: Slot, group: Slot, bank: Bank) -> dict[str, str]:
    """Return an address of every page and of the states that look different."""
    club, free = court.club, tomorrow(9) + timedelta(days=1)
    rest = list(club.slots.filter(date_from__gte=free, capacity=1).order_by("pk"))
    club.free_cancel_lead_minutes = 0
    club.save()
    booking = booking_of(rest[0], bank)
    held = status_of(rest[1])
    bank.fault(on="create", kind="drop_before")
    preparing = status_of(rest[2])
    ended = status_of(rest[3])
    Claim.objects.filter(slot=rest[3]).update(held_until=tomorrow(0).replace(year=2020))
    bed = IntervalAreaFactory(club=club, name="Лежак 1", open_hours=(14, 18), step_minutes=60, min_minutes=60)
    start = f"/palms/areas/{bed.pk}/{stay(bed, 14, days=2).date_from.astimezone(UTC):%Y%m%dT%H%MZ}/"
    stay_on_site(bed, stay(bed, 16, days=2), phone="+79120000006")
    request = offer(club=club, area=AreaFactory(club=club, mode="request", name="Терраса"), start=free)
    return {
        "clubs": "/",
        "day": f"/palms/?day={tomorrow():%Y-%m-%d}",
        "day with taken": f"/palms/?day={free:%Y-%m-%d}",
        "empty day": f"/palms/?day={tomorrow() + timedelta(days=9):%Y-%m-%d}",
        "slot": f"/palms/slots/{court.pk}/",
        "lengths": start,
        "interval": f"{start}60/",
        "interval taken": f"{start}240/",
        "group": f"/palms/slots/{group.pk}/",
        "taken": f"/palms/slots/{rest[0].pk}/",
        "held": held,
        "preparing": preparing,
        "expired": ended,
        "requested": f"/checkout/{take(request, phone='+79120000005').token}/",
        "booking": f"/booking/{booking.token}/",
        "cancel": f"/booking/{booking.token}/cancel/",
        "find": "/find/",
        "find in a club": "/palms/find/",
        "find sent": "/palms/find/sent/",
        "missing": "/no/such/page/",
    }


@pytest.mark.parametrize("width", [375, 1280])
def test_axe_finds_nothing_on_any_page(
    open_page: OpenPage, site: str, court: Slot, group: Slot, bank: Bank, width: int
) -> None:
    page = still(open_page(width, reduced_motion="reduce"))
    found = {}
    for name, address in addresses(court, group, bank).items():
        page.goto(site + address)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            found[name, scheme] = troubles(page)
    page.goto(f"{site}/palms/slots/{court.pk}/")
    fill(page, phone="12")
    page.click("button.go")
    found["errors", "dark"] = troubles(page)
    assert {name: words for name, words in found.items() if words} == {}


def test_nothing_scrolls_sideways_or_is_cut_and_targets_are_big_enough(
    open_page: OpenPage, site: str, court: Slot, group: Slot, bank: Bank
) -> None:
    page = still(open_page())
    for name, address in addresses(court, group, bank).items():
        for language in ("ru", "en"):
            page.goto(f"{site}{address}{'&' if '?' in address else '?'}lang={language}")
            for width in (320, 375, 640, 768, 1024, 1280, 1920):  # 640 is 1280 at 200 % zoom
                page.set_viewport_size({"width": width, "height": 800})
                assert page.evaluate(SIDEWAYS) <= 0, (name, language, width)
                assert page.evaluate(SMALL) == [], (name, language, width)
                assert page.evaluate(CUT) == [], (name, language, width)


def test_letters_twice_as_big_still_fit(open_page: OpenPage, site: str, court: Slot, group: Slot, bank: Bank) -> None:
    page = still(open_page(1280))
    for name, address in addresses(court, group, bank).items():
        page.goto(site + address)
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert page.evaluate(SIDEWAYS) <= 0, name


def test_fifty_courts_scroll_inside_their_frame_with_both_axes_in_sight(
    open_page: OpenPage, site: str, court: Slot
) -> None:
    for number in range(50):
        area = AreaFactory(club=court.club, name=f"Большой корт {number}", position=50 + number)
        for hour in range(4, 20):
            SlotFactory(club=court.club, area=area, start=tomorrow(hour))
    page = open_page(1280)
    page.goto(f"{site}/palms/?day={tomorrow():%Y-%m-%d}")
    assert page.evaluate(SIDEWAYS) <= 0
    page.evaluate("document.querySelector('.grid').scrollTo(3000, 400)")
    frame = page.locator(".grid").bounding_box()
    for selector in (".grid tbody tr:nth-child(8) th", ".grid thead th:nth-child(24)"):
        box = page.locator(selector).bounding_box()
        assert frame is not None
        assert box is not None
        assert frame["x"] <= box["x"] < frame["x"] + frame["width"]
        assert frame["y"] <= box["y"] < frame["y"] + frame["height"]
    assert troubles(page) == []


@pytest.fixture
def requests_of(open_page: OpenPage) -> tuple[Page, list[str]]:
    page, asked = still(open_page(375)), []
    page.on("request", lambda request: asked.append(request.url))
    return page, asked


def test_pages_ask_nobody_else(
    requests_of: tuple[Page, list[str]], site: str, court: Slot, group: Slot, bank: Bank
) -> None:
    page, asked = requests_of
    for address in addresses(court, group, bank).values():
        page.goto(site + address)
    assert [url for url in asked if not url.startswith(site)] == []


def test_a_missing_script_leaves_every_page_usable(
    open_page: OpenPage, site: str, court: Slot, group: Slot, bank: Bank
) -> None:
    page = open_page(375)
    page.route("**/*.js", lambda route: route.abort())
    for name, address in addresses(court, group, bank).items():
        page.goto(site + address)
        assert page.locator("h1").count() == 1, name
        assert page.evaluate(SIDEWAYS) <= 0, name
