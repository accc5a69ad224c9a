"""The schedule board in a real browser: a walk-in, moves by keyboard and by dragging, a block, and a board that stays fresh."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from bookings.models import Booking
from clubs.models import Club
from palms.clock import MSK
from slots.models import Claim, Slot
from tests.browser.conftest import OpenPage, signed_in
from tests.browser.looks import SIDEWAYS, troubles
from tests.factories import MembershipFactory, UserFactory
from tests.play import booked_on_site

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]
FRAME = ("landmark-one-main", "region")  # rules about the theme's frame around the page


class Desk:
    """Somebody of the staff before the board of a day; `presses` counts every click of the mouse."""

    def __init__(self, page: Page, site: str, court: Slot) -> None:
        staff = UserFactory(password=None)
        MembershipFactory(club=court.club, user=staff, role="STAFF")
        signed_in(page, site, staff)
        self.page, self.presses = page, 0
        self.address = f"{site}/admin/board/?day={court.date_from.astimezone(MSK):%Y-%m-%d}"

    def open(self) -> Page:
        self.page.goto(self.address)
        return self.page

    def press(self, found: Any) -> None:
        self.presses += 1
        found.click()

    def looks_right(self) -> None:
        found = [words for words in troubles(self.page) if not words.startswith(FRAME)]
        assert found == []
        assert self.page.evaluate(SIDEWAYS) <= 0


def cell(page: Page, key: str) -> Any:
    return page.locator(f'.board-cell[data-key="{key}"]')


@pytest.fixture(params=[1280, 768])
def desk(request: pytest.FixtureRequest, open_page: OpenPage, site: str, court: Slot) -> Desk:
    return Desk(open_page(request.param), site, court)


@pytest.fixture
def wide(open_page: OpenPage, site: str, court: Slot) -> Desk:
    return Desk(open_page(1280, height=1100), site, court)


def test_a_walk_in_takes_four_presses_at_most_and_everything_looks_right(desk: Desk, club: Club, court: Slot) -> None:
    page = desk.open()
    desk.looks_right()
    desk.press(cell(page, f"slot={court.pk}"))
    expect(page.locator("#id_phone")).to_be_focused()
    desk.looks_right()
    page.fill("#id_phone", "8 912 000-11-22")
    page.fill("#id_full_name", "Пётр Ильин")
    desk.press(page.locator("button[value=book]"))

    expect(page.locator(".board-done")).to_be_visible()
    booking = Booking.objects.get()
    expect(cell(page, f"booking={booking.pk}")).to_contain_text("подтверждена")
    assert (booking.status, booking.secured_amount, desk.presses) == ("CONFIRMED", court.price, 2)
    desk.looks_right()
    page.keyboard.press("Escape")
    desk.press(page.locator(".board-column", has_text="Корт 3").locator(".board-add"))
    expect(page.locator("button[value=publish]")).to_be_visible()
    desk.looks_right()
    page.goto(f"{desk.address}&view=week")
    desk.looks_right()


def test_a_known_phone_fills_the_name(wide: Desk, court: Slot) -> None:
    booked_on_site(court)
    other = Slot.objects.filter(club=court.club, area=court.area).exclude(pk=court.pk).earliest("date_from")
    page = wide.open()
    cell(page, f"slot={other.pk}").click()
    page.fill("#id_phone", "+7 912 345 67 89")
    page.press("#id_phone", "Tab")

    expect(page.locator("#id_full_name")).to_have_value("Анна Петрова")


def test_a_booking_moves_by_keyboard(wide: Desk, court: Slot) -> None:
    booking = booked_on_site(court)
    page = wide.open()
    cell(page, f"booking={booking.pk}").focus()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Перенести").press("Enter")
    target = page.locator(".board-targets a").first
    target.press("Enter")
    page.locator("button[value=move]").press("Enter")

    expect(page.locator(".board-done")).to_be_visible()
    moved = Booking.objects.get(pk=booking.pk)
    assert moved.slot_id != court.pk
    expect(cell(page, f"slot={court.pk}")).to_contain_text("свободно")
    page.keyboard.press("Escape")
    expect(page.locator("#board-panel")).to_be_hidden()
    cell(page, f"booking={booking.pk}").focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.className").startswith("board-cell")


def test_a_booking_is_dragged_to_another_court_and_a_taken_time_says_so(wide: Desk, court: Slot) -> None:
    booking = booked_on_site(court)
    free, other = Slot.objects.filter(club=court.club, area__position=3).order_by("date_from")[:2]
    page = wide.open()
    cell(page, f"booking={booking.pk}").drag_to(cell(page, f"slot={free.pk}"))
    expect(page.locator("button[value=move]")).to_be_visible()
    wide.looks_right()
    booked_on_site(free, phone="+79120000007")  # meanwhile
    page.locator("button[value=move]").click()

    expect(page.locator("#board-panel [role=alert]")).to_contain_text("Это время только что заняли")
    assert Booking.objects.get(pk=booking.pk).slot_id == court.pk
    expect(cell(page, f"slot={free.pk}")).to_have_count(0)  # the board is the new one; a late one has a test of its own
    cell(page, f"booking={booking.pk}").drag_to(cell(page, f"slot={other.pk}"))
    expect(page.locator(f"#board-panel form[action*='to={other.pk}']")).to_be_visible()
    page.locator("button[value=move]").click()
    expect(page.locator(".board-done")).to_be_visible()
    assert Booking.objects.get(pk=booking.pk).slot_id == other.pk


def test_a_board_that_comes_late_takes_nothing_out_of_a_hand(wide: Desk, court: Slot) -> None:
    booking = booked_on_site(court)
    free, other = Slot.objects.filter(club=court.club, area__position=3).order_by("date_from")[:2]
    page, late = wide.open(), []

    def on_board(route: Route) -> None:
        if route.request.headers.get("x-board") == "grid":
            late.append(route)
        else:
            route.continue_()

    page.route(lambda address: "/admin/board/" in address, on_board)
    cell(page, f"slot={free.pk}").click()
    page.fill("#id_phone", "8 912 000-11-22")
    page.fill("#id_full_name", "Пётр Ильин")
    page.locator("button[value=book]").click()
    expect(page.locator(".board-done")).to_be_visible()  # the board that shows it is on its way
    from_box, to_box = (cell(page, key).bounding_box() for key in (f"booking={booking.pk}", f"slot={other.pk}"))
    page.mouse.move(from_box["x"] + 20, from_box["y"] + 10)
    page.mouse.down()
    with page.expect_response(lambda answer: answer.request.headers.get("x-board") == "grid"):
        late.pop().continue_()
    page.mouse.move(to_box["x"] + 20, to_box["y"] + 10, steps=5)
    page.mouse.up()

    expect(page.locator(f"#board-panel form[action*='to={other.pk}']")).to_be_visible()
    expect(cell(page, f"slot={free.pk}")).to_be_visible()  # asked for again when the hand was empty, and not here yet
    late.pop().continue_()
    expect(cell(page, f"slot={free.pk}")).to_have_count(0)
    page.locator("button[value=move]").click()
    expect(page.locator(".board-done")).to_be_visible()
    assert Booking.objects.get(pk=booking.pk).slot_id == other.pk


def test_a_court_is_kept_for_the_club_and_the_board_stays_fresh_around_what_is_typed(wide: Desk, court: Slot) -> None:
    page = wide.page
    page.clock.install()
    wide.open()
    page.locator(f'.board-column[data-place="a{court.area_id}"] .board-add').click()
    page.locator("summary", has_text="Занять клубом").click()
    page.fill("#id_block_at", "20:00")
    page.fill("#id_block_to", "22:00")
    page.fill("#id_block_reason", "Ремонт сетки")
    booking = booked_on_site(court)
    page.clock.run_for(26_000)

    expect(cell(page, f"booking={booking.pk}")).to_be_visible()
    expect(page.locator("#id_block_reason")).to_have_value("Ремонт сетки")
    expect(page.locator("#id_block_reason")).to_be_focused()
    page.locator("button[value=block]").click()
    expect(page.locator(".board-cell.is-blocked")).to_contain_text("занято клубом")
    assert Claim.objects.filter(is_block=True, slot__title="Ремонт сетки").count() == 1
    wide.looks_right()
