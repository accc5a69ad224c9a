"""Notifications late, repeated, reordered, forged and mismatched: what we believe, and where the money ends at the bank."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser

from bookings import services
from bookings.models import Booking
from palms import intents
from palms.clock import now_utc
from palms.models import Intent
from payments.models import Payment, ProviderEvent
from slots.models import Claim
from tests.bank import Bank
from tests.play import booked, customer, offer, payment_of, run_all, staff, take

pytestmark = pytest.mark.django_db(transaction=True)
HOOK = "/api/v1/payments/yookassa/webhook"


def tell(event: str, thing: dict[str, Any]) -> int:
    body = {"type": "notification", "event": event, "object": thing}
    return Browser().post(HOOK, json.dumps(body), content_type="application/json").status_code


def paid(bank: Bank, **changes: Any) -> tuple[Payment, dict[str, Any]]:
    """Return a payment that its payer has paid, unknown to us yet, and the bank's object."""
    payment = payment_of(take(offer(**changes)))
    return payment, bank.pay(payment.provider_payment_id)


def test_a_notification_confirms_the_booking(bank: Bank) -> None:
    payment, thing = paid(bank)
    assert tell("payment.waiting_for_capture", thing) == 200
    assert Booking.objects.get().status == "CONFIRMED"
    assert ProviderEvent.objects.get().applied_at is not None


def test_the_banks_own_delivery_is_understood(bank: Bank, live_server: Any) -> None:
    payment = payment_of(take(offer()))
    bank.notify_url = live_server.url + HOOK
    bank.pay(payment.provider_payment_id)
    for _ in range(100):
        if Booking.objects.exists():
            break
        import time

        time.sleep(0.1)
    assert Booking.objects.get().status == "CONFIRMED"


def test_a_repeat_changes_nothing(bank: Bank) -> None:
    payment, thing = paid(bank)
    for _ in range(3):
        assert tell("payment.waiting_for_capture", thing) == 200
    assert Booking.objects.count() == 1
    assert ProviderEvent.objects.get().times == 3
    assert bank.effects(payment.provider_payment_id) == [("held", 150_000)]


def test_reordered_notifications_end_the_same(bank: Bank) -> None:
    payment, held = paid(bank)
    tell("payment.waiting_for_capture", held)
    booking = Booking.objects.get()
    services.cancel_by_club(booking_id=booking.pk, actor=staff(booking.slot), reason="rain")
    run_all()
    assert bank.money(payment.provider_payment_id)["held"] == 0
    canceled = bank.payment(payment.provider_payment_id)["object"]
    assert tell("payment.canceled", canceled) == 200
    assert tell("payment.waiting_for_capture", held) == 200  # an old one, after the end
    run_all()
    assert Payment.objects.get().status == "VOIDED"
    assert bank.effects(payment.provider_payment_id) == [("held", 150_000), ("voided", 150_000)]


def test_a_late_notification_sends_the_money_back(bank: Bank) -> None:
    payment, thing = paid(bank)
    with time_machine.travel(now_utc() + timedelta(minutes=6)):
        assert tell("payment.waiting_for_capture", thing) == 200
        run_all()
    assert not Booking.objects.exists()
    assert not Claim.objects.exists()
    assert bank.effects(payment.provider_payment_id) == [("held", 150_000), ("voided", 150_000)]


def test_a_forged_success_of_an_unpaid_payment_confirms_nothing(bank: Bank) -> None:
    payment = payment_of(take(offer()))
    thing = bank.payment(payment.provider_payment_id)["object"] | {"status": "succeeded", "paid": True}
    assert tell("payment.succeeded", thing) == 200
    assert not Booking.objects.exists()
    assert Payment.objects.get().status == "PENDING"


def test_a_body_that_lies_about_the_amount_is_not_believed(bank: Bank) -> None:
    payment, thing = paid(bank)
    assert tell("payment.waiting_for_capture", thing | {"amount": {"value": "1.00", "currency": "USD"}}) == 200
    assert Booking.objects.get().secured_amount == 150_000


def test_somebody_elses_paid_object_does_not_pay_ours(bank: Bank) -> None:
    ours = payment_of(take(offer()))
    _other, thing = paid(bank)
    thing["metadata"] = {"payment_token": ours.token}
    assert tell("payment.waiting_for_capture", thing | {"id": thing["id"]}) == 200
    ours.refresh_from_db(fields=["provider_payment_id", "decision"])
    assert ours.decision is None
    assert Booking.objects.get().payments.get().pk != ours.pk


def test_an_unknown_payment_is_stored_and_answered(bank: Bank) -> None:
    assert tell("payment.succeeded", {"id": "22e12f66-000f-5000-8000-18db351245c7", "status": "succeeded"}) == 200
    assert ProviderEvent.objects.get().payment_id is None
    assert not Intent.objects.exists()


@pytest.mark.parametrize(
    ("lie", "trouble"),
    [
        ({"amount": {"value": "1.00", "currency": "RUB"}}, "amount"),
        ({"amount": {"value": "1500.00", "currency": "USD"}}, "currency"),
        ({"test": False}, "test"),
    ],
)
def test_money_unlike_what_was_asked_for_never_confirms_and_goes_back(bank: Bank, lie: Any, trouble: str) -> None:
    payment, thing = paid(bank)
    bank.fault(on="get", kind="lie", times=1, set=lie)
    tell("payment.waiting_for_capture", thing)
    run_all()
    assert not Booking.objects.exists()
    payment = Payment.objects.get()
    assert trouble in payment.trouble
    assert (payment.decision, payment.status) == ("RETURN", "VOIDED")
    assert bank.effects(payment.provider_payment_id) == [("held", 150_000), ("voided", 150_000)]


def test_an_answer_about_another_shop_is_not_believed_at_all(bank: Bank) -> None:
    payment, thing = paid(bank)
    bank.fault(on="get", kind="lie", times=1, set={"recipient": {"account_id": "999", "gateway_id": "1"}})
    tell("payment.waiting_for_capture", thing)
    assert "another shop" in Payment.objects.get().trouble
    assert Payment.objects.get().decision is None
    services.look_again(token=payment.token)  # the truth, a moment later
    assert Booking.objects.get().status == "CONFIRMED"
    assert Payment.objects.get().trouble == ""


def test_an_answer_about_another_shop_ends_no_booking(bank: Bank) -> None:
    payment = booked(offer(), bank).payments.get()
    lie = {"recipient": {"account_id": "999", "gateway_id": "1"}, "status": "canceled"}
    bank.fault(on="get", kind="lie", times=1, set=lie)
    tell("payment.canceled", bank.payment(payment.provider_payment_id)["object"])
    assert "another shop" in Payment.objects.get().trouble
    assert Booking.objects.get().status == "CONFIRMED"
    with time_machine.travel(now_utc() + timedelta(minutes=1)):
        run_all()  # the truth, a moment later
    assert Payment.objects.get().trouble == ""


def test_a_notification_before_our_create_was_answered(bank: Bank) -> None:
    bank.fault(on="create", kind="drop_after")
    payment = payment_of(take(offer()))
    assert payment.provider_payment_id is None
    (thing,) = [p["object"] for p in bank.state()["payments"]]
    tell("payment.waiting_for_capture", bank.pay(thing["id"]))
    assert Booking.objects.get().status == "CONFIRMED"
    with time_machine.travel(now_utc() + timedelta(minutes=2)):
        run_all()
    assert bank.effects(thing["id"]) == [("held", 150_000)]
    assert len(bank.state()["payments"]) == 1


def test_the_bank_is_silent_when_told_and_is_asked_again(bank: Bank) -> None:
    payment, thing = paid(bank)
    bank.fault(on="get", kind="error_before", times=2)
    assert tell("payment.waiting_for_capture", thing) == 200
    assert not Booking.objects.exists()
    with time_machine.travel(now_utc() + timedelta(seconds=30)):
        run_all()
        run_all()
    with time_machine.travel(now_utc() + timedelta(seconds=90)):
        run_all()
    assert Booking.objects.get().status == "CONFIRMED"


def test_a_lost_notification_costs_at_most_a_minute(bank: Bank) -> None:
    paid(bank)
    with time_machine.travel(now_utc() + timedelta(seconds=60)):
        run_all()
    assert Booking.objects.get().status == "CONFIRMED"


def test_a_payment_that_was_seen_is_not_looked_at_again_a_minute_later(bank: Bank) -> None:
    """After an outage of the workers each such look would stand in the way of calls that somebody waits for."""
    _payment, thing = paid(bank)
    tell("payment.waiting_for_capture", thing)
    seen = len(bank.calls("GET", "/payments/"))
    with time_machine.travel(now_utc() + timedelta(minutes=5)):
        run_all()
    assert len(bank.calls("GET", "/payments/")) == seen
    with time_machine.travel(now_utc() + timedelta(hours=7)):
        run_all()
    assert len(bank.calls("GET", "/payments/")) == seen + 1


def test_a_refund_made_by_people_at_the_bank_ends_the_booking_and_counts_once(bank: Bank) -> None:
    booking = booked(offer(start=now_utc() + timedelta(days=20)), bank)
    payment = booking.payments.get()
    refund = bank.refund_in_cabinet(payment.provider_payment_id)
    for _ in range(2):
        assert tell("refund.succeeded", refund) == 200
    run_all()
    booking = Booking.objects.get()
    assert (booking.status, booking.reason) == ("OTHER", "payment_lost")
    assert not Claim.objects.exists()
    payment.refresh_from_db(fields=["refunded"])
    assert payment.refunded == 150_000
    assert bank.money(payment.provider_payment_id)["refunded"] == 150_000


def test_a_hold_that_died_at_the_bank_ends_the_booking(bank: Bank) -> None:
    booking = booked(offer(), bank)
    payment = booking.payments.get()
    bank.expire(payment.provider_payment_id)
    tell("payment.canceled", bank.payment(payment.provider_payment_id)["object"])
    booking = Booking.objects.get()
    assert (booking.status, booking.reason) == ("OTHER", "payment_lost")
    assert Payment.objects.get().status == "VOIDED"


@pytest.mark.parametrize("fault", ["refund_canceled", "refund_pending"])
def test_a_refund_that_the_bank_delays_or_refuses_is_made_in_the_end_once(bank: Bank, fault: str) -> None:
    booking = booked(offer(start=now_utc() + timedelta(days=20)), bank)
    payment = booking.payments.get()
    bank.fault(on="refund", kind=fault, times=1)
    services.cancel_by_customer(booking_id=booking.pk, actor=customer(booking.client_id), reason="ill")
    run_all()
    bank.advance(7200)
    for hours in (1, 3, 30):
        with time_machine.travel(now_utc() + timedelta(hours=hours)):
            run_all()
    assert bank.money(payment.provider_payment_id)["refunded"] == 150_000
    assert Payment.objects.get().refunded == 150_000
    assert not Intent.objects.filter(state="OPEN", kind="payments.refund").exists()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"null", b"{", b'"text"', b"\xff\xfe", b"{}", b'{"type":"notification"}',
        b'{"type":"notification","event":"payment.succeeded","object":[]}',
        b'{"type":"notification","event":"payment.succeeded","object":{"id":5}}',
        b'{"type":"notification","event":"payment.succeeded","object":{"id":"a\\u0000b"}}',
        b'{"type":"notification","event":7,"object":{"id":"a"}}',
        b"[" * 5000,
    ],
)  # fmt: skip
def test_garbage_is_refused_and_nothing_is_written(bank: Bank, body: bytes) -> None:
    answer = Browser().post(HOOK, body, content_type="application/json")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert not ProviderEvent.objects.exists()


def test_odd_text_in_a_known_notification_is_stored(bank: Bank) -> None:
    payment, thing = paid(bank)
    assert tell("payment.waiting_for_capture", thing | {"description": "a\0b \ud800"}) == 200
    assert Booking.objects.get().status == "CONFIRMED"


def test_an_outside_call_inside_a_transaction_is_refused(bank: Bank) -> None:
    from django.db import transaction

    payment = payment_of(take(offer()))
    with transaction.atomic(), pytest.raises(RuntimeError):
        services.look_again(token=payment.token)
    assert intents.run_due() == 0
