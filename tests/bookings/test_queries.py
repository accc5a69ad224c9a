"""How many queries the main way costs, transaction control not counted, however many slots and courts there are."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clubs.models import Club
from palms.clock import now_utc
from slots import selectors
from tests.bank import Bank
from tests.factories import AreaFactory, InstructorFactory, SlotFactory, ahead
from tests.play import booked_on_site, offer, take

CONTROL = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SET CONSTRAINTS")


def counted(queries: CaptureQueriesContext) -> list[str]:
    """Leave out transaction control, also where history's context travels in front of it."""
    statements = [re.sub(r"^SELECT set_config\(.*?, true\); ", "", query["sql"]) for query in queries]
    return [statement for statement in statements if not statement.startswith(CONTROL)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("others", [0, 30])
def test_a_known_clients_checkout_takes_at_most_twelve(bank: Bank, others: int) -> None:
    slot = offer()
    for number in range(others):
        area = AreaFactory(club=slot.club)
        booked_on_site(SlotFactory(club=slot.club, area=area), phone=f"+7912000{number:04d}")
    booked_on_site(SlotFactory(club=slot.club))  # the client is known from now on
    with CaptureQueriesContext(
        connection,
    ) as queries:
        take(slot)
    assert len(counted(queries)) <= 12, "\n".join(counted(queries))


@pytest.mark.django_db
@pytest.mark.parametrize(("courts", "hours"), [(1, 1), (5, 3)])
def test_a_clubs_day_takes_at_most_four(courts: int, hours: int) -> None:
    club = offer(instructor=None).club
    for _ in range(courts):
        area, one = AreaFactory(club=club), InstructorFactory(club=club)
        for hour in range(hours):
            start = ahead(6) + timedelta(hours=hour)
            booked_on_site(SlotFactory(club=club, area=area, instructor=one, start=start))
    with CaptureQueriesContext(connection) as queries:
        club = Club.objects.get(pk=club.pk)
        day = selectors.day_of_club(club=club, day=ahead().date(), now=now_utc())
        assert len(day.offers) >= courts * hours
    assert len(counted(queries)) <= 4
