"""Receipts (54-FZ): with an account that has them on, the bank gets the data of one with every call that moves money."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction

from bookings import services
from payments.errors import ProviderUnavailable
from payments.models import ProviderAccount
from slots.models import Slot
from tests.bank import Bank
from tests.factories import ProviderAccountFactory
from tests.play import booked, offer, run_all, staff, take

pytestmark = pytest.mark.django_db(transaction=True)
LINE = {"quantity": 1, "vat_code": 11, "measure": "piece", "payment_subject": "service", "payment_mode": "full_payment"}


@pytest.fixture
def strict(bank: Bank) -> Iterator[Bank]:
    """A shop that demands them."""
    bank.shop(receipts=True)
    yield bank
    bank.shop(receipts=False)


@pytest.fixture
def slot(strict: Bank) -> Slot:
    found = offer(price=150_000)
    found.club.provider_accounts.update(vat_code=11, tax_system=2)
    return found


def receipts(bank: Bank, path: str) -> list[Any]:
    return [json.loads(call["request"]).get("receipt") for call in bank.calls("POST", path)]


def test_a_payment_names_its_payer_and_what_it_is_for(slot: Slot, strict: Bank) -> None:
    booked(slot, strict)

    receipt = receipts(strict, "/payments")[0]
    assert receipt["customer"] == {"email": "anna@example.com", "phone": "79123456789"}
    assert receipt["tax_system_code"] == 2
    (line,) = receipt["items"]
    assert line.pop("description")
    assert line == LINE | {"amount": {"value": "1500.00", "currency": "RUB"}}


def test_an_account_without_them_is_refused_where_the_shop_demands_them(slot: Slot, strict: Bank) -> None:
    slot.club.provider_accounts.update(vat_code=None, tax_system=None)

    with pytest.raises(ProviderUnavailable):
        take(slot)

    assert receipts(strict, "/payments") == [None]


def test_a_part_taken_and_a_part_returned_carry_receipts_of_their_own(slot: Slot, strict: Bank) -> None:
    booking = booked(slot, strict)
    with time_machine.travel(slot.date_from + timedelta(minutes=5)):
        services.close(booking_id=booking.pk, actor=staff(slot), outcome="NOT_SHOWN", charge=50_000)
        run_all()
        services.refund_part(booking_id=booking.pk, actor=staff(slot), amount=20_000, reason="rain")
        run_all()

    for path, value in (("/capture", "500.00"), ("/refunds", "200.00")):
        (receipt,) = receipts(strict, path)
        assert [line["amount"]["value"] for line in receipt["items"]] == [value]
        assert receipt["customer"]["phone"] == "79123456789"
    assert strict.money(booking.payments.get().provider_payment_id)["net"] == 30_000


def test_the_database_knows_the_codes(db: None) -> None:
    account = ProviderAccountFactory()
    wrong: list[dict[str, Any]] = [
        {"vat_code": 13}, {"vat_code": None, "tax_system": 1}, {"vat_code": 1, "tax_system": 4},
        {"vat_code": 1, "receipt_mode": "x"},
    ]  # fmt: skip
    for changes in wrong:
        with pytest.raises(IntegrityError, match="provideraccount_receipt_known"), transaction.atomic():
            ProviderAccount.objects.filter(pk=account.pk).update(**changes)
