"""What letters about bookings say, and where links lead. Languages: the one the customer used."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial

from django.conf import settings
from django.db.models import Q
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import override

from bookings import rules
from bookings.calendar import invitation
from bookings.models import Booking, BookingContact
from bookings.selectors import booking_by_id, fee_of, payments_of
from bookings.services.finding import FOUND, RECENT, Asked, bookings_of
from notifications import composers
from notifications.models import Notification
from palms.clock import now_utc
from palms.secrets import unseal
from payments.models import Payment
from payments.targets import Payer

EVENTS = ("booking_confirmed", "booking_canceled", "booking_expired", "booking_requested", "booking_approved")
REPEATED = (
    "booking_moved",
    "price_raised",
    "overdue_opened",
)  # told at every occasion, as "<event>:<version of the booking>"


def address_of(name: str, token: str) -> str:
    """Return the full public address of a customer's page."""
    return f"{settings.BASE_URL}{reverse(name, args=[token])}"


def return_url(payment: Payment) -> str:
    """Return where the bank sends the payer back to."""
    return address_of("checkout-return", payment.token)


def fee_return_url(payment: Payment) -> str:
    """Return where the bank sends back who paid for staying."""
    return address_of("overdue-return", payment.token)


def payer_of(payment: Payment) -> Payer:
    """Return whom the receipt of a payment goes to: who typed it, or whose booking, or whose stay it is."""
    contact = _contact_of(payment)
    return Payer() if contact is None else Payer(contact.email, contact.phone)


def _contact_of(payment: Payment) -> BookingContact | None:
    target = payment.booking_id or payment.overdue_id
    mine = Q(payment=payment) | Q(booking_id=target, booking__isnull=False)
    return BookingContact.objects.filter(mine).order_by("pk").first()


def compose_for_booking(notification: Notification) -> composers.Message:
    """Write a letter about a booking to the contact that was typed with it."""
    booking = booking_by_id(notification.booking_id or 0)
    contact = getattr(booking, "contact", None)
    if contact is None:
        return composers.Message("", "", "")
    link = address_of("booking", booking.token)
    facts = {
        "booking": booking,
        "contact": contact,
        "club": booking.club,
        "payments": partial(payments_of, booking),  # read where a letter speaks of them
        "due": rules.owed(booking),
        "fee": fee_of(booking, now_utc()),
        "link": link,
    }
    message = _write(notification.event, contact, facts)
    with override(contact.language):
        return replace(message, attachments=invitation(booking, link=link, now=now_utc()))


def compose_for_payment(notification: Notification) -> composers.Message:
    """Write a letter about money that goes back because there is no booking for it."""
    payment = Payment.objects.select_related("club").get(pk=notification.payment_id or 0)
    contact = _contact_of(payment)
    if contact is None:
        return composers.Message("", "", "")
    facts = {
        "payment": payment,
        "contact": contact,
        "club": payment.club,
        "link": _link_of(payment),
    }
    return _write(notification.event, contact, facts)


def _link_of(payment: Payment) -> str:
    fee = payment.overdue
    return address_of("checkout-status", payment.token) if fee is None else address_of("booking", fee.booking.token)


def compose_found(notification: Notification) -> composers.Message:
    """Write the letter that lists somebody's bookings, to the address that was typed with the newest of them."""
    now = now_utc()
    asked = Asked(**unseal(notification.request))
    found = bookings_of(asked, club_id=notification.club_id, now=now)
    if not found:
        return composers.Message("", "", "")
    contact = max(found, key=lambda booking: booking.pk).contact
    contact.language = asked.language  # of the page that was asked on
    facts = {
        "ahead": [_line(each, now) for each in found if each.date_to > now],
        "past": [_line(each, now) for each in found if each.date_to <= now],
        "days": RECENT.days,
    }
    return _write(notification.event, contact, facts)


def _line(booking: Booking, now: datetime) -> dict[str, object]:
    link = address_of("booking", booking.token)
    return {"booking": booking, "club": booking.club, "link": link, "expired": rules.has_expired(booking, now)}


def _write(event: str, contact: BookingContact, facts: dict[str, object]) -> composers.Message:
    """Render `templates/bookings/mail/<event>.txt`: its first line is the subject."""
    with override(contact.language):
        text = render_to_string(f"bookings/mail/{composers.name_of(event)}.txt", facts).strip()
    subject, _sep, body = text.partition("\n")
    return composers.Message(contact.email, subject.strip(), body.strip() + "\n")


def register_composers() -> None:
    """Tell notifications who writes about what."""
    for event in (*EVENTS, *REPEATED):
        composers.register(event, compose_for_booking)
    composers.register("payment_returned", compose_for_payment)
    composers.register(FOUND, compose_found)
