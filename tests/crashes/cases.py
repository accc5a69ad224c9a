"""Lives of one place that a process dies in: what it did, what people do afterwards, and what must be true then."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import time_machine

from bookings import services
from bookings.models import Booking, Overdue
from notifications.models import Notification
from palms import intents
from palms.clock import now_utc
from palms.errors import DomainError
from palms.models import Intent
from payments import services as money
from payments.models import Payment, Refund
from payments.services.inbox import receive_yookassa
from slots.models import Claim, Slot
from tests.bank import Bank
from tests.factories import AreaFactory, MembershipFactory, SlotFactory
from tests.play import booked, booked_on_site, customer, offer, payment_of, run_all, staff, take, typed
from tests.races.invariants import broken

HOLD = 300  # seconds, a club's default
CHARGE = 50_000
SWEEP = 5  # seconds between two sweeps
LEASE = intents.lease(intents.PATIENCE).total_seconds() + SWEEP  # what was claimed is taken up by then, at the latest
AGREED = 120  # seconds after the death: bank and books agree


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
    pays: bool = True  # through the bank

    def check(self, bank: Bank) -> None:
        assert [b.status for b in Booking.objects.filter(slot=self.slot)] == ([self.status] if self.status else [])
        held = Claim.objects.filter(slot=self.slot).values_list("held_until", flat=True)
        assert list(held) == [None] * self.claims
        if self.pays:
            self.check_money(bank)
        else:
            assert bank.state()["payments"] == []

    def check_money(self, bank: Bank) -> None:
        payment = Payment.objects.get(snapshot__slot_id=self.slot.pk)
        objects = [there["object"] for there in bank.state()["payments"]]
        made = [there["id"] for there in objects if there["metadata"]["payment_token"] == payment.token]
        assert made == [payment.provider_payment_id]
        assert bank.effects(payment.provider_payment_id) == self.ends
        assert_agree(payment, bank.money(payment.provider_payment_id))


@dataclass
class Change(Case):
    """One change of a booking that was paid before. `ends` are of all its payments, the oldest first."""

    price: int = 150_000

    def check_money(self, bank: Bank) -> None:
        booking = Booking.objects.get(slot=self.slot)
        payments = list(booking.payments.order_by("pk"))
        assert [end for payment in payments for end in bank.effects(payment.provider_payment_id)] == self.ends
        for payment in payments:
            assert_agree(payment, bank.money(payment.provider_payment_id))
        assert (booking.price, booking.raised_price, booking.secured_amount) == (self.price, None, self.price)


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


Make = Callable[[Bank], Case]


def a_move(bank: Bank) -> Case:
    """It dies as the club moves a visit beyond the life of its hold: the money is taken; the club presses again."""
    left = offer()
    slot, booking = SlotFactory(club=left.club, start=left.date_from + timedelta(days=20)), booked(left, bank)

    def people() -> None:
        services.move(booking_id=booking.pk, actor=staff(slot), slot_id=slot.pk)

    args = {"booking": booking.pk, "slot": slot.pk}
    ends = [("held", 150_000), ("captured", 150_000)]
    return Change(slot, "move", args, people=people, ends=ends, status="CONFIRMED", claims=1)


def a_lower_price(bank: Bank) -> Case:
    """It dies as the club lowers a price that was paid; the club presses again."""
    slot = offer(start=now_utc() + timedelta(days=20))
    booking = booked(slot, bank)

    def people() -> None:
        services.edit(booking_id=booking.pk, actor=staff(slot), price=150_000 - CHARGE)

    args = {"booking": booking.pk, "slot": slot.pk, "price": 150_000 - CHARGE}
    ends = [("captured", 150_000), ("refunded", CHARGE)]
    return Change(slot, "edit", args, people=people, ends=ends, status="CONFIRMED", claims=1, price=150_000 - CHARGE)


def a_paid_raise(bank: Bank) -> Case:
    """It dies as the customer comes back from paying a raised price."""
    slot = offer()
    booking = booked(slot, bank)
    services.edit(booking_id=booking.pk, actor=staff(slot), price=150_000 + CHARGE)
    services.pay_for_approved(booking_id=booking.pk, actor=customer(booking.client_id))
    payment = booking.payments.latest("pk")
    bank.pay(payment.provider_payment_id)
    ends = [("held", 150_000), ("held", CHARGE)]
    args = {"token": payment.token}
    return Change(slot, "look", args, ends=ends, status="CONFIRMED", claims=1, price=150_000 + CHARGE)


def a_handing_back(bank: Bank) -> Case:
    """It dies as the club says that it handed money back; the club says it again."""
    slot = offer()
    booking = booked_on_site(slot)
    services.edit(booking_id=booking.pk, actor=staff(slot), price=150_000 - CHARGE)
    refund = Refund.objects.get(payment__booking=booking)

    def people() -> None:
        assert money.handed_back(refund_id=refund.pk, actor=staff(slot)).state == "DONE"

    args = {"refund": refund.pk, "slot": slot.pk}
    return Case(slot, "hand_back", args, people=people, status="CONFIRMED", claims=1, pays=False)


def paid(slot: Slot, bank: Bank) -> str:
    checkout = take(slot)
    bank.pay(payment_of(checkout).provider_payment_id)
    return checkout.token


def a_release(bank: Bank) -> Case:
    """It dies as a customer gives the time back; the customer presses again."""
    slot = offer()
    token = take(slot).token

    def people() -> None:
        services.release_hold(token=token, actor=customer())

    return Case(slot, "release", {"token": token}, people=people)


def a_hold_that_ran_out(bank: Bank) -> Case:
    """It dies as housekeeping drops a hold that nobody paid."""
    slot = offer()
    take(slot)
    return Case(slot, "sweep", {}, ahead=HOLD + 1)


def a_request_that_ran_out(bank: Bank) -> Case:
    """It dies as housekeeping ends a request that the club never answered."""
    area = AreaFactory(mode="request")
    slot = offer(club=area.club, area=area)
    take(slot)
    ahead = area.club.request_deadline_minutes * 60 + 1
    return Case(slot, "sweep", {}, ahead=ahead, status="OTHER", pays=False)


def a_request_that_waits(bank: Bank) -> Case:
    """It dies as the club is written to about a request; the club declines it."""
    area = AreaFactory(mode="request")
    MembershipFactory(club=area.club, role="OWNER")
    slot = offer(club=area.club, area=area)
    take(slot)

    def people() -> None:
        booking = Booking.objects.get(slot=slot)
        services.cancel_by_club(booking_id=booking.pk, actor=staff(slot), reason="the hall is let")

    return Case(slot, "sweep", {}, people=people, status="CANCELED_BY_CLUB", pays=False)


def a_booking_by_staff(bank: Bank) -> Case:
    """It dies as staff book for a client who paid at the club; they press again."""
    slot, key = offer(price=0), uuid.uuid4().hex

    def people() -> None:
        with suppress(DomainError):  # it was booked the first time
            services.book_for_client(
                slot_id=slot.pk, club_id=slot.club_id, typed=typed(), participants_count=1, actor=staff(slot), key=key
            )

    return Case(
        slot, "staff_books", {"slot": slot.pk, "key": key}, people=people, status="CONFIRMED", claims=1, pays=False
    )


def a_notification(bank: Bank) -> Case:
    """It dies as the bank tells of a payment; the bank, unanswered, tells it again."""
    slot = offer()
    payment = Payment.objects.get(token=paid(slot, bank))
    shown = bank.payment(payment.provider_payment_id or "")["object"]
    body = {"type": "notification", "event": "payment.waiting_for_capture", "object": shown}
    return Case(
        slot, "told", {"body": body}, people=lambda: receive_yookassa(body), ends=[("held", 150_000)], status="CONFIRMED",
        claims=1,
    )  # fmt: skip


def a_reconciliation(bank: Bank) -> Case:
    """It dies as our books are compared with the bank's, and a paid hold is found that nobody told us of."""
    slot = offer()
    account = Payment.objects.get(token=paid(slot, bank)).account_id
    return Case(
        slot, "reconcile", {"account": account}, people=lambda: reconciled(account), ends=[("held", 150_000)],
        status="CONFIRMED", claims=1,
    )  # fmt: skip


def a_comparison_asked_for(bank: Bank) -> Case:
    """It dies as people ask for a comparison, or as what was compared is written down; they ask again, and it is made."""
    slot = offer()
    account = Payment.objects.get(token=paid(slot, bank)).account_id

    def people() -> None:
        with suppress(DomainError):
            money.ask_to_compare(account_id=account, actor=staff(slot))

    args = {"account": account, "slot": slot.pk}
    return Case(slot, "compare", args, people=people, ends=[("held", 150_000)], status="CONFIRMED", claims=1)


@dataclass
class Fee(Case):
    """A guest who stayed too long. `ends` are of the fee's payment; the booking's own money stays where it is."""

    def check_money(self, bank: Bank) -> None:
        fee = Overdue.objects.get(booking__slot=self.slot)
        (payment,), (own,) = fee.payments.all(), fee.booking.payments.all()
        assert (fee.state, bank.effects(payment.provider_payment_id)) == ("PAID", self.ends)
        for each in (payment, own):
            assert_agree(each, bank.money(each.provider_payment_id))
        assert bank.effects(own.provider_payment_id) == [("held", 150_000)]


def stayed(bank: Bank) -> tuple[Slot, Payment, float]:
    """Return a place, the payment of its fee (an hour: 600) and how far ahead the clock is."""
    area = AreaFactory(overdue_rate=60_000, overdue_cap=90_000)
    slot = offer(club=area.club, area=area)
    booking = booked(slot, bank)
    late = (slot.date_to - now_utc()).total_seconds() + 75 * 60 + 1
    with in_time(late):
        services.pay_fee(booking_id=booking.pk, actor=customer(booking.client_id))
        payment = Payment.objects.get(overdue_id=booking.pk)
        bank.pay(payment.provider_payment_id)
    return slot, payment, late


def a_fee(bank: Bank) -> Case:
    """It dies as a guest comes back from paying for staying."""
    slot, payment, late = stayed(bank)
    args = {"token": payment.token}
    return Fee(slot, "look_at_fee", args, ahead=late, ends=[("captured", 60_000)], status="CONFIRMED", claims=1)


def a_reconciled_fee(bank: Bank) -> Case:
    """It dies as our books are compared with the bank's, and a paid fee is found that nobody told us of."""
    slot, payment, late = stayed(bank)
    return Fee(
        slot, "reconcile", {"account": payment.account_id}, ahead=late, people=lambda: reconciled(payment.account_id),
        ends=[("captured", 60_000)], status="CONFIRMED", claims=1,
    )  # fmt: skip


def an_unanswered_checkout(bank: Bank) -> Case:
    """It dies as the bank fails to answer a checkout."""
    case = a_checkout(bank)
    bank.fault(on="create", kind="error_after")
    return case


def a_completion(bank: Bank) -> Case:
    """It dies as a visit that is over is completed in full."""
    slot = offer()
    booking = booked(slot, bank)

    def people() -> None:
        services.try_complete_booking(booking_id=booking.pk, actor=staff(slot))

    over = (slot.date_to - now_utc()).total_seconds() + 300
    args = {"booking": booking.pk, "slot": slot.pk}
    ends = [("held", 150_000), ("captured", 150_000)]
    return Case(slot, "complete", args, ahead=over, people=people, ends=ends, status="SHOWN", claims=1)


def a_cancel_with_a_dead_broker(bank: Bank) -> Case:
    """It dies as a worker is to be woken, after the commit."""
    case = a_cancel(bank)
    case.args["broker"] = "redis://127.0.0.1:9/0"
    return case


def a_test_of_credentials(bank: Bank) -> Case:
    """It dies as people try what they have typed: nothing is moved."""
    slot = offer()
    return Case(slot, "check", {"account": slot.club.provider_accounts.get().pk}, pays=False)


def reconciled(account: int | None) -> list[money.Difference]:
    now = now_utc()
    return money.reconcile(
        account_id=account or 0, since=now - timedelta(days=30), until=now + timedelta(days=1), patience=10
    )


def come_back(case: Case, bank: Bank, *, ahead: float = 0) -> None:
    """Start again: a sweep every few seconds, people finish, and two minutes after the death everything agrees."""
    bank.clear_faults()
    with in_time(case.ahead + ahead + LEASE):
        sweep()
        case.people()
        run_all()
    with in_time(case.ahead + ahead + AGREED):
        sweep()
        case.check(bank)
        assert broken() == {}
        assert reconciled(case.slot.club.provider_accounts.get().pk) == []
        still_open = Intent.objects.filter(state=Intent.State.OPEN)
        assert not still_open.filter(due_at__lte=now_utc()).exists()
        assert set(still_open.values_list("kind", flat=True)) <= {"payments.watch"}  # of money on hold
        assert not Notification.objects.exclude(state=Notification.State.SENT).exists()
    still_open.update(due_at=now_utc() + timedelta(days=365))  # the next life counts only its own steps
    bank.reset()


def sweep() -> None:
    services.end_expired()
    run_all()
