"""Rows that break rules of the audit. Not collected with the others: tests/test_audited.py runs it and reads what is said."""

from __future__ import annotations

import pytest

from clients.models import Client
from tests.factories import ClubFactory

WALLET = "a client has one wallet, as full as its entries"


@pytest.fixture(scope="session")
def django_db_setup() -> None:
    """The database is there: the test run that asks for this one made it."""


def without_a_wallet() -> None:
    Client.objects.create(club=ClubFactory(), full_name="-", phone="+79120000001", referral_code="R")


@pytest.mark.django_db
def test_rolled_back() -> None:
    without_a_wallet()


@pytest.mark.django_db(transaction=True)
def test_committed() -> None:
    without_a_wallet()


def test_behind_a_server(live_server: object) -> None:
    without_a_wallet()


@pytest.mark.django_db
@pytest.mark.breaks_rules(WALLET)
def test_on_purpose() -> None:
    without_a_wallet()


@pytest.mark.django_db
@pytest.mark.breaks_rules("one client per phone")
def test_another_rule_on_purpose() -> None:
    without_a_wallet()


@pytest.mark.django_db
@pytest.mark.breaks_rules("no such rule")
def test_a_rule_that_nobody_knows() -> None:
    without_a_wallet()
