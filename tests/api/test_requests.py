"""By request, the whole way over HTTP on a real bank: asked, approved, paid, confirmed; and each deadline, with nothing running."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from django.core import mail
from django.test import Client

from bookings.models import Booking
from palms.clock import now_utc
from payments.models import Payment
from slots.models import Slot
from tests.api.conftest import Caller, order, refusal
from tests.api.test_club_bookings import BOOKINGS, crm
from tests.bank import Bank
from tests.factories import AreaFactory
from tests.play import offer, run_all

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Way:
    """A customer and a club, and the request between them."""

    slot: Slot
    api: Caller
    bank: Bank
    browser: Client = field(default_factory=Client)

    def ask(self, language: str = "ru") -> Booking:
        made = self.api.post("/api/v1/site/bookings/individual", order(self.slot.pk), accept_language=language)
        assert made.status_code == 201, made.content
        self.status_url = urlsplit(made.json()["status_url"]).path
        return Booking.objects.latest("pk")

    @property
    def state(self) -> str:
        return str(self.api.get(self.status_url).json()["state"])

    def decide(self, booking: Booking, status: str, **asked: Any) -> Any:
        return self.api.post(f"{BOOKINGS}/{booking.pk}/status", {"status": status} | asked, **crm(self.slot.club))

    def shown(self, booking: Booking) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(f"{BOOKINGS}/{booking.pk}", **crm(self.slot.club)).json()
        return found

    def page(self, booking: Booking) -> str:
        return self.browser.get(f"/booking/{booking.token}/").content.decode().replace("\xa0", " ")

    def to_the_bank(self, booking: Booking) -> Payment:
        answer = self.browser.post(f"/booking/{booking.token}/pay/")
        assert answer.status_code in (302, 303), answer.content.decode()
        payment = Payment.objects.latest("pk")
        assert answer["Location"] == payment.confirmation_url
        return payment

    def come_back(self, payment: Payment) -> None:
        self.browser.get(f"/checkout/{payment.token}/return/")


@pytest.fixture
def way(api: Caller, bank: Bank) -> Way:
    area = AreaFactory(mode="request", club__request_deadline_minutes=60, club__payment_deadline_minutes=30)
    return Way(offer(club=area.club, area=area), api, bank)


def letters() -> list[Any]:
    """Send what waits, return what has been sent since, and forget it."""
    run_all()
    sent, mail.outbox = list(mail.outbox), []
    return sent


WORDS = {
    "ru": ("Запрошено", "Оплатите", "Забронировано", '<button class="go">Оплатить 1 500'),
    "en": ("Requested", "Please pay", "Booked", '<button class="go">Pay '),
}


@pytest.mark.parametrize("language", ["ru", "en"])
def test_asked_approved_paid_and_confirmed(way: Way, language: str) -> None:
    asked, pay, booked, button = WORDS[language]
    way.browser.post("/language/", {"lang": language})
    booking = way.ask(language)
    assert way.state == "requested"
    (letter,) = letters()
    assert letter.subject.startswith(asked)
    assert letter.to == ["anna@example.com"]
    assert button not in way.page(booking), "nothing is to be paid before the club agrees"
    listed = way.api.get(f"{BOOKINGS}?phase=pending", **crm(way.slot.club)).json()["data"]
    assert [(row["id"], row["status"]) for row in listed] == [(booking.pk, "REQUESTED")]

    approved = way.decide(booking, "APPROVED").json()

    link = f"http://testserver/booking/{booking.token}/"
    assert (approved["status"], approved["payment_url"], way.state) == ("APPROVED", link, "approved")
    (letter,) = letters()
    assert letter.subject.startswith(pay)
    assert link in letter.body
    assert button in way.page(booking)

    payment = way.to_the_bank(booking)
    assert way.to_the_bank(booking) == payment, "the same page for a second click"
    way.bank.pay_on_page(payment.provider_payment_id or "")
    way.come_back(payment)

    assert way.state == "confirmed"
    found = way.shown(booking)
    assert (found["status"], found["paid"], found["payment_url"], found["expires_at"]) == (
        "CONFIRMED",
        True,
        None,
        None,
    )
    assert [row["amount"] for row in found["payments"]] == [150_000]
    (letter,) = letters()
    assert letter.subject.startswith(booked)
    assert button not in way.page(booking)


def test_nobody_answers_in_time(way: Way) -> None:
    booking = way.ask()
    letters()
    with time_machine.travel(booking.expires_at - timedelta(seconds=1)) as clock:
        assert (way.state, way.shown(booking)["status"]) == ("requested", "REQUESTED")
        clock.shift(1)
        assert way.state == "expired"
        assert (way.shown(booking)["status"], way.shown(booking)["reason"]) == ("OTHER", "expired")
        assert way.shown(booking)["slot"]["status"] == "AVAILABLE"
        assert Booking.objects.get().status == "REQUESTED", "nothing has run, and all the same"
        assert "Клуб не ответил вовремя" in way.page(booking)
        cancel = way.api.post(f"/api/v1/user/bookings/{booking.token}/cancel", {"reason": "rain"})
        assert refusal(cancel) == (409, "hold_expired")
        assert (cancel.json()["current_status"], cancel.json()["allowed_events"]) == ("OTHER", [])
        late = way.decide(booking, "APPROVED")
        assert refusal(late) == (409, "booking_finished"), "whoever touched it first has ended it"
        other = way.ask()
        assert other.pk != booking.pk
        assert way.state == "requested"
        assert [letter.subject.split(":")[0] for letter in letters()] == ["Не забронировано", "Запрошено"]


def test_an_approval_comes_too_late(way: Way) -> None:
    booking = way.ask()
    with time_machine.travel(booking.expires_at):
        late = way.decide(booking, "APPROVED")

        assert refusal(late) == (409, "hold_expired")
        assert (late.json()["current_status"], late.json()["allowed_events"]) == ("OTHER", [])
        assert Booking.objects.get().reason == "expired"


def test_nobody_pays_in_time(way: Way) -> None:
    booking = way.ask()
    deadline = way.decide(booking, "APPROVED").json()["expires_at"]
    booking.refresh_from_db()
    assert booking.expires_at is not None
    assert deadline is not None
    assert timedelta(minutes=29) < booking.expires_at - now_utc() <= timedelta(minutes=30)
    with time_machine.travel(booking.expires_at):
        assert way.state == "expired"
        assert way.shown(booking)["status"] == "OTHER"
        assert way.browser.post(f"/booking/{booking.token}/pay/").status_code == 409
        assert not Payment.objects.exists()
        assert way.ask().pk != booking.pk


def test_money_that_comes_after_the_deadline_goes_back_once(way: Way) -> None:
    booking = way.ask()
    way.decide(booking, "APPROVED")
    payment = way.to_the_bank(booking)
    booking.refresh_from_db()
    letters()
    with time_machine.travel(booking.expires_at + timedelta(minutes=1)):
        rival = way.ask()
        way.bank.pay_on_page(payment.provider_payment_id or "")
        way.come_back(payment)

        way.come_back(payment)
        subjects = [letter.subject for letter in letters()]
        found = way.shown(booking)

    assert (found["status"], found["reason"], found["paid"]) == ("OTHER", "expired", False)
    assert found["payments"][0]["status"] == "VOIDED"
    assert way.bank.money(payment.provider_payment_id or "")["net"] == 0
    assert sum("возвращ" in subject.lower() or "верн" in subject.lower() for subject in subjects) == 1, subjects
    rival.refresh_from_db()
    assert rival.status == "REQUESTED"


def test_the_club_says_no_and_the_letter_says_why(way: Way) -> None:
    booking = way.ask()
    letters()

    way.decide(booking, "CANCELED_BY_CLUB", reason="Корт закрыт на ремонт")

    assert way.state == "canceled"
    (letter,) = letters()
    assert letter.subject.startswith("Отменено")
    assert "Корт закрыт на ремонт" in letter.body
    assert "Корт закрыт на ремонт" in way.page(booking)


def test_the_customer_takes_a_request_back(way: Way) -> None:
    booking = way.ask()

    answer = way.api.post(f"/api/v1/user/bookings/{booking.token}/cancel", {"reason": "rain"})
    again = way.api.post(f"/api/v1/user/bookings/{booking.token}/cancel", {"reason": "snow"})

    assert answer.status_code == 200
    assert refusal(again) == (409, "booking_finished")
    assert (again.json()["current_status"], again.json()["allowed_events"]) == ("CANCELED_BY_CUSTOMER", [])
    assert way.shown(booking)["reason"] == "rain"
    assert way.shown(booking)["slot"]["status"] == "AVAILABLE"
