"""What pages, the API, the admin and tasks may ask of bookings."""

from bookings.services.asking import look_again, release_hold
from bookings.services.checkout import Checkout, checkout
from bookings.services.closing import Closing, close, try_complete_booking
from bookings.services.confirming import confirm_booking_payment
from bookings.services.ending import cancel_by_club, cancel_by_customer, end_expired, end_otherwise, expire
from bookings.services.party import Typed
from bookings.services.requesting import approve, book_for_client, pay_for_approved, record_payment_on_site

__all__ = [
    "Checkout",
    "Closing",
    "Typed",
    "approve",
    "book_for_client",
    "cancel_by_club",
    "cancel_by_customer",
    "checkout",
    "close",
    "confirm_booking_payment",
    "end_expired",
    "end_otherwise",
    "expire",
    "look_again",
    "pay_for_approved",
    "record_payment_on_site",
    "release_hold",
    "try_complete_booking",
]
