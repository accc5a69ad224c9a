"""Short words for what people and banks do in tests. Amounts in minor units."""

from __future__ import annotations

import uuid
from datetime import datetime, time, timedelta
from typing import Any

from bookings import services
from bookings.models import Booking
from bookings.services import Checkout, Typed
from clubs.models import Area
from clubs.selectors import zone_of
from palms import intents
from palms.actors import Actor, Kind
from palms.clock import now_utc, to_zone
from payments.models import Payment
from slots.intervals import Interval
from slots.models import Slot
from tests.factories import IntervalAreaFactory, ProviderAccountFactory, SlotFactory

CARD, DECLINED = "4111111111111111", "5555555555554600"


def typed(**changes: Any) -> Typed:
    return Typed(**({"full_name": "Анна Петрова", "phone": "8 912 345-67-89", "email": "anna@example.com"} | changes))


def offer(**changes: Any) -> Slot:
    """Return a slot of a club that takes payments."""
    slot: Slot = SlotFactory(**changes)
    if not slot.club.provider_accounts.exists():
        ProviderAccountFactory(club=slot.club)
    return slot


def sunbed(**changes: Any) -> Area:
    """Return an area booked by interval, of a club that takes payments."""
    area: Area = IntervalAreaFactory(**changes)
    if not area.club.provider_accounts.exists():
        ProviderAccountFactory(club=area.club)
    return area


def stay(area: Area, hour: float = 12, minutes: int = 60, days: int = 1) -> Interval:
    """Return an interval some days ahead, by the club's clock."""
    zone = zone_of(area.club)
    start = datetime.combine(to_zone(now_utc(), zone).date() + timedelta(days=days), time(), zone)
    start += timedelta(hours=hour)
    return Interval(area.pk, start, start + timedelta(minutes=minutes))


def take_stay(area: Area, interval: Interval, *, key: str | None = None, visitor: str = "", **changes: Any) -> Checkout:
    """Check out an interval as a customer would."""
    return services.checkout(
        interval=interval,
        club_id=area.club_id,
        typed=typed(**changes),
        participants_count=1,
        key=key or uuid.uuid4().hex,
        visitor=visitor,
        actor=customer(),
    )


def stay_on_site(area: Area, interval: Interval, **changes: Any) -> Booking:
    """Book an interval for somebody who pays at the club."""
    return services.book_for_client(
        interval=interval,
        club_id=area.club_id,
        typed=typed(**changes),
        participants_count=1,
        actor=Actor(Kind.STAFF, 1, club_ids=frozenset({area.club_id}), through="admin"),
        key=uuid.uuid4().hex,
        onsite_amount="full",
    )


def customer(client_id: int | None = None) -> Actor:
    return Actor(Kind.CLIENT, client_id, through="page")


def staff(slot: Slot) -> Actor:
    return Actor(Kind.STAFF, 1, club_ids=frozenset({slot.club_id}), through="admin")


def take(slot: Slot, *, count: int = 1, key: str | None = None, visitor: str = "", **changes: Any) -> Checkout:
    """Check out as a customer would."""
    return services.checkout(
        slot_id=slot.pk,
        club_id=slot.club_id,
        typed=typed(**changes),
        participants_count=count,
        key=key or uuid.uuid4().hex,
        visitor=visitor,
        actor=customer(),
    )


def payment_of(checkout: Checkout) -> Payment:
    return Payment.objects.get(token=checkout.token)


def look(checkout: Checkout) -> Payment:
    """Open the return page, and let everything that is due happen."""
    services.look_again(token=checkout.token)
    run_all()
    return payment_of(checkout)


def run_all(rounds: int = 20) -> None:
    """Make every call that is due until nothing is."""
    for _ in range(rounds):
        if intents.run_due() == 0:
            return
    raise AssertionError("calls never end")


def booked(slot: Slot, bank: Any, **changes: Any) -> Booking:
    """Check out, pay, come back: a CONFIRMED booking."""
    checkout = take(slot, **changes)
    bank.pay(payment_of(checkout).provider_payment_id)
    return Booking.objects.get(pk=look(checkout).booking_id)


def booked_on_site(slot: Slot, **changes: Any) -> Booking:
    """Book for somebody who pays at the club: CONFIRMED, no bank in it."""
    return services.book_for_client(
        slot_id=slot.pk,
        club_id=slot.club_id,
        typed=typed(**changes),
        participants_count=1,
        actor=staff(slot),
        key=uuid.uuid4().hex,
        onsite_amount=slot.price,
    )
