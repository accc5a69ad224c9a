"""Who may open a door, and when: predicates over rows. No queries; `now` is given."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Right(Protocol):
    """What a door asks of a booking."""

    status: str
    secured_amount: int
    price: int
    date_from: datetime
    date_to: datetime


def allowed(booking: Right, now: datetime) -> bool:
    """Whether this booking opens its door at `now`: confirmed, secured, inside its time. Source: domain section 7."""
    return is_entitled(booking) and booking.date_from <= now <= booking.date_to


def is_entitled(booking: Right) -> bool:
    """Whether the booking will open its door in its time, as things stand."""
    return booking.status == "CONFIRMED" and booking.secured_amount >= booking.price
