"""The one formula of life, and the status computed from it. Everything that asks "is it taken?" asks here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from django.db.models import Q

if TYPE_CHECKING:
    from clubs.models import Club
    from slots.models import Claim, Slot


class SlotStatus(StrEnum):
    """For output only, the first that fits. B's words: available, hold, booked."""

    PAST = "PAST"
    CLOSED = "CLOSED"
    BOOKED = "BOOKED"
    HOLD = "HOLD"
    AVAILABLE = "AVAILABLE"


def living(now: datetime) -> Q:
    """Return the claims that are alive: firm, or held beyond `now` (which is read after the locks)."""
    return Q(held_until__isnull=True) | Q(held_until__gt=now)


def living_sql(alias: str) -> str:
    """Return the same condition on a claim of this alias, for queries that are written as SQL."""
    return f"({alias}.held_until IS NULL OR {alias}.held_until > now())"


def is_alive(claim: Claim, now: datetime) -> bool:
    return claim.held_until is None or claim.held_until > now


def is_rival(claim: Claim, slot: Slot) -> bool:
    """Whether another slot's claim, once taken, leaves nothing of this slot: same court or same instructor, overlapping."""
    if claim.slot_id == slot.pk or not (claim.period.lower < slot.date_to and slot.date_from < claim.period.upper):
        return False
    same_area = slot.exclusive and claim.exclusive and claim.area_id == slot.area_id
    same_instructor = slot.instructor_id is not None and claim.instructor_id == slot.instructor_id
    return same_area or same_instructor


def status_of(slot: Slot, claims: Sequence[Claim], now: datetime) -> tuple[SlotStatus, int]:
    """Return the slot's status and places left, given every claim that could concern it."""
    alive = [claim for claim in claims if is_alive(claim, now)]
    own = [claim for claim in alive if claim.slot_id == slot.pk]
    rivals = [claim for claim in alive if is_rival(claim, slot)]
    left = 0 if rivals else slot.capacity - len(own)
    if slot.date_from <= now:
        return SlotStatus.PAST, 0
    if slot.closed or (slot.is_by_interval and not own):  # made for somebody, offered to nobody
        return SlotStatus.CLOSED, 0
    if left > 0:
        return SlotStatus.AVAILABLE, left
    held = any(claim.held_until is not None for claim in (*own, *rivals))
    return (SlotStatus.HOLD if held else SlotStatus.BOOKED), 0


def is_shown_to_customers(slot: Slot, club: Club, now: datetime) -> bool:
    """Whether minimum notice and horizon let a customer take it. Staff are not bound by either."""
    return may_start(slot.date_from, club, now)


def may_start(start: datetime, club: Club, now: datetime) -> bool:
    """The same of a start alone."""
    ahead = (start - now).total_seconds()
    return club.notice_minutes * 60 <= ahead <= club.horizon_days * 86_400
