"""What Palms needs of a payment provider, in Palms' words. Each provider's module translates its own wire to this."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from palms.money import Money


class ProviderUnknown(Exception):
    """We cannot tell whether the call had its effect: no answer, a garbled one, a 5xx, a 202, a 429."""


class ProviderRefused(Exception):
    """The provider's final word: no, and nothing was done. `code` is the provider's, for people and logs."""

    def __init__(self, code: str, description: str = "") -> None:
        super().__init__(f"{code}: {description}" if description else code)
        self.code = code


class Seen(StrEnum):
    """What the provider says of a payment."""

    PENDING = "pending"
    HELD = "held"
    TAKEN = "taken"
    CANCELED = "canceled"


class SeenRefund(StrEnum):
    PENDING = "pending"
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class PaymentSeen:
    """A payment as the provider shows it now. `taken` and `refunded` are minor units of `amount.currency`."""

    id: str
    status: Seen
    amount: Money  # what was asked for, as the provider remembers it (after a partial capture it may be what was taken)
    taken: int  # 0 unless status is TAKEN
    refunded: int
    account_id: str  # the shop it belongs to; empty when not told
    is_test: bool
    token: str  # our payment's token, from the metadata; empty when not there
    hold_expires_at: datetime | None = None
    captured_at: datetime | None = None
    method: str = ""
    provider_status: str = ""
    cancel_reason: str = ""
    confirmation_url: str = ""
    raw: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RefundSeen:
    """A refund as the provider shows it now. `our_id` is our Refund's id from the metadata, None for a stranger's."""

    id: str
    payment_id: str
    status: SeenRefund
    amount: Money
    our_id: int | None = None
    reason: str = ""
    raw: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The data of a receipt (54-FZ): who gets it, and what the one line of it says. Codes as in payments.models."""

    email: str
    phone: str  # E.164
    description: str
    vat_code: int
    mode: str
    tax_system: int | None = None


@dataclass(frozen=True, slots=True)
class NewPayment:
    """What a payment page is asked for."""

    token: str
    amount: Money
    two_stage: bool
    description: str  # at most 128 characters
    return_url: str
    locale: str  # "ru" or "en"
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do; the domain asks before it plans."""

    two_stage: bool
    partial_capture: bool
    cancel_unpaid: bool
    idempotency_keys: bool


class Provider(Protocol):
    """One club's account at a provider. Every call may take `patience` seconds; every call that acts takes a stored key.

    Raises:
        ProviderUnknown: the outcome is not known; ask again with the same key, or read.
        ProviderRefused: a final no.
    """

    capabilities: Capabilities

    def create(self, new: NewPayment, *, key: str, patience: float) -> PaymentSeen: ...

    def read(self, payment_id: str, *, patience: float) -> PaymentSeen: ...

    def find(self, token: str, *, since: datetime, until: datetime, patience: float) -> PaymentSeen | None:
        """Look through the provider's list for the payment that carries our token; None when it was never created."""

    def listed(self, *, since: datetime, until: datetime, patience: float) -> Iterator[PaymentSeen]:
        """Go through all payments created from `since` to `until`, newest first, ours and strangers'."""

    def capture(
        self, payment_id: str, amount: Money, *, key: str, patience: float, receipt: Receipt | None = None
    ) -> PaymentSeen: ...

    def void(self, payment_id: str, *, key: str, patience: float) -> PaymentSeen: ...

    def refund(
        self, payment_id: str, amount: Money, *, our_id: int, key: str, patience: float, receipt: Receipt | None = None
    ) -> RefundSeen: ...

    def refunds(self, payment_id: str, *, patience: float) -> list[RefundSeen]:
        """List all refunds of a payment, also those that people made in the provider's cabinet."""

    def returned(self, *, since: datetime, until: datetime, patience: float) -> Iterator[RefundSeen]:
        """Go through all refunds made from `since` to `until`, whenever their payments were made, ours and strangers'."""

    def check(self, *, patience: float) -> None:
        """Prove that the credentials work."""
