"""Every state of a checkout and every refusal, made for real, as customers see them at both widths and in both schemes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import transaction
from playwright.sync_api import Page, expect

from bookings import services
from bookings.models import Booking
from palms.clock import now_utc
from payments.models import Payment
from slots.models import Claim, Slot
from tests.bank import Bank
from tests.browser.conftest import OpenPage, booking_of, fill
from tests.browser.looks import looked_at, still
from tests.factories import AreaFactory, tomorrow
from tests.play import DECLINED, look, offer, payment_of, run_all, staff, take

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]
WIDTHS = [375, 1280]
LATER = timedelta(seconds=301)
GONE = tomorrow(0).replace(year=2020)
Make = Callable[[Slot, Bank], str]


def asked(slot: Slot) -> Slot:
    """Return a time of the same club that is booked by request."""
    return offer(club=slot.club, area=AreaFactory(club=slot.club, mode="request", name="Терраса"), start=slot.date_from)


def preparing(slot: Slot, bank: Bank) -> str:
    bank.fault(on="create", kind="drop_before", times=None)
    return f"/checkout/{take(slot).token}/"


def held(slot: Slot, bank: Bank) -> str:
    return f"/checkout/{take(slot).token}/"


def checking(slot: Slot, bank: Bank) -> str:
    checkout = take(slot)
    bank.pay(payment_of(checkout).provider_payment_id)
    bank.fault(on="get", kind="error_before", times=None)
    return f"/checkout/{checkout.token}/return/"


def expired(slot: Slot, bank: Bank) -> str:
    checkout = take(slot)
    Claim.objects.update(held_until=GONE)
    return f"/checkout/{checkout.token}/"


def failed(slot: Slot, bank: Bank) -> str:
    checkout = take(slot)
    bank.pay(payment_of(checkout).provider_payment_id, card=DECLINED)
    look(checkout)
    return f"/checkout/{checkout.token}/"


def refunding(slot: Slot, bank: Bank) -> str:
    bank.fault(on="cancel", kind="error_before", times=None)
    return _late(slot, bank)


def refunded(slot: Slot, bank: Bank) -> str:
    return _late(slot, bank)


def _late(slot: Slot, bank: Bank) -> str:
    checkout = take(slot)
    with time_machine.travel(now_utc() + LATER):
        bank.pay(payment_of(checkout).provider_payment_id)
        look(checkout)
    return f"/checkout/{checkout.token}/"


def requested(slot: Slot, bank: Bank) -> str:
    return f"/checkout/{take(asked(slot)).token}/"


def approved(slot: Slot, bank: Bank) -> str:
    checkout = take(asked(slot))
    services.approve(booking_id=Booking.objects.get().pk, actor=staff(slot))
    return f"/checkout/{checkout.token}/"


def canceled(slot: Slot, bank: Bank) -> str:
    booking = booking_of(slot, bank)
    services.cancel_by_club(booking_id=booking.pk, actor=staff(slot), reason="дождь")
    run_all()
    return f"/checkout/{booking.payments.get().token}/"


STATES: dict[Make, tuple[str, str]] = {
    preparing: ("Готовим оплату", "Preparing the payment"),
    held: ("Время закреплено за вами", "The time is held for you"),
    checking: ("Уточняем у банка", "We are asking the bank"),
    expired: ("Время на оплату вышло", "The time for paying has run out"),
    failed: ("Оплата не прошла", "The payment did not go through"),
    refunding: ("Деньги возвращаются", "The money is on its way back"),
    refunded: ("Деньги отправлены обратно", "The money was sent back"),
    requested: ("Клуб получил ваш запрос", "The club has your request"),
    approved: ("Клуб согласен", "The club agrees"),
    canceled: ("Отменено", "Canceled"),
}


@pytest.mark.parametrize("make", STATES, ids=lambda make: make.__name__)
def test_every_state_of_a_checkout_is_for_everybody_and_says_what_about_money_and_what_now(
    open_page: OpenPage, site: str, court: Slot, bank: Bank, make: Make
) -> None:
    address, (russian, english) = make(court, bank), STATES[make]
    page = still(open_page(375, reduced_motion="reduce"))
    for language, title, money, now in (
        ("en", english, "Money:", "What now:"),
        ("ru", russian, "Деньги:", "Что дальше:"),
    ):
        page.goto(f"{site}{address}?lang={language}")
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        expect(page.locator("#status .moneyline")).to_contain_text(money)
        next_step = page.locator("#status").get_by_text(now).or_(page.locator("#status .go"))
        expect(next_step.first).to_be_visible()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert looked_at(page) == [], width


def opened(page: Page, site: str, slot: Slot) -> None:
    page.goto(f"{site}/palms/slots/{slot.pk}/")
    fill(page)


def send_raw(page: Page, address: str, fields: int, size: int) -> None:
    """Send a form that no page of ours holds."""
    page.evaluate(
        """([address, fields, size]) => {
            const form = Object.assign(document.createElement('form'), {method: 'post', action: address});
            for (let number = 0; number < fields; number++)
                form.append(Object.assign(document.createElement('input'), {name: `n${number}`, value: 'x'.repeat(size)}));
            document.body.append(form); form.submit();
        }""",
        [address, fields, size],
    )


def taken(page: Page, site: str, slot: Slot, bank: Bank) -> None:
    opened(page, site, slot)
    take(slot, phone="+79120000009")
    booking = Payment.objects.get()
    bank.pay(booking.provider_payment_id)
    services.look_again(token=booking.token)
    page.click("button.go")


def somebody_pays(page: Page, site: str, slot: Slot, bank: Bank) -> None:
    opened(page, site, slot)
    take(slot, phone="+79120000009")
    page.click("button.go")


def withdrawn(page: Page, site: str, slot: Slot, bank: Bank) -> None:
    opened(page, site, slot)
    Slot.objects.filter(pk=slot.pk).update(closed=True)
    page.click("button.go")


def ran_out(page: Page, site: str, slot: Slot, bank: Bank) -> None:
    opened(page, site, slot)
    take(slot, key=page.input_value("[name=key]"))  # the form was sent before, and its hold has died
    Claim.objects.update(held_until=GONE)
    page.click("button.go")


def bank_down(page: Page, site: str, slot: Slot, bank: Bank) -> None:
    opened(page, site, slot)
    bank.fault(on="create", kind="refuse")
    page.click("button.go")


def no_cookie(page: Page, site: str, slot: Slot, bank: Bank) -> None:
    opened(page, site, slot)
    page.context.clear_cookies()
    page.click("button.go")


def no_cookie_elsewhere(page: Page, site: str, slot: Slot, bank: Bank) -> None:
    page.goto(f"{site}{approved(slot, bank)}")
    page.context.clear_cookies()
    page.click("button.go")


def busy_at_checkout(page: Page, site: str, slot: Slot, bank: Bank) -> None:
    opened(page, site, slot)
    with transaction.atomic():
        Slot.objects.select_for_update().get(pk=slot.pk)
        page.click("button.go")
        page.wait_for_selector("[data-focus]")


def busy_after_paying(page: Page, site: str, slot: Slot, bank: Bank) -> None:
    checkout = take(slot)
    bank.pay(payment_of(checkout).provider_payment_id)
    with transaction.atomic():
        Payment.objects.select_for_update().get()
        page.goto(f"{site}/checkout/{checkout.token}/return/")


def missing(page: Page, site: str, slot: Slot, bank: Bank) -> None:
    page.goto(f"{site}/no/such/page/")


def a_button_as_a_page(page: Page, site: str, slot: Slot, bank: Bank) -> None:
    page.goto(f"{site}{held(slot, bank)}release/")


def too_much(page: Page, site: str, slot: Slot, bank: Bank) -> None:
    opened(page, site, slot)
    send_raw(page, f"/palms/slots/{slot.pk}/", 1, 1_200_000)


def unreadable(page: Page, site: str, slot: Slot, bank: Bank) -> None:
    opened(page, site, slot)
    send_raw(page, f"/palms/slots/{slot.pk}/", 300, 1)


def too_late_to_pay(page: Page, site: str, slot: Slot, bank: Bank) -> None:
    page.goto(f"{site}{approved(slot, bank)}")
    with transaction.atomic():
        Booking.objects.update(expires_at=GONE)
        Claim.objects.update(held_until=GONE)
    page.click("button.go")


def defect(page: Page, site: str, slot: Slot, bank: Bank) -> None:
    page.goto(f"{site}/broken/")


REFUSALS: dict[Callable[[Page, str, Slot, Bank], None], tuple[int, str, str, str]] = {
    # how it comes about: status, title, about money, the way on
    taken: (409, "Это время только что заняли", "не удержано и не списано", "button.offer"),
    somebody_pays: (409, "Это время сейчас кто-то оплачивает", "не удержано и не списано", "button.offer"),
    withdrawn: (409, "Клуб закрыл это время", "не удержано и не списано", "button.offer"),
    ran_out: (200, "Время на оплату вышло", "ничего не списано", "button.go"),
    bank_down: (503, "Банк сейчас не отвечает", "ничего не списано", "button.go"),
    busy_at_checkout: (503, "Сейчас слишком много обращений", "ничего не списано", "button.go"),
    busy_after_paying: (503, "Сейчас слишком много обращений", "платёж не потеряется", "text=Попробовать ещё раз"),
    no_cookie: (403, "Отправьте форму ещё раз", "не забронировано и не списано", "button.go"),
    no_cookie_elsewhere: (403, "Не удалось проверить форму", "не списывались", "text=Посмотреть, как обстоят дела"),
    too_late_to_pay: (409, "Время на оплату вышло", "не списывались", "text=Посмотреть, как обстоят дела"),
    missing: (404, "Такой страницы нет", "не списывались", "text=Все клубы"),
    a_button_as_a_page: (405, "Эту страницу так не открыть", "не списывались", "text=Посмотреть, как обстоят дела"),
    too_much: (413, "Слишком много данных", "не списывались", "text=Все клубы"),
    unreadable: (400, "Не удалось прочитать запрос", "не списывались", "text=Все клубы"),
    defect: (500, "Сбой на нашей стороне", "не пропадут", "text=Все клубы"),
}


@pytest.mark.parametrize("make", REFUSALS, ids=lambda make: make.__name__)
def test_every_refusal_is_for_everybody_and_says_what_happened_about_money_and_what_now(
    open_page: OpenPage, site: str, court: Slot, bank: Bank, settings: Any, make: Callable[..., None]
) -> None:
    settings.ROOT_URLCONF = "tests.browser.defect"
    status, title, money, way_on = REFUSALS[make]
    page, seen = still(open_page(375, reduced_motion="reduce")), []
    page.on("response", lambda answer: seen.append(answer.status) if answer.request.is_navigation_request() else None)
    make(page, site, court, bank)
    expect(page.locator("h1, [role=alert] h2").filter(has_text=title)).to_be_visible()
    assert seen[-1] == status
    expect(page.locator("main")).to_contain_text(money)
    expect(page.locator(way_on).first).to_be_visible()
    if page.locator("#id_full_name").count():
        expect(page.locator("#id_full_name")).to_have_value("Анна Петрова")  # what was typed is never lost
    elif way_on == "button.offer":
        assert page.locator("[name=full_name]").first.input_value() == "Анна Петрова"
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert looked_at(page) == [], width
