"""The ten daily jobs of a club's desk in a real browser, at the widths of a computer and a tablet.

Each takes three clicks at most after the page that the menu opens, and 20 seconds; axe finds nothing on the pages passed. With
`PALMS_SCREENSHOTS=<folder>` each page is kept as a picture, to be looked at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import time_machine
from playwright.sync_api import Page, expect

from bookings.models import Booking
from clubs.models import Club
from palms.clock import MSK, now_utc
from palms.templatetags.palms import money
from payments.models import Refund
from slots.models import Claim, Slot
from tests.backoffice.conftest import work
from tests.bank import Bank
from tests.browser.conftest import OpenPage, signed_in
from tests.browser.looks import SIDEWAYS, troubles
from tests.factories import AreaFactory, MembershipFactory, SlotFactory, UserFactory, tomorrow
from tests.play import booked, booked_on_site, offer, take

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]
LIST = "/admin/bookings/booking/"
MOST_CLICKS, PATIENCE = 3, 20  # seconds, of a job
PICTURES = os.environ.get("PALMS_SCREENSHOTS", "")


class Desk:
    """An owner at work; `clicks` counts those of the job at hand, `looking` the seconds in which the page was looked at."""

    def __init__(self, page: Page, site: str, club: Club) -> None:
        signed_in(page, site, MembershipFactory(club=club, user=UserFactory(password=None), role="OWNER").user)
        page.set_default_timeout(PATIENCE * 1000)
        self.page, self.site, self.clicks, self.looking, self.name = page, site, 0, 0.0, ""

    @contextmanager
    def job(self, name: str, path: str) -> Iterator[Page]:
        """Do one of the ten, from the page that the menu opens."""
        self.name, self.looking, began = name, 0.0, monotonic()
        self.open(path)
        yield self.page
        self.looks_right()
        assert self.clicks <= MOST_CLICKS
        assert monotonic() - began - self.looking <= PATIENCE

    def open(self, path: str) -> None:
        self.page.goto(self.site + path)
        self.clicks = 0
        self.looks_right()

    def click(self, selector: str) -> None:
        self.clicks += 1
        self.page.locator(selector).first.click()
        self.page.wait_for_load_state()

    def looks_right(self) -> None:
        began = monotonic()
        if PICTURES:
            width = self.page.viewport_size["width"] if self.page.viewport_size else 0
            found = len(list(Path(PICTURES).glob(f"{width}-{self.name}-*")))
            self.page.screenshot(path=Path(PICTURES) / f"{width}-{self.name}-{found}.png")
        assert troubles(self.page) == []
        assert self.page.evaluate(SIDEWAYS) <= 0
        self.looking += monotonic() - began

    def step(self, booking: Booking, name: str, **fields: str) -> Any:
        """Take a step from a booking's own page."""
        with self.job(name, f"{LIST}{booking.pk}/change/") as page:
            self.click(f"button[value={name}]")
            self.looks_right()
            for field, value in fields.items():
                page.fill(f"[name={field}]", value)
            self.click("button[name=apply]")
        booking.refresh_from_db()
        return booking


def day_of(slot: Slot) -> str:
    return f"{slot.date_from.astimezone(MSK):%Y-%m-%d}"


def cell(key: str) -> str:
    return f'.board-cell[data-key="{key}"]'


@pytest.fixture(params=[1280, 768])
def desk(request: pytest.FixtureRequest, open_page: OpenPage, site: str, club: Club) -> Desk:
    return Desk(open_page(request.param), site, club)


def test_a_booking_is_found_by_phone_and_part_of_its_money_goes_back(desk: Desk, court: Slot, bank: Bank) -> None:
    booking = booked(court, bank)
    with desk.job("find", LIST) as page:
        page.fill("#searchbar", "912 345 67-89")
        page.press("#searchbar", "Enter")
        desk.click(f"a[href*='/booking/{booking.pk}/']")
        expect(page.locator("#desk-what")).to_be_visible()

    desk.step(booking, "refund_part", amount="500", reason="дождь")
    assert (booking.status, booking.price) == ("CONFIRMED", court.price - 50_000)

    desk.step(booking, "cancel_by_club", reason="корт закрыт", keep="400")
    assert booking.status == "CANCELED_BY_CLUB"
    payment = booking.payments.get()
    assert (payment.keep, desk.clicks) == (40_000, 2)
    assert not Refund.objects.filter(payment=payment, state="FAILED").exists()


def test_a_request_is_approved_and_an_evening_closed(desk: Desk, club: Club, court: Slot) -> None:
    asked = offer(club=club, area=AreaFactory(club=club, name="По заявке", mode="request"))
    take(asked, phone="+79120000009")
    request = Booking.objects.get()
    with desk.job("approve", f"{LIST}?status__exact=REQUESTED"):
        desk.click(f"a[href*='/booking/{request.pk}/']")
        desk.click("button[value=approve]")
    request.refresh_from_db()
    assert (request.status, desk.clicks) == ("APPROVED", 2)

    came = booked_on_site(court)
    with time_machine.travel(court.date_to + timedelta(hours=1), tick=True), desk.job("evening", "/admin/close-day/"):
        desk.click("form.desk-panel button.is-main")
    came.refresh_from_db()
    assert (came.status, desk.clicks) == ("SHOWN", 1)
    assert now_utc() < court.date_from


def test_a_walk_in_pays_on_site(desk: Desk, court: Slot) -> None:
    with desk.job("walk-in", f"/admin/board/?day={day_of(court)}") as page:
        desk.click(cell(f"slot={court.pk}"))
        page.fill("#id_phone", "8 912 000-11-22")
        page.fill("#id_full_name", "Пётр Ильин")
        desk.looks_right()
        desk.click("button[value=book]")
        expect(page.locator(".board-done")).to_be_visible()
    booking = Booking.objects.get()
    assert (booking.status, booking.secured_amount, desk.clicks) == ("CONFIRMED", court.price, 2)


def test_a_booking_is_moved(desk: Desk, court: Slot) -> None:
    booking = booked_on_site(court)
    to = Slot.objects.filter(club=court.club, area__position=3).earliest("date_from")
    with desk.job("move", f"/admin/board/?day={day_of(court)}&booking={booking.pk}") as page:
        desk.click(".board-panel a[href*='move=1']")
        desk.looks_right()
        desk.click(f".board-targets a[href*='to={to.pk}']")
        desk.looks_right()
        desk.click("button[value=move]")
        expect(page.locator(".board-done")).to_be_visible()
    booking.refresh_from_db()
    assert booking.slot_id == to.pk


def test_a_court_is_blocked(desk: Desk, court: Slot) -> None:
    with desk.job("block", f"/admin/board/?day={day_of(court)}") as page:
        desk.click(f'.board-column[data-place="a{court.area_id}"] .board-add')
        desk.click("#board-panel summary >> nth=1")
        for name, text in (("at", "20:00"), ("to", "22:00"), ("reason", "Ремонт сетки")):
            page.fill(f"#id_block_{name}", text)
        desk.looks_right()
        desk.click("button[value=block]")
        expect(page.locator(".board-cell.is-blocked")).to_contain_text("Ремонт сетки")
    assert Claim.objects.filter(is_block=True, area=court.area_id).count() == 1


def test_weekends_get_a_new_price(desk: Desk, club: Club) -> None:
    area = club.areas.get(position=1)
    start = tomorrow(9)
    ours = [SlotFactory(club=club, area=area, start=start + timedelta(days=day)) for day in range(8, 22)]
    with desk.job("weekends", "/admin/desk/slots/") as page:
        desk.click("a[href*='weekdays=67']")
        desk.looks_right()
        page.fill("[name=value]", "2500")
        desk.click("form.desk-rules button.is-main")
        desk.looks_right()
        desk.click("form[action*='/jobs/'] button.is-main")
        work()
        expect(page.locator("#job")).to_contain_text("Выполнено")
    prices = {slot.date_from.astimezone(MSK).isoweekday() > 5: set() for slot in ours}
    for slot in Slot.objects.filter(pk__in=[slot.pk for slot in ours]):
        prices[slot.date_from.astimezone(MSK).isoweekday() > 5].add(slot.price)
    assert prices == {True: {250_000}, False: {ours[0].price}}


def test_yesterday_brought_this_much(desk: Desk, court: Slot) -> None:
    booked_on_site(court)
    with (
        time_machine.travel(now_utc() + timedelta(days=1), tick=True),
        desk.job("yesterday", "/admin/reports/") as page,
    ):
        desk.click(".desk-presets a >> text=вчера")
        expect(page.locator("[aria-labelledby=money] b").first).to_have_text(money(court.price, "RUB"))
    assert desk.clicks == 1


def test_the_other_pages_of_the_desk_look_right(desk: Desk, club: Club, court: Slot) -> None:
    booking = booked_on_site(court)
    for path in (f"client/{booking.client_id}/", "audit/", "reports/", f"bookings/booking/?q={booking.pk}"):
        desk.open(f"/admin/{path}")
