"""Who may, and whether: predicates over a booking's own row. No queries; `now` is not read here."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from palms.actors import Actor, Kind

if TYPE_CHECKING:
    from bookings.models import Booking


def is_secured(booking: Booking) -> bool:
    """Whether the money that stands for it covers the price."""
    return booking.secured_amount >= booking.price


def is_customer_of(booking: Booking, actor: Actor) -> bool:
    return actor.kind is Kind.CLIENT and actor.id == booking.client_id


def serves_its_club(booking: Booking, actor: Actor) -> bool:
    return actor.serves(booking.club_id)


def policy_lets_the_customer_cancel(booking: Booking) -> bool:
    """Whether the policy stored when the booking was made lets its customer cancel it once confirmed, sooner or later."""
    return booking.policy.get("customer_cancel", "never") != "never"


def has_expired(booking: Booking, now: datetime) -> bool:
    """Whether a request or an approval has outlived its deadline: it is inactive at once, whatever its row says."""
    return booking.expires_at is not None and booking.expires_at <= now


def is_free_to_cancel(booking: Booking, now: datetime) -> bool:
    """Whether a cancellation now gives everything back."""
    return booking.cancelation_time is None or now < booking.cancelation_time


def customer_may_cancel_now(booking: Booking, now: datetime) -> bool:
    """Whether the customer's own cancel of a CONFIRMED booking is accepted at this moment."""
    policy = booking.policy.get("customer_cancel", "never")
    if now >= booking.date_from or policy == "never":
        return False
    return policy == "always_with_fee" or is_free_to_cancel(booking, now)


def late_fee(booking: Booking) -> int:
    """How much a late cancellation keeps, in minor units, rounded down in the customer's favour."""
    return booking.price * int(booking.policy.get("late_cancel_fee_percent", 100)) // 100
