"""The only door through which money reaches a booking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from bookings import rules
from bookings.models import Booking, BookingContact
from bookings.services.ending import end_for_lost_money, expire_locked
from bookings.services.locking import Locked, lock_row
from bookings.states import TERMINAL, S
from clients import services as clients
from notifications import services as notifications
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


@dataclass(frozen=True, slots=True)
class _Scene:
    """Everything that is locked while a payment is looked at. `slot` is None when nothing has to be decided."""

    payment: Payment
    booking: Booking | None
    slot: Slot | None
    payments: list[Payment]  # all of the booking's, this one among them


def confirm_booking_payment(*, payment_id: int, seen: Sighting, close: Close) -> Payment:
    """Apply what the provider showed of a payment, and decide once whether its money buys the booking or goes back.

    Webhook, return page, poll and reconciliation all end here. `seen` was read outside any transaction; the caller holds
    no lock. Decided already: that stands. Claims alive, exactly as many as asked for, money equal: USED, and the booking
    is CONFIRMED. Anything else: RETURN. Repeats, late and reordered sightings change nothing they should not.
    `close` ends the intent that brought the sighting, in the same transaction. Source: domain sections 4 and 5.
    """
    provider = Actor(Kind.PROVIDER, through="provider")
    with transaction.atomic(), acting(provider):
        scene = _lock(payment_id, seen)
        now = now_utc()
        payment = scene.payment
        _let_go_what_loses_its_money(scene, seen, now)
        believed = money.record(payment, seen, now=now)
        close(payment, believed=believed)
        if believed:
            if payment.decision is None and payment.status in (Payment.Status.AUTHORIZED, Payment.Status.CAPTURED):
                _decide(scene, seen, now)
            elif payment.status == Payment.Status.FAILED:
                slots.release(payment_ids=[payment.pk])
            money.derive(payment, now=now)
        settle_constraints()
    return payment


def give_up(payment_id: int, close: Close) -> None:
    """The provider's final word: the payment was never made there. The hold ends; nothing was charged."""
    with transaction.atomic(), acting(Actor(Kind.PROVIDER, through="provider")):
        (payment,) = money.lock_payments(ids=[payment_id])
        close(payment, believed=True)
        if payment.status == Payment.Status.PENDING and payment.provider_payment_id is None:
            payment.fail()
            payment.decision_reason = "never_created"
            payment.save(update_fields=["status", "decision_reason"])
            slots.release(payment_ids=[payment.pk])


def _lock(payment_id: int, seen: Sighting) -> _Scene:
    """Lock what the sighting may touch, in the one order. The place is locked only where a decision is due."""
    return starting_over(lambda: _try_lock(payment_id, has_money=money_rules.has_money(seen.payment)))


def _try_lock(payment_id: int, *, has_money: bool) -> _Scene:
    row = Payment.objects.values("decision", "snapshot", "booking_id", "booking__slot_id").get(pk=payment_id)
    slot_id = row["booking__slot_id"] or (row["snapshot"] or {}).get("slot_id")
    due = row["decision"] is None and has_money
    slot = _lock_place(slot_id) if due or row["booking_id"] else None
    payments = money.lock_payments(ids=[payment_id], booking_ids=[row["booking_id"]] if row["booking_id"] else [])
    payment = next(p for p in payments if p.pk == payment_id)
    booking = lock_row(payment.booking_id) if payment.booking_id else None
    if payment.booking_id != row["booking_id"] or (
        booking is not None and slot is not None and booking.slot_id != slot.pk
    ):
        raise Moved
    if payment.decision is None and has_money and not due:
        raise Moved
    return _Scene(payment, booking, slot, payments)


def _lock_place(slot_id: int | None) -> Slot | None:
    """Lock a slot and what comes before it; None where it is gone, so that its late money can only go back."""
    try:
        return slots.try_lock_slots([slot_id or 0])[0]
    except SlotNotFound:
        return None


def _let_go_what_loses_its_money(scene: _Scene, seen: Sighting, now: datetime) -> None:
    """A CONFIRMED booking whose money left from outside ends before that is written: the database allows no other order."""
    booking, payment = scene.booking, scene.payment
    if booking is None or booking.status != S.CONFIRMED or payment.decision != "USED" or scene.slot is None:
        return
    loss = money.standing(payment) - money_rules.standing_after(payment, seen.payment, seen.refunds)
    if loss > 0 and booking.secured_amount - loss < booking.price and money_rules.moves(payment, seen.payment):
        end_for_lost_money(Locked(booking, scene.payments, scene.slot), now=now)


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
    """Money for a booking that exists: it buys a waiting one whose place is alive, anything else sends it back."""
    payment, booking, slot = scene.payment, scene.booking, scene.slot
    if booking is None or slot is None:
        raise ValueError("decided without its locks")
    locked = Locked(booking, scene.payments, slot)
    if booking.status not in TERMINAL and rules.has_expired(booking, now):
        expire_locked(locked, now)
    claims = slots.claims_of(booking_id=booking.pk)
    alive = len(claims) == booking.participants_count and all(is_alive(claim, now) for claim in claims)
    if wrong or booking.status not in (S.REQUESTED, S.APPROVED) or not alive:
        money.decide_return(payment, cause="mismatch" if wrong else "late")
        notifications.tell(club_id=payment.club_id, payment_id=payment.pk, event="payment_returned", now=now)
        return
    money.decide_used(payment, booking_id=booking.pk)
    if booking.status == S.APPROVED:
        confirm_secured(booking.pk, payments=scene.payments, now=now)


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
        notifications.tell(club_id=booking.club_id, booking_id=booking.pk, event="booking_confirmed", now=now)
    return booking
