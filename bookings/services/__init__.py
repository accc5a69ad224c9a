"""What pages, the API, the admin and tasks may ask of bookings."""

from bookings.services.asking import look_again, look_again_at_fee, release_hold
from bookings.services.checkout import Checkout, checkout
from bookings.services.closing import Closing, close, try_complete_booking
from bookings.services.confirming import confirm_booking_payment
from bookings.services.editing import UNSET, Edited, Unset, edit
from bookings.services.ending import cancel_by_club, cancel_by_customer, end_expired, end_otherwise, expire
from bookings.services.finding import Asked, ask_for_links
from bookings.services.locking import Locked
from bookings.services.moving import move
from bookings.services.party import Typed
from bookings.services.refunding import PartReturned, refund_part
from bookings.services.requesting import (
    approve,
    book_for_client,
    collect_on_site,
    pay_for_approved,
    record_payment_on_site,
)
from bookings.services.staying import leave, look_after, look_after_all, pay_fee, record_fee_on_site, waive_fee

__all__ = [
    "UNSET",
    "Asked",
    "Checkout",
    "Closing",
    "Edited",
    "Locked",
    "PartReturned",
    "Typed",
    "Unset",
    "approve",
    "ask_for_links",
    "book_for_client",
    "cancel_by_club",
    "cancel_by_customer",
    "checkout",
    "close",
    "collect_on_site",
    "confirm_booking_payment",
    "edit",
    "end_expired",
    "end_otherwise",
    "expire",
    "leave",
    "look_after",
    "look_after_all",
    "look_again",
    "look_again_at_fee",
    "move",
    "pay_fee",
    "pay_for_approved",
    "record_fee_on_site",
    "record_payment_on_site",
    "refund_part",
    "release_hold",
    "try_complete_booking",
    "waive_fee",
]
