"""The one order of locks for a booking that exists, and the two questions asked under it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django_fsm import can_proceed, has_transition_perm

from bookings.errors import BookingFinished, BookingNotFound, TransitionRefused
from bookings.models import Booking
from bookings.states import TERMINAL
from palms.actors import Actor
from palms.errors import NotPermitted
from palms.locking import Moved, starting_over
from payments import services as money
from payments.models import Payment
from slots import services as slots
from slots.models import Slot


@dataclass(frozen=True, slots=True)
class Locked:
    booking: Booking
    payments: list[Payment]
    slot: Slot


def lock_booking(booking_id: int) -> Locked:
    """Lock a booking with everything before it: area, instructor, slot, its payments, then itself.

    Its slot is read first without locks and again after; where it moved meanwhile, the locks are let go and sought again.
    Raises BookingNotFound.
    """
    return starting_over(lambda: _try_lock(booking_id))


def _try_lock(booking_id: int) -> Locked:
    slot_id = Booking.objects.filter(pk=booking_id).values_list("slot_id", flat=True).first()
    if slot_id is None:
        raise BookingNotFound
    (slot,) = slots.try_lock_slots([slot_id])
    payments = money.lock_payments(booking_ids=[booking_id])
    booking = lock_row(booking_id)
    if booking.slot_id != slot_id:
        raise Moved
    return Locked(booking, payments, slot)


def lock_row(booking_id: int) -> Booking:
    """Lock the booking's row alone, after whatever comes before it."""
    return Booking.objects.select_for_update(of=("self",)).select_related("club").get(pk=booking_id)


def allowed_events(booking: Booking) -> list[str]:
    """Return the names of the transitions that this status has."""
    return sorted(t.name for t in booking.get_available_status_transitions())


def require(booking: Booking, step: Callable[..., Any], actor: Actor) -> None:
    """Refuse before anything changes: the status first (409), then the person (403)."""
    if booking.status in TERMINAL:
        raise BookingFinished(current_status=booking.status, allowed_events=[])
    if not can_proceed(step):
        raise TransitionRefused(current_status=booking.status, allowed_events=allowed_events(booking))
    if not has_transition_perm(step, actor):
        raise NotPermitted
