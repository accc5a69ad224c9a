"""The only door through which money reaches a booking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from access import services as access
from bookings import rules
from bookings.models import Booking, BookingContact
from bookings.services.ending import end_for_lost_money, expire_locked
from bookings.services.locking import Locked, lock_money, lock_row
from bookings.states import TERMINAL, S
from clients import services as clients
from notifications import services as notifications
from palms import points
from palms.actors import Actor, Kind, acting
from palms.clock import now_utc
from palms.errors import settle_constraints
from palms.locking import Moved, starting_over
from payments import rules as money_rules
from payments import services as money
from payments.models import Payment
from payments.targets import Close, Sighting
from slots import services as slots
from slots.errors import SlotNotFound
from slots.models import Claim, Slot
from slots.rules import is_alive

DOOR = points.commit("bookings.door")  # itself only where no intent brings the money: in a reconciliation


@dataclass(frozen=True, slots=True)
class _Scene:
    """Everything that is locked while a payment is looked at. `slot` is None when nothing has to be decided."""

    payment: Payment
    booking: Booking | None
    slot: Slot | None
    payments: list[Payment]  # all of the booking's, this one among them
    fees: list[Payment]  # for staying, if there are any


def confirm_booking_payment(*, payment_id: int, seen: Sighting, close: Close) -> Payment:
    """Apply what the provider showed of a payment, and decide once whether its money buys the booking or goes back.

    Webhook, return page, poll and reconciliation all end here. `seen` was read outside any transaction; the caller holds
    no lock. Decided already: that stands. Claims alive, exactly as many as asked for, money equal: USED, and the booking
    is CONFIRMED. Anything else: RETURN. Repeats, late and reordered sightings change nothing they should not.
    `close` ends the intent that brought the sighting, in the same transaction. Source: domain sections 4 and 5.
    """
    provider = Actor(Kind.PROVIDER, through="provider")
    with DOOR, acting(provider):
        scene = _lock(payment_id, seen)
        now = now_utc()
        payment = scene.payment
        believed = money.record(payment, seen, now=now)
        close(payment, believed=believed)
        if believed:
            _let_go_what_lost_its_money(scene, now)
            if payment.decision is None and payment.status in (Payment.Status.AUTHORIZED, Payment.Status.CAPTURED):
                _decide(scene, seen, now)
            elif payment.status == Payment.Status.FAILED:
                slots.release(payment_ids=[payment.pk])
            money.derive(payment, now=now)
            money.watch_later(payment, seen.payment, now=now)
        settle_constraints()
    return payment


def give_up(payment_id: int, close: Close) -> None:
    """The provider's final word: the payment was never made there. The hold ends; nothing was charged."""
    with DOOR, acting(Actor(Kind.PROVIDER, through="provider")):
        (payment,) = money.lock_payments(ids=[payment_id])
        close(payment, believed=True)
        if payment.status == Payment.Status.PENDING and payment.provider_payment_id is None:
            payment.fail()
            payment.decision_reason = "never_created"
            payment.save(update_fields=["status", "decision_reason"])
            slots.release(payment_ids=[payment.pk])
        money.derive(payment, now=now_utc())  # of money that came all the same


def _lock(payment_id: int, seen: Sighting) -> _Scene:
    """Lock what the sighting may touch, in the one order. The place is locked only where a decision is due."""
    return starting_over(lambda: _try_lock(payment_id, has_money=money_rules.has_money(seen.payment)))


def _try_lock(payment_id: int, *, has_money: bool) -> _Scene:
    row = Payment.objects.values("decision", "snapshot", "booking_id", "booking__slot_id").get(pk=payment_id)
    slot_id = row["booking__slot_id"] or (row["snapshot"] or {}).get("slot_id")
    due = row["decision"] is None and has_money
    slot = _lock_place(slot_id) if due or row["booking_id"] else None
    payments, fees = lock_money(row["booking_id"] or 0, and_payment=payment_id)
    payment = next(p for p in payments if p.pk == payment_id)
    booking = lock_row(payment.booking_id) if payment.booking_id else None
    if payment.booking_id != row["booking_id"] or (
        booking is not None and slot is not None and booking.slot_id != slot.pk
    ):
        raise Moved
    if payment.decision is None and has_money and not due:
        raise Moved
    return _Scene(payment, booking, slot, payments, fees)


def _lock_place(slot_id: int | None) -> Slot | None:
    """Lock a slot and what comes before it; None where it is gone, so that its late money can only go back."""
    try:
        return slots.try_lock_slots([slot_id or 0])[0]
    except SlotNotFound:
        return None


def _let_go_what_lost_its_money(scene: _Scene, now: datetime) -> None:
    """A CONFIRMED booking whose money left from outside ends in the transaction that writes so: the database allows no other."""
    if scene.booking is None or scene.booking.status != S.CONFIRMED or scene.slot is None:
        return
    booking = lock_row(scene.booking.pk)  # again: the trigger has counted what still stands for it
    if not rules.is_secured(booking):
        end_for_lost_money(Locked(booking, scene.payments, scene.slot, fees=scene.fees), now=now)


def _decide(scene: _Scene, seen: Sighting, now: datetime) -> None:
    payment, account = scene.payment, scene.payment.account
    wrong = money_rules.mismatch(payment, seen.payment, is_test=account.is_test if account else False)
    if not wrong and money_rules.still_there(payment) < payment.amount:
        wrong = "sum: some of it has been returned already"
    if wrong:
        payment.trouble = f"the bank shows another {wrong}"
        payment.save(update_fields=["trouble"])
    if scene.booking is not None:
        _decide_for_booking(scene, bool(wrong), now)
    else:
        _decide_for_hold(scene, bool(wrong), now)


def _decide_for_hold(scene: _Scene, wrong: bool, now: datetime) -> None:
    payment, slot = scene.payment, scene.slot
    asked: dict[str, Any] = payment.snapshot or {}
    claims = slots.claims_of(payment_id=payment.pk)
    fits = len(claims) == asked.get("participants_count") and all(_holds(claim, asked, now) for claim in claims)
    if wrong or slot is None or not claims or not fits:
        slots.release(payment_ids=[payment.pk])
        money.decide_return(payment, cause="mismatch" if wrong else "late")
        notifications.tell(club_id=payment.club_id, payment_id=payment.pk, event="payment_returned", now=now)
        return
    booking = _book(payment, asked)
    money.decide_used(payment, booking_id=booking.pk)
    money.take_before_the_hold_dies([payment], visit_ends=booking.date_to, now=now)
    slots.hand_over(payment_id=payment.pk, booking_id=booking.pk)
    contact = BookingContact.objects.get(payment=payment)
    contact.booking = booking
    contact.save(update_fields=["booking"])
    clients.fill_what_is_empty(client_id=booking.client_id, email=contact.email, birth_date=contact.birth_date)
    access.plan_grant(booking, now)
    notifications.tell(club_id=booking.club_id, booking_id=booking.pk, event="booking_confirmed", now=now)


def _holds(claim: Claim, asked: dict[str, Any], now: datetime) -> bool:
    return is_alive(claim, now) and claim.slot_id == asked["slot_id"]


def _book(payment: Payment, asked: dict[str, Any]) -> Booking:
    """Insert the booking as CONFIRMED from the snapshot. What secures it is counted by the database, at the link."""
    booking = Booking(
        club_id=payment.club_id, client_id=payment.client_id, slot_id=asked["slot_id"], area_id=asked["area_id"],
        instructor_id=asked["instructor_id"], date_from=datetime.fromisoformat(asked["date_from"]),
        date_to=datetime.fromisoformat(asked["date_to"]), participants_count=asked["participants_count"],
        booking_type=asked["booking_type"], price=asked["price"], currency=asked["currency"], policy=asked["policy"],
        cancelation_time=datetime.fromisoformat(asked["cancelation_time"]), secured_amount=payment.amount,
        visitor=payment.visitor,
    )  # fmt: skip
    booking.confirm()
    booking.save(force_insert=True)
    return booking


def _decide_for_booking(scene: _Scene, wrong: bool, now: datetime) -> None:
    """Money for a booking that exists: it buys a waiting one whose place is alive, or pays a raised price.

    Anything else sends it back, and so does what a waiting booking does not need of it.
    """
    payment, booking, slot = scene.payment, scene.booking, scene.slot
    if booking is None or slot is None:
        raise ValueError("decided without its locks")
    locked = Locked(booking, scene.payments, slot)
    if booking.status not in TERMINAL and rules.has_expired(booking, now):
        expire_locked(locked, now)
    claims = slots.claims_of(booking_id=booking.pk)
    alive = len(claims) == booking.participants_count and all(is_alive(claim, now) for claim in claims)
    keep = _needed(booking, payment)
    if wrong or not keep or not alive:
        money.decide_return(payment, cause="mismatch" if wrong else "late")
        notifications.tell(club_id=payment.club_id, payment_id=payment.pk, event="payment_returned", now=now)
        return
    money.decide_used(payment, booking_id=booking.pk, keep=keep)
    if booking.status == S.APPROVED:
        confirm_secured(booking.pk, payments=scene.payments, now=now)
    elif booking.status == S.CONFIRMED:
        settle_raise(booking.pk, payments=scene.payments, now=now)


def _needed(booking: Booking, payment: Payment) -> int:
    """Return how much of a payment its booking needs: 0 where it pays a raise that is not, or not so, wanted any more."""
    if booking.status != S.CONFIRMED:
        return min(payment.amount, rules.owed(booking))
    asked = (payment.snapshot or {}).get("raised_price")
    fits = asked is not None and asked == booking.raised_price and payment.amount == rules.owed(booking)
    return payment.amount if fits else 0


def settle_raise(booking_id: int, *, payments: Sequence[Payment], now: datetime) -> Booking:
    """Let the raised price of a locked CONFIRMED booking count if what the database counts covers it.

    `payments` are all of the booking's, locked.
    """
    booking = lock_row(booking_id)  # again: the trigger has counted what stands for it
    if booking.raised_price is not None and not rules.owed(booking):
        booking.price, booking.raised_price = booking.raised_price, None
        booking.save(update_fields=["price", "raised_price"])
        money.take_before_the_hold_dies(payments, visit_ends=booking.date_to, now=now)
    return booking


def confirm_secured(booking_id: int, *, payments: Sequence[Payment], now: datetime) -> Booking:
    """Confirm a waiting, locked booking if what the database counts covers its price; its claims become firm.

    `payments` are all of the booking's, locked.
    """
    booking = lock_row(booking_id)  # again: the trigger has counted what stands for it
    if rules.is_secured(booking):
        booking.confirm()
        booking.save(update_fields=["status", "expires_at"])
        slots.hold_until(booking_id=booking.pk, moment=None)
        money.take_before_the_hold_dies(payments, visit_ends=booking.date_to, now=now)
        contact = BookingContact.objects.filter(booking=booking).first()
        if contact is not None:
            clients.fill_what_is_empty(client_id=booking.client_id, email=contact.email, birth_date=contact.birth_date)
        access.plan_grant(booking, now)
        notifications.tell(club_id=booking.club_id, booking_id=booking.pk, event="booking_confirmed", now=now)
    return booking
