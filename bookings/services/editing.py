"""Editing what a booking costs, where it is and how the club's CRM calls it: all of it, or nothing. Document A 7."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from django.utils.translation import gettext as _

from bookings import rules
from bookings.messages import address_of
from bookings.models import Booking
from bookings.services.confirming import confirm_secured
from bookings.services.ending import on_living
from bookings.services.locking import Locked, Provided, in_any_case, nothing_beside
from bookings.services.moving import Aim, aimed_at, move_locked, require_changeable
from bookings.services.requesting import MOST, reference_taken
from bookings.states import S
from notifications import services as notifications
from palms.actors import Actor
from palms.errors import ValidationFailed, refusing
from payments import services as money

BIGGEST_ID = 2**63 - 1


class Unset(Enum):
    """What tells "leave it" from "clear it"."""

    UNSET = "unset"


UNSET = Unset.UNSET


@dataclass(frozen=True, slots=True)
class Edited:
    """A booking as stored. `due`: what its raised price still lacks, minor units; more than 0 means payment is required.

    `page` is the address of the customer's own page, where it is paid.
    """

    booking: Booking
    due: int
    page: str


def edit(
    *,
    booking_id: int,
    actor: Actor,
    area_id: int | None = None,
    slot_id: int | None = None,
    date_from: datetime | None = None,
    date_to: datetime | None = None,
    price: int | None = None,
    reference_id: int | None | Unset = UNSET,
    provided: Provided = in_any_case,
) -> Edited:
    """Change a booking's place, price (for the whole party, minor units) and id in the club's CRM, in one transaction.

    The place is another slot, or another area or interval, as `move` takes them.

    A lower price sends back, or never takes, what is above it. A higher price of a CONFIRMED booking waits for its own
    payment: until that is secured `price` stays and `due` says what is missing; the same call again answers the same.

    Raises:
        ValidationFailed: `errors` names the fields; also a `reference_id` that another booking of the club has.
        BookingFinished, HoldExpired, NotPermitted, and what `move` raises where a place is given.
    """
    _check(price, reference_id)
    aim = Aim(slot_id, area_id, date_from, date_to)
    goes = aim != Aim()
    if goes:
        aimed_at(aim)

    def change(locked: Locked, now: datetime) -> None:
        require_changeable(locked.booking, actor)
        if not isinstance(reference_id, Unset):
            _set_reference(locked.booking, reference_id)
        if goes:
            move_locked(locked, aim, now)
        if price is not None:
            set_price(locked, price, now)

    on_living(booking_id, actor, change, aim.beside if goes else nothing_beside, provided)
    booking = Booking.objects.select_related("club").get(pk=booking_id)
    due = rules.owed(booking) if booking.raised_price is not None else 0
    return Edited(booking, due, address_of("booking", booking.token))


def _check(price: int | None, reference_id: int | None | Unset) -> None:
    wrong = {}
    if price is not None and (type(price) is not int or not 0 <= price <= MOST):
        wrong["price"] = [_("Enter a whole number of minor units, 0 or more")]
    known = reference_id is None or isinstance(reference_id, Unset)
    if not known and (type(reference_id) is not int or not 0 <= reference_id <= BIGGEST_ID):
        wrong["reference_id"] = [_("Enter a whole number, 0 or more")]
    if wrong:
        raise ValidationFailed(errors=wrong)


def set_price(locked: Locked, price: int, now: datetime) -> None:
    """Set the price of a locked booking at once, or keep a higher one of a CONFIRMED booking until it is paid."""
    booking, was = locked.booking, locked.booking.price
    if booking.status == S.CONFIRMED and price > max(was, booking.secured_amount):
        _raise(booking, price, now)
        return
    booking.price, booking.raised_price = price, None
    booking.save(update_fields=["price", "raised_price"])
    if price < was:
        money.keep_at_most(locked.payments, price, cause="price", now=now)
    if booking.status == S.APPROVED:
        confirm_secured(booking.pk, payments=locked.payments, now=now)


def _raise(booking: Booking, price: int, now: datetime) -> None:
    if booking.raised_price == price:
        return
    booking.raised_price = price
    booking.save(update_fields=["raised_price"])
    event = f"price_raised:{booking.version}"
    notifications.tell(club_id=booking.club_id, booking_id=booking.pk, event=event, now=now)


def _set_reference(booking: Booking, reference_id: int | None) -> None:
    booking.reference_id = reference_id
    with refusing(ValidationFailed, "booking_reference_once", errors=reference_taken()):
        booking.save(update_fields=["reference_id"])
