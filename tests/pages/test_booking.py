"""The booking under its secret link: what it shows, and how it is cancelled with the refund known first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from bookings import services
from bookings.models import Booking
from palms.clock import now_utc
from slots.models import Claim
from tests.bank import Bank
from tests.pages.conftest import text_of
from tests.play import booked, offer, run_all, staff

pytestmark = pytest.mark.django_db(transaction=True)


def in_days(days: int) -> Any:
    return now_utc().replace(minute=0, second=0, microsecond=0) + timedelta(days=days)


def test_it_shows_what_when_where_who_and_the_money(client: Client, bank: Bank) -> None:
    slot = offer(start=in_days(3), capacity=3, area__exclusive=False, title="Йога")
    booking = booked(slot, bank, count=2, participants_names=("Анна", "Олег"))
    page = text_of(client.get(f"/booking/{booking.token}/"))
    for words in (
        "Забронировано, ждём вас",
        slot.area.name,
        "Йога",
        "3 000 ₽",
        "Олег",
        "2 участника",
        "+7 912 345-67-89",
        "удержано на карте",
        "Московское время (UTC+3)",
        "к вам вернётся 3 000 ₽",
    ):
        assert words in page
    english = text_of(client.get(f"/booking/{booking.token}/?lang=en"))
    for words in ("Booked: see you there", "₽3,000", "2 participants", "Moscow time (UTC+3)"):
        assert words in english


def test_one_stage_money_is_shown_as_taken_and_then_returned(client: Client, bank: Bank) -> None:
    booking = booked(offer(start=in_days(20)), bank)
    assert "Списано" in text_of(client.get(f"/booking/{booking.token}/"))
    client.post(f"/booking/{booking.token}/cancel/", {"reason": ""})
    run_all()
    page = text_of(client.get(f"/booking/{booking.token}/"))
    assert "Возвращено</dt><dd>1 500 ₽" in page
    assert "Вы отменили эту бронь" in page


def test_cancelling_shows_the_refund_first_and_then_frees_the_time(client: Client, bank: Bank) -> None:
    booking = booked(offer(start=in_days(3)), bank)
    address = f"/booking/{booking.token}/cancel/"
    page = text_of(client.get(address))
    assert page.index("К вам вернётся 1 500 ₽") < page.index('name="reason"')
    response = client.post(address, {"reason": "заболел"})
    booking = Booking.objects.get()
    assert (response.status_code, response.headers["Location"]) == (303, f"/booking/{booking.token}/")
    assert (booking.status, booking.reason) == ("CANCELED_BY_CUSTOMER", "заболел")
    assert not Claim.objects.exists()
    run_all()
    assert "Удержание на карте снято, ничего не списано" in text_of(client.get(f"/booking/{booking.token}/"))


def test_a_late_cancel_names_the_fee(client: Client, bank: Bank) -> None:
    slot = offer(club__customer_cancel="always_with_fee", club__late_cancel_fee_percent=40)
    slot.club.free_cancel_lead_minutes = 10_000
    slot.club.save()
    booking = booked(slot, bank)
    page = text_of(client.get(f"/booking/{booking.token}/cancel/"))
    assert "К вам вернётся 900 ₽" in page
    assert "Клуб оставит себе 600 ₽" in page


def test_where_only_the_club_cancels_the_page_says_whom_to_call(client: Client, bank: Bank) -> None:
    booking = booked(offer(club__customer_cancel="never", club__phone="+79001112233"), bank)
    for address in (f"/booking/{booking.token}/", f"/booking/{booking.token}/cancel/"):
        page = text_of(client.get(address))
        assert "tel:+79001112233" in page
        assert 'name="reason"' not in page
    refused = client.post(f"/booking/{booking.token}/cancel/", {"reason": "x"})
    assert refused.status_code == 409
    assert "деньги не списывались и не возвращались" in text_of(refused)
    assert Booking.objects.get().status == "CONFIRMED"


def test_a_second_tab_that_cancels_again_hears_it_is_done(client: Client, bank: Bank) -> None:
    booking = booked(offer(start=in_days(3)), bank)
    address = f"/booking/{booking.token}/cancel/"
    client.post(address, {"reason": "x"})
    assert client.post(address, {"reason": "x"}).status_code == 409
    assert client.get(address).status_code == 200


def test_a_reason_beyond_the_limit_is_refused_kindly(client: Client, bank: Bank) -> None:
    booking = booked(offer(start=in_days(3)), bank)
    response = client.post(f"/booking/{booking.token}/cancel/", {"reason": "я" * 10_000})
    assert response.status_code == 400
    assert "reason-error" in text_of(response)
    assert Booking.objects.get().status == "CONFIRMED"


@pytest.mark.parametrize(("outcome", "words"), [("SHOWN", "Визит состоялся"), ("NOT_SHOWN", "Клиент не пришёл")])
def test_a_closed_visit_is_named(client: Client, bank: Bank, outcome: str, words: str) -> None:
    slot = offer()
    booking = booked(slot, bank)
    with time_machine.travel(slot.date_from + timedelta(hours=2)):
        assert "Визит завершён" in text_of(client.get(f"/booking/{booking.token}/"))
        services.close(booking_id=booking.pk, actor=staff(slot), outcome=outcome, charge="full")
        assert words in text_of(client.get(f"/booking/{booking.token}/"))
