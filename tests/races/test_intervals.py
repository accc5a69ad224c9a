"""Crowds on one area by interval: whoever overlaps nobody wins, the others hear `slot_taken`, and no slot is left over."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from random import Random
from typing import Any

import pytest

from bookings import services
from bookings.models import Booking
from clubs.models import Area
from palms.actors import Actor, Kind
from slots.intervals import Interval
from slots.models import Claim, Slot
from tests.bank import Bank
from tests.factories import IntervalAreaFactory
from tests.play import stay, stay_on_site, sunbed, take_stay
from tests.races.crowd import Act, at_once, kinds, phone

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("peace")]
CROWD = 50


@pytest.fixture
def all_saw_it_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody lock before all have looked: every refusal is then spoken under the lock."""
    looked = threading.Barrier(CROWD)
    module = sys.modules["bookings.services.checkout"]  # the package shows its function under the same name
    take_patiently = module._take_patiently

    def wait_for_all(order: Any) -> Any:
        looked.wait(60)
        return take_patiently(order)

    monkeypatch.setattr(module, "_take_patiently", wait_for_all)


def buyer(area: Area, interval: Interval, number: int) -> Act:
    return lambda: take_stay(area, interval, phone=phone(number))


def overlap(one: Slot, other: Interval) -> bool:
    return one.area_id == other.area_id and one.date_from < other.date_to and other.date_from < one.date_to


@pytest.mark.usefixtures("all_saw_it_free")
def test_of_fifty_on_one_interval_one_wins(bank: Bank) -> None:
    area = sunbed()
    results = at_once([buyer(area, stay(area), number) for number in range(CROWD)])
    assert kinds(results) == {"Checkout": 1, "SlotTaken": CROWD - 1}
    assert Claim.objects.count() == Slot.objects.count() == len(bank.state()["payments"]) == 1


@pytest.mark.usefixtures("all_saw_it_free")
def test_of_fifty_on_overlapping_intervals_those_win_who_overlap_nobody(bank: Bank) -> None:
    """No two winners overlap, every loser overlaps a winner, and there are as many slots as winners."""
    area, random = sunbed(), Random(7)
    wanted = [stay(area, 8 + random.randrange(24) / 2, random.choice([30, 60, 90, 120])) for _ in range(CROWD)]

    results = at_once([buyer(area, interval, number) for number, interval in enumerate(wanted)])

    assert set(kinds(results)) == {"Checkout", "SlotTaken"}
    made = list(Slot.objects.all())
    lost = [interval for interval, result in zip(wanted, results, strict=True) if kinds([result])["SlotTaken"]]
    assert len(made) == kinds(results)["Checkout"] == Claim.objects.count() == len(bank.state()["payments"])
    for number, slot in enumerate(made):
        assert not any(
            overlap(slot, Interval(other.area_id or 0, other.date_from, other.date_to)) for other in made[number + 1 :]
        )
    assert all(any(overlap(slot, interval) for slot in made) for interval in lost)


def test_moves_and_buyers_of_the_same_intervals(bank: Bank) -> None:
    """Two guests change beds with each other while buyers want both: nobody is in two places, nobody deadlocks."""
    area = sunbed()
    other = IntervalAreaFactory(club=area.club)
    staff = Actor(Kind.STAFF, 1, club_ids=frozenset({area.club_id}), through="admin")
    one, two = stay_on_site(area, stay(area)), stay_on_site(other, stay(other, 14), phone="+79129999999")

    def mover(booking: Booking, to: Interval) -> Act:
        return lambda: services.move(
            booking_id=booking.pk, actor=staff, area_id=to.area_id, date_from=to.date_from, date_to=to.date_to
        )

    acts = [
        mover(one, stay(other, 14.5)),
        mover(two, stay(area, 12.5)),
        mover(one, stay(area, 16)),
        mover(two, stay(other, 16)),
    ]
    acts += [buyer(place, stay(place, hour), number) for number, (place, hour) in enumerate(
        [(area, 12), (area, 16), (other, 14), (other, 16)] * 5
    )]  # fmt: skip
    results = at_once(acts)

    told: Counter[str] = kinds(results)
    assert set(told) <= {"Booking", "Checkout", "SlotTaken"}, told
    assert Claim.objects.filter(booking__isnull=False).count() == 2
