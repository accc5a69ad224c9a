"""The fee for staying past the end, under its booking's lock: opened, fixed, settled, dropped. Domain section 6."""

from __future__ import annotations

from datetime import datetime

from bookings import rules
from bookings.errors import OverdueUnpaid
from bookings.models import Booking, Overdue
from bookings.services.locking import Locked
from notifications import services as notifications
from payments import services as money
from payments.models import Decision

F = Overdue.State


def lock_fee(booking_id: int) -> Overdue | None:
    """Lock the fee of a booking that is locked already, if it has one."""
    return Overdue.objects.select_for_update(of=("self",)).filter(pk=booking_id).first()


def open_fee(booking: Booking, now: datetime) -> Overdue | None:
    """Return the locked fee of a locked booking; it begins to run where the guest stays and nobody has said so yet."""
    fee = lock_fee(booking.pk)
    terms = rules.fee_terms(booking) if rules.overstays(booking, now) else None
    if terms is None or not may_run(fee):
        return fee
    fee = _write(fee, booking, terms, amount=None)
    event = f"overdue_opened:{booking.version}"
    notifications.tell(club_id=booking.club_id, booking_id=booking.pk, event=event, now=now)
    return fee


def may_run(fee: Overdue | None) -> bool:
    """Whether a fee may begin: there was none, or it ended by itself."""
    return fee is None or (fee.state == F.WAIVED and fee.reason in rules.BY_ITSELF)


def leave_now(booking: Booking, left_at: datetime, now: datetime) -> Overdue | None:
    """Write that the guest of a locked CONFIRMED booking left, and what staying until then came to."""
    booking.left_at = left_at
    booking.save(update_fields=["left_at"])
    fee, terms = lock_fee(booking.pk), rules.fee_terms(booking)
    amount = rules.fee_at(terms, left_at) if terms else 0
    if terms is None or amount == 0:
        if fee is not None and rules.is_owed(fee):
            _waive(fee, "left_in_time", now)
        return fee
    return _write(fee, booking, terms, amount=amount) if may_run(fee) or rules.is_owed(fee) else fee


def _write(fee: Overdue | None, booking: Booking, terms: rules.FeeTerms, *, amount: int | None) -> Overdue:
    fee = fee or Overdue(
        booking=booking, club_id=booking.club_id, rate=terms.rate, cap=terms.cap, currency=booking.currency
    )
    fee.counts_from, fee.amount, fee.reason, fee.settled_at = terms.counts_from, amount, "", None
    fee.state = F.RUNNING if amount is None else F.DUE
    fee.save()
    return fee


def settle_stay(locked: Locked, *, force: bool, now: datetime) -> None:
    """Let a locked booking be completed as far as its fee is concerned; by force what is owed stays owed.

    Raises:
        OverdueUnpaid: the fee runs or waits for its payment.
    """
    booking = locked.booking
    fee = open_fee(booking, now)
    if fee is None or not rules.is_owed(fee):
        return
    if not force:
        raise OverdueUnpaid(amount=rules.fee_now(fee, now), currency=fee.currency)
    if fee.state == F.RUNNING:
        leave_now(booking, now, now)


def drop_fee(locked: Locked, *, reason: str, now: datetime, paid: bool = True) -> Overdue | None:
    """Waive the fee of a locked booking, if there is one. `paid`: also one that was paid; its money goes back."""
    fee = lock_fee(locked.booking.pk)
    if fee is None or not (rules.is_owed(fee) or (paid and fee.state == F.PAID)):
        return fee
    _waive(fee, reason, now)
    for payment in locked.fees:
        if payment.decision == Decision.USED and payment.keep:
            money.keep_only(payment, 0, cause="waived", now=now)
    return fee


def _waive(fee: Overdue, reason: str, now: datetime) -> None:
    fee.state, fee.reason, fee.settled_at = F.WAIVED, reason, now
    fee.save(update_fields=["state", "reason", "settled_at"])


def mark_paid(fee: Overdue, now: datetime) -> None:
    """Write that a locked fee is paid, by the one payment that the caller has just decided."""
    fee.state, fee.settled_at = F.PAID, now
    fee.save(update_fields=["state", "settled_at"])
