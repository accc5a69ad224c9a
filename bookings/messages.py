"""What letters about bookings say, and where links lead. Languages: the one the customer used."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Q
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import override

from bookings.models import BookingContact
from bookings.selectors import booking_by_token, payments_of
from notifications import composers
from notifications.models import Notification
from payments.models import Payment

EVENTS = ("booking_confirmed", "booking_canceled", "booking_expired", "booking_requested", "booking_approved")


def address_of(name: str, token: str) -> str:
    """Return the full public address of a customer's page."""
    return f"{settings.BASE_URL}{reverse(name, args=[token])}"


def return_url(payment: Payment) -> str:
    """Return where the bank sends the payer back to."""
    return address_of("checkout-return", payment.token)


def compose_for_booking(notification: Notification) -> composers.Message:
    """Write a letter about a booking to the contact that was typed with it."""
    booking = booking_by_token(notification.booking.token if notification.booking else "")
    contact = BookingContact.objects.filter(booking=booking).first()
    if contact is None:
        return composers.Message("", "", "")
    link = address_of("booking", booking.token)
    facts = {
        "booking": booking,
        "contact": contact,
        "club": booking.club,
        "payments": payments_of(booking),
        "link": link,
    }
    return _write(notification.event, contact, facts)


def compose_for_payment(notification: Notification) -> composers.Message:
    """Write a letter about money that goes back because there is no booking for it."""
    payment = Payment.objects.select_related("club").get(pk=notification.payment_id or 0)
    mine = Q(payment=payment) | Q(booking_id=payment.booking_id, booking__isnull=False)
    contact = BookingContact.objects.filter(mine).order_by("pk").first()
    if contact is None:
        return composers.Message("", "", "")
    facts = {
        "payment": payment,
        "contact": contact,
        "club": payment.club,
        "link": address_of("checkout-status", payment.token),
    }
    return _write(notification.event, contact, facts)


def _write(event: str, contact: BookingContact, facts: dict[str, object]) -> composers.Message:
    """Render `templates/bookings/mail/<event>.txt`: its first line is the subject."""
    with override(contact.language):
        text = render_to_string(f"bookings/mail/{event}.txt", facts).strip()
    subject, _sep, body = text.partition("\n")
    return composers.Message(contact.email, subject.strip(), body.strip() + "\n")


def register_composers() -> None:
    """Tell notifications who writes about what."""
    for event in EVENTS:
        composers.register(event, compose_for_booking)
    composers.register("payment_returned", compose_for_payment)
