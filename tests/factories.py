"""One factory per model. Rows that the domain makes only through services (payments, bookings) are made through them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import factory
from factory.django import DjangoModelFactory

from clients.models import Client
from clients.services import find_or_make_client
from clubs.models import Area, Club, Hours, Instructor, Membership, User
from palms.clock import now_utc
from palms.secrets import seal
from payments.models import ProviderAccount
from slots.models import Program, Slot

SHOP, SECRET = "100500", "test_sandbox_secret"


def tomorrow(hour: int = 12) -> datetime:
    """Return a round hour of tomorrow, UTC."""
    return (now_utc() + timedelta(days=1)).replace(hour=hour, minute=0, second=0, microsecond=0)


def ahead(hour: int = 12) -> datetime:
    """Return a round hour, UTC, of the day after tomorrow: over 24 hours away at any time of today, so free to cancel."""
    return tomorrow(hour) + timedelta(days=1)


class ClubFactory(DjangoModelFactory[Club]):
    class Meta:
        model = Club

    name = factory.Sequence(lambda n: f"Клуб {n}")
    slug = factory.Sequence(lambda n: f"club-{n}")
    timezone = "Europe/Moscow"
    currency = "RUB"
    customer_cancel = "until_cancelation_time"


class ProviderAccountFactory(DjangoModelFactory[ProviderAccount]):
    class Meta:
        model = ProviderAccount

    club = factory.SubFactory(ClubFactory)
    provider = "yookassa"
    account_id = SHOP
    is_test = True
    credentials = factory.LazyFunction(lambda: seal({"shop_id": SHOP, "secret_key": SECRET}))


class AreaFactory(DjangoModelFactory[Area]):
    class Meta:
        model = Area

    club = factory.SubFactory(ClubFactory)
    name = factory.Sequence(lambda n: f"Корт {n}")
    exclusive = True


class IntervalAreaFactory(AreaFactory):
    """A sunbed booked by interval, every day: 30 minutes to 4 hours in steps of 30, 600 ₽ an hour, dearer at the peak.

    `open_hours` and `peak_hours` are [from, to) in hours by the club's clock, `peak_price` is an hour's.
    """

    name = factory.Sequence(lambda n: f"Лежак {n}")
    kind = "sunbed"
    booked_by = "interval"
    step_minutes = min_minutes = 30
    max_minutes = 240
    price_per_hour = 60_000

    @classmethod
    def _create(cls, model_class: type[Area], *args: Any, **kwargs: Any) -> Area:
        spans = {"open": kwargs.pop("open_hours", (8, 22)), "peak": kwargs.pop("peak_hours", None)}
        price = kwargs.pop("peak_price", 90_000)
        area = super()._create(model_class, *args, **kwargs)
        Hours.objects.bulk_create(
            Hours(
                club=area.club, area=area, kind=kind, weekday=day, starts=int(span[0] * 60), ends=int(span[1] * 60),
                price_per_hour=price if kind == "peak" else None,
            )
            for kind, span in spans.items()
            if span
            for day in range(1, 8)
        )  # fmt: skip
        return area


class InstructorFactory(DjangoModelFactory[Instructor]):
    class Meta:
        model = Instructor

    club = factory.SubFactory(ClubFactory)
    name = factory.Sequence(lambda n: f"Тренер {n}")


class ProgramFactory(DjangoModelFactory[Program]):
    class Meta:
        model = Program

    club = factory.SubFactory(ClubFactory)
    name = factory.Sequence(lambda n: f"Программа {n}")
    price = 90_000
    capacity = 8
    duration_minutes = 90
    sport_type = "tennis"


class SlotFactory(DjangoModelFactory[Slot]):
    """An hour the day after tomorrow at 12:00 UTC on a court of its own, 1,500 ₽."""

    class Meta:
        model = Slot

    class Params:
        start = factory.LazyFunction(ahead)
        minutes = 60

    club = factory.SubFactory(ClubFactory)
    area = factory.SubFactory(AreaFactory, club=factory.SelfAttribute("..club"))
    exclusive = factory.LazyAttribute(lambda o: o.area is not None and o.area.exclusive)
    date_from = factory.LazyAttribute(lambda o: o.start)
    date_to = factory.LazyAttribute(lambda o: o.start + timedelta(minutes=o.minutes))
    price = 150_000
    currency = "RUB"
    capacity = 1


class ClientFactory(DjangoModelFactory[Client]):
    class Meta:
        model = Client

    club = factory.SubFactory(ClubFactory)
    full_name = "Анна Петрова"
    phone = factory.Sequence(lambda n: f"+7912{n:07d}")
    email = "anna@example.com"
    birth_date = None

    @classmethod
    def _create(cls, model_class: type[Client], *args: Any, **kwargs: Any) -> Client:
        club = kwargs.pop("club")
        return find_or_make_client(club_id=club.pk, currency=club.currency, **kwargs)


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User

    email = factory.Sequence(lambda n: f"staff{n}@example.com")
    name = "Staff"

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        password = kwargs.pop("password", "a-long-password")
        return model_class.objects.create_user(password=password, **kwargs)


class MembershipFactory(DjangoModelFactory[Membership]):
    class Meta:
        model = Membership

    user = factory.SubFactory(UserFactory)
    club = factory.SubFactory(ClubFactory)
    role = "OWNER"
