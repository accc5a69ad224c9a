"""Random days at a door: bookings, moves, cancels, refunds, outages, lost answers and deaths, against the lock's own memory."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from access import services
from access.errors import AccessNotOpen, CodeNotReady
from access.models import WITH_DIGITS, AccessGrant, Lock, State
from access.providers.base import Locks, Passcode
from access.services import installing
from bookings import services as bookings
from bookings.models import Booking
from bookings.states import ACTIVE
from palms import intents
from palms.clock import now_utc
from palms.errors import DomainError
from palms.intents import Later, Outcome
from payments.models import Payment
from payments.services.inbox import receive_yookassa
from slots.models import Slot
from tests import play
from tests.access.conftest import DOOR, World
from tests.factories import ahead

pytestmark = pytest.mark.django_db(transaction=True)
LIVES, SOUGHT, STEPS, MINUTE = 6, 30, 40, timedelta(minutes=1)
LOST = ("silence_after", "drop_after", "garbled", "errcode_after")  # the answer; it is done
FAULTS = (*LOST, "silence", "drop_before", "html_502")


def may_enter(booking: Booking, now: datetime) -> bool:
    """The rule itself, written once more: confirmed, secured, inside the time."""
    secured = booking.status == "CONFIRMED" and booking.secured_amount >= booking.price
    return secured and booking.date_from <= now <= booking.date_to


class Died(BaseException):
    """The worker was killed."""


class Days:
    """Somebody who does anything at any time. `now` is where the clock stands between steps."""

    def __init__(self, world: World, door: Lock, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world, self.door, self.dice, self.patch = world, door, random.Random(seed), monkeypatch
        self.now: datetime = ahead() + timedelta(days=5 * seed) - 30 * MINUTE
        self.online = True

    def step(self) -> None:
        steps: list[Callable[[], None]] = [
            self.book, self.book, self.cancel, self.move, self.close, self.refund, self.lose_money, self.wait, self.arrive,
            self.arrive, self.outage, self.fault, self.fault, self.work, self.work, self.work, self.die, self.look,
        ]  # fmt: skip
        with self.world.at(self.now):
            self.dice.choice(steps)()
            self.now = now_utc()
        with self.world.at(self.now):
            self.nothing_opens_for_nobody()

    def book(self) -> None:
        start = self.now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=self.dice.randint(1, 2))
        offered = Slot.objects.filter(area=self.door.area, date_from=start, closed=False).exclude(origin="move").first()
        slot = offered or play.offer(club=self.door.club, area=self.door.area, start=start)
        with suppress(DomainError):
            if self.dice.random() < 0.5:
                play.booked_on_site(slot)
            else:
                play.booked(slot, self.world.bank)

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

    def refund(self) -> None:
        booking = self.any_booking()
        with suppress(DomainError):
            if booking:
                part = self.dice.choice((1, booking.price // 2))
                bookings.refund_part(booking_id=booking.pk, actor=play.staff(booking.slot), amount=part, reason="cold")

    def lose_money(self) -> None:
        """The bank gives it all back, by people there or since its hold dies, and tells us."""
        paid = list(Payment.objects.filter(status__in=("AUTHORIZED", "CAPTURED"), provider_payment_id__isnull=False))
        if not paid:
            return
        payment = self.dice.choice(paid)
        name, bank = payment.provider_payment_id or "", self.world.bank
        if bank.money(name)["held"]:
            bank.expire(name)
        elif bank.money(name)["refundable"]:
            bank.refund_in_cabinet(name)
        receive_yookassa({"type": "notification", "event": "payment.canceled", "object": {"id": name}})

    def wait(self) -> None:
        self.world.travel(self.dice.choice((MINUTE, 20 * MINUTE, 45 * MINUTE)))

    def arrive(self) -> None:
        """Be there when the next booking begins."""
        ahead_of_us = Booking.objects.filter(status="CONFIRMED", date_from__gt=now_utc()).order_by("date_from").first()
        if ahead_of_us is not None:
            self.world.travel(ahead_of_us.date_from - now_utc() + MINUTE)

    def outage(self) -> None:
        self.online = not self.online
        self.world.online(self.online)

    def fault(self) -> None:
        """Lose a call or, most often of a code that is added, its answer."""
        on, kinds = self.dice.choice(
            (("add", LOST), ("add", LOST), ("add", FAULTS), ("delete", FAULTS), ("list", FAULTS))
        )
        self.world.fault(on, self.dice.choice(kinds), seconds=0.05, errcode=90000)

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
        now, there = now_utc(), self.world.state()["memory"]
        grants = {str(grant.pk): grant for grant in AccessGrant.objects.select_related("booking")}
        for row in there:
            grant = grants[row["name"].rsplit("-", 1)[1]]
            assert row["lock"] == DOOR
            assert row["starts_at"] == int(grant.valid_from.timestamp() * 1000), (
                "the lock's own validity is the booking's"
            )
            assert row["ends_at"] == int(grant.valid_to.timestamp() * 1000), "the lock's own validity is the booking's"
            assert grant.state in WITH_DIGITS, grant
            assert may_enter(grant.booking, now) or grant.state == State.REMOVING or now > grant.valid_to, grant
        for booking in Booking.objects.all():
            with suppress(AccessNotOpen, CodeNotReady):
                code = services.get_access_code(booking, now).code
                assert may_enter(booking, now)
                mine = [row["code"] for row in there if grants[row["name"].rsplit("-", 1)[1]].booking_id == booking.pk]
                assert mine == [code], "the code that is told, and no other, is on the lock"

    def heal(self) -> None:
        """Everything works again: the lock opens for exactly those who may enter now, and a day later it remembers nobody."""
        self.world.bank.control("DELETE", "ttlock/faults")
        self.world.online(True)
        for _round in range(6):
            self.run_on(3 * MINUTE)
        with self.world.at(self.now):
            play.run_all()
            now, state = now_utc(), self.world.state()
            inside = [booking for booking in Booking.objects.all() if may_enter(booking, now)]
            shown = sorted(services.get_access_code(booking, now).code for booking in inside)
            assert sorted(row["code"] for row in state["memory"] if row["ends_at"] >= state["now_ms"]) == shown
        for _round in range(3):
            self.run_on(timedelta(hours=26))  # what is over is taken out with less hurry
        with self.world.at(self.now):
            assert self.world.remembers() == []

    def run_on(self, span: timedelta) -> None:
        self.now += span
        with self.world.at(self.now):
            play.run_all()


def live(world: World, door: Lock, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Play one life; each seed has days of its own."""
    days = Days(world, door, seed, monkeypatch)
    with world.at(days.now):
        days.book()
        days.book()
    for _step in range(STEPS):
        days.step()
    days.heal()


@pytest.mark.parametrize("seed", range(LIVES))
def test_any_days_at_a_door(world: World, door: Lock, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    live(world, door, seed, monkeypatch)


def sent_again_without_a_look(_locks: Locks, _grant: AccessGrant) -> None:
    return None


def an_hour_longer(grant: AccessGrant) -> Passcode:
    return replace(PASSCODE(grant), ends_at=grant.valid_to + timedelta(hours=1))


def removed_though_nobody_answers(grant: AccessGrant, now: datetime) -> Outcome:
    outcome = REMOVE(grant, now)
    failed = isinstance(outcome, Later) and isinstance(outcome.answer, installing.Trouble)
    return Later(now, installing.Removed(reached=False)) if failed else outcome


def only_the_known_one(locks: Locks, grant_id: int) -> None:
    grant = AccessGrant.objects.select_related("lock").get(pk=grant_id)
    if grant.provider_code_id:
        locks.remove(grant.lock.provider_lock_id, grant.provider_code_id, patience=installing.PATIENCE)


PASSCODE, REMOVE = installing._passcode, installing._remove
PLANTED: dict[str, tuple[str, Callable[..., Any]]] = {
    "sent again without a look": ("_adopt", sent_again_without_a_look),
    "on the lock an hour longer": ("_passcode", an_hour_longer),
    "removed, though nobody answers": ("_remove", removed_though_nobody_answers),
    "only the known code is taken out": ("_take_out", only_the_known_one),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(world: World, door: Lock, bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installing, *PLANTED[bug])

    def every_life() -> None:
        for seed in range(SOUGHT):
            live(world, door, seed, monkeypatch)

    with pytest.raises(AssertionError):
        every_life()
