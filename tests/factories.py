"""One factory per model. Rows that the domain makes only through services (payments, bookings) are made through them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import factory
from factory.django import DjangoModelFactory

from clients.models import Client
from clubs.models import Area, Club, Instructor, Membership, User
from palms.clock import now_utc
from palms.secrets import seal
from payments.models import ProviderAccount
from slots.models import Slot

SHOP, SECRET = "100500", "test_sandbox_secret"


def tomorrow(hour: int = 12) -> datetime:
    """Return a round hour of tomorrow, UTC."""
    return (now_utc() + timedelta(days=1)).replace(hour=hour, minute=0, second=0, microsecond=0)


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


class InstructorFactory(DjangoModelFactory[Instructor]):
    class Meta:
        model = Instructor

    club = factory.SubFactory(ClubFactory)
    name = factory.Sequence(lambda n: f"Тренер {n}")


class SlotFactory(DjangoModelFactory[Slot]):
    """An hour tomorrow at 12:00 UTC on a court of its own, 1,500 ₽."""

    class Meta:
        model = Slot

    class Params:
        start = factory.LazyFunction(tomorrow)
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
    referral_code = factory.Sequence(lambda n: f"R{n}")


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
