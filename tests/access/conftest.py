"""Doors behind the stand-in of TTLock, and a clock that Palms and the sandbox share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine

from access import services
from access.models import AccessGrant, Lock, LockAccount
from bookings.models import Booking
from palms.actors import SYSTEM
from palms.clock import now_utc
from slots.models import Slot
from tests import play
from tests.bank import Bank
from tests.factories import AreaFactory, ClubFactory, ahead

DOOR, GATEWAY = 700_001, 800_001


@dataclass
class World:
    """The sandbox's locks, and the time that both sides believe in."""

    bank: Bank
    gone: timedelta = timedelta(0)
    _traveller: Any = None

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        """Be at this moment: Palms and the sandbox."""
        self._move(moment - now_utc())
        with time_machine.travel(moment, tick=True) as self._traveller:
            yield
        self._move(-self.gone)

    def travel(self, span: timedelta) -> None:
        """Go on by this much, both sides, while being somewhere."""
        self._traveller.shift(span)
        self._move(span)

    def _move(self, span: timedelta) -> None:
        self.gone += span
        self.bank.advance(span.total_seconds())

    def control(self, path: str, **body: Any) -> Any:
        return self.bank.control("POST", f"ttlock/{path}", body).json()

    def state(self) -> Any:
        return self.bank.control("GET", "ttlock/state").json()

    def fault(self, on: str, kind: str, **options: Any) -> None:
        self.control("faults", on=on, kind=kind, **options)

    def online(self, yes: bool) -> None:
        self.control("gateway", id=GATEWAY, online=yes)

    def remembers(self) -> list[str]:
        """Return the codes in the lock's own memory."""
        return [row["code"] for row in self.state()["memory"]]

    def opens(self, code: str) -> bool:
        return bool(self.control("type", lock=DOOR, code=code)["opened"])


@pytest.fixture
def world(bank: Bank, settings: Any) -> World:
    settings.TTLOCK_API_URL = f"{bank.url}/ttlock"
    settings.TTLOCK_CLIENT_ID, settings.TTLOCK_CLIENT_SECRET = "palms-sandbox-app", "palms-sandbox-secret"
    return World(bank)


@pytest.fixture
def door(world: World) -> Lock:
    """A sunbed with a lock, looked at once."""
    club = ClubFactory()
    account = services.save_account(
        account=LockAccount(club=club, name="TTLock", username="service@club.example"),
        password="password",
        actor=SYSTEM,
    )
    area = AreaFactory(club=club, kind="sunbed")
    lock = services.fit_lock(lock=Lock(club=club, account=account, area=area, provider_lock_id=DOOR), actor=SYSTEM)
    play.run_all()
    return lock


def booked(door: Lock, **changes: Any) -> Booking:
    """Book the sunbed for an hour of the day after tomorrow, paid at the club."""
    slot: Slot = play.offer(club=door.club, area=door.area, start=ahead(), **changes)
    return play.booked_on_site(slot)


def grant_of(booking: Booking) -> AccessGrant:
    return AccessGrant.objects.filter(booking=booking).latest("pk")
