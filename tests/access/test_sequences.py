"""Random days at a door: bookings, moves, cancels, outages, lost answers and deaths, against the lock's own memory."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from access import rules, services
from access.errors import AccessNotOpen, CodeNotReady
from access.models import AccessGrant, Lock, State
from bookings import services as bookings
from bookings.models import Booking
from bookings.states import ACTIVE
from palms import intents
from palms.clock import now_utc
from palms.errors import DomainError
from slots.models import Slot
from tests import play
from tests.access.conftest import DOOR, World
from tests.factories import ahead

pytestmark = pytest.mark.django_db(transaction=True)
STEPS, MINUTE = 25, timedelta(minutes=1)
FAULTS = ("silence", "silence_after", "drop_before", "drop_after", "garbled", "html_502", "errcode_after")


class Died(BaseException):
    """The worker was killed."""


class Days:
    """Somebody who does anything at any time. `now` is where the clock stands between steps."""

    def __init__(self, world: World, door: Lock, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world, self.door, self.dice, self.patch = world, door, random.Random(seed), monkeypatch
        self.now: datetime = ahead() - 30 * MINUTE
        self.online = True

    def step(self) -> None:
        steps: list[Callable[[], None]] = [
            self.book, self.cancel, self.move, self.close, self.wait, self.wait, self.outage, self.fault, self.work,
            self.work, self.die, self.look,
        ]  # fmt: skip
        with self.world.at(self.now):
            self.dice.choice(steps)()
            self.now = now_utc()
        with self.world.at(self.now):
            self.nothing_opens_for_nobody()

    def book(self) -> None:
        start = self.now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=self.dice.randint(1, 4))
        offered = Slot.objects.filter(area=self.door.area, date_from=start, closed=False).exclude(origin="move").first()
        slot = offered or play.offer(club=self.door.club, area=self.door.area, start=start)
        with suppress(DomainError):
            play.booked_on_site(slot)

    def any_booking(self) -> Booking | None:
        rows = list(Booking.objects.filter(status__in=ACTIVE).order_by("pk"))
        return self.dice.choice(rows) if rows else None

    def cancel(self) -> None:
        booking = self.any_booking()
        if booking:
            bookings.cancel_by_club(booking_id=booking.pk, actor=play.staff(booking.slot), reason="rain")

    def close(self) -> None:
        booking = self.any_booking()
        with suppress(DomainError):
            if booking:
                bookings.close(booking_id=booking.pk, actor=play.staff(booking.slot), outcome="SHOWN")

    def move(self) -> None:
        booking = self.any_booking()
        if booking:
            start = booking.date_from + timedelta(hours=self.dice.choice((-2, -1, 1, 2)))
            with suppress(DomainError):
                bookings.move(
                    booking_id=booking.pk, actor=play.staff(booking.slot), date_from=start, date_to=start + 60 * MINUTE
                )

    def wait(self) -> None:
        self.world.travel(self.dice.choice((MINUTE, 10 * MINUTE, 45 * MINUTE)))

    def outage(self) -> None:
        self.online = not self.online
        self.world.online(self.online)

    def fault(self) -> None:
        on = self.dice.choice(("add", "delete", "list"))
        self.world.fault(on, self.dice.choice(FAULTS), seconds=0.05, errcode=90000)

    def work(self) -> None:
        intents.run_due()

    def die(self) -> None:
        """Kill the worker between the lock and our books."""

        def killed(*_given: object, **_named: object) -> None:
            raise Died

        with self.patch.context() as patch:
            patch.setattr("access.services.installing._write_installed", killed)
            patch.setattr("access.services.installing._write_removed", killed)
            with suppress(Died):
                intents.run_due()

    def look(self) -> None:
        for booking in Booking.objects.filter(status__in=ACTIVE):
            services.ask_for_code(booking, now_utc())

    def nothing_opens_for_nobody(self) -> None:
        """Whatever opens the door now belongs to somebody who may enter, or is on its way out and shown to nobody."""
        now = now_utc()
        grants = {str(grant.pk): grant for grant in AccessGrant.objects.select_related("booking")}
        for row in self.world.state()["memory"]:
            grant = grants[row["name"].rsplit("-", 1)[1]]
            assert row["lock"] == DOOR
            assert row["ends_at"] == int(grant.valid_to.timestamp() * 1000), "the lock's own validity is the booking's"
            assert grant.state in (State.INSTALLING, State.INSTALLED, State.REMOVING), grant
            assert rules.allowed(grant.booking, now) or grant.state == State.REMOVING or now > grant.valid_to, grant
        for booking in Booking.objects.all():
            with suppress(AccessNotOpen, CodeNotReady):
                services.get_access_code(booking, now)
                assert rules.allowed(booking, now)

    def heal(self) -> None:
        """Everything works again: the lock remembers exactly the codes of those who may enter now."""
        self.world.bank.control("DELETE", "ttlock/faults")
        self.world.online(True)
        for _round in range(6):
            self.now += 3 * MINUTE
            with self.world.at(self.now):
                play.run_all()
        with self.world.at(self.now):
            play.run_all()
            now = now_utc()
            inside = [booking for booking in Booking.objects.all() if rules.allowed(booking, now)]
            shown = sorted(services.get_access_code(booking, now).code for booking in inside)
            assert sorted(self.world.remembers()) == shown


@pytest.mark.parametrize("seed", range(5))
def test_any_days_at_a_door(world: World, door: Lock, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    days = Days(world, door, seed, monkeypatch)
    with world.at(days.now):
        days.book()
        days.book()
    for _step in range(STEPS):
        days.step()
    days.heal()
