"""The deadline of a hold, to the millisecond: whatever comes first, money and place have one of two endings."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
import time_machine

from bookings import services
from bookings.models import Booking
from clubs.models import Club
from palms import intents
from palms.clock import now_utc
from payments.models import Payment
from payments.rules import Step
from payments.targets import Sighting, nothing
from slots.errors import SlotTaken
from slots.models import Claim, Slot
from tests.bank import Bank
from tests.factories import AreaFactory, ClubFactory, ProviderAccountFactory, SlotFactory
from tests.play import offer, payment_of, run_all, take
from tests.races.invariants import broken
from tests.sequences.vault import Vault

pytestmark = pytest.mark.django_db(transaction=True)

EDGES = (0, 1, -1, 50, -50, 500, -500)  # ms from the deadline
TEST_RUNS, SEEDS_PER_RUN = 10, 100
PRICE = 150_000
KEPT, BACK = "booked, money kept", "not booked, money back"


@dataclass
class Seed:
    """One hold, its payer and a second buyer around its deadline, in an order of its own."""

    rng: random.Random
    bank: Vault
    slot: Slot
    first: services.Checkout = field(init=False)
    deadline: datetime = field(init=False)
    steps: list[tuple[datetime, float, Callable[[], None]]] = field(default_factory=list)
    seen_at: datetime | None = None  # when the door first saw the money
    second: services.Checkout | None = None

    def play(self, edge: int) -> None:
        """Pay `edge` ms from the deadline, sweep, and let a second buyer try, each at a moment near it."""
        self.first = take(self.slot)
        self.deadline = Claim.objects.get(slot=self.slot).held_until or now_utc()
        self.at(edge, self.pays)
        for act in (self.sweeps, self.somebody_tries, *self.rng.choice(((self.sweeps,), (self.somebody_tries,)))):
            self.at(self.rng.choice(EDGES), act)
        with time_machine.travel(self.deadline, tick=False) as clock:
            while self.steps:
                moment, _, act = self.steps.pop(self.steps.index(min(self.steps, key=lambda step: step[:2])))
                clock.move_to(moment)
                act()
            clock.shift(timedelta(seconds=30))
            self.second_pays()
            intents.run_due(kinds=(Step.VOID, Step.REFUND))

    def at(self, ms: int, act: Callable[[], None]) -> None:
        """Do this at that distance from the deadline; what falls on one moment is shuffled."""
        self.steps.append((self.deadline + timedelta(milliseconds=ms), self.rng.random(), act))

    def pays(self) -> None:
        """The bank takes the money now; we hear of it now or a little later, once or twice."""
        self.bank.pay(str(payment_of(self.first).provider_payment_id))
        away = (now_utc() - self.deadline) // timedelta(milliseconds=1)
        for _ in range(self.rng.choice((1, 2))):
            self.at(away + self.rng.choice((0, 0, 0, 1, 50)), self.looks)

    def looks(self) -> None:
        self.seen_at = self.seen_at or now_utc()
        self.tell(self.first)

    def sweeps(self) -> None:
        services.end_expired()

    def somebody_tries(self) -> None:
        """The place is free exactly when the hold is dead and its money did not come in time."""
        is_free = now_utc() >= self.deadline and not self.in_time() and self.second is None
        try:
            taken = take(self.slot, phone="+79120000002")
        except SlotTaken:
            assert not is_free
        else:
            assert is_free
            self.second = taken

    def second_pays(self) -> None:
        if self.second is not None:
            self.bank.pay(str(payment_of(self.second).provider_payment_id))
            self.tell(self.second)

    def tell(self, checkout: services.Checkout) -> None:
        """Bring what the bank shows to the door."""
        payment = payment_of(checkout)
        seen = self.bank.read(str(payment.provider_payment_id), patience=1)
        services.confirm_booking_payment(payment_id=payment.pk, seen=Sighting(seen), close=nothing)

    def in_time(self) -> bool:
        return self.seen_at is not None and self.seen_at < self.deadline


def ending(checkout: services.Checkout, bank: Bank | Vault) -> str:
    """Return which of the two endings a paid checkout came to; fail on any other."""
    payment = payment_of(checkout)
    money = bank.money(str(payment.provider_payment_id))
    there = money["held"] + money["net"]
    booked = Booking.objects.filter(payments=payment, status="CONFIRMED")
    has = (payment.decision, booked.count(), Claim.objects.filter(booking__in=booked).count(), there)
    endings = {("USED", 1, 1, PRICE): KEPT, ("RETURN", 0, 0, 0): BACK}
    assert has in endings, f"neither ending: decision, bookings, places, money at the bank = {has}"
    return endings[has]


def clubs() -> Iterator[Club]:
    """Return, in turn, a club that holds money on the card and one that takes it at once."""
    made = [ClubFactory(capture=capture) for capture in ("auto", "one_stage")]
    for club in made:
        ProviderAccountFactory(club=club)
    return itertools.cycle(made)


@pytest.mark.parametrize("run", range(TEST_RUNS))
def test_a_payment_at_the_deadline_has_one_of_two_endings(vault: Vault, run: int) -> None:
    endings = set()
    for number, club in zip(range(run * SEEDS_PER_RUN, (run + 1) * SEEDS_PER_RUN), clubs(), strict=False):
        seed = Seed(random.Random(number), vault, SlotFactory(club=club, area=AreaFactory(club=club)))
        seed.play(EDGES[number % len(EDGES)])
        found = ending(seed.first, vault)
        assert (found == KEPT) is seed.in_time(), f"seed {number}"
        assert seed.second is None or (found, ending(seed.second, vault)) == (BACK, KEPT), f"seed {number}"
        assert Booking.objects.filter(slot=seed.slot).count() <= 1
        endings.add((found, seed.second is not None))
    assert endings == {(KEPT, False), (BACK, False), (BACK, True)}
    assert broken() == {}


@pytest.mark.parametrize("swept", [True, False], ids=["swept", "not swept"])
@pytest.mark.parametrize("sold_again", [True, False], ids=["sold again", "free"])
@pytest.mark.parametrize("capture", ["auto", "one_stage"])
@pytest.mark.parametrize("minute", [6, 20, 59])
def test_late_money_goes_back(bank: Bank, minute: int, capture: str, sold_again: bool, swept: bool) -> None:
    slot = offer()
    Club.objects.update(capture=capture)
    late = take(slot)
    second = None
    with time_machine.travel(now_utc() + timedelta(minutes=minute), tick=False):
        bank.advance(minute * 60)
        if swept:
            services.end_expired()
        if sold_again:
            second = take(slot, phone="+79120000002")
            bank.pay(str(payment_of(second).provider_payment_id))
            services.look_again(token=second.token)
        bank.pay(str(payment_of(late).provider_payment_id))
        services.look_again(token=late.token)
        run_all()
        assert ending(late, bank) == BACK
        assert second is None or ending(second, bank) == KEPT
        assert Payment.objects.get(token=late.token).decision_reason == "late"
        free = not sold_again
        assert Claim.objects.filter(slot=slot).exists() is not free
        assert (take(slot, phone="+79120000003").state == "held") if free else True
    assert broken() == {}
