"""A club with two courts and its people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client as Browser

from backoffice.services import jobs
from clubs.models import Area, Club, User
from palms import intents
from palms.actors import Actor, Kind
from tests.factories import AreaFactory, ClubFactory, MembershipFactory, UserFactory


@dataclass
class Desk:
    club: Club
    courts: list[Area]
    owner: User
    staff: User

    @property
    def actor(self) -> Actor:
        return Actor(Kind.STAFF, self.staff.pk, frozenset({self.club.pk}), "admin")

    def browser(self, user: User | None = None) -> Browser:
        browser = Browser(raise_request_exception=False)
        browser.force_login(user or self.staff)
        return browser


def make_desk() -> Desk:
    club = ClubFactory()
    owner, staff = UserFactory(password=None), UserFactory(password=None)  # signed in by force
    MembershipFactory(club=club, user=owner, role="OWNER")
    MembershipFactory(club=club, user=staff, role="STAFF")
    return Desk(club, [AreaFactory(club=club) for _ in range(2)], owner, staff)


@pytest.fixture
def desk(db: None) -> Desk:
    return make_desk()


@pytest.fixture
def other(db: None) -> Desk:
    return make_desk()


def work(limit: int = 100) -> int:
    """Let the sweep do what is due of the back office."""
    return intents.run_due(
        limit=limit, kinds=[f"backoffice.{one}" for one in ("job", "check", "invitation", "password")]
    )


def work_here() -> None:
    """The same inside a test's transaction, without the runner."""
    while (claimed := intents.claim(kinds=[jobs.WORK])) is not None:
        outcome = jobs.call_work(claimed)
        assert isinstance(outcome, intents.Done)
        jobs.apply_work(claimed, outcome)


def words(answer: Any) -> str:
    return str(answer.content.decode())
