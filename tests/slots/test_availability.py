"""What is free is computed from living claims and the clock, in Python and in SQL alike."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
import time_machine

from bookings import services
from clubs.models import Area, Club
from palms.clock import now_utc
from slots import selectors
from slots.models import Claim, Slot
from slots.rules import SlotStatus
from tests.bank import Bank
from tests.factories import InstructorFactory, SlotFactory
from tests.play import booked_on_site, offer, take

ROOMS = ("slots", "payments", "bookings", "clubs", "clients")
ROOT = Path(__file__).resolve().parents[2]


def status(slot: Slot) -> SlotStatus:
    return selectors.offer(club=Club.objects.get(pk=slot.club_id), slot_id=slot.pk, now=now_utc()).status


def test_the_formula_of_life_stands_in_one_place() -> None:
    written = {
        path.relative_to(ROOT).as_posix()
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if "migrations" not in path.parts and re.search(r"held_until(__gt|\s*>)", path.read_text())
    }
    assert written == {"slots/rules.py"}


def test_no_table_of_places_stores_a_status() -> None:
    for model in (Slot, Area):
        assert not {"status", "state", "booked"} & {field.name for field in model._meta.get_fields()}


@pytest.mark.django_db(transaction=True)
def test_a_dead_hold_is_not_counted_before_anybody_cleans(bank: Bank) -> None:
    slot = offer()
    take(slot)
    assert status(slot) is SlotStatus.HOLD
    with time_machine.travel(now_utc() + timedelta(seconds=301)):
        assert Claim.objects.count() == 1
        assert status(slot) is SlotStatus.AVAILABLE


@pytest.mark.django_db(transaction=True)
def test_cleanup_changes_no_answer(bank: Bank) -> None:
    slot = offer()
    take(slot)
    with time_machine.travel(now_utc() + timedelta(seconds=301)):
        before = status(slot)
        services.end_expired()
        assert not Claim.objects.exists()
        assert status(slot) is before


@pytest.mark.django_db
def test_the_first_status_that_fits_is_shown() -> None:
    slot = offer()
    assert status(slot) is SlotStatus.AVAILABLE
    booked_on_site(slot)
    assert status(slot) is SlotStatus.BOOKED
    slot.closed = True
    slot.save()
    assert status(slot) is SlotStatus.CLOSED
    with time_machine.travel(slot.date_from):
        assert status(slot) is SlotStatus.PAST


@pytest.mark.django_db
def test_the_query_and_the_rule_agree_on_what_is_free() -> None:
    """Random offers on three courts with two instructors, some taken: both ways of looking name the same free ones."""
    random = Random(7)
    first = offer(price=0)
    club = first.club
    areas = [first.area, *(SlotFactory(club=club, start=first.date_from + timedelta(days=9)).area for _ in range(2))]
    people = [None, InstructorFactory(club=club), InstructorFactory(club=club)]
    rows = {first}
    for _ in range(60):
        start = first.date_from + timedelta(minutes=30 * random.randrange(1, 40))
        minutes, area, person = random.choice([60, 90, 120]), random.choice(areas), random.choice(people)
        same = Slot.objects.filter(
            date_from=start, date_to=start + timedelta(minutes=minutes), area=area, instructor=person
        )
        if not same.exists():
            rows.add(
                SlotFactory(
                    club=club,
                    area=area,
                    instructor=person,
                    start=start,
                    minutes=minutes,
                    price=0,
                    capacity=random.choice([1, 3]),
                )  # fmt: skip
            )
    for number, slot in enumerate(sorted(rows, key=lambda row: row.pk)):
        if random.random() < 0.4 and status(slot) is SlotStatus.AVAILABLE:
            booked_on_site(slot, phone=f"+7912000{number:04d}")
    now = now_utc()
    seen = selectors.looked_at(Slot.objects.filter(club=club), now)
    by_query = {row.pk for row in seen if not row.blocked and row.taken < row.capacity}
    by_rule = {slot.pk for slot in Slot.objects.filter(club=club) if status(slot) is SlotStatus.AVAILABLE}
    assert by_query == by_rule
    assert 0 < len(by_rule) < len(rows)
