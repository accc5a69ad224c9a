"""A customer looks, or gives the time back."""

from __future__ import annotations

from django.db import transaction

from bookings.errors import BookingNotFound
from bookings.models import Booking
from palms.actors import Actor, acting
from payments import services as money
from payments.models import Payment
from slots import services as slots


def look_again(*, token: str, patience: float = 8.0) -> None:
    """Ask the bank about a checkout whose end is open. Unknown changes nothing. Raises BookingNotFound."""
    payment = Payment.objects.filter(token=token).values("pk", "status", "decision").first()
    if payment is None:
        if not Booking.objects.filter(token=token).exists():
            raise BookingNotFound
        return
    if payment["status"] == Payment.Status.PENDING or payment["decision"] == "RETURN":
        money.look_again(payment_id=payment["pk"], patience=patience)


@transaction.atomic
def release_hold(*, token: str, actor: Actor) -> None:
    """Give held places back before their time. Money that still comes for them is returned. Raises BookingNotFound."""
    payment_id = Payment.objects.filter(token=token).values_list("pk", flat=True).first()
    if payment_id is None:
        raise BookingNotFound
    money.lock_payments(ids=[payment_id])
    with acting(actor):
        slots.release(payment_ids=[payment_id])
