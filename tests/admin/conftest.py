"""Two clubs with a row in every table, and four people who come to look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client as Browser

from bookings import services
from bookings.models import Booking
from clients.models import WalletEntry
from clubs.models import Club, User
from clubs.services import make_api_key
from palms.actors import Actor, Kind, system
from payments.models import Payment, ProviderEvent, Refund
from slots.models import Slot
from tests.factories import (
    ClubFactory,
    InstructorFactory,
    MembershipFactory,
    ProviderAccountFactory,
    SlotFactory,
    UserFactory,
    tomorrow,
)


@dataclass
class World:
    """What one club has: a booking that stands, one that was cancelled, a waiting one, and the people."""

    club: Club
    slot: Slot
    booking: Booking
    canceled: Booking
    waiting: Booking
    owner: User
    staff: User

    @property
    def payment(self) -> Payment:
        return Payment.objects.get(booking=self.booking)


def typed(**changes: Any) -> services.Typed:
    words = {"full_name": "Анна Петрова", "phone": "+79123456789", "email": "anna@example.com"}
    return services.Typed(**(words | {"participants_names": ("Ася",)} | changes))


def book(slot: Slot, *, paid: bool = True, **changes: Any) -> Booking:
    return services.book_for_client(
        slot_id=slot.pk, club_id=slot.club_id, typed=typed(**changes), participants_count=1, actor=system("test"),
        key=f"key-{slot.pk}-{Booking.objects.count()}", onsite_amount=slot.price if paid else None,
    )  # fmt: skip


def make_world() -> World:
    club = ClubFactory()
    owner, staff = UserFactory(password=None), UserFactory(password=None)  # signed in by force
    MembershipFactory(club=club, user=owner, role="OWNER")
    MembershipFactory(club=club, user=staff, role="STAFF")
    account = ProviderAccountFactory(club=club)
    slot, second, third = (SlotFactory(club=club, start=tomorrow(hour)) for hour in (12, 14, 16))
    slot.instructor = InstructorFactory(club=club)
    slot.save()
    booking, canceled, waiting = book(slot), book(second), book(third, paid=False)
    actor = Actor(Kind.STAFF, owner.pk, frozenset({club.pk}), "admin")
    services.cancel_by_club(booking_id=canceled.pk, actor=actor, reason="rain")
    make_api_key(club_id=club.pk, name="CRM", actor=actor)
    WalletEntry.objects.create(club=club, wallet=booking.client.wallet, amount=500, cause="gift")
    ProviderEvent.objects.create(
        club=club, provider="yookassa", account=account, event="payment.succeeded", object_id=f"o-{club.pk}", body="{}"
    )
    if not Refund.objects.filter(club=club).exists():
        Refund.objects.create(club=club, payment=Payment.objects.get(booking=canceled), cause="cancel", amount=1)
    return World(club, slot, booking, Booking.objects.get(pk=canceled.pk), waiting, owner, staff)


@pytest.fixture
def mine(db: None) -> World:
    return make_world()


@pytest.fixture
def theirs(db: None) -> World:
    return make_world()


@pytest.fixture
def platform_admin(db: None) -> User:
    return User.objects.create_superuser("root@example.com")


def browser_of(user: User | None) -> Browser:
    browser = Browser(raise_request_exception=False)
    if user is not None:
        browser.force_login(user)
    return browser


def registered() -> list[tuple[type[Model], Any]]:
    """Every table of ours that the back office shows."""
    return sorted(admin.site._registry.items(), key=lambda pair: pair[0]._meta.label)


def rows_of(model: type[Model], model_admin: Any, club: Club) -> list[Any]:
    """One row of a club, in a list; of what belongs to no club, any."""
    rows = model._default_manager.order_by("pk")
    return list((model_admin.of_clubs(rows, [club.pk]) if model_admin.club_id_field else rows)[:1])


def words(response: Any) -> list[str]:
    """The messages that the next page will show."""
    return [str(message) for message in response.wsgi_request._messages]
