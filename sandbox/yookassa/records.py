"""Payments and refunds as rows, and as the objects YooKassa would send."""

from dataclasses import dataclass
from typing import Any

from sandbox.clock import iso
from sandbox.yookassa import money
from sandbox.yookassa.shops import Shop, find_shop
from sandbox.yookassa.work import Work, load

FINAL = ("succeeded", "canceled")
REFUND_YEARS = 3


@dataclass(frozen=True, slots=True)
class Payment:
    """A row of `payments`. `expires_at` ends the current state: the payer's hour while pending, then the hold."""

    seq: int
    id: str
    shop: str
    status: str
    amount: int
    currency: str
    capture: int
    captured: int
    refunded: int
    voided: int
    description: str | None
    metadata_json: str | None
    merchant_customer_id: str | None
    receipt_json: str | None
    return_url: str | None
    page_url: str
    created_at: int
    paid_at: int | None
    captured_at: int | None
    expires_at: int
    party: str | None
    reason: str | None
    method_json: str | None
    authorization_json: str | None

    @property
    def held(self) -> int:
        return self.amount if self.status == "waiting_for_capture" else 0


@dataclass(frozen=True, slots=True)
class Refund:
    seq: int
    id: str
    shop: str
    payment_id: str
    status: str
    amount: int
    currency: str
    description: str | None
    metadata_json: str | None
    receipt_json: str | None
    created_at: int
    settles_at: int | None
    settles_to: str | None
    party: str | None
    reason: str | None
    rrn: str
    made_by: str


def find_payment(work: Work, payment_id: str, shop: str | None = None) -> Payment | None:
    row = work.db.execute("SELECT * FROM payments WHERE id = ?", (payment_id,)).fetchone()
    return Payment(**row) if row and shop in (None, row["shop"]) else None


def get_payment(work: Work, payment_id: str) -> Payment:
    """A payment known to exist.

    Raises:
        LookupError: it does not.
    """
    payment = find_payment(work, payment_id)
    if payment is None:
        raise LookupError(payment_id)
    return payment


def find_refund(work: Work, refund_id: str, shop: str | None = None) -> Refund | None:
    row = work.db.execute("SELECT * FROM refunds WHERE id = ?", (refund_id,)).fetchone()
    return Refund(**row) if row and shop in (None, row["shop"]) else None


def shop_of(work: Work, row: Payment | Refund) -> Shop:
    shop = find_shop(work, row.shop)
    if shop is None:
        raise LookupError(row.shop)
    return shop


def refundable(work: Work, payment: Payment) -> int:
    """Minor units that may still be refunded; refunds under way count as spent."""
    row = work.db.execute(
        "SELECT coalesce(sum(amount), 0) FROM refunds WHERE payment_id = ? AND status = 'pending'", (payment.id,)
    ).fetchone()
    return payment.captured - payment.refunded - int(row[0])


def payment_object(work: Work, payment: Payment) -> dict[str, Any]:
    shop = shop_of(work, payment)
    shown = payment.captured if payment.captured and shop.partial_amount == "captured" else payment.amount
    found: dict[str, Any] = {
        "id": payment.id,
        "status": payment.status,
        "amount": money.wire(shown, payment.currency),
        "description": payment.description,
        "recipient": {"account_id": shop.id, "gateway_id": f"{int(shop.id) + 1}"},
        "payment_method": load(payment.method_json),
        "captured_at": iso(payment.captured_at) if payment.captured_at else None,
        "created_at": iso(payment.created_at),
        "expires_at": iso(payment.expires_at) if payment.status == "waiting_for_capture" else None,
        "confirmation": _confirmation(payment),
        "test": shop.test,
        "refunded_amount": money.wire(payment.refunded, payment.currency) if payment.refunded else None,
        "paid": payment.status in ("waiting_for_capture", "succeeded"),
        "refundable": payment.status == "succeeded" and refundable(work, payment) > 0,
        "receipt_registration": _receipt_registration(payment),
        "metadata": load(payment.metadata_json) or {},
        "cancellation_details": {"party": payment.party, "reason": payment.reason} if payment.reason else None,
        "authorization_details": load(payment.authorization_json),
        "merchant_customer_id": payment.merchant_customer_id,
        "income_amount": money.wire(payment.captured * 965 // 1000, payment.currency) if payment.captured else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _confirmation(payment: Payment) -> dict[str, str] | None:
    if payment.status != "pending" or payment.return_url is None:
        return None
    return {"type": "redirect", "return_url": payment.return_url, "confirmation_url": payment.page_url}


def _receipt_registration(payment: Payment) -> str | None:
    if payment.receipt_json is None:
        return None
    return payment.status if payment.status in FINAL else "pending"


def refund_object(refund: Refund) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": refund.id,
        "payment_id": refund.payment_id,
        "status": refund.status,
        "created_at": iso(refund.created_at),
        "amount": money.wire(refund.amount, refund.currency),
        "description": refund.description,
        "receipt_registration": refund.status if refund.receipt_json else None,
        "cancellation_details": {"party": refund.party, "reason": refund.reason}
        if refund.status == "canceled"
        else None,
        "refund_authorization_details": {"rrn": refund.rrn} if refund.status == "succeeded" else None,
        "metadata": load(refund.metadata_json),
    }
    return {name: value for name, value in found.items() if value is not None}
