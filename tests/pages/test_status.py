"""Where a checkout stands: each state in honest words about money, with script and without."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from bookings import services
from bookings.models import Booking
from bookings.services import Checkout
from palms.clock import now_utc
from slots.models import Claim, Slot
from tests.bank import Bank
from tests.factories import SlotFactory
from tests.pages.conftest import address_of, inputs_of, text_of
from tests.play import DECLINED, booked, look, offer, payment_of, run_all, staff, take

pytestmark = pytest.mark.django_db(transaction=True)
LATER = timedelta(seconds=301)
Make = Callable[[Bank], tuple[Checkout, timedelta]]


def status(client: Client, checkout: Checkout, query: str = "", **headers: str) -> Any:
    return client.get(f"/checkout/{checkout.token}/{query}", headers=headers)


def returned(client: Client, checkout: Checkout, query: str = "", **headers: str) -> Any:
    return client.get(f"/checkout/{checkout.token}/return/{query}", headers=headers)


def preparing(bank: Bank) -> tuple[Checkout, timedelta]:
    bank.fault(on="create", kind="drop_before")
    return take(offer()), timedelta()


def held(bank: Bank) -> tuple[Checkout, timedelta]:
    return take(offer()), timedelta()


def expired(bank: Bank) -> tuple[Checkout, timedelta]:
    return take(offer()), LATER


def unanswered(bank: Bank) -> tuple[Checkout, timedelta]:
    return take(offer(area__mode="request")), timedelta(days=1)


def failed(bank: Bank) -> tuple[Checkout, timedelta]:
    checkout = take(offer())
    bank.pay(payment_of(checkout).provider_payment_id, card=DECLINED)
    look(checkout)
    return checkout, timedelta()


def refunded(bank: Bank) -> tuple[Checkout, timedelta]:
    checkout = take(offer())
    with time_machine.travel(now_utc() + LATER):
        bank.pay(payment_of(checkout).provider_payment_id)
        look(checkout)
    return checkout, LATER


def refunding(bank: Bank) -> tuple[Checkout, timedelta]:
    checkout = take(offer())
    bank.fault(on="cancel", kind="error_before", times=None)
    with time_machine.travel(now_utc() + LATER):
        bank.pay(payment_of(checkout).provider_payment_id)
        services.look_again(token=checkout.token)
    return checkout, LATER


def requested(bank: Bank) -> tuple[Checkout, timedelta]:
    return take(offer(area__mode="request")), timedelta()


def approved(bank: Bank) -> tuple[Checkout, timedelta]:
    slot = offer(area__mode="request")
    checkout = take(slot)
    services.approve(booking_id=Booking.objects.get().pk, actor=staff(slot))
    return checkout, timedelta()


def canceled(bank: Bank) -> tuple[Checkout, timedelta]:
    slot = offer()
    booking = booked(slot, bank)
    services.cancel_by_club(booking_id=booking.pk, actor=staff(slot), reason="дождь")
    run_all()
    return Checkout(booking.payments.get().token, None, None, "canceled"), timedelta()


@pytest.mark.parametrize(
    ("make", "title", "money"),
    [
        (preparing, "Готовим оплату", "ничего не списано"),
        (held, "Время закреплено за вами", "пока ничего не списано"),
        (expired, "Время на оплату вышло", "ничего не списано. Если банк всё же проведёт"),
        (unanswered, "Ничего не забронировано", "Клуб не согласился вовремя"),
        (failed, "Оплата не прошла", "ничего не списано"),
        (refunding, "Деньги возвращаются", "1 500 ₽ вернётся на ту же карту"),
        (refunded, "Деньги отправлены обратно", "возвращена вся сумма: 1 500 ₽"),
        (requested, "Клуб получил ваш запрос", "ничего не списывается, пока клуб не согласится"),
        (approved, "Клуб согласен", "пока ничего не списано"),
    ],
)
def test_each_state_says_what_happened_and_whether_money_moved(
    client: Client, bank: Bank, make: Make, title: str, money: str
) -> None:
    checkout, later = make(bank)
    with time_machine.travel(now_utc() + later):
        response = status(client, checkout)
    page = text_of(response)
    assert response.status_code == 200
    assert f"<h1>{title}</h1>" in page
    assert money in page
    english = text_of(client.get(f"/checkout/{checkout.token}/?lang=en"))
    assert '<html lang="en">' in english


def test_a_club_that_canceled_is_named_on_the_booking(client: Client, bank: Bank) -> None:
    checkout, _later = canceled(bank)
    page = text_of(status(client, checkout))
    assert "<h1>Отменено</h1>" in page
    assert f"/booking/{Booking.objects.get().token}/" in page


def test_a_held_time_can_be_paid_again_after_going_back(client: Client, bank: Bank) -> None:
    checkout, _later = held(bank)
    page = text_of(status(client, checkout))
    assert f'href="{checkout.payment_url}"' in page
    assert "Оплатить 1 500 ₽" in page


def test_the_countdown_is_the_servers_and_is_spoken_twice(client: Client, bank: Bank) -> None:
    checkout, _later = held(bank)
    assert checkout.hold_until is not None
    with time_machine.travel(checkout.hold_until - timedelta(seconds=75), tick=False):
        page = text_of(status(client, checkout))
    assert 'data-left="75"' in page
    assert ">1:15</time>" in page
    assert 'role="timer" aria-live="off"' in page
    assert 'data-minute="На оплату осталась одна минута"' in page
    assert 'data-end="Время на оплату вышло"' in page
    assert 'role="status" id="spoken"' in page


def test_giving_the_time_back_frees_it_and_charges_nothing(client: Client, bank: Bank) -> None:
    checkout, _later = held(bank)
    response = client.post(f"/checkout/{checkout.token}/release/", follow=True)
    assert response.redirect_chain == [(f"/checkout/{checkout.token}/", 303)]
    assert not Claim.objects.exists()
    assert "ничего не списано" in text_of(response)


def test_the_return_page_asks_the_bank_and_leads_to_the_booking(client: Client, bank: Bank) -> None:
    checkout, _later = held(bank)
    bank.pay(payment_of(checkout).provider_payment_id)
    response = returned(client, checkout)
    assert response.headers["Location"] == f"/booking/{Booking.objects.get().token}/"
    assert status(client, checkout).headers["Location"] == f"/booking/{Booking.objects.get().token}/"


@pytest.mark.parametrize("later", [timedelta(), LATER], ids=["held", "after the hold"])
def test_a_silent_bank_after_the_payment_promises_nothing_and_asks_for_nothing(
    client: Client, bank: Bank, later: timedelta
) -> None:
    checkout, _later = held(bank)
    bank.pay(payment_of(checkout).provider_payment_id)
    bank.fault(on="get", kind="error_before", times=None)
    with time_machine.travel(now_utc() + later):
        page = text_of(returned(client, checkout))
        assert "<h1>Уточняем у банка</h1>" in page
        assert "страницу можно спокойно закрыть" in page
        assert "не платите второй раз" in page
        assert "ничего не списано" not in page
        assert "Оплатить 1 500" not in page
        poll = returned(client, checkout, "?n=1&was=checking", HX_Request="true")
        assert text_of(poll).startswith('<div id="poll"')
        bank.clear_faults()
        heard = returned(client, checkout, "?n=2&was=checking", HX_Request="true")
    if later:
        assert heard.headers["HX-Refresh"] == "true"  # the money came after the hold: the page of its return
        assert Booking.objects.count() == 0
    else:
        assert heard.headers["HX-Redirect"] == f"/booking/{Booking.objects.get().token}/"


def test_who_came_back_without_paying_finds_the_banks_page_again(client: Client, bank: Bank) -> None:
    checkout, _later = held(bank)
    bank.fault(on="get", kind="error_before", times=None)
    assert f'href="{checkout.payment_url}"' in text_of(returned(client, checkout))
    bank.clear_faults()
    assert "<h1>Время закреплено за вами</h1>" in text_of(returned(client, checkout))


def test_without_script_the_page_looks_again_after_1_2_4_seconds(client: Client, bank: Bank) -> None:
    checkout, _later = preparing(bank)
    token = checkout.token
    for turn, wait in enumerate((1, 2, 4, 8, 15)):
        bank.fault(on="create", kind="drop_before")
        page = text_of(status(client, checkout, f"?n={turn}"))
        expected = (
            f'<noscript><meta http-equiv="refresh" content="{wait};url=/checkout/{token}/?n={turn + 1}"></noscript>'
        )
        assert expected in page
        assert f'hx-trigger="load delay:{wait}s, every 30s"' in page


def test_a_poll_without_news_is_small_and_one_with_news_reloads(client: Client, bank: Bank) -> None:
    checkout, _later = held(bank)
    same = status(client, checkout, "?n=1&was=held", HX_Request="true")
    assert text_of(same).startswith('<div id="poll"')
    assert len(same.content) < 400
    other = status(client, checkout, "?n=1&was=preparing", HX_Request="true")
    assert (other.headers["HX-Refresh"], other.content) == ("true", b"")
    bank.pay(payment_of(checkout).provider_payment_id)
    returned(client, checkout)
    done = status(client, checkout, "?n=2&was=held", HX_Request="true")
    assert done.headers["HX-Redirect"] == f"/booking/{Booking.objects.get().token}/"


def test_preparing_goes_on_by_itself(client: Client, bank: Bank) -> None:
    checkout, _later = preparing(bank)
    with time_machine.travel(now_utc() + timedelta(seconds=10)):
        page = text_of(status(client, checkout, "?n=1"))
    assert "Время закреплено за вами" in page


@pytest.mark.parametrize("make", [expired, failed])
def test_after_an_end_the_same_time_is_one_press_away(client: Client, bank: Bank, make: Make) -> None:
    checkout, later = make(bank)
    slot = Slot.objects.get()
    near = SlotFactory(club=slot.club, area=slot.area, start=slot.date_from + timedelta(hours=1))
    with time_machine.travel(now_utc() + later):
        response = status(client, checkout)
        page = text_of(response)
        assert f'action="{address_of(slot)}"' in page
        assert f'action="{address_of(near)}"' in page
        again = {name: value for name, value in inputs_of(response).items() if name != "pick"}
        assert again["full_name"] == "Анна Петрова"
        assert client.post(address_of(slot), again).status_code == 303


def test_a_time_sold_to_somebody_else_is_not_offered_again(client: Client, bank: Bank) -> None:
    checkout, later = expired(bank)
    slot = Slot.objects.get()
    with time_machine.travel(now_utc() + later):
        take(slot, phone="+79120000002")
        page = text_of(status(client, checkout))
    assert f'action="{address_of(slot)}"' not in page
    assert "Другого свободного времени поблизости нет" in page


def test_an_approved_request_is_paid_from_its_page(client: Client, bank: Bank) -> None:
    approved(bank)
    booking = Booking.objects.get()
    assert f"/booking/{booking.token}/pay/" in text_of(client.get(f"/booking/{booking.token}/"))
    response = client.post(f"/booking/{booking.token}/pay/")
    assert response.status_code == 303
    assert response.headers["Location"].startswith(bank.url)


@pytest.mark.parametrize("address", ["/checkout/{}/", "/checkout/{}/return/", "/booking/{}/", "/booking/{}/cancel/"])
def test_secret_pages_are_not_stored_indexed_or_leaked(client: Client, bank: Bank, address: str) -> None:
    booking = booked(offer(), bank)
    token = booking.token if "booking" in address else booking.payments.get().token
    response = client.get(address.format(token))
    assert "no-store" in response.headers["Cache-Control"]
    assert response.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert response.headers["Referrer-Policy"] == "same-origin"
    if response.status_code == 200:
        assert '<meta name="robots" content="noindex, nofollow">' in text_of(response)
