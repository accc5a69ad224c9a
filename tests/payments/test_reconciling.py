"""Our books beside the bank's: what was never told is found, strangers are listed, nothing is applied twice."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from bookings.audit import RULES, broken
from bookings.models import Booking
from palms.clock import now_utc
from payments import services
from payments.models import Payment, ProviderAccount, Refund
from tests.bank import Bank
from tests.play import booked, offer, payment_of, run_all, take
from tests.raw import sql

pytestmark = pytest.mark.django_db(transaction=True)


def differences() -> list[str]:
    now = now_utc()
    account = ProviderAccount.objects.get()
    found = services.reconcile(account_id=account.pk, since=now - timedelta(hours=1), until=now + timedelta(minutes=5))
    return [difference.what for difference in found]


def test_a_payment_that_nobody_told_us_of_is_confirmed(bank: Bank) -> None:
    payment = payment_of(take(offer()))
    bank.pay(payment.provider_payment_id)
    assert differences() == []
    assert Booking.objects.get().status == "CONFIRMED"


def test_a_page_whose_answer_was_lost_is_found_by_the_list(bank: Bank) -> None:
    bank.fault(on="create", kind="drop_after")
    take(offer())
    (thing,) = bank.state()["payments"]
    bank.pay(thing["object"]["id"])
    assert differences() == []
    assert Booking.objects.get().status == "CONFIRMED"


def test_a_refund_made_by_people_is_recorded_once(bank: Bank) -> None:
    booking = booked(offer(start=now_utc() + timedelta(days=20)), bank)
    bank.refund_in_cabinet(booking.payments.get().provider_payment_id, 50_000)
    for _ in range(2):
        assert differences() == []
        run_all()
    returned = Refund.objects.filter(state="DONE").values_list("amount", flat=True)
    assert sorted(returned) == [50_000, 100_000]  # theirs, and ours of the rest
    assert Booking.objects.get().reason == "payment_lost"
    assert broken() == {}


def test_a_strangers_payment_is_listed_and_left_alone(bank: Bank) -> None:
    offer()
    body = {
        "amount": {"value": "10.00", "currency": "RUB"}, "capture": True,
        "confirmation": {"type": "redirect", "return_url": "https://example.com"},
    }  # fmt: skip
    assert bank.api("POST", "/payments", body, key="stranger").status_code == 200
    assert differences() == ["unknown to Palms: pending 1000 RUB"]
    assert not Payment.objects.exists()


def test_the_command_lists_what_differs(bank: Bank) -> None:
    take(offer())
    out = StringIO()
    call_command("reconcile", stdout=out)
    assert "0 differences" in out.getvalue()


def test_the_audit_is_silent_when_all_is_well_and_names_what_is_not(bank: Bank) -> None:
    booked(offer(), bank)
    out, said = StringIO(), StringIO()
    call_command("audit", stdout=out, stderr=said)
    assert (out.getvalue(), said.getvalue().strip()) == ("", f"{len(RULES)} rules hold")
    sql("UPDATE palms_intent SET attempts = 11 WHERE state = 'OPEN'")
    with pytest.raises(CommandError):
        call_command("audit", stdout=out)
    assert "BROKEN: no call to the outside is stuck" in out.getvalue()
