"""Every way out but a visit: cancelled by the customer, by the club, expired, or ended for another named reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.db import DatabaseError

from access import services as access
from bookings import rules
from bookings.errors import ChargeExceedsAuthorization, HoldExpired, ReasonRequired, TransitionRefused
from bookings.models import Booking
from bookings.services.fees import drop_fee
from bookings.services.locking import (
    Beside,
    Locked,
    Provided,
    allowed_events,
    in_any_case,
    lock_booking,
    lock_row,
    nothing_beside,
    require,
)
from bookings.states import EXPIRED, TERMINAL, S
from notifications import services as notifications
from palms import points
from palms.actors import SYSTEM, Actor, acting
from palms.clock import now_utc
from palms.errors import settle_constraints
from payments import services as money
from slots import owners
from slots import services as slots
from slots.models import Slot

LONGEST_REASON = 500
CHANGED = points.commit("bookings.on_living")


T = TypeVar("T")


def on_living(
    booking_id: int,
    actor: Actor,
    act: Callable[[Locked, datetime], T],
    beside: Callable[[Booking], Beside] = nothing_beside,
    provided: Provided = in_any_case,
) -> T:
    """Lock a booking and act on it, unless its deadline has passed: then it is ended, that is committed, and HoldExpired.

    `provided` sees it first and may refuse.
    """
    with CHANGED, acting(actor):
        locked = lock_booking(booking_id, beside)
        provided(locked)
        now = now_utc()
        if locked.booking.status in TERMINAL or not rules.has_expired(locked.booking, now):
            done = act(locked, now)
            settle_constraints()
            return done
        expire_locked(locked, now)
    raise HoldExpired


def cancel_by_customer(*, booking_id: int, actor: Actor, reason: str) -> Booking:
    """Cancel a booking for its customer, free its time, send its money back by the policy stored with it.

    Returns the booking as stored. Source: domain sections 3 and 6.

    Raises:
        TransitionRefused: the booking is CONFIRMED (and its policy says never, or not any more) or already finished.
        HoldExpired: a request or approval whose deadline has passed.
        NotPermitted: the actor is not the booking's customer. ReasonRequired: a cancel says why.
    """

    def cancel(locked: Locked, now: datetime) -> Booking:
        booking = locked.booking
        confirmed = booking.status == S.CONFIRMED
        step = booking.cancel_confirmed_by_customer if confirmed else booking.cancel_by_customer
        require(booking, step, actor)
        if confirmed and not rules.customer_may_cancel_now(booking, now):
            raise TransitionRefused(current_status=booking.status, allowed_events=allowed_events(booking))
        keep = rules.late_fee(booking) if confirmed and not rules.is_free_to_cancel(booking, now) else 0
        return _end(locked, step, _Way("cancel", "booking_canceled", keep), reason=reason, now=now)

    return on_living(booking_id, actor, cancel)


def cancel_by_club(
    *, booking_id: int, actor: Actor, reason: str, keep: int = 0, provided: Provided = in_any_case
) -> Booking:
    """Cancel a booking on behalf of the club: everything goes back, whatever the hour, but what both agreed to `keep`.

    Raises:
        ChargeExceedsAuthorization: more shall be kept (minor units) than is there.
        TransitionRefused: the booking is finished. HoldExpired: its deadline has passed.
        NotPermitted: the actor does not serve this club. ReasonRequired: a cancel says why.
    """

    def cancel(locked: Locked, now: datetime) -> Booking:
        booking = locked.booking
        require(booking, booking.cancel_by_club, actor)
        if not 0 <= keep <= booking.secured_amount:
            raise ChargeExceedsAuthorization(secured=booking.secured_amount)
        return _end(locked, booking.cancel_by_club, _Way("cancel", "booking_canceled", keep), reason=reason, now=now)

    return on_living(booking_id, actor, cancel, provided=provided)


def end_otherwise(*, booking_id: int, actor: Actor, reason: str, provided: Provided = in_any_case) -> Booking:
    """End a booking as OTHER, with its reason; everything goes back. Raises as `cancel_by_club`."""

    def end(locked: Locked, now: datetime) -> Booking:
        require(locked.booking, locked.booking.end_otherwise, actor)
        return _end(locked, locked.booking.end_otherwise, _Way("other", "booking_canceled"), reason=reason, now=now)

    return on_living(booking_id, actor, end, provided=provided)


@points.commit("bookings.expire")
def expire(*, booking_id: int) -> bool:
    """End a request or an approval whose deadline has passed; False where there is nothing to end (any more)."""
    locked = lock_booking(booking_id)
    now = now_utc()
    if locked.booking.status in TERMINAL or not rules.has_expired(locked.booking, now):
        return False
    expire_locked(locked, now)
    settle_constraints()
    return True


def expire_locked(locked: Locked, now: datetime) -> None:
    """Write down that a locked booking's deadline has passed. It was inactive from that moment, row or no row."""
    with acting(SYSTEM):
        _end(locked, locked.booking.end_otherwise, _Way("expired", "booking_expired"), reason=EXPIRED, now=now)


def end_for_lost_money(locked: Locked, *, now: datetime) -> None:
    """End a CONFIRMED booking whose money left from outside, as that is recorded. What still stands goes back."""
    with acting(SYSTEM):
        _end(locked, locked.booking.end_otherwise, _Way("lost", "booking_canceled"), reason="payment_lost", now=now)


@dataclass(frozen=True, slots=True)
class _Way:
    """One way out: the cause of returns, the letter, and how much the club keeps (minor units)."""

    cause: str
    event: str
    keep: int = 0


def _end(locked: Locked, step: Callable[..., Any], way: _Way, *, reason: str, now: datetime) -> Booking:
    """Take the transition, free the claims, decide the money, tell the customer: one transaction, locks already held."""
    booking = locked.booking
    reason = reason.replace("\0", "").strip()[:LONGEST_REASON]
    if not reason:
        raise ReasonRequired
    step(reason=reason, at=now)
    booking.save(update_fields=["status", "reason", "finished_at", "expires_at", "raised_price"])
    slots.release(booking_ids=[booking.pk])
    access.clear_access(booking_id=booking.pk, reason=way.cause, now=now)
    stays_closed = way.cause == "cancel" and booking.policy.get("reopen") == "manual"
    if stays_closed or locked.slot.origin == Slot.Origin.MOVE:
        slots.withdraw_if_empty(locked.slot, now=now)
    money.give_back(locked.payments, keep=way.keep, cause=way.cause, now=now)
    drop_fee(locked, reason=reason, now=now)  # a visit that did not count costs nothing
    notifications.tell(club_id=booking.club_id, booking_id=booking.pk, event=way.event, now=now)
    settle_constraints()
    return Booking.objects.select_related("club").get(pk=booking.pk)


def lock_dead(dead: owners.Owners) -> None:
    """Lock the bookings of dead claims, by id, after their payments."""
    for booking_id in sorted(dead.booking_ids):
        lock_row(booking_id)


def end_dead(dead: owners.Owners, now: datetime) -> None:
    """End requests and approvals whose claims a taker found dead. The taker holds the place's locks."""
    for booking_id in sorted(dead.booking_ids):
        booking = lock_row(booking_id)
        if booking.status not in TERMINAL and rules.has_expired(booking, now):
            payments = money.lock_payments(booking_ids=[booking_id])
            expire_locked(Locked(booking, payments, booking.slot), now)


def end_expired(*, limit: int = 200) -> int:
    """Housekeeping: end what has expired and drop dead holds. Nothing depends on it. Returns how many were ended.

    One that is busy keeps no other waiting: what was raised is raised together, at the end.
    """
    now = now_utc()
    overdue = Booking.objects.filter(expires_at__lte=now).order_by("expires_at").values_list("pk", flat=True)[:limit]
    ended, busy = slots.drop_dead_holds(now=now, limit=limit), []
    for pk in list(overdue):
        try:
            ended += expire(booking_id=pk)
        except DatabaseError as error:
            busy.append(error)
    if busy:
        raise ExceptionGroup("bookings that could not be ended", busy)
    return ended
