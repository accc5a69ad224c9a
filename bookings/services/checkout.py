"""The checkout: a place held and a payment begun in one short transaction, then the bank's page. Domain section 4."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError, transaction

from bookings.models import Booking
from bookings.selectors import free_until, repeated, state_of_booking, state_of_payment
from bookings.services.party import Party, Typed, policy_of, tidy, write_contact
from bookings.services.requesting import confirm_free, make_request
from clients import services as clients
from clubs.models import Area, Club
from clubs.selectors import zone_of
from palms import intents
from palms.actors import Actor, acting
from palms.clock import now_utc, to_zone
from palms.errors import DatabaseUnavailable, DomainError, IdempotencyMismatch, is_busy
from payments import services as money
from payments.errors import ProviderUnavailable
from payments.models import Payment, ProviderAccount
from payments.rules import fits_two_stages
from payments.selectors import account_of_club
from slots import services as slots
from slots.errors import SlotClosed, SlotInPast, SlotTaken
from slots.models import Slot
from slots.rules import is_shown_to_customers
from slots.selectors import room_seen

TRIES = 3


@dataclass(frozen=True, slots=True)
class Checkout:
    """Where a checkout stands. `payment_url` is the bank's page; None where nothing is to be paid, or not yet known."""

    token: str
    payment_url: str | None
    hold_until: datetime | None
    state: str


@dataclass(frozen=True, slots=True)
class _Order:
    """A checkout on its way: what was read before the locks (good for refusing only), and who comes."""

    slot: Slot
    club: Club
    account: ProviderAccount | None
    party: Party
    actor: Actor


AfterCommit = Callable[[float], Checkout]  # given patience in seconds


def checkout(
    *,
    slot_id: int,
    club_id: int,
    typed: Typed,
    participants_count: int,
    key: str,
    visitor: str,
    actor: Actor,
    booking_type: str = "individual",
    patience: float = 10.0,
) -> Checkout:
    """Hold places of a slot, begin their payment and ask the bank for its page.

    `key` is the form's or the Idempotency-Key: a repeat answers with what the first one made. Zero price books at once;
    an area by request makes a request. An unknown outcome at the bank leaves the hold, with state "preparing".

    Raises:
        SlotNotFound, SlotTaken, SlotClosed, SlotInPast: it cannot be had; nothing was held or charged.
        ValidationFailed: `errors` names the fields.
        ProviderUnavailable: the bank refused to make a payment; the hold is gone, nothing was charged.
        DatabaseUnavailable: too busy; nothing was held.
    """
    typed = tidy(typed, count=participants_count, key=key)
    party = Party(0, typed, participants_count, booking_type, key, visitor)
    try:
        after_commit = _take_patiently(_order(slot_id, club_id, party, actor))
    except (SlotTaken, SlotClosed, SlotInPast, money.CheckoutRepeated) as refusal:
        return _repeat(refusal, club_id, slot_id, key, visitor)
    return after_commit(patience)


def _order(slot_id: int, club_id: int, party: Party, actor: Actor) -> _Order:
    """Look without locks, refuse what is plainly gone, and find or make the client."""
    slot, room = room_seen(club_id=club_id, slot_id=slot_id, now=now_utc())
    if room < party.count:
        raise SlotTaken(slot_id=slot_id)
    account = account_of_club(club_id)
    if account is None and slot.price and _is_instant(slot):
        raise ProviderUnavailable
    client = clients.find_or_make_client(
        club_id=club_id, phone=party.typed.phone, full_name=party.typed.full_name, email=party.typed.email,
        birth_date=party.typed.birth_date, currency=slot.currency,
    )  # fmt: skip
    return _Order(slot, slot.club, account, replace(party, client_id=client.pk), actor)


def _repeat(refusal: DomainError, club_id: int, slot_id: int, key: str, visitor: str) -> Checkout:
    """Answer a refused take with what the same checkout, or the same visitor, has already; refuse a stranger."""
    now = now_utc()
    found = repeated(club_id=club_id, slot_id=slot_id, key=key, visitor=visitor, now=now)
    if found is None:
        raise refusal
    about = found.slot_id if isinstance(found, Booking) else (found.snapshot or {}).get("slot_id")
    if about != slot_id:
        raise IdempotencyMismatch from refusal
    state = state_of_booking(found, now) if isinstance(found, Booking) else state_of_payment(found, now)
    return Checkout(found.token, state.payment_url or None, state.hold_until, state.state)


def _take_patiently(order: _Order) -> AfterCommit:
    """Wait for a crowded court a few times; who waited in vain and finds it sold hears so, not "too busy"."""
    for _attempt in range(TRIES):
        try:
            return _take(order)
        except OperationalError as error:
            if not is_busy(error):
                raise
        _slot, room = room_seen(club_id=order.club.pk, slot_id=order.slot.pk, now=now_utc())
        if room < order.party.count:
            raise SlotTaken(slot_id=order.slot.pk)
    raise DatabaseUnavailable


def _take(order: _Order) -> AfterCommit:
    """Lock, read the clock, look, take: one short transaction. Returns what is left to do after its commit."""
    with transaction.atomic(), acting(order.actor):
        seen = order.slot
        (slot,) = slots.lock_slots([seen.pk], seen={seen.pk: (seen.area_id, seen.instructor_id)})
        now = now_utc()
        if slot.date_from > now and not is_shown_to_customers(slot, order.club, now):
            raise SlotClosed
        places = slots.find_room(slot, count=order.party.count, now=now)
        if _is_instant(slot) and slot.price:
            return _hold(order, slot, places, now)
        make = confirm_free if _is_instant(slot) else make_request
        booking = make(slot, places, party=order.party, club=order.club, now=now)
        state = state_of_booking(booking, now)
        return lambda _patience: Checkout(booking.token, None, state.hold_until, state.state)


def _is_instant(slot: Slot) -> bool:
    return slot.area is None or slot.area.mode == Area.Mode.INSTANT


def _hold(order: _Order, slot: Slot, places: list[int], now: datetime) -> AfterCommit:
    account, party = order.account, order.party
    if account is None:
        raise ProviderUnavailable
    until = min(now + timedelta(seconds=order.club.hold_seconds), slot.date_from)
    two_stage = order.club.capture == Club.Capture.AUTO and fits_two_stages(visit_ends=slot.date_to, now=now)
    payment = money.open_payment(
        money.Start(
            club_id=order.club.pk,
            client_id=party.client_id,
            account=account,
            amount=slot.price * party.count,
            currency=slot.currency,
            two_stage=two_stage,
            description=_describe(slot, order.club),
            snapshot=_snapshot(order, slot),
            checkout_key=party.key,
            visitor=party.visitor,
        )  # fmt: skip
    )
    slots.claim(slot, places, held_until=until, payment_id=payment.pk)
    write_contact(party.typed, club_id=order.club.pk, payment=payment)
    job = money.plan_page(payment, locale=party.typed.language, now=now)
    return lambda patience: _ask_for_page(payment, job, until, patience)


def _ask_for_page(payment: Payment, job: intents.Job, until: datetime, patience: float) -> Checkout:
    """After commit: ask the bank for its page. A refusal has released the hold; an unknown outcome has not."""
    outcome = intents.perform(replace(job, patience=patience))
    if isinstance(outcome, intents.Refused):
        raise ProviderUnavailable
    url = outcome.answer.payment.confirmation_url if isinstance(outcome, intents.Done) else ""
    return Checkout(payment.token, url or None, until, "held" if url else "preparing")


def _snapshot(order: _Order, slot: Slot) -> dict[str, Any]:
    """What was asked for: ids and choices, the policy shown with it; no personal data."""
    return {
        "booking_type": order.party.booking_type,
        "slot_id": slot.pk,
        "area_id": slot.area_id,
        "instructor_id": slot.instructor_id,
        "client_id": order.party.client_id,
        "date_from": slot.date_from.isoformat(),
        "date_to": slot.date_to.isoformat(),
        "participants_count": order.party.count,
        "price": slot.price * order.party.count,
        "price_per_participant": slot.price,
        "currency": slot.currency,
        "policy": policy_of(order.club),
        "cancelation_time": free_until(slot, order.club).isoformat(),
    }


def _describe(slot: Slot, club: Club) -> str:
    """Return the line that the payer reads on the bank's page, in the club's local time."""
    start = to_zone(slot.date_from, zone_of(club))
    what = slot.title or (slot.area.name if slot.area else "") or club.name
    return f"{club.name}: {what}, {start:%d.%m.%Y %H:%M}"
