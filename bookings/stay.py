"""Staying past the end on the customer's page: what it costs, that they have left, the payment."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError

from bookings import rules, selectors, services
from bookings.models import Booking
from bookings.states import S
from palms.errors import is_busy

SOON = timedelta(minutes=30)  # before the end the page begins to look again by itself
RUNS, WAITS = 60, 5  # seconds between two looks: at a growing fee, for the bank's page or word


def after_its_end(booking: Booking, now: datetime) -> bool:
    """Have written down what time alone has brought to a booking; True where something was. Never keeps a reader waiting."""
    try:
        return services.look_after(booking, now=now)
    except OperationalError as error:
        if not is_busy(error):
            raise
    return False


def stay_context(booking: Booking, now: datetime, *, checking: bool = False) -> dict[str, Any]:
    """Return what `bookings/_stay.html` shows. `checking`: the bank has not said yet what became of a payment."""
    fee = selectors.fee_of(booking, now)
    terms = rules.fee_terms(booking) if booking.status == S.CONFIRMED and booking.date_from <= now else None
    payments = selectors.fee_payments_of(booking) if fee is not None else []
    by_itself = fee is not None and fee.state == "waived" and fee.reason in rules.BY_ITSELF | {"not_shown"}
    shown = None if by_itself else fee
    return {
        "booking": booking,
        "club": booking.club,
        "fee": shown,
        "terms": terms,
        "may_leave": terms is not None and booking.left_at is None,
        "fee_payments": [payment for payment in payments if payment.captured],
        "checking": checking and fee is not None and fee.state == "due",
        "again_stay": _pause(booking, shown, terms, now, checking=checking),
    }


def _pause(
    booking: Booking, fee: selectors.FeeView | None, terms: rules.FeeTerms | None, now: datetime, *, checking: bool
) -> int | None:
    if fee is not None and fee.state == "due" and checking:
        return WAITS
    runs = terms is not None and booking.left_at is None and booking.date_to - now < SOON
    return RUNS if runs else None
