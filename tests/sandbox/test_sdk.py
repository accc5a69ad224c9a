"""The official SDK against the bank, through a client of its own as several shops need it."""

import uuid
from typing import Any

import pytest
from yookassa import Configuration, Payment, Refund
from yookassa.client import ApiClient
from yookassa.domain.exceptions import BadRequestError, NotFoundError, UnauthorizedError
from yookassa.domain.notification import WebhookNotificationFactory

from tests.bank import Bank
from tests.sandbox.conftest import PAYMENT, Ear

Shop = tuple[Any, Any]  # the SDK's Payment and Refund, bound to one shop; the SDK carries no types


@pytest.fixture
def sdk(bank: Bank) -> Shop:
    Configuration.configure("1", "unused")

    def client() -> ApiClient:
        made = ApiClient()
        made.endpoint, made.shop_id, made.shop_password = bank.api_url, bank.shop_id, bank.secret
        return made

    class OurPayment(Payment):  # type: ignore[misc]
        def __init__(self) -> None:
            self.client = client()

    class OurRefund(Refund):  # type: ignore[misc]
        def __init__(self) -> None:
            self.client = client()

    return OurPayment, OurRefund


def test_a_booking_paid_taken_in_part_and_refunded(bank: Bank, ear: Ear, sdk: Shop) -> None:
    payment, refund = sdk
    made = payment.create(dict(PAYMENT), "create-1")
    again = payment.create(PAYMENT | {"metadata": {"booking": "17"}}, "create-1")
    bank.pay_on_page(made.id)
    held = payment.find_one(made.id)
    taken = payment.capture(made.id, {"amount": {"value": "600.00", "currency": "RUB"}}, "capture-1")
    returned = refund.create({"payment_id": made.id, "amount": {"value": "100.00", "currency": "RUB"}}, "refund-1")

    assert made.confirmation.confirmation_url == f"{bank.url}/pay/{made.id}"
    assert again.id == made.id
    assert (held.status, held.paid, held.test, held.recipient.account_id) == (
        "waiting_for_capture",
        True,
        True,
        "100500",
    )
    assert (taken.status, str(taken.amount.value)) == ("succeeded", "600.00")
    assert (returned.status, returned.payment_id) == ("succeeded", made.id)
    assert refund.find_one(returned.id).id == returned.id
    assert [item.id for item in payment.list({"limit": 5}).items] == [made.id]
    assert [item.id for item in refund.list({"payment_id": made.id}).items] == [returned.id]
    ear.wait_for(3)
    told = WebhookNotificationFactory().create(next(body for body in ear.heard if body["event"] == "refund.succeeded"))
    assert told.object.payment_id == made.id


def test_a_cancel_without_a_body(bank: Bank, sdk: Shop) -> None:
    payment, _ = sdk
    made = payment.create(dict(PAYMENT), str(uuid.uuid4()))
    bank.pay(made.id)

    assert payment.cancel(made.id, "cancel-1").cancellation_details.reason == "canceled_by_merchant"


def test_refusals_are_the_sdks_exceptions(bank: Bank, sdk: Shop) -> None:
    payment, _ = sdk
    made = payment.create(dict(PAYMENT), "k")

    with pytest.raises(BadRequestError) as duplicated:
        payment.create(PAYMENT | {"description": "other"}, "k")
    with pytest.raises(BadRequestError):
        payment.capture(made.id, None, "c")
    with pytest.raises(NotFoundError):
        payment.find_one("x" * 36)
    assert duplicated.value.content["parameter"] == "Idempotence-Key"

    class Stranger(Payment):  # type: ignore[misc]
        def __init__(self) -> None:
            self.client = _stranger(bank)

    with pytest.raises(UnauthorizedError):
        Stranger.find_one(made.id)


def _stranger(bank: Bank) -> ApiClient:
    client = ApiClient()
    client.endpoint = bank.api_url
    return client
