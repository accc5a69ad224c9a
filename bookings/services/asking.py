"""A customer is sent to the bank's page, looks, or gives the time back."""

from __future__ import annotations

from dataclasses import replace

from bookings.errors import BookingNotFound
from bookings.models import Booking
from palms import intents, points
from palms.actors import Actor, acting
from payments import services as money
from payments.errors import ProviderUnavailable
from payments.models import Payment
from slots import services as slots

BOOKING = Payment.Purpose.BOOKING


def ask_for_page(job: intents.Job, *, patience: float) -> str:
    """After the commit that began a payment: return the address of its page; empty where the bank did not say.

    Raises ProviderUnavailable: the bank refused. A hold is released then; after an unknown outcome it stands.
    """
    outcome = intents.perform(replace(job, patience=patience))
    if isinstance(outcome, intents.Refused):
        raise ProviderUnavailable
    return str(outcome.answer.payment.confirmation_url) if isinstance(outcome, intents.Done) else ""


def look_again(*, token: str, patience: float = 8.0) -> bool:
    """Ask the bank about a checkout whose end is open. Unknown changes nothing. Raises BookingNotFound.

    Returns False where the bank was asked and did not say how the payment stands.
    """
    payment = Payment.objects.filter(token=token, purpose=BOOKING).values("pk", "status", "decision").first()
    if payment is None:
        if not Booking.objects.filter(token=token).exists():
            raise BookingNotFound
        return True
    if payment["status"] == Payment.Status.PENDING or payment["decision"] == "RETURN":
        return money.look_again(payment_id=payment["pk"], patience=patience)
    return True


@points.commit("bookings.release_hold")
def release_hold(*, token: str, actor: Actor) -> None:
    """Give held places back before their time. Money that still comes for them is returned. Raises BookingNotFound."""
    payment_id = Payment.objects.filter(token=token, purpose=BOOKING).values_list("pk", flat=True).first()
    if payment_id is None:
        raise BookingNotFound
    money.lock_payments(ids=[payment_id])
    with acting(actor):
        slots.release(payment_ids=[payment_id])


def look_again_at_fee(*, token: str, patience: float = 8.0) -> tuple[str, bool]:
    """Ask the bank about a payment for staying. Returns its booking's token, and False where the bank did not say.

    Raises:
        BookingNotFound.
    """
    payment = Payment.objects.select_related("overdue__booking").filter(token=token, overdue__isnull=False).first()
    if payment is None or payment.overdue is None:
        raise BookingNotFound
    heard = payment.decision is not None or money.look_again(payment_id=payment.pk, patience=patience)
    return payment.overdue.booking.token, heard
