"""The door on the customer's page: its code, inside the booking's time only, and a way out where it does not open."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from access import selectors as doors
from access import services as access
from bookings.models import Booking

SOON = timedelta(minutes=30)  # before the start the page begins to look again by itself
PAUSES = {"later": 20, "preparing": 3, "slow": 5, "stuck": 15, "withdrawn": 30, "open": 60}  # seconds until it does


def door_context(booking: Booking, now: datetime) -> dict[str, Any]:
    """Return what `bookings/_door.html` shows; inside the time, looking has a code made where it is missing."""
    access.ask_for_code(booking, now)
    door = doors.door_of(booking, now)
    near = door is not None and booking.date_from - now < SOON
    return {
        "booking": booking,
        "club": booking.club,
        "door": door,
        "again": PAUSES[door.word] if door and near else None,
    }
