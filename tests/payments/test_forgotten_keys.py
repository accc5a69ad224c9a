"""An unknown outcome that nobody has looked into for a day: the bank has forgotten our key, so we read and never repeat."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import time_machine

from bookings import services
from bookings.models import Booking
from palms.clock import now_utc
from payments.models import Payment, Refund
from slots.models import Claim
from tests.bank import Bank
from tests.play import booked, offer, payment_of, run_all, staff, take

pytestmark = pytest.mark.django_db(transaction=True)
FORGOTTEN = 25  # hours; a bank remembers a key for 24
PATHS = {"capture": "/capture", "cancel": "/cancel", "refund": "/refunds"}


def is_made(on: str, bank: Bank) -> None:
    """Bring about one call of this kind, with whatever the bank does to it."""
    two_stage = on != "refund"
    booking = booked(offer(start=now_utc() + timedelta(days=2 if two_stage else 20)), bank)
    if on == "capture":
        with time_machine.travel(booking.date_from):
            bank.advance(2 * 86_400)
            services.close(booking_id=booking.pk, actor=staff(booking.slot), outcome="NOT_SHOWN", charge=50_000)
            run_all()
        return
    services.cancel_by_club(booking_id=booking.pk, actor=staff(booking.slot), reason="rain")
    run_all()


def pass_by(bank: Bank, start: datetime, *hours: int) -> None:
    """Let nobody be there for the first of these spans; then all that is due is done, from span to span."""
    for span in hours:
        start += timedelta(hours=span)
        bank.advance(span * 3600)
        with time_machine.travel(start):
            run_all()


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
@pytest.mark.parametrize("on", PATHS)
def test_money_moves_once_though_the_key_is_forgotten(bank: Bank, on: str, kind: str) -> None:
    bank.fault(on=on, kind=kind)
    is_made(on, bank)
    assert len(bank.calls("POST", PATHS[on])) == 1
    start = Booking.objects.get().finished_at
    assert start is not None
    pass_by(bank, start, FORGOTTEN, 1, 6, 20)
    payment = Payment.objects.get()
    ends = {
        "capture": [("held", 150_000), ("captured", 50_000), ("voided", 100_000)],
        "cancel": [("held", 150_000), ("voided", 150_000)],
        "refund": [("captured", 150_000), ("refunded", 150_000)],
    }
    assert bank.effects(payment.provider_payment_id or "") == ends[on]
    keys = [call["idempotence_key"] for call in bank.calls("POST", PATHS[on])]
    assert len(keys) == len(set(keys)) == (1 if kind == "drop_after" else 2)  # what was not done is asked for anew
    assert set(Refund.objects.values_list("state", flat=True)) <= {"DONE", "REFUSED"}


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_a_page_is_looked_for_and_not_asked_for_again(bank: Bank, kind: str) -> None:
    bank.fault(on="create", kind=kind)
    payment = payment_of(take(offer(start=now_utc() + timedelta(days=3))))
    pass_by(bank, payment.created_at, FORGOTTEN, 1)
    assert len(bank.calls("POST", "/payments")) == 1
    payment = Payment.objects.get()
    assert payment.status == "FAILED"
    assert payment.decision_reason == ("never_created" if kind == "drop_before" else "expired_on_confirmation")
    assert not Claim.objects.exists()


def paid_unseen(bank: Bank) -> Payment:
    """A page whose answer was lost, that its payer found all the same; nobody has told us."""
    bank.fault(on="create", kind="drop_after")
    payment = payment_of(take(offer(start=now_utc() + timedelta(days=3))))
    bank.pay(bank.state()["payments"][0]["object"]["id"])
    return payment


def test_a_page_that_was_paid_meanwhile_gives_its_money_back(bank: Bank) -> None:
    payment = paid_unseen(bank)
    pass_by(bank, payment.created_at, FORGOTTEN, 1)
    payment = Payment.objects.get()
    assert (payment.decision, payment.status) == ("RETURN", "VOIDED")
    assert bank.effects(payment.provider_payment_id or "") == [("held", 150_000), ("voided", 150_000)]
