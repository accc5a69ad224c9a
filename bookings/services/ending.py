"""Every way out but a visit: cancelled by the customer, by the club, expired, or ended for another named reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import transaction

from bookings import rules
from bookings.errors import ReasonRequired, TransitionRefused
from bookings.models import Booking
from bookings.services.locking import Locked, allowed_events, lock_booking, lock_row, require
from bookings.states import EXPIRED, TERMINAL, S
from notifications import services as notifications
from palms.actors import SYSTEM, Actor, acting
from palms.clock import now_utc
from palms.errors import settle_constraints
from payments import services as money
from slots import owners
from slots import services as slots
from slots.models import Claim

LONGEST_REASON = 500


@transaction.atomic
def cancel_by_customer(*, booking_id: int, actor: Actor, reason: str) -> Booking:
    """Cancel a booking for its customer, free its time, send its money back by the policy stored with it.

    Returns the booking as stored. Source: domain sections 3 and 6.

    Raises:
        TransitionRefused: the booking is CONFIRMED (and its policy says never, or not any more) or already finished.
        NotPermitted: the actor is not the booking's customer.
        ReasonRequired: a cancel says why.
    """
    locked = lock_booking(booking_id)
    now = now_utc()
    booking = locked.booking
    confirmed = booking.status == S.CONFIRMED
    step = booking.cancel_confirmed_by_customer if confirmed else booking.cancel_by_customer
    require(booking, step, actor)
    if confirmed and not rules.customer_may_cancel_now(booking, now):
        raise TransitionRefused(current_status=booking.status, allowed_events=allowed_events(booking))
    keep = rules.late_fee(booking) if confirmed and not rules.is_free_to_cancel(booking, now) else 0
    return _end(locked, step, reason=reason, actor=actor, now=now, keep=keep, cause="cancel", event="booking_canceled")


@transaction.atomic
def cancel_by_club(*, booking_id: int, actor: Actor, reason: str) -> Booking:
    """Cancel a booking on behalf of the club: everything goes back, whatever the hour.

    Raises:
        TransitionRefused: the booking is finished.
        NotPermitted: the actor does not serve this club.
        ReasonRequired: a cancel says why.
    """
    locked = lock_booking(booking_id)
    require(locked.booking, locked.booking.cancel_by_club, actor)
    return _end(
        locked, locked.booking.cancel_by_club,
        reason=reason, actor=actor, now=now_utc(), cause="cancel", event="booking_canceled",
    )  # fmt: skip


@transaction.atomic
def end_otherwise(*, booking_id: int, actor: Actor, reason: str) -> Booking:
    """End a booking as OTHER, with its reason; everything goes back. Raises as `cancel_by_club`."""
    locked = lock_booking(booking_id)
    require(locked.booking, locked.booking.end_otherwise, actor)
    return _end(
        locked, locked.booking.end_otherwise,
        reason=reason, actor=actor, now=now_utc(), cause="other", event="booking_canceled",
    )  # fmt: skip


@transaction.atomic
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
    _end(
        locked, locked.booking.end_otherwise,
        reason=EXPIRED, actor=SYSTEM, now=now, cause="expired", event="booking_expired",
    )  # fmt: skip


def end_for_lost_money(locked: Locked, *, now: datetime) -> None:
    """End a CONFIRMED booking whose money left from outside, before that is recorded. What still stands goes back."""
    _end(
        locked, locked.booking.end_otherwise,
        reason="payment_lost", actor=SYSTEM, now=now, cause="lost", event="booking_canceled",
    )  # fmt: skip


def _end(
    locked: Locked,
    step: Callable[..., Any],
    *,
    reason: str,
    actor: Actor,
    now: datetime,
    cause: str,
    event: str,
    keep: int = 0,
) -> Booking:
    """Take the transition, free the claims, decide the money, tell the customer: one transaction, locks already held."""
    booking = locked.booking
    reason = reason.strip()[:LONGEST_REASON]
    if not reason:
        raise ReasonRequired
    with acting(actor):
        step(reason=reason, at=now)
        booking.save(update_fields=["status", "reason", "finished_at", "expires_at"])
        slots.release(booking_ids=[booking.pk])
        if (
            cause == "cancel"
            and booking.policy.get("reopen") == "manual"
            and not Claim.objects.filter(slot_id=booking.slot_id).exists()
        ):
            slots.withdraw(locked.slot)
        money.give_back(locked.payments, keep=keep, cause=cause, now=now)
        notifications.tell(club_id=booking.club_id, booking_id=booking.pk, event=event, now=now)
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
    """Housekeeping: end what has expired and drop dead holds. Nothing depends on it. Returns how many were ended."""
    now = now_utc()
    overdue = Booking.objects.filter(expires_at__lte=now).order_by("expires_at").values_list("pk", flat=True)[:limit]
    ended = sum(expire(booking_id=pk) for pk in list(overdue))
    return ended + slots.drop_dead_holds(now=now, limit=limit)
