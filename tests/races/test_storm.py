"""Everybody does everything at once, by a seed: nobody deadlocks, nothing unexpected happens, every rule holds throughout."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, transaction

from bookings import services
from bookings.models import Booking
from bookings.services import Checkout
from bookings.states import S
from clubs.models import Area
from palms import intents
from palms.clock import now_utc
from palms.errors import DomainError, settle_constraints
from payments.models import Payment
from payments.services.inbox import receive_yookassa
from slots.models import Claim, Slot
from slots.services import end_owners, lock_slots
from tests.bank import Bank
from tests.factories import AreaFactory, InstructorFactory, SlotFactory
from tests.play import DECLINED, customer, offer, run_all, staff, take
from tests.races.crowd import at_once, phone
from tests.races.invariants import broken

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("peace")]
PEOPLE, SECONDS = 8, 10.0
LOCK_TIMEOUT = "55P03"


class Storm:
    """One club with three courts, two instructors and offers that get in each other's way; and people without manners."""

    def __init__(self, bank: Bank, seed: int) -> None:
        self.bank, self.seed = bank, seed
        self.slots = list(self._build())
        self.staff = staff(self.slots[0])
        self.courts = list(Area.objects.filter(mode=Area.Mode.INSTANT).order_by("pk"))
        self.tokens: list[str] = []
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.busy = 0
        self.wrong: list[str] = []
        self.until = 0.0

    @staticmethod
    def _build() -> list[Slot]:
        first = offer()
        club = first.club
        courts = [first.area, AreaFactory(club=club), AreaFactory(club=club, mode=Area.Mode.REQUEST)]
        people = [InstructorFactory(club=club) for _ in range(2)]
        slots = [first]
        for hour, minutes in ((0, 90), (1, 60), (1, 120)):
            start = first.date_from + timedelta(hours=hour)
            for court in courts:
                for instructor in people:
                    slots.append(
                        SlotFactory(club=club, area=court, instructor=instructor, start=start, minutes=minutes)
                    )
        slots.append(SlotFactory(club=club, area=None, instructor=people[0], start=first.date_from, capacity=4))
        slots.append(SlotFactory(club=club, area=AreaFactory(club=club, exclusive=False), capacity=12))
        return slots

    def run(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds
        people = [
            lambda number=number: self._live(random.Random(self.seed * 1000 + number)) for number in range(PEOPLE)
        ]
        results = at_once([*people, self._watch])
        self.wrong += [repr(result) for result in results if result is not None]

    def _watch(self) -> None:
        """Look at every rule, again and again, from a connection of its own."""
        while time.monotonic() < self.until:
            found = broken()
            if found:
                self.wrong.append(f"rules broken in flight: {found}")
            self.done["looks at every rule"] += 1
            time.sleep(0.3)

    def _live(self, rng: random.Random) -> None:
        acts: list[Callable[[random.Random], Any]] = [
            self.buy, self.buy, self.buy, self.buy, self.pay, self.pay, self.look, self.look, self.notice, self.release,
            self.cancel_as_customer, self.cancel_as_club, self.approve, self.pay_approved, self.sweep, self.calls, self.die,
            self.die, self.move,
        ]  # fmt: skip
        while time.monotonic() < self.until:
            act = rng.choice(acts)
            try:
                act(rng)
                self.done[act.__name__] += 1
            except DomainError as refusal:
                self.refused[type(refusal).__name__] += 1
            except OperationalError as error:
                state = getattr(error.__cause__, "sqlstate", None)
                if state == LOCK_TIMEOUT:
                    self.busy += 1
                else:
                    self.wrong.append(f"{act.__name__}: {error!r}")

    def buy(self, rng: random.Random) -> None:
        slot = rng.choice(self.slots)
        count = rng.randint(1, min(3, slot.capacity))
        checkout: Checkout = take(slot, count=count, phone=phone(rng.randrange(40)), visitor=f"v{rng.randrange(20)}")
        self.tokens.append(checkout.token)

    def pay(self, rng: random.Random) -> None:
        payment = self._payment(rng, status="PENDING")
        if payment is not None and payment.provider_payment_id:
            answer = self.bank.pay_on_page(
                payment.provider_payment_id, DECLINED if rng.random() < 0.1 else "4111111111111111"
            )
            assert answer.status_code in (302, 409), answer.text

    def look(self, rng: random.Random) -> None:
        if self.tokens:
            services.look_again(token=rng.choice(self.tokens[-30:]))

    def notice(self, rng: random.Random) -> None:
        payment = self._payment(rng)
        if payment is not None and payment.provider_payment_id:
            thing = {"id": payment.provider_payment_id, "metadata": {"payment_token": payment.token}}
            event = rng.choice(["payment.waiting_for_capture", "payment.canceled", "payment.succeeded"])
            receive_yookassa({"type": "notification", "event": event, "object": thing})

    def release(self, rng: random.Random) -> None:
        payment = self._payment(rng, status="PENDING")
        if payment is not None:
            services.release_hold(token=payment.token, actor=customer(payment.client_id))

    def cancel_as_customer(self, rng: random.Random) -> None:
        booking = self._booking(rng)
        if booking is not None:
            services.cancel_by_customer(booking_id=booking.pk, actor=customer(booking.client_id), reason="rain")

    def cancel_as_club(self, rng: random.Random) -> None:
        booking = self._booking(rng)
        if booking is not None:
            services.cancel_by_club(booking_id=booking.pk, actor=self.staff, reason="rain")

    def approve(self, rng: random.Random) -> None:
        booking = self._booking(rng, status=S.REQUESTED)
        if booking is not None:
            services.approve(booking_id=booking.pk, actor=self.staff)

    def pay_approved(self, rng: random.Random) -> None:
        booking = self._booking(rng, status=S.APPROVED)
        if booking is not None:
            services.pay_for_approved(booking_id=booking.pk, actor=customer(booking.client_id))

    def sweep(self, rng: random.Random) -> None:
        services.end_expired()

    def calls(self, rng: random.Random) -> None:
        intents.run_due(limit=3)

    def die(self, rng: random.Random) -> None:
        """Let a deadline pass: of a hold, or of a request."""
        claim = rng.choice(list(Claim.objects.filter(held_until__isnull=False)) or [None])
        if claim is None:
            return
        moment = now_utc() - timedelta(milliseconds=rng.randrange(-200, 200))
        with transaction.atomic():
            if claim.payment_id:
                list(Payment.objects.select_for_update().filter(pk=claim.payment_id))
                Claim.objects.filter(payment_id=claim.payment_id).update(held_until=moment)
            else:
                list(Booking.objects.select_for_update().filter(pk=claim.booking_id))
                Booking.objects.filter(pk=claim.booking_id, expires_at__isnull=False).update(expires_at=moment)
                Claim.objects.filter(booking_id=claim.booking_id, held_until__isnull=False).update(held_until=moment)
            settle_constraints()

    def move(self, rng: random.Random) -> None:
        """Put a slot that nobody has any more onto the other court."""
        seen = rng.choice(self.slots[1:-2])
        with transaction.atomic():
            (slot,) = lock_slots([seen.pk])
            claims, now = list(Claim.objects.filter(slot=slot)), now_utc()
            if slot.area.mode == Area.Mode.REQUEST or any(c.held_until is None or c.held_until > now for c in claims):
                return
            end_owners(claims, now)
            other = next(court for court in self.courts if court.pk != slot.area_id)
            taken = Slot.objects.filter(
                area=other, instructor=slot.instructor, date_from=slot.date_from, date_to=slot.date_to
            )
            if not taken.exists():
                Slot.objects.filter(pk=slot.pk).update(area=other)

    def _payment(self, rng: random.Random, **which: Any) -> Payment | None:
        rows = list(Payment.objects.filter(**which).order_by("-pk")[:20])
        return rng.choice(rows) if rows else None

    def _booking(self, rng: random.Random, **which: Any) -> Booking | None:
        rows = list(Booking.objects.filter(finished_at=None, **which).order_by("-pk")[:20])
        return rng.choice(rows) if rows else None


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_breaks_in_a_storm(bank: Bank, seed: int, record_property: Callable[[str, object], None]) -> None:
    storm = Storm(bank, seed)
    storm.run(SECONDS)
    settle(storm)
    for name, value in (("done", dict(storm.done)), ("refused", dict(storm.refused)), ("busy", storm.busy)):
        record_property(name, value)
        print(name, value)
    assert storm.wrong == []
    assert storm.done["buy"] >= 10
    assert_bank_and_books_agree(bank)


def settle(storm: Storm) -> None:
    """Hear of every payment, end what is over, make every call."""
    for token in Payment.objects.values_list("token", flat=True):
        services.look_again(token=token)
    services.end_expired()
    run_all(rounds=60)


def assert_bank_and_books_agree(bank: Bank) -> None:
    """Every payment with money serves a booking or is back with the payer; what we wrote is what the bank has."""
    books = {p.provider_payment_id: p for p in Payment.objects.all() if p.provider_payment_id}
    for there in bank.state()["payments"]:
        payment, money = books.pop(there["object"]["id"]), there["money"]
        kept = payment.keep if payment.decision == "USED" else 0
        assert (money["held"] + money["captured"] - money["refunded"]) == (kept or 0), (payment.pk, there)
        assert (payment.status == "AUTHORIZED") == (money["held"] > 0), (payment.pk, there)
    assert books == {}
