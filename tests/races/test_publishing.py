"""Clubs publish, change and repeat themselves while customers buy: nobody deadlocks, nothing is published twice."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from palms.clock import now_utc
from palms.errors import DomainError
from palms.models import StoredAnswer
from slots.errors import SlotInUse
from slots.models import Claim, Slot
from tests.api.club import BULK, SLOTS, Crm
from tests.bank import Bank
from tests.factories import AreaFactory, ahead
from tests.play import offer, staff
from tests.races.crowd import at_once, buyers, kinds

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("peace")]


def another(crm: Crm) -> Crm:
    """Return the same CRM in another process: a client of its own."""
    return Crm(crm.club, area=crm.area, secret=crm.secret)


def hours(crm: Crm, areas: list[Any], count: int) -> list[dict[str, Any]]:
    return [
        crm.offer(ahead(14) + timedelta(hours=n), area_id=area.pk, reference_id=number * 1000 + n)
        for number, area in enumerate(areas)
        for n in range(count)
    ]


def test_one_key_twenty_times_at_once_makes_one_slot() -> None:
    crm = Crm()
    key, body = uuid.uuid4().hex, crm.offer()

    answers = at_once([lambda: another(crm).post(SLOTS, body, idempotency_key=key) for _ in range(20)])

    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) <= {201, 409}
    made = {answer.content for answer in answers if answer.status_code == 201}
    assert len(made) == 1, "whoever is answered hears the same"
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"idempotency_in_progress"}
    assert Slot.objects.count() == 1
    later = crm.post(SLOTS, body, idempotency_key=key)
    assert (later.status_code, later["Idempotent-Replayed"], later.content) == (201, "true", made.pop())
    assert later["ETag"] == '"1"'
    assert crm.post(SLOTS, body | {"price": 1}, idempotency_key=key).json()["code"] == "idempotency_mismatch"


def test_without_a_key_twenty_at_once_make_one_slot_too() -> None:
    crm = Crm()

    answers = at_once([lambda: another(crm).post(SLOTS, crm.offer()) for _ in range(20)])

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 19}
    assert Slot.objects.count() == 1


def test_a_failure_is_not_kept_and_a_dead_first_run_is_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    from slots import club_api

    crm = Crm()
    crm.api.client.raise_request_exception = False
    key, body = uuid.uuid4().hex, crm.offer()
    with monkeypatch.context() as patch:
        patch.setattr(club_api, "publish_slot", lambda **_kwargs: 1 // 0)
        assert crm.post(SLOTS, body, idempotency_key=key).status_code == 500
    assert not StoredAnswer.objects.exists()

    made = crm.post(SLOTS, body, idempotency_key=key)
    StoredAnswer.objects.update(http_status=None, answer="")  # as if the process had died before it answered
    assert crm.post(SLOTS, body, idempotency_key=key).json()["code"] == "idempotency_in_progress"
    with time_machine.travel(now_utc() + timedelta(seconds=61)):
        again = crm.post(SLOTS, body, idempotency_key=key)
    assert (made.status_code, again.status_code, again.json()["code"]) == (201, 409, "slot_duplicate")
    assert Slot.objects.count() == 1


def test_bulk_and_buyers_share_the_courts(bank: Bank) -> None:
    """Publishers in opposite orders, and customers of slots on the same courts."""
    sold = [offer(start=ahead(9))]
    crm = Crm(sold[0].club, area=sold[0].area)
    areas = [crm.area, *(AreaFactory(club=crm.club) for _ in range(3))]
    sold += [offer(club=crm.club, area=area, start=ahead(9)) for area in areas[1:]]
    rows = hours(crm, areas, 40)
    publish = [
        lambda order=order: another(crm).post(BULK, {"slots": order}) for order in (rows, rows[::-1], rows, rows[::-1])
    ]

    results = at_once([*publish, *buyers(24, *sold)])

    answers = results[:4]
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 3}, [a.content[:200] for a in answers]
    assert kinds(results[4:]) == {"Checkout": 4, "SlotTaken": 20}
    assert Slot.objects.count() == 4 + 160
    assert Claim.objects.count() == 4


def test_a_buyer_and_a_change_of_dates_end_as_one_of_them_first(bank: Bank) -> None:
    from slots.editing import change_slot

    for _round in range(12):
        slot = offer()
        later = {"date_to": slot.date_to + timedelta(minutes=30)}
        results = at_once([
            *buyers(1, slot),
            lambda slot=slot, later=later: change_slot(
                club_id=slot.club_id, slot_id=slot.pk, changes=later, actor=staff(slot)
            ),
        ])  # fmt: skip
        assert not [one for one in results if isinstance(one, Exception) and not isinstance(one, DomainError)], results
        claims = list(Claim.objects.filter(slot=slot))
        slot.refresh_from_db()
        assert len(claims) == 1
        assert (claims[0].period.lower, claims[0].period.upper) == (slot.date_from, slot.date_to)
        assert isinstance(results[1], SlotInUse) == (slot.version == 1)


def test_editors_and_publishers_of_crossing_keys_do_not_deadlock() -> None:
    """Each moves its slot to where the other's bulk publishes, while the bulk repeats its reference."""
    crm = Crm()
    for number in range(6):
        mine = crm.publish(start=ahead() + timedelta(days=2 * number), reference_id=number)
        goal = ahead(20) + timedelta(days=2 * number)
        move = {"date_from": goal.isoformat(), "date_to": (goal + timedelta(hours=1)).isoformat()}
        rows = [
            crm.offer(goal, reference_id=500 + number),
            crm.offer(ahead() + timedelta(days=2 * number), reference_id=number),
        ]
        answers = at_once([
            lambda mine=mine, move=move: another(crm).post(f"{SLOTS}/{mine.pk}", move),
            lambda rows=rows: another(crm).post(BULK, {"slots": rows, "partial": True}),
        ])  # fmt: skip
        assert {answer.status_code for answer in answers} <= {200, 201, 409}, [a.content for a in answers]
        assert Slot.objects.filter(date_from=goal).count() == 1
