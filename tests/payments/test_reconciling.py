"""Our books beside the bank's: what was never told is found, strangers are listed, nothing is applied twice."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command

from bookings import services as services_of_bookings
from bookings.audit import RULES, broken
from bookings.models import Booking
from palms.clock import now_utc
from palms.models import Intent
from payments import services
from payments.models import Payment, ProviderAccount, Reconciliation, Refund
from payments.tasks import reconcile
from tests.bank import Bank
from tests.play import booked, offer, payment_of, run_all, staff, take
from tests.races.crowd import Holder
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


def test_a_refund_made_by_people_is_found_by_its_own_day_however_old_its_payment_is(bank: Bank) -> None:
    booking = booked(offer(), bank)
    payment = booking.payments.get()
    with time_machine.travel(booking.date_from + timedelta(minutes=1)):
        services_of_bookings.close(booking_id=booking.pk, actor=staff(booking.slot), outcome="SHOWN")
        run_all()
    with time_machine.travel(now_utc() + timedelta(days=10)):
        bank.advance(10 * 86_400)
        run_all()  # nobody watches it any more
        bank.refund_in_cabinet(payment.provider_payment_id, 50_000)
        for _ in range(2):
            assert differences() == []
        assert list(Refund.objects.values_list("amount", "state")) == [(50_000, "DONE")]


def test_a_payment_that_the_bank_does_not_know_is_missing(bank: Bank) -> None:
    payment_of(take(offer()))
    bank.reset()
    assert differences() == ["not known to the provider"]


def test_two_clubs_of_one_shop_do_not_see_each_others_payments(bank: Bank) -> None:
    now = now_utc()
    payments = [payment_of(take(offer())) for _ in range(2)]
    for payment in payments:
        rows = services.compare(account_id=payment.account_id, since=now - timedelta(hours=1), until=now_utc())
        assert [(row.ours, row.kind) for row in rows] == [(payment.pk, "same")]


def test_a_bank_that_does_not_answer_keeps_no_other_account_waiting(bank: Bank) -> None:
    take(offer())
    payment = payment_of(take(offer()))
    bank.pay(payment.provider_payment_id)
    bank.fault(on="list", kind="error_after", times=1)
    assert [reconcile(), reconcile()] == [2, 0]  # once an hour
    run_all()
    assert Booking.objects.get(payments=payment).status == "CONFIRMED"
    bank.fault(on="list", kind="error_after", times=1)
    out = StringIO()
    with pytest.raises(CommandError, match="not compared"):
        call_command("reconcile", stdout=out)
    assert out.getvalue().count("0 differences") == 1


def test_with_no_worker_at_all_a_sweep_compares_too_whatever_else_it_stumbles_on(bank: Bank) -> None:
    request = Booking.objects.get(token=take(offer(area__mode="request")).token)
    payment = payment_of(take(offer()))
    bank.pay(payment.provider_payment_id)
    Intent.objects.filter(kind="payments.watch").update(due_at=now_utc() + timedelta(days=9))
    with (
        time_machine.travel(request.expires_at),
        Holder(lambda: Booking.objects.select_for_update().get(pk=request.pk)),
        pytest.raises(ExceptionGroup, match="could not be ended"),
    ):
        call_command("sweep", stdout=StringIO())
    assert Reconciliation.objects.count() == 2
    assert Payment.objects.get(pk=payment.pk).decision == "RETURN"


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


@pytest.mark.breaks_rules("no call to the outside is stuck")
def test_the_audit_is_silent_when_all_is_well_and_names_what_is_not(bank: Bank) -> None:
    booked(offer(), bank)
    out, said = StringIO(), StringIO()
    call_command("audit", stdout=out, stderr=said)
    assert (out.getvalue(), said.getvalue().strip()) == ("", f"{len(RULES)} rules hold")
    sql("UPDATE palms_intent SET attempts = 11 WHERE state = 'OPEN'")
    with pytest.raises(CommandError):
        call_command("audit", stdout=out)
    assert "BROKEN: no call to the outside is stuck" in out.getvalue()
