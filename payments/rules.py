"""What follows from a payment's own row: whether an answer is about it, what stands, what must happen next."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from payments.providers.base import PaymentSeen, Seen

if TYPE_CHECKING:
    from payments.models import Payment

HOLD_LIFE = timedelta(days=7)  # of a card hold; the exact moment is the provider's `expires_at`
SAFETY = timedelta(days=1)  # a hold is not trusted in its last day


class Step(StrEnum):
    """The next call that a payment needs, if any."""

    CAPTURE = "payments.capture"
    VOID = "payments.void"
    REFUND = "payments.refund"


def fits_two_stages(*, visit_ends: datetime, now: datetime) -> bool:
    """Whether a hold made now outlives the visit, so that money can be taken at the visit instead of at checkout."""
    return visit_ends <= now + HOLD_LIFE - SAFETY


def next_step(payment: Payment, now: datetime) -> Step | None:
    """Return what the provider must be asked to do, whatever order things arrived in. Source: domain section 5."""
    if payment.keep is None or payment.account_id is None:
        return None
    if payment.status == "AUTHORIZED":
        if payment.keep == 0:
            return Step.VOID
        return Step.CAPTURE if capture_is_due(payment, now) else None
    if payment.status == "CAPTURED" and payment.captured - payment.refunded > payment.keep:
        return Step.REFUND
    return None


def is_owed_on_site(payment: Payment) -> bool:
    """Whether the club took more on site than it keeps, and owes the rest to the customer."""
    taken = payment.account_id is None and payment.status == "CAPTURED" and payment.keep is not None
    return taken and payment.captured - payment.refunded > (payment.keep or 0)


def is_uncollected(payment: Payment) -> bool:
    """Whether the club was to keep some of a payment whose money is gone."""
    return payment.decision == "USED" and bool(payment.keep) and payment.status in ("VOIDED", "FAILED")


def still_there(payment: Payment) -> int:
    """Return how much money of a payment is there now, returns under way counted as returned."""
    if payment.status == "AUTHORIZED":
        return payment.amount
    return payment.captured - payment.refunded if payment.status == "CAPTURED" else 0


def capture_is_due(payment: Payment, now: datetime) -> bool:
    """Whether the visit asked for it, or the hold is in its last day."""
    if payment.capture_at is not None and payment.capture_at <= now:
        return True
    if payment.booking is None or payment.booking.expires_at is not None:
        return False  # a request is not approved yet: its money may be held, never taken
    return payment.hold_expires_at is not None and payment.hold_expires_at - SAFETY <= now


def must_be_taken_at_once(payment: Payment, *, visit_ends: datetime) -> bool:
    """Whether the hold would die before the visit is over and closed."""
    return payment.hold_expires_at is not None and payment.hold_expires_at - SAFETY <= visit_ends


def is_strange(payment: Payment, seen: PaymentSeen) -> str:
    """Return why an answer cannot be about this payment at all, or an empty string. Such an answer is not believed."""
    account_id = payment.account.account_id if payment.account else ""
    if payment.provider_payment_id and seen.id != payment.provider_payment_id:
        return "another payment's id"
    if seen.account_id and seen.account_id != account_id:
        return "another shop"
    if seen.token != payment.token and (seen.token or not payment.provider_payment_id):
        return "another order"
    return ""


def mismatch(payment: Payment, seen: PaymentSeen, *, is_test: bool) -> str:
    """Return how the money differs from what was asked for, or an empty string. Such money never buys anything."""
    if seen.amount.currency != payment.currency:
        return "currency"
    if seen.amount.amount != payment.amount:
        return "amount"
    if seen.is_test != is_test:
        return "test"
    return ""


def has_money(seen: PaymentSeen) -> bool:
    return seen.status in (Seen.HELD, Seen.TAKEN)
