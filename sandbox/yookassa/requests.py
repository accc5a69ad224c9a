"""What the API accepts, as plain values. Every function raises ApiError for anything the facts do not allow."""

import ipaddress
from dataclasses import dataclass
from typing import Any

from sandbox.web import Json
from sandbox.yookassa import fields
from sandbox.yookassa.errors import invalid
from sandbox.yookassa.receipts import read_receipt
from sandbox.yookassa.shops import Shop

CARD_LIMITS = (100, 35_000_000)  # 1 to 350,000 RUB in kopecks
PAYMENT_FIELDS = {
    "amount", "capture", "confirmation", "description", "metadata", "merchant_customer_id", "payment_method_data",
    "client_ip", "receipt", "save_payment_method",
}  # fmt: skip
NOT_PLAYED = {
    "payment_token", "payment_method_id", "save_payment_method", "transfers", "deal", "airline", "receiver", "statements",
    "payment_order", "pos_link", "recipient", "fraud_data", "merchant_order_id", "sources", "refund_method_data",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class NewPayment:
    amount: int
    capture: bool
    confirmed_by_redirect: bool
    return_url: str | None
    description: str | None
    metadata: dict[str, str] | None
    merchant_customer_id: str | None
    receipt: Json | None


@dataclass(frozen=True, slots=True)
class NewRefund:
    payment_id: str
    amount: int
    description: str | None
    metadata: dict[str, str] | None
    receipt: Json | None


def read_payment(body: Json, shop: Shop) -> NewPayment:
    fields.only(body, PAYMENT_FIELDS, NOT_PLAYED)
    amount = fields.amount(body, "amount", shop.currency)
    if not CARD_LIMITS[0] <= amount <= CARD_LIMITS[1]:
        raise invalid("amount.value", "Incorrect value of amount.value: a card payment is 1.00 to 350000.00")
    _check_method(body)
    _check_client_ip(body)
    return NewPayment(
        amount=amount,
        capture=fields.boolean(body, "capture", False),
        confirmed_by_redirect=body.get("confirmation") is not None,
        return_url=_read_confirmation(body),
        description=fields.text(body, "description", 128),
        metadata=fields.metadata(body),
        merchant_customer_id=fields.text(body, "merchant_customer_id", 200),
        receipt=read_receipt(body, amount, shop.currency, demanded=bool(shop.receipts)),
    )


def _read_confirmation(body: Json) -> str | None:
    confirmation = fields.mapping(body, "confirmation")
    if confirmation is None:
        return None
    if confirmation.get("type") != "redirect":
        raise invalid("confirmation.type", "Incorrect value of confirmation.type: this shop can only redirect")
    fields.only(confirmation, {"type", "return_url", "locale", "enforce"}, path="confirmation.")
    fields.one_of(confirmation, "locale", ("ru_RU", "en_US"), path="confirmation.")
    fields.boolean(confirmation, "enforce", False, path="confirmation.")
    return fields.web_address(confirmation, "return_url", path="confirmation.")


def _check_method(body: Json) -> None:
    method = fields.mapping(body, "payment_method_data")
    if method is None:
        return
    if method.get("type") != "bank_card":
        raise invalid(
            "payment_method_data.type", "Incorrect value of payment_method_data.type: this shop accepts bank_card"
        )
    fields.only(method, {"type"}, {"card"}, path="payment_method_data.")


def _check_client_ip(body: Json) -> None:
    address = fields.text(body, "client_ip", 64)
    if address is None:
        return
    try:
        ipaddress.ip_address(address)
    except ValueError as problem:
        raise invalid("client_ip", "Incorrect value of client_ip") from problem


def read_capture(body: Json, shop: Shop, held: int) -> tuple[int, Json | None]:
    """Return what to capture, and its receipt. An empty body is everything that is held."""
    fields.only(body, {"amount", "receipt"}, NOT_PLAYED)
    amount = fields.positive_amount(body, "amount", shop.currency) if body.get("amount") is not None else held
    if amount > held:
        raise invalid("amount", "Incorrect value of amount: it is above the held amount")
    return amount, read_receipt(body, amount, shop.currency, demanded=bool(shop.receipts) and amount < held)


def read_cancel(body: Json) -> None:
    fields.only(body, set())


def read_refund(body: Json, shop: Shop) -> NewRefund:
    fields.only(body, {"payment_id", "amount", "description", "receipt", "metadata"}, NOT_PLAYED)
    payment_id: Any = body.get("payment_id")
    if not isinstance(payment_id, str) or len(payment_id) != 36:
        raise invalid("payment_id", "Incorrect value of payment_id: a string of 36 characters is expected")
    amount = fields.positive_amount(body, "amount", shop.currency)
    return NewRefund(
        payment_id=payment_id,
        amount=amount,
        description=fields.text(body, "description", 250),
        metadata=fields.metadata(body),
        receipt=read_receipt(body, amount, shop.currency, demanded=False),
    )
