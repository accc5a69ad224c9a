"""Killed between any two steps: started again, bank and books come to an agreeing end, with every effect once."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from bookings import services
from bookings.models import Booking
from palms import intents
from palms.clock import now_utc
from palms.errors import DomainError
from palms.models import Intent
from payments.models import Payment, Refund
from slots.models import Claim, Slot
from tests.bank import Bank
from tests.crashes.conftest import Victim
from tests.play import booked, customer, offer, payment_of, run_all, staff, take
from tests.races.invariants import broken

pytestmark = pytest.mark.django_db(transaction=True)
HOLD = 300  # seconds, a club's default
LEASE = intents.lease(intents.PATIENCE).total_seconds() + 5  # of who sweeps: the longest
CHARGE = 50_000


@dataclass
class Case:
    """One life of one place: what the process that dies does, what people do afterwards, and what must be true then."""

    slot: Slot
    act: str
    args: dict[str, Any]
    ahead: float = 0  # of the clock, when the process lives
    people: Callable[[], None] = lambda: None
    ends: list[tuple[str, int]] = field(default_factory=list)  # at the bank
    status: str | None = None  # of the booking
    claims: int = 0

    def check(self, bank: Bank) -> None:
        payment = Payment.objects.get(snapshot__slot_id=self.slot.pk)
        objects = [there["object"] for there in bank.state()["payments"]]
        made = [there["id"] for there in objects if there["metadata"]["payment_token"] == payment.token]
        assert made == [payment.provider_payment_id]
        assert bank.effects(payment.provider_payment_id) == self.ends
        assert [b.status for b in Booking.objects.filter(slot=self.slot)] == ([self.status] if self.status else [])
        held = Claim.objects.filter(slot=self.slot).values_list("held_until", flat=True)
        assert list(held) == [None] * self.claims
        assert_agree(payment, bank.money(payment.provider_payment_id))


def assert_agree(payment: Payment, money: dict[str, int]) -> None:
    ours = {
        "held": payment.amount if payment.status == "AUTHORIZED" else 0,
        "captured": payment.captured,
        "refunded": payment.refunded,
    }
    assert ours == {name: money[name] for name in ours}
    assert not Refund.objects.filter(payment=payment).exclude(state="DONE").exists()


def in_time(ahead: float) -> Any:
    return time_machine.travel(now_utc() + timedelta(seconds=ahead))


def a_checkout(bank: Bank) -> Case:
    """It dies in the checkout; the customer sends the form again, pays and comes back."""
    slot, key = offer(), uuid.uuid4().hex

    def people() -> None:
        again = take(slot, key=key)
        assert again.state == "held"
        bank.pay(payment_of(again).provider_payment_id)
        services.look_again(token=again.token)

    args = {"slot": slot.pk, "key": key}
    return Case(slot, "checkout", args, people=people, ends=[("held", 150_000)], status="CONFIRMED", claims=1)


def a_return(bank: Bank) -> Case:
    """It dies as the payer comes back."""
    slot = offer()
    token = paid(slot, bank)
    return Case(slot, "look", {"token": token}, ends=[("held", 150_000)], status="CONFIRMED", claims=1)


def a_late_payment(bank: Bank) -> Case:
    """It dies as money comes that nobody waits for any more: the hold on the card is let go."""
    slot = offer()
    token = paid(slot, bank)
    return Case(slot, "look", {"token": token}, ahead=HOLD + 1, ends=[("held", 150_000), ("voided", 150_000)])


def a_late_payment_in_one_stage(bank: Bank) -> Case:
    """The same where the money was taken at once: it is refunded."""
    slot = offer(start=now_utc() + timedelta(days=20))
    token = paid(slot, bank)
    return Case(slot, "look", {"token": token}, ahead=HOLD + 1, ends=[("captured", 150_000), ("refunded", 150_000)])


def a_cancel(bank: Bank) -> Case:
    """It dies in a cancel; the customer presses again."""
    slot = offer(start=now_utc() + timedelta(days=3))
    booking = booked(slot, bank)

    def people() -> None:
        with suppress(DomainError):  # it was cancelled the first time
            services.cancel_by_customer(booking_id=booking.pk, actor=customer(booking.client_id), reason="rain")

    args = {"booking": booking.pk, "client": booking.client_id}
    ends = [("held", 150_000), ("voided", 150_000)]
    return Case(slot, "cancel", args, people=people, ends=ends, status="CANCELED_BY_CUSTOMER")


def a_close(bank: Bank) -> Case:
    """It dies as the club closes a visit and charges a part; the club presses again."""
    slot = offer()
    booking = booked(slot, bank)
    visit = (slot.date_from - now_utc()).total_seconds() + 300

    def people() -> None:
        services.close(booking_id=booking.pk, actor=staff(slot), outcome="NOT_SHOWN", charge=CHARGE)

    args = {"booking": booking.pk, "slot": slot.pk, "charge": CHARGE}
    ends = [("held", 150_000), ("captured", CHARGE), ("voided", 150_000 - CHARGE)]
    return Case(slot, "close", args, ahead=visit, people=people, ends=ends, status="NOT_SHOWN", claims=1)


def a_close_of_money_taken(bank: Bank) -> Case:
    """The same where the money was taken at once: a small part goes back, and twice that part would fit."""
    slot = offer(start=now_utc() + timedelta(days=20))
    booking = booked(slot, bank)
    visit = (slot.date_from - now_utc()).total_seconds() + 300

    def people() -> None:
        services.close(booking_id=booking.pk, actor=staff(slot), outcome="NOT_SHOWN", charge=150_000 - CHARGE)

    args = {"booking": booking.pk, "slot": slot.pk, "charge": 150_000 - CHARGE}
    ends = [("captured", 150_000), ("refunded", CHARGE)]
    return Case(slot, "close", args, ahead=visit, people=people, ends=ends, status="NOT_SHOWN", claims=1)


CASES = [a_checkout, a_return, a_late_payment, a_late_payment_in_one_stage, a_cancel, a_close, a_close_of_money_taken]
Make = Callable[[Bank], Case]


def paid(slot: Slot, bank: Bank) -> str:
    checkout = take(slot)
    bank.pay(payment_of(checkout).provider_payment_id)
    return checkout.token


def come_back(case: Case, bank: Bank, *, ahead: float = 0) -> None:
    """Start again when the dead process's leases are over; let people finish; run until quiet; look at everything."""
    with in_time(case.ahead + ahead + LEASE):
        sweep()
        case.people()
        run_all()
    with in_time(case.ahead + ahead + 2 * LEASE):
        sweep()
        case.check(bank)
        assert broken() == {}
        still_open = Intent.objects.filter(state=Intent.State.OPEN)
        assert not still_open.filter(due_at__lte=now_utc()).exists()
        assert set(still_open.values_list("kind", flat=True)) <= {"payments.watch"}  # of money on hold
    still_open.update(due_at=now_utc() + timedelta(days=365))  # the next life counts only its own steps
    bank.reset()


def sweep() -> None:
    services.end_expired()
    run_all()


@pytest.mark.parametrize("make", CASES)
def test_killed_at_any_step_it_comes_to_the_same_end(
    victim: Victim, bank: Bank, make: Make, record_property: Callable[[str, object], None]
) -> None:
    unharmed = make(bank)
    told = victim.run(unharmed.act, ahead=unharmed.ahead, **unharmed.args)
    assert (told["error"], told["killed"]) == ("", False)
    come_back(unharmed, bank)
    steps = told["steps"]
    for number, step in enumerate(steps, start=1):
        for moment in ("before", "after"):
            case = make(bank)
            told = victim.run(case.act, ahead=case.ahead, kill=(number, moment), **case.args)
            where = f"killed {moment} step {number} ({step}) of {steps}"
            assert (told["killed"], told["error"], told["steps"]) == (True, "", steps[:number]), where
            try:
                come_back(case, bank)
            except AssertionError as wrong:
                raise AssertionError(where) from wrong
    record_property("kills", 2 * len(steps))


@pytest.mark.parametrize("make", CASES)
def test_killed_again_and_again_it_comes_to_the_same_end(victim: Victim, bank: Bank, make: Make) -> None:
    """Whoever picks up after a dead process may die too."""
    rng = random.Random(7)
    case, ahead = make(bank), 0.0
    victim.run(case.act, ahead=case.ahead, kill=(rng.randint(1, 4), "after"), **case.args)
    for _death in range(1 if make is a_checkout else 6):  # a hold does not outlive many leases
        ahead += LEASE
        kill = (rng.randint(1, 6), rng.choice(["before", "after"]))
        assert victim.run("sweep", ahead=case.ahead + ahead, kill=kill)["error"] == ""
    come_back(case, bank, ahead=ahead)
