"""What a provider showed becomes our row. Statuses come from its answers only, and never move back."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q

from palms.models import Intent
from palms.text import storable
from payments.models import Decision, Payment, Refund
from payments.providers.base import PaymentSeen, RefundSeen, Seen, SeenRefund
from payments.rules import HOLD_LIFE, Step, has_money, is_strange
from payments.services.deciding import decide_return, lane_of
from payments.targets import Sighting

log = logging.getLogger(__name__)
S = Payment.Status
NOT_BELIEVED = "not believed"


def lock_payments(
    *, ids: Iterable[int] = (), booking_ids: Iterable[int] = (), fees_of: Iterable[int] = ()
) -> list[Payment]:
    """Lock payments, by id: these, those of these bookings, and those of the fees of these bookings.

    After areas, instructors and slots; before bookings.
    """
    mine = Q(pk__in=list(ids)) | Q(booking_id__in=list(booking_ids)) | Q(overdue_id__in=list(fees_of))
    return list(Payment.objects.select_for_update(of=("self",)).select_related("account").filter(mine).order_by("pk"))


def record(payment: Payment, seen: Sighting, *, now: datetime) -> bool:
    """Write onto a locked payment what was seen. Returns False where the answer cannot be about it: nothing changed.

    Money on a payment that had ended reopens it, only to go back.
    """
    strange = is_strange(payment, seen.payment)
    if strange:
        log.error("payment %s: an answer about %s is not believed", payment.pk, strange)
        payment.trouble = f"{NOT_BELIEVED}: {strange}"
        payment.save(update_fields=["trouble"])
        return False
    fields = _copy(payment, seen.payment)
    fields += _move(payment, seen, now)
    payment.save(update_fields=fields)
    for refund in seen.refunds:
        _record_refund(payment, refund, now)
    return True


def _copy(payment: Payment, seen: PaymentSeen) -> list[str]:
    payment.provider_payment_id = seen.id
    payment.provider_status, payment.payment_method = seen.provider_status[:40], seen.method[:40]
    payment.provider_data = storable(seen.raw)
    payment.confirmation_url = seen.confirmation_url or payment.confirmation_url
    payment.hold_expires_at = seen.hold_expires_at or payment.hold_expires_at
    if payment.trouble.startswith(NOT_BELIEVED):
        payment.trouble = ""  # this answer is about it
    return [
        "trouble", "provider_payment_id", "provider_status", "payment_method", "provider_data", "confirmation_url",
        "hold_expires_at",
    ]  # fmt: skip


def _move(payment: Payment, seen: Sighting, now: datetime) -> list[str]:
    shown = seen.payment
    if has_money(shown) and payment.status in (S.VOIDED, S.FAILED) and payment.decision != Decision.RETURN:
        decide_return(payment, cause="late")
    if shown.status is Seen.HELD and payment.status in (
        S.PENDING,
        S.FAILED,
    ):  # after VOIDED it can only be an old answer
        payment.authorize()
        payment.hold_expires_at = payment.hold_expires_at or now + HOLD_LIFE  # not told: no hold lives longer
        return ["status", "hold_expires_at"]
    elif shown.status is Seen.TAKEN and payment.status != S.CAPTURED:
        taken = _taken(payment, seen)
        if taken is None:
            return []
        payment.capture(captured=taken, at=shown.captured_at or now)
        return ["status", "captured", "captured_at"]
    elif shown.status is Seen.CANCELED and payment.status == S.AUTHORIZED:
        payment.void()
    elif shown.status is Seen.CANCELED and payment.status == S.PENDING:
        payment.fail()
        payment.decision_reason = payment.decision_reason or shown.cancel_reason[:40]
        return ["status", "decision_reason"]
    return ["status"]


def _taken(payment: Payment, seen: Sighting) -> int | None:
    """Return how much was taken, or None where only our own capture's outcome can tell.

    A provider may go on showing the original amount after a partial capture. So where we asked for less, what counts is
    whether our call was accepted; if it was refused, somebody else took what is shown.
    """
    shown = min(seen.payment.taken, payment.amount)
    if seen.taken_by_us is not None:
        return min(shown, seen.taken_by_us)
    if seen.refused or payment.status != S.AUTHORIZED:
        return shown
    ours = Intent.objects.filter(
        lane=lane_of(payment), kind=Step.CAPTURE, state=Intent.State.OPEN, attempts__gt=0
    ).first()
    return None if ours is not None and int(ours.payload["amount"]) < shown else shown


def _record_refund(payment: Payment, seen: RefundSeen, now: datetime) -> None:
    """Ours is known by the id in its metadata; a stranger's (made in the provider's cabinet) counts once, by its own."""
    ours = Refund.objects.filter(payment=payment).filter(Q(pk=seen.our_id) | Q(provider_refund_id=seen.id)).first()
    if ours is None:
        if seen.status is SeenRefund.DONE:
            _record_strangers_refund(payment, seen, now)
        return
    if ours.state == Refund.State.REFUSED and seen.status is SeenRefund.DONE:
        _record_strangers_refund(payment, seen, now)  # we had given it up, and it happened
        return
    if ours.state != Refund.State.INTENDED:
        return
    ours.provider_refund_id = seen.id
    if seen.status is SeenRefund.DONE:
        ours.state, ours.finished_at = Refund.State.DONE, now
    elif seen.status is SeenRefund.REFUSED:
        refuse_refund(payment, ours, reason=seen.reason, now=now)
        return
    ours.save(update_fields=["provider_refund_id", "state", "finished_at"])


def _record_strangers_refund(payment: Payment, seen: RefundSeen, now: datetime) -> None:
    room = payment.captured - payment.refunded
    for intended in Refund.objects.filter(payment=payment, state=Refund.State.INTENDED, provider_refund_id=None):
        if (
            seen.amount.amount > room
        ):  # the provider has no room for ours any more: it cannot have happened, nor will it
            refuse_refund(payment, intended, reason="returned in the provider's cabinet", now=now)
            room = payment.captured - payment.refunded
    amount = min(seen.amount.amount, room)
    if amount <= 0:
        return
    Refund.objects.create(
        club_id=payment.club_id, payment=payment, account_id=payment.account_id, cause=f"provider:{seen.id}",
        amount=amount, state=Refund.State.DONE, provider_refund_id=seen.id, finished_at=now,
    )  # fmt: skip
    payment.refunded += amount


def refuse_refund(payment: Payment, refund: Refund, *, reason: str, now: datetime) -> None:
    """Close a refund that the provider will not make; the next try is a new row with a new key."""
    refund.state, refund.finished_at, refund.reason = Refund.State.REFUSED, now, reason[:200]
    refund.save(update_fields=["state", "finished_at", "reason", "provider_refund_id"])
    payment.refunded -= refund.amount
