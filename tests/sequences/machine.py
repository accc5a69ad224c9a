"""Anything that people, banks and bad luck do, in any order, beside a model that is small enough to be believed.

The model knows who has which place and where each payment's money must end. It asks Palms for nothing but two facts that
depend on which call got through: whether a payment is decided yet, and whether the loss of its money is known yet.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, ClassVar

import httpx
import time_machine
from django.core.management.color import no_style
from django.db import connection
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from bookings import services
from bookings.models import Booking
from palms import intents
from palms.clock import now_utc
from palms.errors import DomainError
from palms.models import Intent
from payments.models import Payment
from payments.providers.base import ProviderRefused
from payments.services.inbox import receive_yookassa
from slots.errors import SlotInPast, SlotTaken
from slots.models import Slot
from tests.bank import Bank
from tests.factories import AreaFactory, ClubFactory, ProviderAccountFactory, SlotFactory
from tests.play import customer, run_all, staff, take
from tests.races.invariants import broken
from tests.sequences.changes import Changes
from tests.sequences.model import EVENTS, PART, PRICE, Purchase, meet, which
from tests.sequences.vault import Vault

START, FREE_UNTIL = timedelta(hours=30), timedelta(hours=20)  # from the beginning of a run
LONGEST = timedelta(days=4)  # so that no card hold dies before somebody has had the chance to look
EDGES = (timedelta(milliseconds=-1), timedelta(0), timedelta(milliseconds=1))
JUMPS = tuple(timedelta(minutes=minutes) for minutes in (0.5, 3, 6, 20, 59)) + (timedelta(hours=26),)
UNTIL_ALL_IS_DUE = (timedelta(minutes=3), timedelta(hours=1)) + (timedelta(hours=16),) * 10


class Machine(Changes):
    bank: ClassVar[Bank | Vault]
    is_clean: ClassVar[bool] = False  # whether the last run ended with everything settled

    def __init__(self) -> None:
        super().__init__()
        if not Machine.is_clean:
            wipe()
        Machine.is_clean = False
        self.bank.clear_faults()
        self.bank.reset()  # its clock, too: moved on by the run before
        self.began = now_utc().replace(microsecond=0)
        self.clock = time_machine.travel(self.began, tick=False)
        self.traveller = self.clock.start()
        self.purchases: list[Purchase] = []
        held, at_once = ClubFactory(), ClubFactory(capture="one_stage")
        for club in (held, at_once):
            ProviderAccountFactory(club=club)
        court = AreaFactory(club=held)
        half = timedelta(minutes=30)
        self.slots = [
            SlotFactory(club=held, area=court, start=self.began + START, cancelation_time=self.began + FREE_UNTIL),
            SlotFactory(
                club=held, area=court, start=self.began + START + half, cancelation_time=self.began + FREE_UNTIL
            ),
            SlotFactory(club=at_once, start=self.began + START, cancelation_time=self.began + FREE_UNTIL, capacity=2),
        ]

    # The customer.

    @rule(number=st.integers(0, 2))
    def hold(self, number: int) -> None:
        slot, now = self.slots[number], now_utc()
        is_there = now < slot.date_from and self.is_free(slot, now)
        key = f"key-{len(self.purchases)}"
        try:
            made = take(slot, key=key, phone=f"+7912000{len(self.purchases):04d}")
        except (SlotInPast, SlotTaken):
            assert not is_there
            return
        assert is_there, "sold, though it was not there to be sold"
        payment = Payment.objects.get(token=made.token)
        self.purchases.append(Purchase(payment.pk, made.token, key, slot, now + timedelta(seconds=300)))

    @rule(number=st.integers(0, 2), span=st.sampled_from((JUMPS[0], JUMPS[3])))
    def buy(self, number: int, span: timedelta) -> None:
        """The whole way at once, in time or late: so that most sequences have money in them."""
        before = len(self.purchases)
        self.hold(number)
        if len(self.purchases) > before:
            if now_utc() - self.began < LONGEST:
                self.wait(span)
            self.pay(before, told=True)

    @precondition(lambda self: self.purchases)
    @rule(number=which)
    def send_the_form_again(self, number: int) -> None:
        purchase = self.pick(number)
        assert take(purchase.home, key=purchase.key, phone="+79120009999").token == purchase.token
        assert Payment.objects.count() == self.payments_before() + len(self.purchases)

    @precondition(lambda self: self.purchases)
    @rule(number=which, told=st.booleans())
    def pay(self, number: int, told: bool) -> None:
        """On time, late, or again; the notification comes at once or is lost."""
        purchase = self.pick(number)
        with suppress(httpx.HTTPStatusError, ProviderRefused, KeyError):  # the page is dead, or there is none yet
            self.bank.pay(purchase.page)
            assert not purchase.paid, "the bank took it twice"
            purchase.paid = True
        if told:
            self.notify(number, EVENTS[0])
            self.notify(number, EVENTS[1])

    @precondition(lambda self: self.purchases)
    @rule(number=which)
    def open_the_return_page(self, number: int) -> None:
        services.look_again(token=self.pick(number).token)
        self.learn()

    @precondition(lambda self: self.purchases)
    @rule(number=which)
    def cancel_by_customer(self, number: int) -> None:
        purchase = self.pick(number)
        may = purchase.booking == "CONFIRMED" and now_utc() < min(purchase.free_until, purchase.slot.date_from)
        self.end(purchase, services.cancel_by_customer, may, "CANCELED_BY_CUSTOMER")

    # The club.

    @precondition(lambda self: self.purchases)
    @rule(number=which)
    def cancel_by_club(self, number: int) -> None:
        purchase = self.pick(number)
        self.end(purchase, services.cancel_by_club, purchase.booking == "CONFIRMED", "CANCELED_BY_CLUB")

    @precondition(lambda self: any(p.booking for p in self.purchases) and now_utc() >= self.began + START)
    @rule(number=which, how=st.sampled_from([("SHOWN", "full"), ("NOT_SHOWN", PART), ("NOT_SHOWN", 0)]))
    def close(self, number: int, how: tuple[str, int | str]) -> None:
        purchase, (outcome, charge) = self.pick(number), how
        booking = purchase.row.booking
        if booking is None:
            return
        may = purchase.booking == "CONFIRMED" and now_utc() >= purchase.slot.date_from
        try:
            services.close(booking_id=booking.pk, actor=staff(purchase.slot), outcome=outcome, charge=charge)
        except DomainError:
            assert not may
            return
        assert may or purchase.closed == how, "closed, though it could not be"
        if may:
            purchase.closed = how
            purchase.ends(outcome, purchase.price if charge == "full" else int(charge))

    @precondition(lambda self: any(p.paid for p in self.purchases))
    @rule(number=which)
    def refund_in_the_cabinet(self, number: int) -> None:
        """People give back whatever the bank has left of it. Nobody tells us."""
        purchase = self.pick(number)
        if purchase.paid and self.bank.money(purchase.page)["refundable"] > 0:
            self.bank.refund_in_cabinet(purchase.page)
            purchase.returned_by_people = True

    # The bank, the clock, and our own processes.

    @precondition(lambda self: self.purchases)
    @rule(number=which, event=st.sampled_from(EVENTS))
    def notify(self, number: int, event: str) -> None:
        """True, repeated, reordered or invented: the bank tells us something."""
        if page := self.pick(number).page:
            receive_yookassa({"type": "notification", "event": event, "object": {"id": page}})
            self.learn()

    @rule(kind=st.sampled_from(["drop_before", "drop_after"]))
    def next_answer_is_lost(self, kind: str) -> None:
        self.bank.clear_faults()
        self.bank.fault(kind=kind)

    @rule()
    def sweep(self) -> None:
        services.end_expired()

    @rule(limit=st.integers(1, 8))
    def work(self, limit: int) -> None:
        intents.run_due(limit=limit)
        self.learn()

    @precondition(lambda self: self.purchases)
    @rule(called=st.booleans())
    def die_at_work(self, called: bool) -> None:
        """A process claims what is due and is killed: before its call, or when the bank has done it."""
        job = intents.claim()
        if job is not None and called:
            intents.HANDLERS[job.kind].call(job)

    @precondition(lambda self: now_utc() - self.began < LONGEST - JUMPS[-1])
    @rule(span=st.sampled_from(JUMPS))
    def wait(self, span: timedelta) -> None:
        self.traveller.shift(span)
        self.bank.advance(span.total_seconds())

    @precondition(lambda self: any(p.held_until > now_utc() + timedelta(seconds=1) for p in self.purchases))
    @rule(number=which, edge=st.sampled_from(EDGES))
    def wait_for_a_deadline(self, number: int, edge: timedelta) -> None:
        moment = self.pick(number).held_until + edge
        if moment > now_utc():
            self.wait(moment - now_utc())

    # The model.

    def pick(self, number: int) -> Purchase:
        return self.purchases[number % len(self.purchases)]

    def payments_before(self) -> int:
        return Payment.objects.exclude(pk__in=[p.id for p in self.purchases]).count()

    def is_free(self, slot: Slot, now: datetime, parties: list[Purchase] | None = None) -> bool:
        there = [p for p in (self.purchases if parties is None else parties) if p.has_its_place(now)]
        own = [p for p in there if p.slot.pk == slot.pk]
        rivals = [p for p in there if p.slot.pk != slot.pk and meet(p.slot, slot)]
        return not rivals and len(own) < slot.capacity

    def end(self, purchase: Purchase, act: Any, may: bool, status: str) -> None:
        """Cancel; where it is refused, nothing changes."""
        booking = purchase.row.booking
        actor = customer(booking.client_id) if booking and status.endswith("CUSTOMER") else staff(purchase.slot)
        try:
            act(booking_id=booking.pk if booking else 0, actor=actor, reason="a reason")
        except DomainError:
            assert not may
        else:
            assert may, "cancelled, though it could not be"
            purchase.ends(status)

    def learn(self) -> None:
        """What the last call told us is decided at once, and only so."""
        now = now_utc()
        for purchase in self.purchases:
            row = purchase.row
            if purchase.decision is None and row.decision is not None:
                in_time = now < purchase.held_until and not purchase.returned_by_people
                assert purchase.paid, "decided about money that nobody has paid"
                assert row.decision == ("USED" if in_time else "RETURN")
                purchase.decision = row.decision
                if in_time:
                    assert self.is_free_but_for(purchase), "a place was sold twice"
                    purchase.booking, purchase.keep = "CONFIRMED", PRICE
            self.learn_of_raises(purchase)

    def is_free_but_for(self, purchase: Purchase) -> bool:
        others = [p for p in self.purchases if p is not purchase]
        near = [p for p in others if meet(p.slot, purchase.slot) and p.has_its_place(now_utc())]
        return len(near) < purchase.slot.capacity

    @invariant()
    def nothing_is_broken(self) -> None:
        assert broken() == {}

    @invariant()
    def the_books_agree_with_the_model(self) -> None:
        for purchase in self.purchases:
            row = Payment.objects.select_related("booking").get(pk=purchase.id)
            assert (row.decision, row.booking.status if row.booking else "") == (purchase.decision, purchase.booking)
            if row.booking is not None:
                costs = (row.booking.price, row.booking.raised_price, row.booking.slot_id)
                assert costs == (purchase.price, purchase.raised, purchase.slot.pk)
            assert [rise.row.decision for rise in purchase.rises] == [rise.decision for rise in purchase.rises]

    # The end: everything that is due happens, and the bank's sums are what the model says.

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self.settle()
                Machine.is_clean = True
        finally:
            self.clock.stop()

    def settle(self) -> None:
        self.bank.clear_faults()
        for span in UNTIL_ALL_IS_DUE:
            self.traveller.shift(span)
            self.bank.advance(span.total_seconds())
            services.end_expired()
            run_all()
            self.learn()
        self.nothing_is_broken()
        self.the_books_agree_with_the_model()
        assert not Intent.objects.filter(state="OPEN", lane__startswith="payment:").exists()
        for purchase in self.purchases:
            money = self.bank.money(purchase.page)
            assert (money["held"], money["net"]) == (0, 0 if purchase.returned_by_people else purchase.keep)
            assert purchase.decision is not None or not purchase.paid, "money that nobody has looked at"
            if not purchase.returned_by_people:
                assert purchase.row.captured - purchase.row.refunded == money["net"]
            for rise in purchase.rises:
                money = self.bank.money(rise.row.provider_payment_id or "")
                assert (money["held"], money["net"]) == (0, rise.keep)
                assert rise.decision is not None or not rise.paid, "money that nobody has looked at"
        Intent.objects.filter(state="OPEN").update(state="DONE", finished_at=now_utc())  # looks that would never end
        assert Booking.objects.filter(status__in=["REQUESTED", "APPROVED"]).count() == 0


def wipe() -> None:
    """Forget every row: the run before left something unsettled."""
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    connection.ops.execute_sql_flush(connection.ops.sql_flush(no_style(), tables, allow_cascade=True))
