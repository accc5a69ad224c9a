"""What a lock provider must do for us, and how its troubles are told apart. Moments are UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Passcode:
    """A code as the provider's cloud knows it."""

    id: int
    name: str
    digits: str
    starts_at: datetime
    ends_at: datetime


class LockTrouble(Exception):
    """A call that did not do what was asked. `code` is the provider's number; no digits are ever in the text."""

    def __init__(self, code: int | str) -> None:
        super().__init__(f"{type(self).__name__} {code}")
        self.code = code


class Unreachable(LockTrouble):
    """The lock or its gateway is offline: nothing was done; again in a minute."""


class Busy(LockTrouble):
    """The gateway serves somebody else: nothing was done; again in seconds."""


class NotOurTurn(Busy):
    """One of our own calls is under way at this gateway or account: TTLock was not asked at all."""


class Unsure(LockTrouble):
    """No answer, or one that cannot be read: it may have been done. Look before doing it again."""


class Taken(LockTrouble):
    """These digits cannot be used on this lock: draw others."""


class Full(LockTrouble):
    """The lock's memory is full."""


class Gone(LockTrouble):
    """There is no such code: what was to be removed is removed."""


class SignedOut(LockTrouble):
    """The access token is not accepted (any more): renew it once."""


class Misconfigured(LockTrouble):
    """People have to mend something: account, application or host."""


class Forbidden(Misconfigured):
    """The account has no right to this lock, or not to this function of it."""


class WrongClock(Misconfigured):
    """Our own clock is more than five minutes off TTLock's."""


class QuotaSpent(Misconfigured):
    """The month's calls are used up: nothing helps before the next month begins, or more are bought."""


class Defect(Misconfigured):
    """TTLock does not understand what we ask: ours to mend."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway near a lock, as the cloud believes: up to half an hour late. `signal` in dBm; above -75 is strong."""

    name: str
    is_online: bool
    signal: int | None


@dataclass(frozen=True, slots=True)
class Condition:
    """What the cloud knows of a lock without asking it."""

    battery: int | None  # %
    gateways: tuple[Gateway, ...]


class Locks(Protocol):
    """One account's locks. `patience` is in seconds; a gateway call needs 35."""

    def add(self, lock_id: int, passcode: Passcode, *, patience: float) -> int:
        """Write a code into the lock through its gateway; returns its id."""
        ...

    def remove(self, lock_id: int, passcode_id: int, *, patience: float) -> None:
        """Take a code out of the lock. Raises Gone where it is not there."""
        ...

    def find(self, lock_id: int, sought: str, *, patience: float) -> list[Passcode]:
        """Return the codes of a lock whose name contains `sought`."""
        ...

    def clock(self, lock_id: int, *, patience: float) -> datetime:
        """Ask the lock itself what time it is: proof that it can be reached."""
        ...

    def set_clock(self, lock_id: int, moment: datetime, *, patience: float) -> None: ...

    def condition(self, lock_id: int, *, patience: float) -> Condition:
        """Ask the cloud, not the lock, for its battery and for the state of the gateways near it."""
        ...
