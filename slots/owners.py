"""Who a claim belongs to, told from above: payments and bookings register how a dead claim ends its owner's wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Owners:
    """The owners of dead claims: ids of payments and of bookings."""

    payment_ids: set[int] = field(default_factory=set)
    booking_ids: set[int] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.payment_ids or self.booking_ids)


@dataclass(frozen=True, slots=True, order=True)
class Handler:
    rank: int  # place in the one order of locks: payments 1, bookings 2
    lock: Callable[[Owners], None] = field(compare=False)
    end: Callable[[Owners, datetime], None] = field(compare=False)


_handlers: list[Handler] = []


def register(*, rank: int, lock: Callable[[Owners], None], end: Callable[[Owners, datetime], None]) -> None:
    """Name how the owners of one kind are locked and ended. Called once, at start-up."""
    _handlers.append(Handler(rank, lock, end))
    _handlers.sort()


def end_waits(dead: Owners, now: datetime) -> None:
    """Lock every owner in order, look again, and end its wait. The caller holds the place's locks."""
    for handler in _handlers:
        handler.lock(dead)
    for handler in _handlers:
        handler.end(dead, now)
