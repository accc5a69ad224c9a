"""Thousands of slots in one call: all or nothing, or row by row; a repeat writes nothing."""

from __future__ import annotations

import resource
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from slots.models import Slot
from tests.api.club import BULK, SLOTS, Crm
from tests.api.conftest import refusal
from tests.api.test_slots import program_of, stored
from tests.factories import AreaFactory, ahead

pytestmark = pytest.mark.django_db
WRITES = ("INSERT", "UPDATE", "DELETE")


@pytest.fixture
def crm() -> Crm:
    return Crm()


def rows_of(crm: Crm, count: int, first: int = 1) -> list[dict[str, Any]]:
    """Return hour after hour on one court, with references from `first`."""
    return [crm.offer(ahead() + timedelta(hours=n), reference_id=first + n) for n in range(count)]


def written(queries: CaptureQueriesContext) -> list[str]:
    """Return the statements that write slots or their history."""
    texts = [query["sql"] for query in queries.captured_queries]
    return [sql for sql in texts if "slots_slot" in sql and any(f"{word} " in sql for word in WRITES)]


def test_many_are_published_and_a_repeat_writes_nothing(crm: Crm) -> None:
    rows = rows_of(crm, 300)

    first = crm.post(BULK, {"slots": rows})

    assert first.status_code == 201
    assert first.json()["meta"] == {"created": 300, "unchanged": 0, "refused": 0}
    assert [row["index"] for row in first.json()["data"]] == list(range(300))
    assert {row["id"] for row in first.json()["data"]} == set(Slot.objects.values_list("pk", flat=True))
    before = stored()
    with CaptureQueriesContext(connection) as queries:
        again = crm.post(BULK, {"slots": rows})
    assert again.status_code == 200
    assert again.json()["meta"] == {"created": 0, "unchanged": 300, "refused": 0}
    assert [row["id"] for row in again.json()["data"]] == [row["id"] for row in first.json()["data"]]
    assert written(queries) == []
    assert stored() == before


def test_one_refusal_leaves_everything_as_it_was(crm: Crm) -> None:
    rows = rows_of(crm, 5)
    rows[2]["price"] = -1
    rows[4]["area_id"] = AreaFactory().pk

    answer = crm.post(BULK, {"slots": rows})

    assert refusal(answer) == (400, "validation_failed")
    body = answer.json()
    assert body["refused_count"] == 2
    assert [(row["index"], row["code"], list(row["errors"])) for row in body["refused"]] == [
        (2, "validation_failed", ["price"]),
        (4, "not_found", ["area_id"]),
    ]
    assert Slot.objects.count() == 0


@pytest.mark.parametrize("asked", [("", True), ("?partial=true", False)])
def test_partial_answers_row_by_row(crm: Crm, asked: tuple[str, bool]) -> None:
    query, partial = asked
    here, program = crm.publish(reference_id=1), program_of(crm)
    good = rows_of(crm, 2, first=10)
    rows: list[Any] = [
        crm.offer(reference_id=1),
        crm.offer(reference_id=1, price=5),
        crm.offer(),
        good[1],
        good[1] | {"reference_id": 99},
        crm.offer(ahead(20), reference_id=11),
        crm.offer(ahead(21), date_from="2030-01-01T00:00:00"),
        crm.offer(ahead() - timedelta(days=9)),
        crm.offer(ahead(22), prise=1),
        "nonsense",
        None,
        [],
        crm.offer(ahead(23), program_id=program.pk, price=...),
    ]

    answer = crm.post(f"{BULK}{query}", {"slots": rows, "partial": True} if partial else {"slots": rows})

    assert answer.status_code == 201
    body = answer.json()
    assert body["meta"] == {"created": 2, "unchanged": 1, "refused": 10}
    assert [row.get("error", {}).get("code", row["status"]) for row in body["data"]] == [
        "unchanged", "slot_duplicate", "slot_duplicate", "created", "slot_duplicate", "slot_duplicate",
        "timezone_required", "slot_in_past", "validation_failed", "validation_failed", "validation_failed",
        "validation_failed", "created",
    ]  # fmt: skip
    assert body["data"][0]["id"] == body["data"][1]["error"]["conflicts_with"] == here.pk
    assert set(body["data"][1]["error"]["errors"]) == {"reference_id", "price"}
    assert set(body["data"][5]["error"]["errors"]) == {"reference_id"}
    assert set(body["data"][8]["error"]["errors"]) == {"prise"}
    assert Slot.objects.count() == 3


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "slots"),
        ({"slots": []}, "slots"),
        ({"slots": {}}, "slots"),
        ({"slots": None}, "slots"),
        ({"slots": "x"}, "slots"),
        ({"slots": [1] * 10_001}, "slots"),
        ({"slots": [{}], "partial": "true"}, "partial"),
        ({"slots": [{}], "partial": 1}, "partial"),
        ({"slots": [{}], "Partial": True}, "Partial"),
        ([{}], "body"),
    ],
)
def test_a_bulk_that_is_none(crm: Crm, body: Any, field: str) -> None:
    answer = crm.post(BULK, body)

    assert refusal(answer) == (400, "validation_failed")
    assert field in answer.json()["errors"]


def test_a_closed_slot_stays_closed_when_its_reference_is_sent_again(crm: Crm) -> None:
    slot = crm.publish(reference_id=7)
    crm.post(f"{SLOTS}/{slot.pk}", {"status": "CLOSED"})
    before = stored()

    answer = crm.post(BULK, {"slots": [crm.offer(reference_id=7)]})

    assert answer.json()["meta"]["unchanged"] == 1
    assert stored() == before


def test_a_program_that_changed_since_makes_no_other_content_of_what_it_said(crm: Crm) -> None:
    program = program_of(crm, area=crm.area)
    rows = [crm.offer(program_id=program.pk, price=..., area_id=..., reference_id=3)]
    crm.post(BULK, {"slots": rows})
    program.price = 1
    program.save()

    assert crm.post(BULK, {"slots": rows}).json()["meta"]["unchanged"] == 1
    assert crm.post(SLOTS, rows[0] | {"price": 90_000}).status_code == 200, "as it was published"
    assert refusal(crm.post(SLOTS, rows[0] | {"price": 1})) == (409, "slot_duplicate")


def test_statements_do_not_grow_with_rows(crm: Crm) -> None:
    counts = []
    crm.get(SLOTS)  # the key's last use is noted once a minute
    for number, count in enumerate((1, 900)):
        area = AreaFactory(club=crm.club)
        rows = [row | {"area_id": area.pk} for row in rows_of(crm, count, first=number * 10_000)]
        with CaptureQueriesContext(connection) as queries:
            assert crm.post(BULK, {"slots": rows}).status_code == 201
        counts.append(len(queries))

    assert counts[0] == counts[1] <= 16, counts


def test_ten_thousand_in_one_call(crm: Crm) -> None:
    """A club's season. The bound on time is generous for a busy machine."""
    areas = [AreaFactory(club=crm.club) for _ in range(20)]
    rows = [
        crm.offer(ahead() + timedelta(hours=n), area_id=area.pk, reference_id=number * 1000 + n)
        for number, area in enumerate(areas)
        for n in range(500)
    ]
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()

    answer = crm.post(BULK, {"slots": rows})
    seconds = time.perf_counter() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    start = time.perf_counter()
    again = crm.post(BULK, {"slots": rows})

    print(f"10,000: {seconds:.1f} s, {grown} MiB more; again: {time.perf_counter() - start:.1f} s")
    assert answer.json()["meta"]["created"] == again.json()["meta"]["unchanged"] == 10_000
    assert seconds < 30
    assert grown < 500
