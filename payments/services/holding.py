"""A payment as the owner of held claims: when they die, somebody else may have the place."""

from __future__ import annotations

from datetime import datetime

from payments.services.recording import lock_payments
from slots import owners
from slots import services as slots


def lock(dead: owners.Owners) -> None:
    """Lock the payments of dead claims, and those of the bookings that end with them: before any booking."""
    lock_payments(ids=dead.payment_ids, booking_ids=dead.booking_ids)


def end(dead: owners.Owners, now: datetime) -> None:
    """Only the claims go: money of a PENDING payment is returned if it ever comes. The place's locks keep them dead."""
    if dead.payment_ids:
        slots.release(payment_ids=dead.payment_ids)


def register_owner() -> None:
    owners.register(rank=1, lock=lock, end=end)
