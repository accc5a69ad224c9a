"""Bookings that exist before their money: by request, free ones, and those that staff make. Domain sections 3 and 4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction

from bookings import rules
from bookings.errors import BookingFinished, PaymentRequired, TransitionRefused
from bookings.models import Booking
from bookings.selectors import free_until
from bookings.services.confirming import confirm_secured
from bookings.services.ending import on_living
from bookings.services.locking import Locked, allowed_events, require
from bookings.services.party import Party, Typed, policy_of, tidy, write_contact
from bookings.states import TERMINAL, S
from clients import services as clients
from clubs.models import Club
from notifications import services as notifications
from palms import intents
from palms.actors import Actor, acting
from palms.clock import now_utc
from palms.errors import NotPermitted, refusing, settle_constraints
from payments import services as money
from payments.errors import ProviderUnavailable
from payments.models import Payment
from payments.rules import fits_two_stages
from payments.selectors import account_of_club
from slots import services as slots
from slots.models import Slot
from slots.selectors import room_seen


def _draft(slot: Slot, party: Party, club: Club) -> Booking:
    return Booking(
        club=club, client_id=party.client_id, slot=slot, area_id=slot.area_id, instructor_id=slot.instructor_id,
        date_from=slot.date_from, date_to=slot.date_to, participants_count=party.count, booking_type=party.booking_type,
        price=slot.price * party.count, currency=slot.currency, policy=policy_of(club),
        cancelation_time=free_until(slot, club), checkout_key=party.key, visitor=party.visitor,
    )  # fmt: skip


def _write(booking: Booking, slot: Slot, places: Sequence[int], party: Party) -> None:
    """Insert a new booking with its claims and contact. A repeated checkout key is refused by its constraint."""
    with refusing(money.CheckoutRepeated, "booking_one_per_checkout"):
        booking.save(force_insert=True)
    slots.claim(slot, places, held_until=booking.expires_at, booking_id=booking.pk)
    write_contact(party.typed, club_id=slot.club_id, booking=booking)


def make_request(slot: Slot, places: Sequence[int], *, party: Party, club: Club, now: datetime) -> Booking:
    """Hold places of a locked slot for a request until the club's deadline, never beyond the start."""
    booking = _draft(slot, party, club)
    booking.expires_at = min(now + timedelta(minutes=club.request_deadline_minutes), slot.date_from)
    _write(booking, slot, places, party)
    notifications.tell(club_id=club.pk, booking_id=booking.pk, event="booking_requested", now=now)
    settle_constraints()
    return booking


def confirm_free(slot: Slot, places: Sequence[int], *, party: Party, club: Club, now: datetime) -> Booking:
    """Book what costs nothing at once."""
    booking = _draft(slot, party, club)
    booking.confirm()
    _write(booking, slot, places, party)
    notifications.tell(club_id=club.pk, booking_id=booking.pk, event="booking_confirmed", now=now)
    settle_constraints()
    return booking


def book_for_client(
    *,
    slot_id: int,
    club_id: int,
    typed: Typed,
    participants_count: int,
    actor: Actor,
    key: str,
    onsite_amount: int | None = None,
) -> Booking:
    """Staff or CRM book for a client: APPROVED with time to pay, or CONFIRMED where money was taken on site.

    Raises:
        NotPermitted: the actor does not serve this club.
        SlotTaken, SlotInPast, SlotNotFound: it cannot be had.
        ValidationFailed: `errors` names the fields.
        PaymentRequired: `onsite_amount` does not cover the price.
    """
    if not actor.serves(club_id):
        raise NotPermitted
    typed = tidy(typed, count=participants_count, key=key)
    seen, _room = room_seen(club_id=club_id, slot_id=slot_id, now=now_utc(), for_customer=False)
    client = clients.find_or_make_client(
        club_id=club_id, phone=typed.phone, full_name=typed.full_name, email=typed.email, birth_date=typed.birth_date,
        currency=seen.currency,
    )  # fmt: skip
    with transaction.atomic(), acting(actor):
        (slot,) = slots.lock_slots([slot_id])
        now = now_utc()
        places = slots.find_room(slot, count=participants_count, now=now, for_customer=False)
        party = Party(client.pk, typed, participants_count, key=key)
        booking = _draft(slot, party, seen.club)
        booking.approve(expires_at=_payment_deadline(seen.club, slot, now))
        _write(booking, slot, places, party)
        if onsite_amount is not None or booking.price == 0:
            booking = _pay_on_site(booking, [], onsite_amount or 0, now)
        else:
            notifications.tell(club_id=club_id, booking_id=booking.pk, event="booking_approved", now=now)
        settle_constraints()
    return booking


def _payment_deadline(club: Club, slot: Slot, now: datetime) -> datetime:
    return min(now + timedelta(minutes=club.payment_deadline_minutes), slot.date_from)


def approve(*, booking_id: int, actor: Actor) -> Booking:
    """Agree to a request: APPROVED until the payment deadline, CONFIRMED at once where its money is secured already.

    Raises:
        TransitionRefused: it is not REQUESTED; BookingFinished: it is over.
        HoldExpired: its deadline has passed; it is ended now, if nobody has yet.
        NotPermitted: the actor does not serve this club.
    """

    def agree(locked: Locked, now: datetime) -> Booking:
        booking = locked.booking
        require(booking, booking.approve, actor)
        booking.approve(expires_at=_payment_deadline(booking.club, locked.slot, now))
        booking.save(update_fields=["status", "expires_at"])
        slots.hold_until(booking_id=booking.pk, moment=booking.expires_at)
        booking = confirm_secured(booking.pk, payments=locked.payments, now=now)
        if booking.status == S.APPROVED:
            notifications.tell(club_id=booking.club_id, booking_id=booking.pk, event="booking_approved", now=now)
        return booking

    return on_living(booking_id, actor, agree)


def record_payment_on_site(*, booking_id: int, actor: Actor, amount: int | None = None) -> Booking:
    """Record that the club took the money itself (minor units; what is missing unless told), and confirm the booking.

    Raises:
        PaymentRequired: not enough; HoldExpired: the deadline has passed.
        TransitionRefused, BookingFinished: it does not wait for money. NotPermitted: the actor does not serve this club.
    """

    def take(locked: Locked, now: datetime) -> Booking:
        if not actor.serves(locked.booking.club_id):
            raise NotPermitted
        _require_waiting(locked.booking)
        due = locked.booking.price - locked.booking.secured_amount
        return _pay_on_site(locked.booking, locked.payments, due if amount is None else amount, now)

    return on_living(booking_id, actor, take)


def _require_waiting(booking: Booking) -> None:
    if booking.status in TERMINAL:
        raise BookingFinished(current_status=booking.status, allowed_events=[])
    if booking.status not in (S.REQUESTED, S.APPROVED):
        raise TransitionRefused(current_status=booking.status, allowed_events=allowed_events(booking))


def _pay_on_site(booking: Booking, payments: Sequence[Payment], amount: int, now: datetime) -> Booking:
    if amount > 0:
        money.record_onsite(
            club_id=booking.club_id, client_id=booking.client_id, booking_id=booking.pk, amount=amount,
            currency=booking.currency, now=now,
        )  # fmt: skip
    confirmed = confirm_secured(booking.pk, payments=payments, now=now)
    if confirmed.status != S.CONFIRMED:
        raise PaymentRequired
    return confirmed


def pay_for_approved(*, booking_id: int, actor: Actor, locale: str = "ru", patience: float = 10.0) -> str:
    """Return the bank's page for a waiting booking, asking for one where there is none.

    Empty while the bank is silent, and where nothing is left to pay. Before APPROVED only a two-stage payment may be
    taken, and only where its hold outlives the request.

    Raises:
        HoldExpired, TransitionRefused, BookingFinished, NotPermitted, ProviderUnavailable.
    """

    def begin(locked: Locked, now: datetime) -> str | intents.Job:
        booking = locked.booking
        if not (rules.is_customer_of(booking, actor) or rules.serves_its_club(booking, actor)):
            raise NotPermitted
        _require_waiting(booking)
        open_one = next((p for p in locked.payments if p.status == Payment.Status.PENDING), None)
        if open_one is not None:
            return open_one.confirmation_url
        return "" if rules.is_secured(booking) else _begin(locked, now, locale)

    begun = on_living(booking_id, actor, begin)
    if isinstance(begun, str):
        return begun
    outcome = intents.perform(replace(begun, patience=patience))
    if isinstance(outcome, intents.Refused):
        raise ProviderUnavailable
    return str(outcome.answer.payment.confirmation_url) if isinstance(outcome, intents.Done) else ""


def _begin(locked: Locked, now: datetime, locale: str) -> intents.Job:
    booking = locked.booking
    account = account_of_club(booking.club_id)
    two_stage = booking.club.capture == Club.Capture.AUTO and fits_two_stages(visit_ends=booking.date_to, now=now)
    if account is None:
        raise ProviderUnavailable
    if booking.status == S.REQUESTED and not two_stage:
        raise TransitionRefused(current_status=booking.status, allowed_events=allowed_events(booking))
    payment = money.open_payment(
        money.Start(
            club_id=booking.club_id,
            client_id=booking.client_id,
            account=account,
            amount=booking.price - booking.secured_amount,
            currency=booking.currency,
            two_stage=two_stage,
            description=f"{booking.club.name}: {booking.pk}",
            snapshot=None,
            booking_id=booking.pk,
        )  # fmt: skip
    )
    return money.plan_page(payment, locale=locale, now=now)
