"""Two clubs with a row in every table, and four people who come to look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib import admin
from django.contrib.sessions.backends.db import SessionStore
from django.db.models import Model
from django.test import Client as Browser
from django.urls import reverse
from django_otp import DEVICE_ID_SESSION_KEY

from access import services as access
from access.models import Lock, LockAccount, LockRecord
from bookings import services
from bookings.models import Booking, Overdue
from clients import services as clients
from clients.models import WalletEntry
from clubs.models import Authenticator, Club, StaffSession, User, Viewing
from clubs.services import make_api_key
from palms.actors import staff_member, system
from palms.clock import now_utc
from palms.secrets import seal
from payments import services as money
from payments.models import Payment, ProviderEvent, Refund
from slots.models import Slot
from tests.factories import (
    AreaFactory,
    ClientFactory,
    ClubFactory,
    InstructorFactory,
    IntervalAreaFactory,
    MembershipFactory,
    ProgramFactory,
    ProviderAccountFactory,
    SlotFactory,
    UserFactory,
    ahead,
)
from webhooks.services import make_endpoint, send_test


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
    ProgramFactory(club=club)
    IntervalAreaFactory(club=club)
    slot, second, third = (SlotFactory(club=club, start=ahead(hour)) for hour in (12, 14, 16))
    slot.instructor = InstructorFactory(club=club)
    slot.save()
    booking, canceled, waiting = book(slot), book(second), book(third, paid=False)
    actor = staff_member(owner.pk, {club.pk: "OWNER"}, through="admin")
    services.cancel_by_club(booking_id=canceled.pk, actor=actor, reason="rain")
    make_api_key(club_id=club.pk, name="CRM", actor=actor)
    lock_account = LockAccount(club=club, name="TTLock", username=f"locks-{club.pk}@example.com")
    access.save_account(account=lock_account, password="x", actor=actor)
    access.fit_lock(lock=Lock(club=club, account=lock_account, area=second.area, provider_lock_id=1), actor=actor)
    book(SlotFactory(club=club, area=second.area, start=ahead(18)))
    LockRecord.objects.create(club=club, lock=Lock.objects.get(club=club), kind=4, opened=False, at=now_utc())
    stays = SlotFactory(
        club=club, start=ahead(20), area=AreaFactory(club=club, overdue_rate=60_000, overdue_cap=90_000)
    )
    stayed, since = book(stays), stays.date_to + timedelta(minutes=15)
    Overdue.objects.create(booking=stayed, club=club, counts_from=since, rate=60_000, cap=90_000, currency="RUB")
    endpoint, _secret = make_endpoint(club_id=club.pk, url="https://crm.example.com/palms", actor=actor)
    send_test(endpoint_id=endpoint.pk, actor=actor)
    WalletEntry.objects.create(club=club, wallet=booking.client.wallet, amount=500, cause="gift")
    ProviderEvent.objects.create(
        club=club, provider="yookassa", account=account, event="payment.succeeded", object_id=f"o-{club.pk}", body="{}"
    )
    clients.add_note(client_id=booking.client_id, text="left-handed", actor=actor)
    clients.block(client_id=ClientFactory(club=club).pk, reason="owes", actor=actor)
    money.keep(account_id=account.pk, since=ahead(1), until=ahead(2), rows=[])
    if not Refund.objects.filter(club=club).exists():
        Refund.objects.create(club=club, payment=Payment.objects.get(booking=canceled), cause="cancel", amount=1)
    at_their_door(owner)
    Viewing.objects.create(user=owner, club=club, role="STAFF", started_at=now_utc())
    return World(club, slot, booking, Booking.objects.get(pk=canceled.pk), waiting, owner, staff)


def at_their_door(user: User) -> None:
    """Leave the traces of a sign-in: a session and its end, wrong passwords, a second factor that was reset."""
    kept = SessionStore()
    kept.create()
    now = now_utc()
    StaffSession.objects.create(user=user, session_id=kept.session_key, created_at=now, seen_at=now)
    AccessAttempt.objects.create(username=user.email, ip_address="192.0.2.1", failures_since_start=1)
    Authenticator.objects.create(user=user, name="TOTP", sealed=seal({"key": "00" * 20}))


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
        show_code(browser, user)
    return browser


def show_code(browser: Browser, user: User) -> None:
    """Have the second factor behind them, where the person has one."""
    device = Authenticator.objects.filter(user=user).first()
    if device is not None:
        kept = browser.session
        kept[DEVICE_ID_SESSION_KEY] = device.persistent_id
        kept.save()


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


def address_of_row(row: Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
