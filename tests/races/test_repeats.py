"""A checkout sent a hundred times at once, over HTTP: one hold, one payment, one and the same checkout for everybody."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from bookings.models import BookingContact
from payments.models import Payment
from slots.models import Claim
from tests.bank import Bank
from tests.play import offer
from tests.races.crowd import at_once, phone

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("peace")]
REPEATS = 100
KEY = "d0d2ac4a-6a3e-4ef1-9c34-1d3cf1b8d9a5"


@pytest.fixture
def address(live_server: Any) -> str:
    live_server.thread.httpd.socket.listen(2 * REPEATS)  # Django's development server lets ten wait
    return f"{live_server.url}/api/v1/site/bookings"


def post(address: str, slot_id: int, *, key: str = KEY, number: int = 1, **more: Any) -> requests.Response:
    client = {"full_name": "Анна Петрова", "phone": phone(number), "email": "anna@example.com"}
    body = {"slot_id": slot_id, "client": client} | more
    return requests.post(address, json=body, headers={"Idempotency-Key": key}, timeout=60)


@pytest.mark.parametrize(("kind", "more"), [("individual", {}), ("group", {"participants_count": 3})])
def test_one_key_sent_a_hundred_times_is_one_hold(bank: Bank, address: str, kind: str, more: dict[str, int]) -> None:
    slot = offer(capacity=12, area__exclusive=False) if more else offer()
    answers = at_once([lambda: post(f"{address}/{kind}", slot.pk, **more)] * REPEATS)
    assert {answer.status_code for answer in answers} == {201}
    assert {answer.content for answer in answers} == {
        answers[0].content
    }  # who comes while the bank is asked waits for it
    assert answers[0].json()["payment_url"] == Payment.objects.get().confirmation_url
    assert Claim.objects.count() == more.get("participants_count", 1)
    assert BookingContact.objects.count() == len(bank.state()["payments"]) == len(bank.calls("POST", "/payments")) == 1


def test_repeats_after_the_first_answer_are_equal_to_the_letter(bank: Bank, address: str) -> None:
    slot = offer()
    first = post(f"{address}/individual", slot.pk)
    answers = at_once([lambda: post(f"{address}/individual", slot.pk)] * REPEATS)
    assert {(answer.status_code, answer.content) for answer in answers} == {(201, first.content)}
    assert Claim.objects.count() == Payment.objects.count() == len(bank.calls("POST", "/payments")) == 1


def test_one_key_for_two_courts_holds_one_of_them(bank: Bank, address: str) -> None:
    """Fifty ask for the one, fifty for the other: whoever came first has it, the others hear that the key is used."""
    first = offer()
    second = offer(club=first.club)
    slots = [first, second] * (REPEATS // 2)
    answers = at_once([lambda slot=slot: post(f"{address}/individual", slot.pk) for slot in slots])
    codes = {answer.status_code for answer in answers}
    assert codes == {201, 422}
    won = Payment.objects.get().snapshot["slot_id"]
    assert {slot.pk for slot, answer in zip(slots, answers, strict=True) if answer.status_code == 201} == {won}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 422} == {"idempotency_mismatch"}
    assert Claim.objects.count() == len(bank.calls("POST", "/payments")) == 1
