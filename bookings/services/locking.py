"""The one order of locks for a booking that exists, and the two questions asked under it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
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
    """`payments` are the booking's own; those of its fee for staying, `fees`, are other money and never mixed with them."""

    booking: Booking
    payments: list[Payment]
    slot: Slot
    beside: list[Slot] = field(default_factory=list)  # what a move wants to look at
    fees: list[Payment] = field(default_factory=list)


Provided = Callable[[Locked], None]


def in_any_case(locked: Locked) -> None:
    """Ask nothing of a booking that has just been locked: what a caller may put here refuses before anything changes."""


@dataclass(frozen=True, slots=True)
class Beside:
    """Ids of what is locked together with a booking's own place."""

    slot_ids: frozenset[int] = frozenset()
    area_ids: frozenset[int] = frozenset()


def nothing_beside(booking: Booking) -> Beside:
    return Beside()


def lock_booking(booking_id: int, beside: Callable[[Booking], Beside] = nothing_beside) -> Locked:
    """Lock a booking with everything before it: areas, instructors, slots, its payments, then itself.

    Its slot, and what is wanted beside it, are read first without locks and again after; where either changed
    meanwhile, the locks are let go and sought again. Raises BookingNotFound.
    """
    return starting_over(lambda: _try_lock(booking_id, beside))


def _try_lock(booking_id: int, beside: Callable[[Booking], Beside]) -> Locked:
    seen = Booking.objects.filter(pk=booking_id).first()
    if seen is None:
        raise BookingNotFound
    wanted = beside(seen)
    there = slots.try_lock_slots({seen.slot_id, *wanted.slot_ids}, area_ids=wanted.area_ids)
    payments, fees = lock_money(booking_id)
    booking = lock_row(booking_id)
    if booking.slot_id != seen.slot_id or beside(booking) != wanted:
        raise Moved
    own = next(slot for slot in there if slot.pk == booking.slot_id)
    return Locked(booking, payments, own, [slot for slot in there if slot.pk in wanted.slot_ids], fees)


def lock_money(booking_id: int, *, and_payment: int | None = None) -> tuple[list[Payment], list[Payment]]:
    """Lock a booking's payments and those of its fee for staying, all by id; return the two apart."""
    found = money.lock_payments(ids=[and_payment or 0], booking_ids=[booking_id], fees_of=[booking_id])
    return [p for p in found if p.overdue_id is None], [p for p in found if p.overdue_id is not None]


def lock_row(booking_id: int) -> Booking:
    """Lock the booking's row alone, after whatever comes before it."""
    return Booking.objects.select_for_update(of=("self",)).select_related("club", "area").get(pk=booking_id)


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
