"""The checkout: a place held and a payment begun in one short transaction, then the bank's page. Domain section 4."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError
from django.utils.translation import gettext as _

from bookings.errors import WrongType
from bookings.models import Booking
from bookings.rules import type_of
from bookings.selectors import free_until, repeated, state_of_booking, state_of_payment
from bookings.services.asking import ask_for_page
from bookings.services.party import Party, Typed, policy_of, tidy, write_contact
from bookings.services.requesting import confirm_free, make_request
from clients import services as clients
from clients.errors import ClientBlocked
from clubs.models import Area, Club
from clubs.selectors import zone_of
from palms import intents, points
from palms.actors import Actor, acting
from palms.clock import now_utc, to_zone
from palms.errors import DatabaseUnavailable, DomainError, IdempotencyMismatch, is_busy
from payments import services as money
from payments.errors import ProviderUnavailable
from payments.models import Payment, ProviderAccount
from payments.rules import fits_two_stages
from payments.selectors import account_of_club
from slots import intervals
from slots import services as slots
from slots.errors import SlotClosed, SlotInPast, SlotTaken
from slots.intervals import Interval
from slots.models import Slot
from slots.rules import is_shown_to_customers
from slots.selectors import interval_seen, room_seen

TRIES = 3
TAKEN = points.commit("bookings.checkout")


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

    wanted: Wanted
    slot: Slot
    club: Club
    account: ProviderAccount | None
    party: Party
    actor: Actor


AfterCommit = Callable[[float], Checkout]  # given patience in seconds
Wanted = int | Interval  # the id of a slot that is offered, or an interval that makes its own


def checkout(
    *,
    slot_id: int | None = None,
    interval: Interval | None = None,
    club_id: int,
    typed: Typed,
    participants_count: int,
    key: str,
    visitor: str,
    actor: Actor,
    booking_type: str | None = None,
    patience: float = 10.0,
) -> Checkout:
    """Hold places of a slot, or an interval (one of the two), begin their payment and ask the bank for its page.

    `key` is the form's or the Idempotency-Key: a repeat answers with what the first one made. Zero price books at once;
    an area by request makes a request. An unknown outcome at the bank leaves the hold, with state "preparing".
    `booking_type` is the slot's own; a caller who names another is refused.

    Raises:
        WrongType: the time is a group's, and an individual booking was asked for, or the other way round.
        SlotNotFound, SlotTaken, SlotClosed, SlotInPast: it cannot be had; nothing was held or charged.
        ValidationFailed: `errors` names the fields, those of an interval nobody could choose too.
        ClientBlocked: the club does not let this phone book online; nothing was held.
        ProviderUnavailable: the bank refused to make a payment; the hold is gone, nothing was charged.
        DatabaseUnavailable: too busy; nothing was held.
    """
    wanted: Wanted = interval or slot_id or 0
    typed = tidy(typed, count=participants_count, key=key)
    party = Party(0, typed, participants_count, booking_type or "", key, visitor)
    try:
        after_commit = _take_patiently(_order(wanted, club_id, party, actor))
    except (SlotTaken, SlotClosed, SlotInPast, WrongType, money.CheckoutRepeated) as refusal:
        found = _made_already(refusal, club_id, wanted, key, visitor)
        return _again(found, patience)
    return after_commit(patience)


def _order(wanted: Wanted, club_id: int, party: Party, actor: Actor) -> _Order:
    """Look without locks, refuse what is plainly gone, and find or make the client."""
    slot = _look(wanted, club_id, party.count)
    booking_type = type_of(slot)
    if party.booking_type not in ("", booking_type):
        raise WrongType(errors={"slot_id": [_("This time is booked in another way: alone or in a group")]})
    account = account_of_club(club_id)
    if account is None and slot.price and _is_instant(slot):
        raise ProviderUnavailable
    client = clients.find_or_make_client(
        club_id=club_id, phone=party.typed.phone, full_name=party.typed.full_name, email=party.typed.email,
        birth_date=party.typed.birth_date, currency=slot.currency,
    )  # fmt: skip
    if client.is_blocked:
        raise ClientBlocked
    party = replace(party, client_id=client.pk, booking_type=booking_type)
    return _Order(wanted, slot, slot.club, account, party, actor)


def _look(wanted: Wanted, club_id: int, count: int) -> Slot:
    """Return what is wanted if there seems to be room: plain reads. Raises as `checkout`."""
    now = now_utc()
    if isinstance(wanted, Interval):
        slot, room = interval_seen(club_id=club_id, interval=wanted, now=now)
    else:
        slot, room = room_seen(club_id=club_id, slot_id=wanted, now=now)
    if room < count:
        raise SlotTaken(slot_id=slot.pk)
    return slot


def _slot_id(wanted: Wanted) -> int:
    """Return the id of the slot; 0 where an interval has made none yet."""
    if isinstance(wanted, int):
        return wanted
    made = intervals.made_for(wanted)
    return made.pk if made else 0


def _made_already(refusal: DomainError, club_id: int, wanted: Wanted, key: str, visitor: str) -> Payment | Booking:
    """Return what the same checkout, or the same visitor, has already where a take was refused; refuse a stranger."""
    slot_id = _slot_id(wanted)
    found = repeated(club_id=club_id, slot_id=slot_id, key=key, visitor=visitor, now=now_utc())
    if found is None:
        raise refusal
    about = found.slot_id if isinstance(found, Booking) else (found.snapshot or {}).get("slot_id")
    if about != slot_id:
        raise IdempotencyMismatch from refusal
    return found


def _again(found: Payment | Booking, patience: float) -> Checkout:
    """Answer a repeat as the first was, or is being, answered."""
    if isinstance(found, Booking):
        state = state_of_booking(found, now_utc())
    else:
        state = state_of_payment(money.with_its_page(found, patience=patience), now_utc())
    return Checkout(found.token, state.payment_url or None, state.hold_until, state.state)


def _take_patiently(order: _Order) -> AfterCommit:
    """Wait for a crowded court a few times.

    Who waited in vain and finds it sold hears so, not "too busy"; who stood in line behind their own first click has its
    answer.
    """
    for _attempt in range(TRIES):
        try:
            return _take(order)
        except OperationalError as error:
            if not is_busy(error):
                raise
        now, club_id, slot_id = now_utc(), order.club.pk, _slot_id(order.wanted)
        if repeated(club_id=club_id, slot_id=slot_id, key=order.party.key or "", visitor="", now=now):
            raise money.CheckoutRepeated
        _look(order.wanted, club_id, order.party.count)
    raise DatabaseUnavailable


def _take(order: _Order) -> AfterCommit:
    """Lock, read the clock, look, take: one short transaction. Returns what is left to do after its commit."""
    with TAKEN, acting(order.actor):
        slot = _lock(order)
        now = now_utc()
        if slot.is_by_interval:
            intervals.judge_interval(slot, now=now)
        elif slot.date_from > now and not is_shown_to_customers(slot, order.club, now):
            raise SlotClosed
        places = slots.find_room(slot, count=order.party.count, now=now)
        if slot.is_by_interval:
            intervals.keep_interval(slot)
        if _is_instant(slot) and slot.price:
            return _hold(order, slot, places, now)
        make = confirm_free if _is_instant(slot) else make_request
        booking = make(slot, places, party=order.party, club=order.club, now=now)
        state = state_of_booking(booking, now)
        return lambda _patience: Checkout(booking.token, None, state.hold_until, state.state)


def _lock(order: _Order) -> Slot:
    if isinstance(order.wanted, Interval):
        return intervals.lock_interval(order.wanted, club=order.club)
    seen = order.slot
    (slot,) = slots.lock_slots([seen.pk], seen={seen.pk: (seen.area_id, seen.instructor_id)})
    return slot


def _is_instant(slot: Slot) -> bool:
    return slot.area is None or slot.area.mode == Area.Mode.INSTANT


def _hold(order: _Order, slot: Slot, places: list[int], now: datetime) -> AfterCommit:
    account, party = order.account, order.party
    if account is None:
        raise ProviderUnavailable
    latest = slot.date_to if slot.is_by_interval else slot.date_from  # an interval may begin while it is being paid
    until = min(now + timedelta(seconds=order.club.hold_seconds), latest)
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
    url = ask_for_page(job, patience=patience)
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
        "policy": policy_of(order.club, slot.area),
        "cancelation_time": free_until(slot, order.club).isoformat(),
    }


def _describe(slot: Slot, club: Club) -> str:
    """Return the line that the payer reads on the bank's page, in the club's local time."""
    start = to_zone(slot.date_from, zone_of(club))
    what = slot.title or (slot.area.name if slot.area else "") or club.name
    return f"{club.name}: {what}, {start:%d.%m.%Y %H:%M}"
