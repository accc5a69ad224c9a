"""A crowd and one place: one of them gets it, the others hear `slot_taken`, and nothing else happens to anybody."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from typing import Any

import pytest
import requests

from bookings.services import Checkout
from clients.models import Client, Wallet
from clients.services import find_or_make_client
from payments.models import Payment
from slots.models import Claim, Slot
from tests.bank import Bank
from tests.factories import AreaFactory, InstructorFactory, SlotFactory
from tests.play import offer, take
from tests.races.crowd import at_once, buyers, kinds, only, phone

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("peace")]
CROWD = 200


@pytest.fixture
def all_saw_it_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody lock before all have looked: every refusal is then spoken under the lock."""
    looked = threading.Barrier(CROWD)
    module = sys.modules["bookings.services.checkout"]  # the package shows its function under the same name
    take_patiently = module._take_patiently

    def wait_for_all(order: Any) -> Any:
        looked.wait(60)
        return take_patiently(order)

    monkeypatch.setattr(module, "_take_patiently", wait_for_all)


def test_two_hundred_buyers_of_one_slot_make_one_hold(bank: Bank, live_server: Any) -> None:
    """Over HTTP, as strangers do: one 201, the others 409, and nobody a 5xx."""
    slot = offer()
    live_server.thread.httpd.socket.listen(2 * CROWD)  # Django's development server lets ten wait
    address = f"{live_server.url}/api/v1/site/bookings/individual"
    answers = at_once([lambda number=number: post(address, slot, number) for number in range(CROWD)])
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: CROWD - 1}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"slot_taken"}
    assert Claim.objects.count() == Payment.objects.count() == len(bank.state()["payments"]) == 1


def post(address: str, slot: Slot, number: int) -> requests.Response:
    client = {"full_name": "Анна Петрова", "phone": phone(number), "email": "anna@example.com"}
    return requests.post(address, json={"slot_id": slot.pk, "client": client}, timeout=60)


@pytest.mark.usefixtures("all_saw_it_free")
def test_two_hundred_who_all_saw_it_free_make_one_hold(bank: Bank) -> None:
    slot = offer()
    results = at_once(buyers(CROWD, slot))
    assert kinds(results) == {"Checkout": 1, "SlotTaken": CROWD - 1}
    assert only(results, Checkout).state == "held"
    assert Claim.objects.count() == Payment.objects.count() == len(bank.state()["payments"]) == 1


@pytest.mark.usefixtures("all_saw_it_free")
def test_twelve_places_go_to_twelve_of_two_hundred(bank: Bank) -> None:
    slot = offer(capacity=12)
    results = at_once(buyers(CROWD, slot))
    assert kinds(results) == {"Checkout": 12, "SlotTaken": CROWD - 12}
    assert sorted(Claim.objects.values_list("place", flat=True)) == list(range(12))
    assert len(bank.state()["payments"]) == 12


def overlapping(slot: Slot) -> list[Slot]:
    """Return 60, 90 and 120 minutes of one court from the same hour."""
    longer = [
        SlotFactory(club=slot.club, area=slot.area, start=slot.date_from, minutes=minutes) for minutes in (90, 120)
    ]
    return [slot, *longer]


def test_of_overlapping_slots_of_one_court_one_is_taken(bank: Bank) -> None:
    results = at_once(buyers(45, *overlapping(offer())))
    assert kinds(results) == {"Checkout": 1, "SlotTaken": 44}


def test_an_instructor_is_on_one_of_two_courts(bank: Bank) -> None:
    slot = offer(instructor=None)
    instructor = InstructorFactory(club=slot.club)
    courts = [AreaFactory(club=slot.club) for _ in range(2)]
    slots = [SlotFactory(club=slot.club, area=court, instructor=instructor) for court in courts]
    results = at_once(buyers(40, *slots))
    assert kinds(results) == {"Checkout": 1, "SlotTaken": 39}


def test_one_form_sent_a_hundred_times_is_one_hold(bank: Bank) -> None:
    slot = offer()
    results = at_once([lambda: take(slot, key="form-1", visitor="v1")] * 100)
    assert kinds(results) == {"Checkout": 100}
    assert set(results) == {take(slot, key="form-1")}
    assert (results[0].state, results[0].payment_url) == ("held", Payment.objects.get().confirmation_url)
    assert len(bank.state()["payments"]) == len(bank.calls("POST", "/payments")) == 1


def test_one_form_of_a_group_sent_many_times_takes_its_places_once(bank: Bank) -> None:
    slot = offer(capacity=200)
    results = at_once([lambda: take(slot, count=2, key="form-1")] * 40)
    assert kinds(results) == {"Checkout": 40}
    assert len({result.token for result in results}) == 1
    assert Claim.objects.count() == 2


def test_a_hundred_strangers_with_one_new_phone_are_one_client(bank: Bank) -> None:
    courts = [offer()]
    courts += [SlotFactory(club=courts[0].club) for _ in range(29)]
    results = at_once([lambda slot=slot: take(slot) for slot in courts] + [lambda: known(courts[0])] * 70)
    assert kinds(results) == {"Checkout": 30, "Client": 70}
    assert {result.pk for result in results if isinstance(result, Client)} == {Client.objects.get().pk}
    assert Wallet.objects.count() == 1
    assert Payment.objects.count() == Claim.objects.count() == 30


def known(slot: Slot) -> Client:
    who = {"phone": "+79123456789", "full_name": "Анна Петрова", "email": "", "birth_date": None, "currency": "RUB"}
    return find_or_make_client(club_id=slot.club_id, **who)
