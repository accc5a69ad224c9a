"""One decision per payment, one target for its money; what the provider must do follows from the two."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from palms import intents
from palms.models import Intent
from payments import rules
from payments.models import Decision, Payment, Refund

WATCH = "payments.watch"


def decide_used(payment: Payment, *, booking_id: int | None, keep: int | None = None) -> None:
    """Let a locked payment serve a booking: in full, or with `keep` of it; then the rest goes back.

    Without a booking it pays the fee for staying that it was made for.
    """
    payment.decision, payment.keep, payment.booking_id = Decision.USED, payment.amount, booking_id
    if keep is not None and keep < payment.amount:
        payment.keep, payment.decision_reason = keep, "surplus"
    payment.save(update_fields=["decision", "keep", "booking", "decision_reason"])


def take_before_the_hold_dies(payments: Iterable[Payment], *, visit_ends: datetime, now: datetime) -> None:
    """Have the money of a confirmed booking's locked payments taken at once where a hold would die before the visit ends."""
    for payment in payments:
        used = payment.decision == Decision.USED and payment.two_stage and payment.capture_at is None
        if used and rules.must_be_taken_at_once(payment, visit_ends=visit_ends):
            payment.capture_at = now
            payment.save(update_fields=["capture_at"])
            derive(payment, now=now)


def decide_return(payment: Payment, *, cause: str) -> None:
    """Send everything of a locked payment back, now or whenever it comes. Final."""
    payment.decision, payment.keep, payment.decision_reason = Decision.RETURN, 0, cause
    payment.save(update_fields=["decision", "keep", "decision_reason"])


def keep_only(payment: Payment, amount: int, *, cause: str, now: datetime, take: bool = False) -> None:
    """Lower what the club keeps of a locked USED payment; never raises it. `take`: the rest is captured at once."""
    if payment.keep is None:
        return
    payment.keep, payment.decision_reason = min(payment.keep, amount), cause
    if take and payment.keep and payment.capture_at is None:
        payment.capture_at = now
    payment.save(update_fields=["keep", "decision_reason", "capture_at"])
    derive(payment, now=now)


def give_back(payments: Iterable[Payment], *, keep: int, cause: str, now: datetime) -> int:
    """Send back all money of these locked payments but `keep` in total; returns how much goes back.

    The oldest payments keep first. A payment that nobody has paid yet is left: its money goes back if it ever comes.
    """
    returned = 0
    for payment in payments:
        if payment.decision is None:
            continue
        stands = standing(payment)
        kept = min(keep, stands)
        keep -= kept
        returned += stands - kept
        keep_only(payment, kept, cause=cause, now=now, take=kept > 0)
    return returned


def keep_at_most(payments: Iterable[Payment], total: int, *, cause: str, now: datetime) -> None:
    """Lower what these locked payments stand for to `total` together: the rest goes back, and nothing is taken earlier.

    The oldest payments keep first.
    """
    for payment in payments:
        stands = standing(payment)
        kept = min(total, stands)
        total -= kept
        if kept < stands:
            keep_only(payment, kept, cause=cause, now=now)


def uncollected(payments: Iterable[Payment]) -> int:
    """Return what these payments were to leave with the club and never will: the hold had died when it was to be taken."""
    return sum(payment.keep or 0 for payment in payments if rules.is_uncollected(payment))


def collected_otherwise(payments: Iterable[Payment], *, now: datetime) -> str:
    """Expect nothing of locked uncollected payments any more: it was paid in another way. Returns what it was kept for."""
    lost = [payment for payment in payments if rules.is_uncollected(payment)]
    cause = next((payment.decision_reason for payment in lost), "")
    for payment in lost:
        keep_only(payment, 0, cause="collected", now=now)
    return cause


def standing(payment: Payment) -> int:
    """Return how much of a payment counts for its booking now: the generated column's formula."""
    if payment.decision != Decision.USED or payment.keep is None:
        return 0
    if payment.status == Payment.Status.AUTHORIZED:
        return payment.keep
    if payment.status == Payment.Status.CAPTURED:
        return min(payment.keep, payment.captured - payment.refunded)
    return 0


def derive(payment: Payment, *, now: datetime) -> Intent | None:
    """Plan the call that a locked payment needs next, unless one is under way: then its outcome asks again.

    Run until the provider agrees; run again: nothing. Source: domain section 5.
    """
    if rules.is_owed_on_site(payment):
        _intend_refund(payment)  # people hand it back; until they say so it stands among what is owed
        return None
    step = rules.next_step(payment, now)
    if step is None or intents.is_open(lane_of(payment)):
        return None
    payload: dict[str, object] = {}
    if step is rules.Step.CAPTURE:
        payload["amount"] = payment.keep
    if step is rules.Step.REFUND:
        payload["refund_id"] = _intend_refund(payment).pk
    return intents.plan(
        club_id=payment.club_id, kind=step, lane=lane_of(payment), subject_id=payment.pk, now=now,
        due_at=_after_refusals(payment, step, now), **payload,
    )  # fmt: skip


def lane_of(payment: Payment) -> str:
    """One open call about the money of one payment."""
    return f"payment:{payment.pk}"


def _after_refusals(payment: Payment, step: rules.Step, now: datetime) -> datetime | None:
    """Return when to try again what the provider has refused before: ever later, up to a day. None: at once."""
    refused = Intent.objects.filter(
        club_id=payment.club_id, kind=step, subject_id=payment.pk, state=Intent.State.REFUSED
    ).count()
    return now + min(timedelta(minutes=1) * 2 ** min(refused, 10), timedelta(days=1)) if refused else None


def _intend_refund(payment: Payment) -> Refund:
    amount = payment.captured - payment.refunded - (payment.keep or 0)
    cause = payment.decision_reason or "return"
    before = Refund.objects.filter(payment=payment, cause__startswith=cause).exclude(state="REFUSED").count()
    refund = Refund.objects.create(
        club_id=payment.club_id, payment=payment, account_id=payment.account_id, amount=amount,
        cause=f"{cause}:{before + 1}" if before else cause,
    )  # fmt: skip
    payment.refunded += amount  # the trigger did it in the table
    return refund
