"""Reads of bookings and of checkouts on their way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bookings import rules
from bookings.errors import BookingNotFound
from bookings.models import Booking
from bookings.states import CANCELLED, EXPIRED, S
from clubs.models import Club
from payments.models import Decision, Payment
from payments.selectors import payments_of as payments_of_booking
from slots.models import Claim, Slot
from slots.rules import living


@dataclass(frozen=True, slots=True)
class CheckoutState:
    """Where a checkout stands, in api.md's words; amounts in minor units, moments in UTC."""

    state: str
    club: Club
    slot: Slot | None
    payment: Payment | None
    booking: Booking | None
    payment_url: str
    hold_until: datetime | None
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class CancelOffer:
    """What a cancellation by the customer would do now. `until` is the end of free cancellation."""

    allowed: bool
    returned: int
    kept: int
    until: datetime | None


def booking_by_token(token: str) -> Booking:
    """Return the booking behind an unguessable link, with what its page shows. Raises BookingNotFound."""
    rows = Booking.objects.select_related("club", "area", "instructor", "client", "contact", "slot")
    booking = rows.filter(token=token).first()
    if booking is None:
        raise BookingNotFound
    return booking


def payments_of(booking: Booking) -> list[Payment]:
    """Return the booking's payments with their refunds, oldest first."""
    return payments_of_booking(booking.pk)


def free_until(slot: Slot, club: Club) -> datetime:
    """Return until when a cancellation of this slot costs nothing: its own moment, or the club's lead before the start."""
    return slot.cancelation_time or slot.date_from - timedelta(minutes=club.free_cancel_lead_minutes)


def cancel_offer(booking: Booking, now: datetime) -> CancelOffer:
    """Return whether the customer may cancel at this moment, and what comes back."""
    if booking.status in (S.REQUESTED, S.APPROVED):
        alive = not rules.has_expired(booking, now)
        return CancelOffer(alive, booking.secured_amount, 0, booking.expires_at)
    if booking.status != S.CONFIRMED or not rules.customer_may_cancel_now(booking, now):
        return CancelOffer(False, 0, 0, booking.cancelation_time)
    kept = 0 if rules.is_free_to_cancel(booking, now) else rules.late_fee(booking)
    return CancelOffer(True, booking.secured_amount - kept, kept, booking.cancelation_time)


def repeated(*, club_id: int, slot_id: int, key: str, visitor: str, now: datetime) -> Payment | Booking | None:
    """Return what this checkout has made already: by its key, or this visitor's own living hold or request on the slot."""
    payments = Payment.objects.filter(club_id=club_id).exclude(decision_reason="never_created")
    known = payments.filter(checkout_key=key).first()
    known = known or Booking.objects.filter(club_id=club_id, checkout_key=key).first()
    if known is not None or not visitor:
        return known
    held = Claim.objects.filter(living(now), slot_id=slot_id, payment__visitor=visitor, payment__status="PENDING")
    mine = payments.filter(pk__in=held.values("payment_id")).order_by("-pk").first()
    waiting = Booking.objects.filter(slot_id=slot_id, visitor=visitor, status__in=["REQUESTED", "APPROVED"])
    return mine or waiting.filter(expires_at__gt=now).order_by("-pk").first()


def checkout_state(*, token: str, now: datetime) -> CheckoutState:
    """Return where the checkout behind a secret token stands: a payment's token, or a booking's. Raises BookingNotFound."""
    payment = (
        Payment.objects.select_related("club", "booking__slot__area", "booking__slot__instructor", "booking__contact")
        .filter(token=token)
        .first()
    )
    if payment is not None:
        return state_of_payment(payment, now)
    return state_of_booking(booking_by_token(token), now)


def state_of_payment(payment: Payment, now: datetime) -> CheckoutState:
    booking = payment.booking
    slot = booking.slot if booking else None
    if booking is None and payment.snapshot:
        slot = Slot.objects.select_related("area", "instructor").filter(pk=payment.snapshot["slot_id"]).first()
    held = [c.held_until for c in Claim.objects.filter(living(now), payment_id=payment.pk)] if booking is None else []
    hold_until = held[0] if held else None
    state = word_for(payment, booking, hold_until, now)
    url = payment.confirmation_url if state == "held" else ""
    return CheckoutState(state, payment.club, slot, payment, booking, url, hold_until, payment.amount, payment.currency)


def word_for(payment: Payment, booking: Booking | None, hold_until: datetime | None, now: datetime) -> str:
    """Return api.md's word for a payment: what happened to the money decides, then what happens to the place."""
    if payment.decision == Decision.RETURN:
        back = payment.status in ("VOIDED", "FAILED") or (
            payment.status == "CAPTURED" and payment.refunded == payment.captured and not _under_way(payment)
        )
        return "refunded" if back else "refunding"
    if booking is not None and payment.decision == Decision.USED:
        return word_of_booking(booking, now)
    if payment.status == "FAILED":
        return "failed"
    if payment.status in ("AUTHORIZED", "CAPTURED"):
        return "checking"
    if booking is not None:
        return "held" if word_of_booking(booking, now) == "approved" else word_of_booking(booking, now)
    if hold_until is None:
        return "expired"
    return "held" if payment.confirmation_url else "preparing"


def _under_way(payment: Payment) -> bool:
    return payment.refunds.filter(state="INTENDED").exists()


def word_of_booking(booking: Booking, now: datetime) -> str:
    """Return api.md's word for a booking: requested, approved, confirmed (also once visited), expired or canceled."""
    if rules.has_expired(booking, now) or (booking.status == S.OTHER and booking.reason == EXPIRED):
        return "expired"
    if booking.status in CANCELLED:
        return "canceled"
    return {S.REQUESTED: "requested", S.APPROVED: "approved"}.get(S(booking.status), "confirmed")


def state_of_booking(booking: Booking, now: datetime) -> CheckoutState:
    """Return where a booking that came without a payment stands: by request, free, or made by staff."""
    pending = Payment.objects.filter(booking=booking, status="PENDING").order_by("-pk").first()
    url = pending.confirmation_url if pending and booking.status == S.APPROVED else ""
    return CheckoutState(
        word_of_booking(booking, now), booking.club, booking.slot, pending, booking, url, booking.expires_at,
        booking.price, booking.currency,
    )  # fmt: skip
