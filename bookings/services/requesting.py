"""Bookings that exist before their money: by request, free ones, and those that staff make. Domain sections 3 and 4."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from django.utils.translation import gettext as _

from access import services as access
from bookings import rules
from bookings.errors import BookingFinished, PaymentInProgress, PaymentRequired, TestMoneyOnly, TransitionRefused
from bookings.models import Booking
from bookings.selectors import free_until
from bookings.services.asking import ask_for_page
from bookings.services.confirming import confirm_secured, settle_raise
from bookings.services.ending import on_living
from bookings.services.locking import Locked, Provided, allowed_events, in_any_case, require
from bookings.services.party import Party, Typed, policy_of, tidy, write_contact
from bookings.services.to_club import ask_club
from bookings.states import TERMINAL, S
from clients import services as clients
from clubs.models import Club
from notifications import services as notifications
from palms import intents, points
from palms.actors import Actor, acting
from palms.clock import now_utc
from palms.errors import NotPermitted, ValidationFailed, refusing, settle_constraints
from payments import services as money
from payments.errors import ProviderUnavailable
from payments.models import Payment
from payments.rules import fits_two_stages
from payments.selectors import account_of_club
from slots import intervals
from slots import services as slots
from slots.errors import SlotInPast
from slots.intervals import Interval
from slots.models import Slot
from slots.selectors import interval_seen, room_seen

BOOKED = points.commit("bookings.book_for_client")
MOST = 10**15  # minor units


def _draft(slot: Slot, party: Party, club: Club) -> Booking:
    return Booking(
        club=club, client_id=party.client_id, slot=slot, area_id=slot.area_id, instructor_id=slot.instructor_id,
        date_from=slot.date_from, date_to=slot.date_to, participants_count=party.count, booking_type=party.booking_type,
        price=slot.price * party.count, currency=slot.currency, policy=policy_of(club, slot.area),
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
    ask_club(booking, now)
    settle_constraints()
    return booking


def confirm_free(slot: Slot, places: Sequence[int], *, party: Party, club: Club, now: datetime) -> Booking:
    """Book what costs nothing at once."""
    booking = _draft(slot, party, club)
    booking.confirm()
    _write(booking, slot, places, party)
    access.plan_grant(booking, now)
    notifications.tell(club_id=club.pk, booking_id=booking.pk, event="booking_confirmed", now=now)
    settle_constraints()
    return booking


def book_for_client(
    *,
    slot_id: int | None = None,
    interval: Interval | None = None,
    club_id: int,
    typed: Typed,
    participants_count: int,
    actor: Actor,
    key: str,
    onsite_amount: int | Literal["full"] | None = None,
    reference_id: int | None = None,
    is_test: bool = False,
) -> Booking:
    """Staff or CRM book for a client: APPROVED with time to pay, or CONFIRMED where money was taken on site.

    Of a slot, or of an interval, which staff choose free of opening hours and steps. The client's email may be empty.
    `is_test`: no real money ever pays for it.

    Raises:
        NotPermitted: the actor does not serve this club.
        SlotTaken, SlotInPast, SlotNotFound: it cannot be had. An interval that has begun waits for no money.
        ValidationFailed: `errors` names the fields.
        PaymentRequired: `onsite_amount` does not cover the price. TestMoneyOnly: it was taken for a test.
    """
    if not actor.serves(club_id):
        raise NotPermitted
    typed = tidy(typed, count=participants_count, key=key, is_email_needed=False)
    wanted = interval or slot_id or 0
    seen = _look(wanted, club_id)
    client = clients.find_or_make_client(
        club_id=club_id, phone=typed.phone, full_name=typed.full_name, email=typed.email, birth_date=typed.birth_date,
        currency=seen.currency,
    )  # fmt: skip
    with BOOKED, acting(actor):
        slot, places, now = _room_for(wanted, seen.club, participants_count)
        if slot.date_from <= now and slot.price and onsite_amount is None:
            raise SlotInPast
        party = Party(client.pk, typed, participants_count, rules.type_of(slot), key=key)
        booking = _draft(slot, party, seen.club)
        booking.reference_id, booking.is_test = reference_id, is_test
        booking.approve(expires_at=_payment_deadline(seen.club, slot, now))
        with refusing(ValidationFailed, "booking_reference_once", errors=reference_taken()):
            _write(booking, slot, places, party)
        if onsite_amount is not None or booking.price == 0:
            amount = booking.price if onsite_amount == "full" else onsite_amount or 0
            booking = _pay_on_site(booking, [], amount, now)
        else:
            notifications.tell(club_id=club_id, booking_id=booking.pk, event="booking_approved", now=now)
        settle_constraints()
    return booking


def _look(wanted: int | Interval, club_id: int) -> Slot:
    if isinstance(wanted, Interval):
        return interval_seen(club_id=club_id, interval=wanted, now=now_utc(), for_customer=False)[0]
    return room_seen(club_id=club_id, slot_id=wanted, now=now_utc(), for_customer=False)[0]


def _room_for(wanted: int | Interval, club: Club, count: int) -> tuple[Slot, list[int], datetime]:
    """Lock what staff want, read the clock and find its places."""
    if not isinstance(wanted, Interval):
        (slot,) = slots.lock_slots([wanted])
        now = now_utc()
        return slot, slots.find_room(slot, count=count, now=now, for_customer=False), now
    slot = intervals.lock_interval(wanted, club=club)
    now = now_utc()
    intervals.judge_interval(slot, now=now, for_customer=False)
    places = slots.find_room(slot, count=count, now=now, for_customer=False)
    intervals.keep_interval(slot)
    return slot, places, now


def reference_taken() -> dict[str, list[str]]:
    return {"reference_id": [_("Another booking of the club has this id")]}


def _payment_deadline(club: Club, slot: Slot, now: datetime) -> datetime:
    return min(now + timedelta(minutes=club.payment_deadline_minutes), slot.date_from)


def approve(*, booking_id: int, actor: Actor, provided: Provided = in_any_case) -> Booking:
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

    return on_living(booking_id, actor, agree, provided=provided)


def record_payment_on_site(
    *, booking_id: int, actor: Actor, amount: int | None = None, provided: Provided = in_any_case
) -> Booking:
    """Record that the club took the money itself (minor units; what is missing unless told).

    It confirms a waiting booking; of a confirmed one it pays the raised price.

    Raises:
        PaymentRequired: not enough; PaymentInProgress: nothing was taken here, and the customer is at the bank's page.
        HoldExpired: the deadline has passed.
        TransitionRefused, BookingFinished: it does not wait for money. NotPermitted: the actor does not serve this club.
        ValidationFailed: no amount of money.
    """
    if amount is not None and (type(amount) is not int or not 0 <= amount <= MOST):
        raise ValidationFailed(errors={"amount": [_("Enter a whole number of minor units, 0 or more")]})

    def take(locked: Locked, now: datetime) -> Booking:
        if not actor.serves(locked.booking.club_id):
            raise NotPermitted
        _require_waiting(locked.booking)
        due = rules.owed(locked.booking)
        if amount == 0 and due and _open_page(locked, due) is not None:
            raise PaymentInProgress
        return _pay_on_site(locked.booking, locked.payments, due if amount is None else amount, now)

    return on_living(booking_id, actor, take, provided=provided)


def collect_on_site(
    *, booking_id: int, actor: Actor, amount: int | None = None, provided: Provided = in_any_case
) -> Booking:
    """Record that the club took what was charged for a finished booking and its card did not give: all of it, minor units.

    The booking is frozen, only its money moves. Source: domain section 5.

    Raises:
        TransitionRefused, BookingFinished: nothing is missing (it is not over; it is). PaymentRequired: not enough.
        TestMoneyOnly. NotPermitted: the actor does not serve this club.
    """

    def take(locked: Locked, now: datetime) -> Booking:
        booking = locked.booking
        if not actor.serves(booking.club_id):
            raise NotPermitted
        due = money.uncollected(locked.payments) if booking.status in TERMINAL else 0
        if not due:
            refusal = BookingFinished if booking.status in TERMINAL else TransitionRefused
            raise refusal(current_status=booking.status, allowed_events=allowed_events(booking))
        if booking.is_test:
            raise TestMoneyOnly
        if amount is not None and amount < due:
            raise PaymentRequired
        cause = money.collected_otherwise(locked.payments, now=now)
        money.record_onsite(
            club_id=booking.club_id, client_id=booking.client_id, booking_id=booking.pk, amount=due,
            currency=booking.currency, now=now, cause=cause,
        )  # fmt: skip
        return Booking.objects.get(pk=booking.pk)

    return on_living(booking_id, actor, take, provided=provided)


def _require_waiting(booking: Booking) -> None:
    if booking.status in TERMINAL:
        raise BookingFinished(current_status=booking.status, allowed_events=[])
    if booking.status == S.CONFIRMED and booking.raised_price is None:
        raise TransitionRefused(current_status=booking.status, allowed_events=allowed_events(booking))


def _pay_on_site(booking: Booking, payments: Sequence[Payment], amount: int, now: datetime) -> Booking:
    if amount > 0 and booking.is_test:
        raise TestMoneyOnly
    if amount > 0:
        money.record_onsite(
            club_id=booking.club_id, client_id=booking.client_id, booking_id=booking.pk, amount=amount,
            currency=booking.currency, now=now,
        )  # fmt: skip
    settle = settle_raise if booking.status == S.CONFIRMED else confirm_secured
    settled = settle(booking.pk, payments=payments, now=now)
    if settled.status != S.CONFIRMED or settled.raised_price is not None:
        raise PaymentRequired
    return settled


def pay_for_approved(*, booking_id: int, actor: Actor, locale: str = "ru", patience: float = 10.0) -> str:
    """Return the bank's page for a waiting booking, or for a raised price, asking for one where there is none.

    A page that asks for another sum than is missing now is not shown again.
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
        due = rules.owed(booking)
        open_one = _open_page(locked, due)
        if open_one is not None:
            return open_one.confirmation_url
        return _begin(locked, now, locale) if due else ""

    begun = on_living(booking_id, actor, begin)
    return begun if isinstance(begun, str) else ask_for_page(begun, patience=patience)


def _open_page(locked: Locked, due: int) -> Payment | None:
    """Return the payment by which the customer may be paying what is missing now."""
    wanted = (due, _asked(locked.booking))
    open_ones = (payment for payment in locked.payments if payment.status == Payment.Status.PENDING)
    return next((payment for payment in open_ones if (payment.amount, payment.snapshot) == wanted), None)


def _asked(booking: Booking) -> dict[str, Any] | None:
    """Return what a payment begun now is for, where it is not the price: the door compares it."""
    return {"raised_price": booking.raised_price} if booking.raised_price is not None else None


def _begin(locked: Locked, now: datetime, locale: str) -> intents.Job:
    booking = locked.booking
    account = account_of_club(booking.club_id, test_only=booking.is_test)
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
            amount=rules.owed(booking),
            currency=booking.currency,
            two_stage=two_stage,
            description=f"{booking.club.name}: {booking.pk}",
            snapshot=_asked(booking),
            booking_id=booking.pk,
        )  # fmt: skip
    )
    return money.plan_page(payment, locale=locale, now=now)
