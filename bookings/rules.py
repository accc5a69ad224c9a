"""Who may, and whether: predicates over a booking's own row. No queries; `now` is not read here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bookings.states import WAITING, S
from palms.actors import Actor, Kind

if TYPE_CHECKING:
    from bookings.models import Booking, Overdue
    from slots.models import Slot


def is_secured(booking: Booking) -> bool:
    """Whether the money that stands for it covers the price."""
    return booking.secured_amount >= booking.price


def owed(booking: Booking) -> int:
    """What is still to be paid, in minor units: of a waiting booking's price, or of a confirmed one's raised price."""
    wanted = booking.price if booking.status in WAITING else booking.raised_price or 0
    return max(0, wanted - booking.secured_amount)


def type_of(slot: Slot) -> str:
    """Return the type of booking that a slot makes: one party alone, or places of a group."""
    return "group" if slot.capacity > 1 or slot.program_id is not None else "individual"


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


MINUTE = timedelta(minutes=1)
BY_ITSELF = frozenset({"moved", "left_in_time"})  # reasons of fees that nobody waived by hand: they may run again


@dataclass(frozen=True, slots=True)
class FeeTerms:
    """What staying costs: minor units an hour, counted by the minute from `counts_from` (UTC), `cap` at most."""

    counts_from: datetime
    rate: int
    cap: int


def fee_terms(booking: Booking) -> FeeTerms | None:
    """Return the terms that the booking was made with; None where staying is free.

    A booking that was moved to a place where it is free pays nothing.
    """
    told = booking.policy.get("overdue")
    if told is None or booking.area is None or booking.area.overdue_rate is None:
        return None
    return FeeTerms(booking.date_to + int(told["grace_minutes"]) * MINUTE, int(told["rate"]), int(told["cap"]))


def fee_at(terms: FeeTerms | Overdue, until: datetime) -> int:
    """Return what staying until then costs, in minor units: whole minutes, rounded down in the guest's favour."""
    minutes = max(0, (until - terms.counts_from) // MINUTE)
    return min(terms.cap, terms.rate * minutes // 60)


def is_owed(fee: Overdue | None) -> bool:
    """Whether a fee stands in the way of a close: it runs, or waits for its payment."""
    return fee is not None and fee.state in ("RUNNING", "DUE")


def fee_now(fee: Overdue, now: datetime) -> int:
    """Return what a fee comes to at this moment, in minor units."""
    return fee_at(fee, now) if fee.amount is None else fee.amount


def overstays(booking: Booking, now: datetime) -> bool:
    """Whether the guest is past the end and the free minutes, owing something, and nobody has said that they left."""
    terms = fee_terms(booking) if booking.status == S.CONFIRMED and booking.left_at is None else None
    return terms is not None and fee_at(terms, now) > 0
