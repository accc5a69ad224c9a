"""The steps of the machine that change a booking: moved, made cheaper, made dearer and paid again."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import ClassVar

import httpx
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from bookings import services
from palms.clock import now_utc
from palms.errors import DomainError
from payments.models import Payment
from payments.providers.base import ProviderRefused
from payments.services.inbox import receive_yookassa
from slots.models import Slot
from tests.bank import Bank
from tests.play import customer, staff
from tests.sequences.model import EVENTS, LATER, PART, PRICE, RAISE, Purchase, Rise, which
from tests.sequences.vault import Vault


class Changes(RuleBasedStateMachine):
    bank: ClassVar[Bank | Vault]
    purchases: list[Purchase]
    slots: list[Slot]

    def pick(self, number: int) -> Purchase:
        raise NotImplementedError

    def is_free(self, slot: Slot, now: datetime, parties: list[Purchase] | None = None) -> bool:
        raise NotImplementedError

    def learn(self) -> None:
        raise NotImplementedError

    @precondition(lambda self: any(p.booking for p in self.purchases))
    @rule(number=which, where=st.integers(-1, 1))
    def move(self, number: int, where: int) -> None:
        """To one of the offers of its court, or a little later, where a place is made unless one is offered."""
        purchase = self.pick(number)
        booking, court = purchase.row.booking, [s for s in self.slots if s.area_id == purchase.home.area_id]
        if booking is None:
            return
        now, left = now_utc(), purchase.slot
        start, end = left.date_from + LATER, left.date_to + LATER
        offered = court[where % len(court)] if where >= 0 else next((s for s in court if s.date_from == start), None)
        spot = offered or Slot(area_id=left.area_id, date_from=start, date_to=end, capacity=1)
        others = [p for p in self.purchases if p is not purchase]
        is_there = now < spot.date_from and self.is_free(spot, now, others)
        may = purchase.booking == "CONFIRMED" and (spot.pk == left.pk or is_there)
        given = {"slot_id": spot.pk} if where >= 0 else {"date_from": start, "date_to": end}
        try:
            moved = services.move(booking_id=booking.pk, actor=staff(left), **given)
        except DomainError:
            assert not may
            return
        assert may, "moved, though it could not be"
        if moved.slot_id != left.pk:
            free = purchase.free_until
            kindest = max(free, moved.date_from - (left.date_from - free), spot.cancelation_time or free)
            purchase.slot, purchase.raised = Slot.objects.get(pk=moved.slot_id), None
            purchase.free_until = min(kindest, moved.date_from)

    @precondition(lambda self: any(p.booking for p in self.purchases))
    @rule(number=which, price=st.sampled_from([PRICE, 2 * PART, PART]))
    def lower_the_price(self, number: int, price: int) -> None:
        purchase = self.pick(number)
        if price <= purchase.price and self.edit(purchase, price) == 0:
            purchase.price, purchase.raised = price, None
            purchase.keep_at_most(price)

    @precondition(lambda self: any(p.booking == "CONFIRMED" for p in self.purchases))
    @rule(number=which, step=st.sampled_from([RAISE, RAISE, 2 * RAISE]))
    def raise_the_price(self, number: int, step: int) -> None:
        purchase = self.pick(number)
        due = self.edit(purchase, purchase.price + step)
        if due is not None:
            assert due == step
            purchase.raised = purchase.price + step

    @precondition(lambda self: any(p.raised for p in self.purchases))
    @rule(number=which)
    def open_the_page_of_a_raise(self, number: int) -> None:
        purchase = self.of_a_raise(number)
        booking = purchase.row.booking
        assert booking is not None
        with suppress(DomainError):  # lost without our knowing, or the bank is silent
            services.pay_for_approved(booking_id=booking.pk, actor=customer(booking.client_id))
        known = {rise.id for rise in purchase.rises}
        for made in Payment.objects.filter(booking=booking, snapshot__has_key="raised_price").exclude(pk__in=known):
            assert made.amount == (purchase.raised or 0) - purchase.price
            purchase.rises.append(Rise(made.pk, purchase.raised or 0, made.amount))
        self.learn()

    @precondition(lambda self: any(p.rises for p in self.purchases))
    @rule(number=which, last=st.booleans(), told=st.booleans())
    def pay_a_raise(self, number: int, last: bool, told: bool) -> None:
        """The page that is wanted, or an old one; in time, late, or again."""
        risen = [p for p in self.purchases if p.rises]
        rise = risen[number % len(risen)].rises[-1 if last else 0]
        page = rise.row.provider_payment_id or ""
        with suppress(httpx.HTTPStatusError, ProviderRefused, KeyError):
            self.bank.pay(page)
            assert not rise.paid, "the bank took it twice"
            rise.paid = True
        if told and page:
            for event in EVENTS[:2]:
                receive_yookassa({"type": "notification", "event": event, "object": {"id": page}})
            self.learn()

    def of_a_raise(self, number: int) -> Purchase:
        raised = [p for p in self.purchases if p.raised]
        return raised[number % len(raised)]

    def edit(self, purchase: Purchase, price: int) -> int | None:
        """Set a price; return what is due, or None where it is refused. Then nothing changes."""
        booking = purchase.row.booking
        if booking is None:
            return None
        may = purchase.booking == "CONFIRMED"
        try:
            due = services.edit(booking_id=booking.pk, actor=staff(purchase.slot), price=price).due
        except DomainError:
            assert not may
            return None
        assert may, "edited, though it could not be"
        return due

    @staticmethod
    def learn_of_raises(purchase: Purchase) -> None:
        """A payment for a raise is used where it is wanted as it was asked for; any other goes back."""
        news = [(rise, rise.row.decision) for rise in purchase.rises if rise.decision is None and rise.row.decision]
        for rise, decision in sorted(
            news, key=lambda one: one[1] or "", reverse=True
        ):  # what is used changes the price
            assert rise.paid, "decided about money that nobody has paid"
            rise.decision = decision
            if decision == "USED":
                assert purchase.booking == "CONFIRMED"
                assert purchase.raised == rise.price == purchase.price + rise.amount
                purchase.price, purchase.raised, rise.keep = rise.price, None, rise.amount
        row = purchase.row
        lost = purchase.booking == "CONFIRMED" and purchase.returned_by_people
        if lost and row.booking is not None and row.booking.status == "OTHER":
            purchase.ends("OTHER")
        for rise, decision in news:
            is_wanted = purchase.raised == rise.price == purchase.price + rise.amount
            assert decision == "USED" or not is_wanted, "sent back, though it was wanted"
