"""Everybody does everything at once to bookings that are paid, before and after the visit, while the bank stumbles."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
import time_machine
from django.db import OperationalError

from bookings import services
from bookings.models import Booking
from palms import intents
from palms.actors import Actor
from palms.clock import now_utc
from palms.errors import DomainError
from payments import services as money
from payments.models import Payment, ProviderAccount, Refund
from payments.providers.base import ProviderUnknown
from payments.services.inbox import receive_yookassa
from slots.models import Slot
from tests.bank import Bank
from tests.factories import AreaFactory, ClubFactory, ProviderAccountFactory, SlotFactory, tomorrow
from tests.play import booked, booked_on_site, customer, run_all, staff
from tests.races.crowd import at_once, phone
from tests.races.invariants import broken

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("peace")]
PEOPLE, SECONDS, AT_MOST = 6, 6.0, 60.0
LOCK_TIMEOUT = "55P03"
CALLS = ("create", "get", "capture", "cancel", "refund", "list")
STUMBLES = (
    "drop_before", "drop_after", "error_before", "error_after", "processing_202", "too_many_429", "html_502", "garbled",
)  # fmt: skip
EVENTS = ("payment.waiting_for_capture", "payment.canceled", "payment.succeeded", "refund.succeeded")
ENDINGS: tuple[tuple[str, str | int], ...] = (
    ("SHOWN", "full"), ("SHOWN", 30_000), ("NOT_SHOWN", "none"), ("NOT_SHOWN", 50_000),
)  # fmt: skip
# Each of these has to succeed, or the storm was a breeze.
NEEDED = ("price", "move", "page", "pay", "calls", "notice", "stumble")
UNTIL_ALL_IS_DUE = (2, 4, 8, 16, 26, 26, 30, 30, 30)  # hours
Act = Callable[[random.Random], Any]


class Storm:
    """Two clubs, one that holds money on the card and one that takes it at once; ten parties who have paid."""

    def __init__(self, bank: Bank, seed: int) -> None:
        self.bank, self.seed, self.ahead = bank, seed, timedelta()
        self.begun, self.needed = 0.0, frozenset[str]()
        self.bookings: list[int] = []
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.by_people: set[str] = set()  # payments that people have touched at the bank
        for capture in ("auto", "one_stage"):
            self._build(capture)
        self.slots = list(Slot.objects.order_by("pk"))

    def _build(self, capture: str) -> None:
        club = ClubFactory(capture=capture, customer_cancel="always_with_fee", late_cancel_fee_percent=50)
        ProviderAccountFactory(club=club)
        terms = {"overdue_rate": 60_000, "overdue_grace_minutes": 0, "overdue_cap": 100_000}
        courts = [AreaFactory(club=club, **terms) for _ in range(3)]
        starts = [tomorrow() + timedelta(minutes=90 * number) for number in range(3)]
        slots = [SlotFactory(club=club, area=court, start=start) for court in courts for start in starts]
        for slot in slots[:4]:
            self.bookings.append(booked(slot, self.bank, phone=phone(len(self.bookings))).pk)
        self.bookings.append(booked_on_site(slots[4], phone=phone(len(self.bookings))).pk)

    def run(self, *acts: Act, needed: Iterable[str] = ()) -> None:
        """Live for a few seconds, longer where an act that is needed has not succeeded yet."""
        self.begun, self.needed = time.monotonic(), frozenset(needed)
        people = [lambda n=number: self._live(random.Random(self.seed * 1000 + n), acts) for number in range(PEOPLE)]
        self.wrong += [repr(result) for result in at_once([*people, self._watch]) if result is not None]

    def _goes_on(self) -> bool:
        passed = time.monotonic() - self.begun
        return passed < SECONDS or (passed < AT_MOST and not self.needed <= self.done.keys())

    def _watch(self) -> None:
        while self._goes_on():
            self.wrong += [f"broken in flight: {rule} {rows}" for rule, rows in broken().items() if "stuck" not in rule]
            time.sleep(0.5)

    def _live(self, rng: random.Random, acts: tuple[Act, ...]) -> None:
        while self._goes_on():
            act = rng.choice(acts)
            try:
                act(rng)
                self.done[act.__name__] += 1
            except* (DomainError, httpx.HTTPStatusError, ProviderUnknown) as refusals:
                self.refused[f"{act.__name__}: {type(refusals.exceptions[0]).__name__}"] += 1
            except* OperationalError as busy:
                states = {getattr(error.__cause__, "sqlstate", None) for error in busy.exceptions}
                self.wrong += [f"{act.__name__}: {busy.exceptions}"] if states != {LOCK_TIMEOUT} else []

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        """Move our clock and the bank's."""
        ahead = moment - now_utc()
        self.bank.advance((ahead - self.ahead).total_seconds())
        self.ahead = ahead
        with time_machine.travel(moment):
            yield

    def settle(self, since: datetime) -> None:
        """Hear of every payment and make every call, until the last that was refused is due again."""
        self.bank.clear_faults()
        for hours in UNTIL_ALL_IS_DUE:
            since += timedelta(hours=hours)
            with self.at(since):
                for token, fee in Payment.objects.values_list("token", "overdue_id"):
                    (services.look_again_at_fee if fee else services.look_again)(token=token)
                run_all(60)

    # Whom and what it is done to.

    def one(self, rng: random.Random) -> tuple[Booking, Actor]:
        booking = Booking.objects.select_related("slot", "club").get(pk=rng.choice(self.bookings))
        return booking, staff(booking.slot)

    def payment(self, rng: random.Random, **which: Any) -> Payment | None:
        rows = list(Payment.objects.filter(provider_payment_id__isnull=False, **which).order_by("-pk")[:30])
        return rng.choice(rows) if rows else None

    # The club.

    def price(self, rng: random.Random) -> None:
        booking, actor = self.one(rng)
        price = rng.choice([50_000, 100_000, 150_000, 200_000, 250_000])
        services.edit(booking_id=booking.pk, actor=actor, price=price)

    def part(self, rng: random.Random) -> None:
        booking, actor = self.one(rng)
        amount = rng.choice([1, 10_000, 30_000])
        services.refund_part(booking_id=booking.pk, actor=actor, amount=amount, reason="a broken heater")

    def move(self, rng: random.Random) -> None:
        booking, actor = self.one(rng)
        to = rng.choice([slot for slot in self.slots if slot.club_id == booking.club_id])
        later = timedelta(minutes=rng.choice([0, 30, 60]))
        if not later:
            services.move(booking_id=booking.pk, actor=actor, slot_id=to.pk)
            return
        spot = {"area_id": to.area_id, "date_from": to.date_from + later, "date_to": to.date_to + later}
        services.move(booking_id=booking.pk, actor=actor, **spot)

    def cancel(self, rng: random.Random) -> None:
        booking, actor = self.one(rng)
        if rng.random() < 0.9:
            return
        if rng.random() < 0.5:
            services.cancel_by_customer(booking_id=booking.pk, actor=customer(booking.client_id), reason="ill")
        else:
            keep = rng.choice([0, 40_000])
            services.cancel_by_club(booking_id=booking.pk, actor=actor, reason="rain", keep=keep)

    def on_site(self, rng: random.Random) -> None:
        booking, actor = self.one(rng)
        services.record_payment_on_site(booking_id=booking.pk, actor=actor)

    def hand_back(self, rng: random.Random) -> None:
        owed = Refund.objects.filter(account=None, state="INTENDED").first()
        if owed is not None:
            actor = staff(Booking.objects.get(pk=owed.payment.booking_id or owed.payment.overdue_id).slot)
            money.handed_back(refund_id=owed.pk, actor=actor)

    def close(self, rng: random.Random) -> None:
        booking, actor = self.one(rng)
        outcome, charge = rng.choice(ENDINGS)
        if rng.random() < 0.4:
            services.close(booking_id=booking.pk, actor=actor, outcome=outcome, charge=charge)

    def force(self, rng: random.Random) -> None:
        booking, actor = self.one(rng)
        if rng.random() < 0.3:
            services.try_complete_booking(booking_id=booking.pk, actor=actor, force=True, reason="in a hurry")

    def fee_on_site(self, rng: random.Random) -> None:
        booking, actor = self.one(rng)
        services.record_fee_on_site(booking_id=booking.pk, actor=actor)

    def waive(self, rng: random.Random) -> None:
        booking, actor = self.one(rng)
        if rng.random() < 0.5:
            services.waive_fee(booking_id=booking.pk, actor=actor, reason="nice people")

    def look_after(self, rng: random.Random) -> None:
        services.look_after_all()

    def compare(self, rng: random.Random) -> None:
        account, now = rng.choice(list(ProviderAccount.objects.all())), now_utc()
        money.compare(account_id=account.pk, since=now - timedelta(days=3), until=now + timedelta(minutes=5))

    def calls(self, rng: random.Random) -> None:
        intents.run_due(limit=3)

    # Customers.

    def page(self, rng: random.Random) -> None:
        booking, _actor = self.one(rng)
        services.pay_for_approved(booking_id=booking.pk, actor=customer(booking.client_id))

    def fee_page(self, rng: random.Random) -> None:
        booking, _actor = self.one(rng)
        services.pay_fee(booking_id=booking.pk, actor=customer(booking.client_id))

    def pay(self, rng: random.Random) -> None:
        payment = self.payment(rng, status="PENDING")
        if payment is not None:
            self.bank.pay_on_page(payment.provider_payment_id or "")

    def look(self, rng: random.Random) -> None:
        payment = self.payment(rng)
        if payment is not None:
            (services.look_again if payment.overdue_id is None else services.look_again_at_fee)(token=payment.token)

    def leave(self, rng: random.Random) -> None:
        booking, actor = self.one(rng)
        if rng.random() < 0.5:
            services.leave(booking_id=booking.pk, actor=customer(booking.client_id))
        else:
            late = timedelta(minutes=rng.choice([0, 20, 60]))
            services.leave(booking_id=booking.pk, actor=actor, at=booking.date_to + late)

    # The bank, and people there.

    def notice(self, rng: random.Random) -> None:
        payment = self.payment(rng)
        if payment is not None:
            thing = {"id": payment.provider_payment_id, "payment_id": payment.provider_payment_id}
            receive_yookassa({"type": "notification", "event": rng.choice(EVENTS), "object": thing})

    def cabinet(self, rng: random.Random) -> None:
        payment = self.payment(rng, status="CAPTURED")
        if payment is not None and rng.random() < 0.2:
            self.by_people.add(payment.provider_payment_id or "")
            self.bank.refund_in_cabinet(payment.provider_payment_id or "", rng.choice([100, 20_000]))

    def hold_dies(self, rng: random.Random) -> None:
        payment = self.payment(rng, status="AUTHORIZED")
        if payment is not None and rng.random() < 0.05:
            self.by_people.add(payment.provider_payment_id or "")
            self.bank.expire(payment.provider_payment_id or "")

    def stumble(self, rng: random.Random) -> None:
        self.bank.fault(on=rng.choice(CALLS), kind=rng.choice(STUMBLES))


@pytest.mark.parametrize("seed", [1, 2])
def test_money_is_right_after_a_storm(bank: Bank, seed: int, record_property: Callable[[str, object], None]) -> None:
    storm = Storm(bank, seed)
    with_money = (
        storm.pay, storm.pay, storm.notice, storm.look, storm.calls, storm.calls, storm.stumble, storm.cabinet,
        storm.hold_dies, storm.compare, storm.part, storm.hand_back, storm.price, storm.page, storm.on_site,
    )  # fmt: skip
    storm.run(storm.price, storm.move, storm.move, storm.cancel, storm.page, *with_money, needed=NEEDED)
    over = max(Booking.objects.values_list("date_to", flat=True)) + timedelta(hours=2)
    with storm.at(over):
        storm.run(
            storm.close, storm.force, storm.leave, storm.fee_page, storm.fee_page, storm.fee_on_site, storm.waive,
            storm.look_after, *with_money,
        )  # fmt: skip
    storm.settle(over)
    record_property("done", dict(storm.done))
    record_property("refused", dict(storm.refused))
    assert storm.wrong == []
    assert set(NEEDED) <= storm.done.keys(), storm.done
    assert_bank_and_books_agree(bank, storm.by_people)


def assert_bank_and_books_agree(bank: Bank, by_people: set[str]) -> None:
    """What stands at the bank is what is to be kept, less only where people or a dead hold took it away; nothing is on its way."""
    books = {p.provider_payment_id: p for p in Payment.objects.all() if p.provider_payment_id}
    for there in bank.state()["payments"]:
        payment, sums = books.pop(there["object"]["id"]), there["money"]
        state = (payment.pk, payment.status, payment.decision, payment.keep, payment.captured, payment.refunded, sums)
        kept = (payment.keep or 0) if payment.decision == "USED" else 0
        stands = sums["held"] + sums["captured"] - sums["refunded"]
        assert (payment.status == "AUTHORIZED") == (sums["held"] > 0), state
        assert payment.captured - payment.refunded == sums["captured"] - sums["refunded"], state
        assert stands == kept or (there["object"]["id"] in by_people and stands < kept), state
    assert books == {}
    assert not Refund.objects.filter(state="INTENDED", account__isnull=False).exists()
