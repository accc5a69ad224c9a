"""What a payment is for, told from above: the higher room registers the only door through which money reaches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from payments.models import Payment
from payments.providers.base import PaymentSeen, RefundSeen


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a provider showed when it was asked, outside any transaction."""

    payment: PaymentSeen
    refunds: tuple[RefundSeen, ...] = ()
    taken_by_us: int | None = None  # our own capture was accepted, for this much
    refused: str = ""  # our own call was refused; what is shown is what somebody else did


class Close(Protocol):
    """End, or keep open, the intent that brought a sighting, under the payment's lock."""

    def __call__(self, payment: Payment, *, believed: bool) -> None: ...


class Door(Protocol):
    """Apply what was seen, decide once, and in the same transaction, after the locks, call `close`."""

    def __call__(self, *, payment_id: int, seen: Sighting, close: Close) -> Payment: ...


@dataclass(frozen=True, slots=True)
class Payer:
    """Whom a receipt goes to; either may be empty."""

    email: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    door: Door
    give_up: Callable[[int, Close], None]  # the provider's final word: it was never created
    return_url: Callable[[Payment], str]
    payer: Callable[[Payment], Payer]


_targets: dict[str, Target] = {}


def register(purpose: str, target: Target) -> None:
    """Name the door of one purpose. Called once, at start-up."""
    _targets[purpose] = target


def target_of(payment: Payment) -> Target:
    return _targets[payment.purpose]


def nothing(payment: Payment, *, believed: bool) -> None:
    """Close nothing: the sighting did not come from an intent."""
