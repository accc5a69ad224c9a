"""A receiver that listens, and a club that tells it everything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from clubs.models import Club
from palms.actors import Actor, staff_member
from tests.factories import ClubFactory, ProviderAccountFactory
from tests.webhooks.receiver import Receiver
from webhooks import services
from webhooks.models import Endpoint


def staff_of(club: Club) -> Actor:
    return staff_member(1, {club.pk: "OWNER"}, through="admin")


def endpoint_at(receiver: Receiver, club: Club, **changes: Any) -> Endpoint:
    """Make an endpoint at a receiver, which learns its secret."""
    endpoint, secret = services.make_endpoint(
        club_id=club.pk, url=changes.pop("url", receiver.url), actor=staff_of(club), **changes
    )
    receiver.secrets.append(secret)
    return endpoint


@pytest.fixture(autouse=True)
def _near(settings: Any) -> None:
    """Receivers of these tests listen on this machine, over http."""
    settings.PALMS_WEBHOOKS_ALLOW_PRIVATE = True


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as listening:
        yield listening


@pytest.fixture
def club(transactional_db: None) -> Club:
    made: Club = ClubFactory()
    ProviderAccountFactory(club=made)
    return made


@pytest.fixture
def endpoint(club: Club, receiver: Receiver) -> Endpoint:
    return endpoint_at(receiver, club)
