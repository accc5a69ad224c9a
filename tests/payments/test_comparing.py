"""A comparison with the bank that people ask for: one at a time, by a job, kept as it came out; it moves nothing twice."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from bookings.models import Booking
from palms import intents
from palms.errors import NotFound, NotPermitted
from palms.models import Intent
from payments import services as money
from payments.errors import ComparedAlready
from payments.models import Reconciliation
from tests.bank import Bank
from tests.play import booked, offer, payment_of, staff, take

pytestmark = pytest.mark.django_db(transaction=True)


def kinds(row: Reconciliation) -> list[tuple[Any, str]]:
    return [(one["ours"], one["kind"]) for one in row.rows]


def test_what_differs_comes_first_and_what_the_bank_knows_is_applied_once(bank: Bank) -> None:
    same = booked(offer(), bank).payments.get()
    untold = payment_of(take(offer(club=same.club)))
    bank.pay(untold.provider_payment_id)
    strange = {
        "amount": {"value": "7.00", "currency": "RUB"},
        "confirmation": {"type": "redirect", "return_url": "http://x.example"},
    }
    assert bank.api("POST", "/payments", strange, key="strange").status_code == 200
    actor = staff(offer(club=same.club))

    for _again in range(2):
        money.ask_to_compare(account_id=same.account_id, actor=actor)
        assert intents.run_due(kinds=["payments.compare"]) == 1

    row = Reconciliation.objects.order_by("pk").first()
    assert row is not None
    assert kinds(row)[0] == (None, "stranger")
    assert row.rows[0]["theirs"]["amount"] == 700
    assert (same.pk, "same") in kinds(row)
    assert (untold.pk, "same") in kinds(row)
    assert (row.compared, row.differing) == (3, 1)
    assert Booking.objects.get(payments=untold).status == "CONFIRMED"
    assert [name for name, _sum in bank.effects(untold.provider_payment_id)] == ["held"]


def test_it_is_asked_for_once_at_a_time_by_the_clubs_own(bank: Bank) -> None:
    payment = booked(offer(), bank).payments.get()
    own, stranger = staff(offer(club=payment.club)), staff(offer())
    with pytest.raises(NotPermitted):
        money.ask_to_compare(account_id=payment.account_id, actor=stranger)
    with pytest.raises(NotFound):
        money.ask_to_compare(account_id=0, actor=own)

    money.ask_to_compare(account_id=payment.account_id, actor=own)
    with pytest.raises(ComparedAlready):
        money.ask_to_compare(account_id=payment.account_id, actor=own)

    assert Intent.objects.filter(kind="payments.compare").count() == 1


def test_a_silent_bank_proves_nothing_and_is_asked_again(bank: Bank) -> None:
    payment = booked(offer(), bank).payments.get()
    bank.fault(on="list", kind="error_after")
    money.ask_to_compare(account_id=payment.account_id, actor=staff(offer(club=payment.club)))

    intents.run_due(kinds=["payments.compare"])

    assert Intent.objects.get(kind="payments.compare").last_error
    assert not Reconciliation.objects.exists()


def test_a_kept_comparison_never_changes(bank: Bank) -> None:
    payment = booked(offer(), bank).payments.get()
    money.keep(account_id=payment.account_id, since=payment.created_at, until=payment.booking.date_to, rows=[])
    for sql in ("UPDATE payments_reconciliation SET differing = 0", "DELETE FROM payments_reconciliation"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
