"""The status of a slot as a query is the status that the one formula computes; every write of a slot is stamped."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from random import Random

import pytest
from django.db import connection, transaction

from palms.clock import now_utc
from palms.feeds import as_of
from slots.models import Claim, Program, Slot
from slots.rules import SlotStatus, status_of
from slots.selectors import occupancy, standing, view_of
from tests.bank import Bank
from tests.factories import AreaFactory, ClubFactory, InstructorFactory, SlotFactory, ahead
from tests.play import booked_on_site, offer, take
from tests.raw import sql, stopped_by


@pytest.mark.django_db(transaction=True)
def test_the_query_says_what_the_formula_says(bank: Bank) -> None:
    """Random offers on few courts and people, some taken, some held, some holds dead, closed, or begun."""
    random, now = Random(7), now_utc()
    first = offer(start=ahead(0))
    club = first.club
    courts = [first.area, AreaFactory(club=club), AreaFactory(club=club, exclusive=False), None]
    people = [None, InstructorFactory(club=club), InstructorFactory(club=club)]
    seen: set[SlotStatus] = set()
    slots = []
    for _ in range(60):
        area, instructor = random.choice(courts), random.choice(people)
        start = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=random.randint(-2, 8))
        minutes, capacity = random.choice([60, 90, 120]), random.choice([1, 1, 3])
        if area is None and instructor is None:
            continue
        same = Slot.objects.filter(area=area, instructor=instructor, date_from=start)
        if same.filter(date_to=start + timedelta(minutes=minutes)).exists():
            continue
        slots.append(
            SlotFactory(club=club, area=area, instructor=instructor, start=start, minutes=minutes, capacity=capacity)
        )
    from slots.errors import SlotInPast, SlotTaken

    for number, slot in enumerate(slots):
        try:
            if number % 3 == 0:
                take(slot, phone=f"+7912{number:07d}")
            elif number % 3 == 1:
                booked_on_site(slot, phone=f"+7912{number:07d}")
        except (SlotTaken, SlotInPast):
            pass
    holds = list(Claim.objects.filter(held_until__isnull=False).values_list("pk", flat=True))
    Claim.objects.filter(pk__in=holds[::3]).update(held_until=now - timedelta(seconds=1))
    Slot.objects.filter(pk__in=[slot.pk for slot in slots[::9]]).update(closed=True)

    claims = list(Claim.objects.all())
    for slot in standing(Slot.objects.all(), now):
        view = view_of(slot)
        assert (view.status, view.places_left) == status_of(slot, claims, now), slot.pk
        seen.add(view.status)

    assert seen == set(SlotStatus)


@pytest.mark.django_db
def test_every_write_of_a_slot_moves_its_version_and_time() -> None:
    slot = SlotFactory()
    stamps = [(slot.version, now_utc() - timedelta(days=1))]
    for write in (
        lambda: Slot.objects.filter(pk=slot.pk).update(price=1),
        lambda: sql("UPDATE slots_slot SET version = 99, updated_at = '2001-01-01' WHERE id = %s", slot.pk),
        lambda: type(slot.area).objects.filter(pk=slot.area_id).update(exclusive=False),
    ):
        write()
        slot.refresh_from_db()
        stamps.append((slot.version, slot.updated_at))

    assert [version for version, _at in stamps] == [1, 2, 3, 4]
    assert [at for _version, at in stamps] == sorted({at for _version, at in stamps})


@pytest.mark.django_db
def test_a_program_stays_inside_its_club_and_its_week() -> None:
    club, other = ClubFactory(), ClubFactory()
    program = Program.objects.create(club=club, name="Школа", price=1, duration_minutes=60, weekly=[0, 10_079])
    with stopped_by("slot_program_of_same_club"):
        SlotFactory(club=other, program=program)
    with stopped_by("program_area_of_same_club"):
        Program.objects.filter(pk=program.pk).update(area=AreaFactory(club=other))
    with stopped_by("program_instructor_of_same_club"):
        Program.objects.filter(pk=program.pk).update(instructor=InstructorFactory(club=other))
    for weekly in ("{-1}", "{10080}", "{60,NULL}"):
        with stopped_by("program_weekly_within_the_week"):
            sql("UPDATE slots_program SET weekly = %s::smallint[] WHERE id = %s", weekly, program.pk)


@pytest.mark.django_db(transaction=True)
def test_overlapping_offers_count_once_and_only_what_is_booked_is_booked(bank: Bank) -> None:
    start = ahead()
    booked = offer(start=start, minutes=90)
    area = booked.area
    SlotFactory(club=booked.club, area=area, start=start, minutes=60)
    SlotFactory(club=booked.club, area=area, start=start + timedelta(minutes=60), minutes=60)
    SlotFactory(club=booked.club, area=area, start=start + timedelta(hours=5), closed=True)
    held = SlotFactory(club=booked.club, start=start)
    empty = AreaFactory(club=booked.club)
    booked_on_site(booked)
    take(held, phone="+79120000001")

    def minutes(begin: int, end: int) -> dict[int, tuple[int, int]]:
        span = {"start": start + timedelta(minutes=begin), "end": start + timedelta(minutes=end)}
        return {
            row.area_id: (row.booked_minutes, row.offered_minutes) for row in occupancy(club_id=area.club_id, **span)
        }

    assert minutes(-60, 600) == {area.pk: (90, 120), held.area_id: (0, 60), empty.pk: (0, 0)}
    assert minutes(30, 80)[area.pk] == (50, 50), "cut at both ends"
    assert minutes(120, 240)[area.pk] == (0, 0), "half-open"


@pytest.mark.django_db(transaction=True)
def test_what_commits_late_is_not_missed() -> None:
    """A change made before somebody asked, and committed after: the next question from `as_of` on sees it."""
    slot = SlotFactory()
    changed, go = threading.Event(), threading.Event()

    def late() -> None:
        with transaction.atomic():
            Slot.objects.filter(pk=slot.pk).update(price=7)
            changed.set()
            go.wait(20)
        connection.close()

    thread = threading.Thread(target=late)
    thread.start()
    assert changed.wait(20)
    time.sleep(0.05)
    moment = as_of()
    naive = now_utc()
    assert Slot.objects.get(pk=slot.pk).price != 7, "not there yet for anybody else"
    go.set()
    thread.join(20)

    slot.refresh_from_db()
    assert slot.price == 7
    assert moment <= slot.updated_at < naive, "from our own clock it would have been missed"
    assert Slot.objects.filter(updated_at__gte=moment, pk=slot.pk).exists()
    later = as_of()
    assert timedelta() <= now_utc() - later < timedelta(seconds=20), "nobody is late any more"
