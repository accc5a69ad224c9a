"""Reads of doors: the code of a booking, inside its time, and what its page shows of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from access import rules
from access.errors import AccessNotOpen, CodeNotReady, NoLock
from access.models import LIVING, AccessGrant, Lock, LockRecord, State
from access.words import in_words
from palms.secrets import unseal

PATIENCE = timedelta(seconds=40)  # of a guest before the door, until the page says whom to call


class Guest(rules.Right, Protocol):
    """A booking that wants to enter."""

    pk: int
    club_id: int
    area_id: int | None


@dataclass(frozen=True, slots=True)
class AccessCode:
    """The digits of a door, good over [valid_from, valid_to], UTC."""

    code: str
    valid_from: datetime
    valid_to: datetime


def get_access_code(booking: Guest, now: datetime) -> AccessCode:
    """Return the door code of a booking: the last line of defence, whatever any job did or did not do.

    Raises:
        NoLock: its area has none.
        AccessNotOpen: it is not confirmed, not secured, or not inside its time.
        CodeNotReady: it may enter, but the lock does not have its code (yet).
    """
    grant = living_grant(booking.pk)
    if grant is None and not has_lock(booking):
        raise NoLock
    if not rules.allowed(as_stored(booking.pk), now):
        raise AccessNotOpen
    if grant is None or grant.state != State.INSTALLED or not grant.valid_from <= now <= grant.valid_to:
        raise CodeNotReady
    return AccessCode(unseal(grant.code)["digits"], grant.valid_from, grant.valid_to)


def as_stored(booking_id: int) -> Guest:
    """Return a booking as it is now, not as some caller once read it."""
    bookings: Any = AccessGrant._meta.get_field("booking").related_model
    row: Guest = bookings.objects.get(pk=booking_id)
    return row


def living_grant(booking_id: int) -> AccessGrant | None:
    return AccessGrant.objects.filter(booking_id=booking_id, state__in=LIVING).first()


def has_lock(booking: Guest) -> bool:
    """Whether a booking's place has a lock in use."""
    return booking.area_id is not None and Lock.objects.filter(area_id=booking.area_id, is_active=True).exists()


@dataclass(frozen=True, slots=True)
class DoorView:
    """What a guest is shown: "later", "preparing", "open" (with the code); "slow", "stuck", "withdrawn": call the club."""

    word: str
    valid_from: datetime
    valid_to: datetime
    code: str = ""


def door_of(booking: Guest, now: datetime) -> DoorView | None:
    """Return what a booking's page shows of its door; None where there is none, and for whom it does not open (any more)."""
    if not rules.is_entitled(booking) or now > booking.date_to:
        return None
    last = last_grant(booking.pk)
    if not has_lock(booking) and (last is None or last.state not in LIVING):
        return None
    window = (booking.date_from, booking.date_to)
    if is_taken_back(booking, last):
        return DoorView("withdrawn", *window)
    if now < booking.date_from:
        return DoorView("later", *window)
    try:
        found = get_access_code(booking, now)
    except AccessNotOpen:
        return None
    except CodeNotReady:
        return DoorView(_word(last, now), *window)
    return DoorView("open", found.valid_from, found.valid_to, found.code)


def is_taken_back(booking: Guest, last: AccessGrant | None) -> bool:
    """Whether people took the code of a booking's present time and place back: it does not return by itself."""
    if last is None or last.state in LIVING:
        return False
    return (last.lock.area_id, last.valid_from, last.valid_to) == (booking.area_id, booking.date_from, booking.date_to)


def last_grant(booking_id: int) -> AccessGrant | None:
    return AccessGrant.objects.filter(booking_id=booking_id).select_related("lock").order_by("-pk").first()


def trouble_of(grant: AccessGrant | None) -> str:
    """Return what keeps a code from its lock, or in it, in people's words; nothing where all is well."""
    return in_words(grant.error) if grant else ""


def _word(grant: AccessGrant | None, now: datetime) -> str:
    """Tell a wait from one that is no use: the lock does not answer, or nobody writes the code."""
    if grant is None or grant.state == State.FAILED or not (grant.code or grant.lock.is_active):
        return "stuck"
    return "slow" if grant.looked_at is not None and grant.looked_at + PATIENCE < now else "preparing"


def last_opening(booking_id: int) -> datetime | None:
    """Return when a booking's code last opened its door, as the lock told: a hint to when its guest was there."""
    records = LockRecord.objects.filter(grant__booking_id=booking_id, opened=True).order_by("-at")
    return records.values_list("at", flat=True).first()
