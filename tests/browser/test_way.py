"""The main way on real pages: choose, hold, pay, hold a booking. With script and without, by mouse and by keyboard."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from bookings.models import Booking
from clubs.models import Club
from payments.models import Payment
from slots.models import Claim, Slot
from tests.bank import Bank
from tests.browser.conftest import OpenPage, fill, pay
from tests.factories import tomorrow
from tests.play import DECLINED

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]
BOOKING = re.compile(r"/booking/[\w-]+/$")


def to_the_bank(page: Page, site: str, slot: Slot) -> None:
    """Walk from the list of clubs to the bank's page."""
    page.goto(site)
    page.get_by_role("link", name="Пальмы").first.click()
    page.get_by_role("link", name="Следующий день").click()
    page.get_by_role("link", name=re.compile(f"15:00–16:00, {slot.area}")).or_(
        page.locator(f'a[href$="/slots/{slot.pk}/"]')
    ).first.click()
    fill(page)
    page.get_by_role("button", name="Закрепить и оплатить").click()
    page.wait_for_url("**/pay/**")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
@pytest.mark.parametrize("width", [375, 1280])
def test_a_court_is_chosen_held_and_paid(
    open_page: OpenPage, site: str, court: Slot, bank: Bank, script: bool, width: int
) -> None:
    page = open_page(width, java_script_enabled=script)
    to_the_bank(page, site, court)
    pay(page)
    page.wait_for_url(BOOKING)
    expect(page.get_by_role("heading", level=1)).to_have_text("Забронировано, ждём вас")
    booking = Booking.objects.get()
    assert (booking.status, booking.slot_id, booking.secured_amount) == ("CONFIRMED", court.pk, 150_000)
    assert bank.money(booking.payments.get().provider_payment_id or "")["held"] == 150_000


def test_three_own_screens_and_six_presses_lead_to_the_bank(open_page: OpenPage, site: str, court: Slot) -> None:
    page, screens = open_page(375), []
    page.on("load", lambda loaded: screens.append(loaded.url))
    page.goto(f"{site}/palms/?day={tomorrow():%Y-%m-%d}")
    page.click(f'a[href$="/slots/{court.pk}/"]')
    fill(page)
    page.click("button.go")
    page.wait_for_url("**/pay/**")
    assert len([url for url in screens if url.startswith(site)]) == 2


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_a_declined_card_charges_nothing_and_the_next_try_books(
    open_page: OpenPage, site: str, court: Slot, bank: Bank, script: bool
) -> None:
    page = open_page(java_script_enabled=script)
    to_the_bank(page, site, court)
    pay(page, DECLINED)
    expect(page.get_by_role("heading", level=1)).to_have_text("Оплата не прошла")
    expect(page.locator(".moneyline")).to_contain_text("ничего не списано")
    page.get_by_role("button", name="Закрепить снова и оплатить").click()
    page.wait_for_url("**/pay/**")
    pay(page)
    page.wait_for_url(BOOKING)
    assert [payment.status for payment in Payment.objects.order_by("pk")] == ["FAILED", "AUTHORIZED"]
    assert bank.state()["totals"]["held"] == 150_000


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_going_back_after_payment_never_pays_twice(
    open_page: OpenPage, site: str, court: Slot, bank: Bank, script: bool
) -> None:
    page = open_page(java_script_enabled=script)
    to_the_bank(page, site, court)
    pay(page)
    page.wait_for_url(BOOKING)
    page.go_back()
    page.go_back()
    page.goto(f"{site}/palms/slots/{court.pk}/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Это время уже занято")
    page.goto(f"{site}/checkout/{Payment.objects.get().token}/")
    page.wait_for_url(BOOKING)
    page.reload()
    assert Payment.objects.count() == 1
    assert bank.state()["totals"]["held"] == 150_000


def test_back_from_the_banks_page_offers_to_pay_again(open_page: OpenPage, site: str, court: Slot) -> None:
    page = open_page(375)
    to_the_bank(page, site, court)
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Время закреплено за вами")
    page.get_by_role("link", name="Оплатить 1 500 ₽").click()
    page.wait_for_url("**/pay/**")
    pay(page)
    page.wait_for_url(BOOKING)


def test_two_tabs_share_one_hold_and_the_waiting_one_follows(open_page: OpenPage, site: str, court: Slot) -> None:
    first = open_page()
    second = first.context.new_page()
    for page in (first, second):
        page.goto(f"{site}/palms/slots/{court.pk}/")
        fill(page)
    for page in (first, second):
        page.click("button.go")
        page.wait_for_url("**/pay/**")
    assert Payment.objects.count() == 1
    second.goto(f"{site}/checkout/{Payment.objects.get().token}/")
    expect(second.get_by_role("heading", level=1)).to_have_text("Время закреплено за вами")
    pay(first)
    first.wait_for_url(BOOKING)
    second.wait_for_url(BOOKING)  # by its own poll


def test_somebody_elses_hold_is_said_and_what_was_typed_comes_along(
    open_page: OpenPage, site: str, court: Slot
) -> None:
    quick, slow = open_page(), open_page(375, java_script_enabled=False)
    for page in (quick, slow):
        page.goto(f"{site}/palms/slots/{court.pk}/")
    fill(quick)
    quick.click("button.go")
    quick.wait_for_url("**/pay/**")
    fill(slow, full_name="Олег Кошкин", phone="+7 912 000-00-02")
    slow.click("button.go")
    expect(slow.get_by_role("heading", level=1)).to_have_text("Это время сейчас кто-то оплачивает")
    slow.locator("button.offer").first.click()
    expect(slow.locator("#id_full_name")).to_have_value("Олег Кошкин")
    expect(slow.locator("#id_consent")).to_be_checked()
    slow.click("button.go")
    slow.wait_for_url("**/pay/**")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_a_booking_is_cancelled_with_the_refund_known_first(
    open_page: OpenPage, site: str, court: Slot, script: bool
) -> None:
    court.club.free_cancel_lead_minutes = 0
    court.club.save()
    page = open_page(375, java_script_enabled=script)
    to_the_bank(page, site, court)
    pay(page)
    page.wait_for_url(BOOKING)
    page.get_by_role("link", name="Отменить бронь").click()
    expect(page.locator(".refund")).to_have_text("К вам вернётся 1 500 ₽")
    page.get_by_label("Почему отменяете?").fill("заболел")
    page.get_by_role("button", name="Отменить бронь").click()
    page.wait_for_url(BOOKING)
    expect(page.get_by_role("heading", level=1)).to_have_text("Вы отменили эту бронь")
    assert Booking.objects.get().reason == "заболел"
    assert not Claim.objects.exists()


def test_what_was_typed_survives_a_hold_that_ran_out(open_page: OpenPage, site: str, court: Slot) -> None:
    page = open_page()
    to_the_bank(page, site, court)
    Claim.objects.update(held_until=tomorrow(0).replace(year=2020))
    page.goto(f"{site}/checkout/{Payment.objects.get().token}/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Время на оплату вышло")
    page.get_by_role("button", name="Закрепить снова и оплатить").click()
    page.wait_for_url("**/pay/**")
    assert [row.contact.full_name for row in Payment.objects.all()] == ["Анна Петрова"] * 2


def press_until(page: Page, selector: str, key: str = "Tab", limit: int = 80) -> None:
    """Press a key until the wanted element has the focus, as somebody without a mouse does."""
    for _ in range(limit):
        page.keyboard.press(key)
        if page.evaluate("wanted => document.activeElement?.matches(wanted)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached by {key}")


def test_the_whole_way_by_keyboard_alone(open_page: OpenPage, site: str, court: Slot) -> None:
    page = open_page()
    page.goto(site)
    press_until(page, ".skip")
    press_until(page, '.club a[href="/palms/"]')
    page.keyboard.press("Enter")
    page.wait_for_url("**/palms/")
    press_until(page, '[rel="next"]')
    page.keyboard.press("Enter")
    expect(page.locator("#day-title")).to_be_focused()  # focus follows the new day
    press_until(page, f'a[href$="/slots/{court.pk}/"]')
    page.keyboard.press("Enter")
    page.wait_for_url("**/slots/**")
    for field, value in (("full_name", "Анна Петрова"), ("phone", "89123456789"), ("email", "anna@example.com")):
        press_until(page, f"#id_{field}")
        page.keyboard.type(value)
    press_until(page, "#id_consent")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_url("**/pay/**")
    press_until(page, "[name=card_number]")
    page.keyboard.type("4111111111111111")
    page.keyboard.press("Enter")
    page.wait_for_url(BOOKING)


def test_days_change_without_a_reload_and_back_returns(open_page: OpenPage, site: str, club: Club) -> None:
    page = open_page()
    page.goto(f"{site}/palms/")
    page.evaluate("window.stayed = true")
    page.get_by_role("link", name="Следующий день").click()
    page.wait_for_url(f"**/palms/?day={tomorrow():%Y-%m-%d}")
    expect(page.locator("#day-title")).to_be_focused()
    expect(page.locator("#day-title")).to_contain_text("свобод")
    assert page.evaluate("window.stayed")
    page.go_back()
    expect(page.locator('[aria-current="date"]')).to_contain_text("сегодня")
    page.fill("#pick-day", f"{tomorrow():%Y-%m-%d}")
    page.get_by_role("button", name="Показать").click()
    page.wait_for_url(f"**/palms/?day={tomorrow():%Y-%m-%d}")


def test_rows_for_names_follow_the_number_of_people(open_page: OpenPage, site: str, group: Slot) -> None:
    page = open_page(375)
    page.goto(f"{site}/palms/slots/{group.pk}/")
    expect(page.locator("fieldset.names")).to_be_hidden()
    page.fill("#id_participants_count", "3")
    expect(page.locator("fieldset.names .field:visible")).to_have_count(3)
    fill(page)
    page.fill("#id_name_2", "Олег")
    page.click("button.go")
    page.wait_for_url("**/pay/**")
    assert Payment.objects.get().amount == 240_000


def test_an_error_is_focused_and_leads_to_its_field(open_page: OpenPage, site: str, court: Slot) -> None:
    page = open_page(375)
    page.goto(f"{site}/palms/slots/{court.pk}/")
    fill(page, phone="12")
    page.click("button.go")
    expect(page.locator("#errors")).to_be_focused()
    expect(page.locator("#id_full_name")).to_have_value("Анна Петрова")
    page.locator("#errors a").first.click()
    expect(page.locator("#id_phone")).to_be_focused()
    assert page.locator("#id_phone").get_attribute("aria-invalid") == "true"
    assert "phone-error" in (page.locator("#id_phone").get_attribute("aria-describedby") or "")


def test_english_is_one_press_away_and_stays(open_page: OpenPage, site: str, court: Slot) -> None:
    page = open_page()
    page.goto(f"{site}/palms/slots/{court.pk}/")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Book this time")
    page.goto(site)
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_the_countdown_is_spoken_at_a_minute_and_at_the_end(open_page: OpenPage, site: str, court: Slot) -> None:
    page = open_page()
    page.clock.install()
    to_the_bank(page, site, court)
    page.goto(f"{site}/checkout/{Payment.objects.get().token}/")
    spoken, face = page.locator("#spoken"), page.locator(".countdown time")
    expect(face).to_have_text(re.compile(r"4:\d\d"))
    expect(spoken).to_have_text("")
    page.clock.run_for(200_000)
    expect(spoken).to_have_text("")
    page.clock.run_for(45_000)
    expect(spoken).to_have_text("На оплату осталась одна минута")
    page.clock.run_for(57_000)
    expect(spoken).to_have_text("Время на оплату вышло")
    expect(face).to_have_text("0:00")


def test_the_countdown_is_right_after_a_phone_has_slept(open_page: OpenPage, site: str, court: Slot) -> None:
    page = open_page(375)
    page.clock.install()
    page.add_init_script("performance.now = () => 0;")  # a clock that stands still while the phone sleeps
    to_the_bank(page, site, court)
    page.goto(f"{site}/checkout/{Payment.objects.get().token}/")
    expect(page.locator(".countdown time")).to_have_text(re.compile(r"4:\d\d"))
    page.clock.fast_forward(200_000)
    expect(page.locator(".countdown time")).to_have_text(re.compile(r"1:\d\d"))
