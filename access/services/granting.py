"""A booking's right to a door code: planned, asked for, shown, taken back. The lock itself is reached by installing.py."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef

from access import rules
from access.errors import AccessNotOpen, NoLock
from access.models import LIVING, AccessGrant, Lock, State
from access.selectors import Guest, as_stored, is_taken_back, last_grant, living_grant
from palms import intents, points
from palms.actors import Actor, acting
from palms.clock import now_utc
from palms.errors import DomainError, NotFound, NotPermitted, refusing, settle_constraints
from palms.models import Intent
from palms.wake import wake

GRANT = "access.grant"
LOOK_AHEAD = timedelta(minutes=15)  # the lock is looked at before its guest comes


class _Late(DomainError):
    """Somebody planned it first, or it has ended meanwhile."""


def plan_grant(booking: Guest, now: datetime) -> AccessGrant | None:
    """Plan a code for a confirmed, locked booking; None where its area has no lock. Inside the caller's transaction."""
    lock = Lock.objects.filter(area_id=booking.area_id, is_active=True).first() if booking.area_id else None
    if lock is None or booking.date_to <= now:
        return None
    grant = AccessGrant.objects.create(
        club_id=booking.club_id, booking_id=booking.pk, lock=lock, valid_from=booking.date_from,
        valid_to=booking.date_to,
    )  # fmt: skip
    due_at = grant.valid_from - LOOK_AHEAD
    intents.plan(
        club_id=grant.club_id, kind=GRANT, lane=_lane(grant), subject_id=grant.pk, now=now,
        due_at=due_at if due_at > now else None,
    )  # fmt: skip
    return grant


def _lane(grant: AccessGrant) -> str:
    return f"grant:{grant.pk}"


def clear_access(*, booking_id: int, reason: str, now: datetime) -> int:
    """Take back whatever code a locked booking has; returns how many grants ended. Run again: nothing.

    Called on every way out. A code that may be on the lock is removed by its intent, now or as soon as the lock can be
    reached; from this transaction on nobody is shown it.
    """
    living = AccessGrant.objects.filter(booking_id=booking_id, state__in=LIVING).order_by("pk")
    return sum(end_grant(grant, reason, now) for grant in list(living.select_for_update()))


def end_grant(grant: AccessGrant, reason: str, now: datetime) -> int:
    """End a locked grant; its code is removed by its intent, where one was ever drawn."""
    drawn = bool(grant.code)
    grant.state, grant.reason = (State.REMOVING if drawn else State.REMOVED), reason[:200]
    grant.removed_at = None if drawn else now
    grant.attempts, grant.error = 0, ""
    grant.save(update_fields=["state", "reason", "removed_at", "attempts", "error"])
    _hurry(grant, now)
    return 1


def _open_intent(grant: AccessGrant) -> int | None:
    return Intent.objects.filter(lane=_lane(grant), state=Intent.State.OPEN).values_list("pk", flat=True).first()


def _hurry(grant: AccessGrant, now: datetime) -> None:
    """Have the grant's call made at once: by a worker, or by the next sweep."""
    intent_id = _open_intent(grant)
    if intent_id is None:
        intents.plan(club_id=grant.club_id, kind=GRANT, lane=_lane(grant), subject_id=grant.pk, now=now)
        return
    intents.bring_forward(intent_id, now=now)
    wake("palms.run_intent", intent_id=intent_id)


def ask_for_code(booking: Guest, now: datetime) -> None:
    """Have a code made for a guest who looks for it inside the time: by a worker, never in this request."""
    if not rules.allowed(as_stored(booking.pk), now):
        return
    grant = living_grant(booking.pk)
    if grant is None:
        _plan_late(booking, now)
    elif grant.state != State.INSTALLED:
        AccessGrant.objects.filter(pk=grant.pk, looked_at=None).update(looked_at=now)
        intent_id = _open_intent(grant)
        if intent_id is not None:
            wake("palms.run_intent", intent_id=intent_id)


def _plan_late(booking: Guest, now: datetime) -> None:
    """Plan a code for a booking that was confirmed before its area had a lock. The database judges whether it may."""
    if is_taken_back(booking, last_grant(booking.pk)):
        return
    with suppress(_Late), refusing(_Late, "accessgrant_one_living_per_booking", "accessgrant_of_a_confirmed_booking"):
        plan_grant(booking, now)
        settle_constraints()


def plan_missing(lock: Lock, now: datetime, *, limit: int = 500) -> int:
    """Plan codes for bookings that were confirmed before this lock was there. Outside any transaction; returns how many."""
    rows = _bookings().filter(area_id=lock.area_id, club_id=lock.club_id, status="CONFIRMED", date_to__gt=now)
    had = AccessGrant.objects.filter(
        booking=OuterRef("pk"), lock=lock, valid_from=OuterRef("date_from"), valid_to=OuterRef("date_to")
    )
    without = rows.exclude(Exists(had)).order_by("date_from", "pk").values_list("pk", flat=True)[:limit]
    return sum(_plan_one(booking_id, now) for booking_id in (list(without) if lock.is_active else []))


@points.commit("access.plan missing")
def _plan_one(booking_id: int, now: datetime) -> int:
    booking = _bookings().select_for_update(of=("self",), no_key=True).get(pk=booking_id)
    if not rules.is_entitled(booking) or living_grant(booking_id) is not None:
        return 0
    with suppress(_Late), refusing(_Late, "accessgrant_one_living_per_booking", "accessgrant_of_a_confirmed_booking"):
        planned = plan_grant(booking, now)
        settle_constraints()
        return int(planned is not None)
    return 0


def _bookings() -> Any:
    model: Any = AccessGrant._meta.get_field("booking").related_model
    return model.objects


@transaction.atomic
def revoke(*, grant_id: int, actor: Actor, reason: str) -> None:
    """Take one code back by hand; the booking stays. Raises NotFound, NotPermitted."""
    grant = AccessGrant.objects.select_for_update(of=("self",)).filter(pk=grant_id).first()
    if grant is None:
        raise NotFound
    if not actor.serves(grant.club_id):
        raise NotPermitted
    with acting(actor):
        if grant.state in LIVING:
            end_grant(grant, reason, now_utc())


@transaction.atomic
def issue(*, booking_id: int, actor: Actor, reason: str) -> AccessGrant:
    """Give a booking a code by hand; one that it has goes. It works inside the booking's time, like any other.

    Raises:
        NotFound, NotPermitted. AccessNotOpen: the booking is not confirmed, or over. NoLock: its place has none.
    """
    booking = _bookings().select_for_update(of=("self",), no_key=True).filter(pk=booking_id).first()
    if booking is None:
        raise NotFound
    if not actor.serves(booking.club_id):
        raise NotPermitted
    now = now_utc()
    if not rules.is_entitled(booking) or booking.date_to <= now:
        raise AccessNotOpen
    with acting(actor):
        clear_access(booking_id=booking_id, reason=reason, now=now)
        made = plan_grant(booking, now)
    if made is None:
        raise NoLock
    settle_constraints()
    return made
