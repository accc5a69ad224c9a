"""The only door through which money reaches a fee for staying. A fee is never paid by a booking's money, nor the reverse."""

from __future__ import annotations

from datetime import datetime

from bookings.models import Overdue
from bookings.services.fees import drop_fee, lock_fee, mark_paid
from bookings.services.locking import Locked, lock_money, lock_row
from notifications import services as notifications
from palms import points
from palms.actors import Actor, Kind, acting
from palms.clock import now_utc
from palms.errors import settle_constraints
from payments import rules as money_rules
from payments import services as money
from payments.models import Payment
from payments.targets import Close, Sighting

DOOR = points.commit("bookings.fee_door")  # itself only where no intent brings the money: in a reconciliation
STATUS = Payment.Status


def confirm_fee_payment(*, payment_id: int, seen: Sighting, close: Close) -> Payment:
    """Apply what the provider showed of a fee's payment, and decide once whether its money pays the fee or goes back.

    It pays a fee that is owed, when it is taken, in full and of exactly what is owed now. Anything else goes back: late,
    double, after a waiver, of another sum. `seen` was read outside any transaction. Source: domain sections 5 and 6.
    """
    with DOOR, acting(Actor(Kind.PROVIDER, through="provider")):
        booking_id = Payment.objects.values_list("overdue_id", flat=True).get(pk=payment_id)
        payments, fees = lock_money(booking_id or 0)
        payment = next(p for p in fees if p.pk == payment_id)
        booking = lock_row(payment.overdue_id or 0)
        fee = lock_fee(booking.pk)
        now = now_utc()
        believed = money.record(payment, seen, now=now)
        close(payment, believed=believed)
        if believed and fee is not None:
            if payment.decision is None and payment.status in (STATUS.AUTHORIZED, STATUS.CAPTURED):
                _decide(payment, fee, seen, now)
            elif payment.decision == "USED" and payment.keep and not money.standing(payment):
                locked = Locked(booking, payments, booking.slot, fees=fees)
                drop_fee(locked, reason="returned at the bank", now=now)
            money.derive(payment, now=now)
        settle_constraints()
    return payment


def _decide(payment: Payment, fee: Overdue, seen: Sighting, now: datetime) -> None:
    account = payment.account
    wrong = money_rules.mismatch(payment, seen.payment, is_test=account.is_test if account else False)
    if not wrong and payment.status != STATUS.CAPTURED:
        wrong = "stage: a fee is taken at once"
    if not wrong and money_rules.still_there(payment) < payment.amount:
        wrong = "sum: some of it has been returned already"
    if wrong:
        payment.trouble = f"the bank shows another {wrong}"
        payment.save(update_fields=["trouble"])
    if wrong or fee.state != Overdue.State.DUE or fee.amount != payment.amount:
        money.decide_return(payment, cause="mismatch" if wrong else "late")
        notifications.tell(club_id=payment.club_id, payment_id=payment.pk, event="payment_returned", now=now)
        return
    money.decide_used(payment, booking_id=None)
    mark_paid(fee, now)


def give_up(payment_id: int, close: Close) -> None:
    """The provider's final word: the payment was never made there. The fee is owed as before."""
    with DOOR, acting(Actor(Kind.PROVIDER, through="provider")):
        (payment,) = money.lock_payments(ids=[payment_id])
        close(payment, believed=True)
        if payment.status == STATUS.PENDING and payment.provider_payment_id is None:
            payment.fail()
            payment.decision_reason = "never_created"
            payment.save(update_fields=["status", "decision_reason"])
        money.derive(payment, now=now_utc())  # of money that came all the same
