"""Part of the money goes back though the booking stays as it is: for a broken heater, or a fee that the club forgives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pghistory
from django.utils.translation import gettext as _

from bookings.errors import ReasonRequired, TransitionRefused
from bookings.models import Booking
from bookings.services.editing import set_price
from bookings.services.ending import on_living
from bookings.services.locking import Locked, Provided, allowed_events, in_any_case
from bookings.states import TERMINAL, S
from palms.actors import Actor
from palms.errors import NotPermitted, ValidationFailed
from payments import services as money

LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class PartReturned:
    """A booking as stored, and how much goes back, in minor units."""

    booking: Booking
    returned: int


def refund_part(
    *, booking_id: int, actor: Actor, amount: int, reason: str, provided: Provided = in_any_case
) -> PartReturned:
    """Send part of a booking's money back (minor units). A CONFIRMED booking costs that much less; a finished one stays.

    Why stands in the history. A card hold that is not taken yet is taken for less.

    Raises:
        ValidationFailed: no amount, or more than is there. ReasonRequired.
        TransitionRefused: nothing is paid yet, or a raised price waits. NotPermitted: the actor does not serve this club.
    """
    reason = reason.replace("\0", "").strip()[:LONGEST_REASON]

    def send(locked: Locked, now: datetime) -> PartReturned:
        booking = locked.booking
        _require_paid(booking, actor)
        if not reason:
            raise ReasonRequired
        stands = sum(money.standing(payment) for payment in locked.payments)
        if type(amount) is not int or not 0 < amount <= stands:
            raise ValidationFailed(errors={"amount": [_("No more than is there can go back, and not nothing")]})
        with pghistory.context(reason=reason):
            if booking.status == S.CONFIRMED:
                set_price(locked, max(0, booking.price - amount), now)
            money.keep_at_most(locked.payments, stands - amount, cause=f"staff:{booking.version}", now=now)
        return PartReturned(booking, amount)

    return on_living(booking_id, actor, send, provided=provided)


def _require_paid(booking: Booking, actor: Actor) -> None:
    waits = booking.status not in TERMINAL and booking.status != S.CONFIRMED
    if waits or booking.raised_price is not None:
        raise TransitionRefused(current_status=booking.status, allowed_events=allowed_events(booking))
    if not actor.serves(booking.club_id):
        raise NotPermitted
