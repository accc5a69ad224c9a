"""GET /clubs and /clubs/<slug>/availability: public, cacheable for seconds, in the club's time, in few queries."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bookings import services
from palms.clock import now_utc
from slots.models import Claim, Slot
from tests.api.conftest import Caller, refusal
from tests.factories import AreaFactory, ClubFactory, InstructorFactory, SlotFactory, ahead
from tests.play import staff, typed

pytestmark = pytest.mark.django_db


def _address(slot: Slot, **query: object) -> str:
    asked = {"date": slot.date_from.date().isoformat(), **query}
    return f"/api/v1/clubs/{slot.club.slug}/availability?" + "&".join(f"{name}={asked[name]}" for name in asked)


def _rows(api: Caller, address: str) -> list[dict[str, Any]]:
    answer = api.get(address)
    assert answer.status_code == 200, answer.content
    return list(answer.json()["data"])


def test_clubs_are_listed_by_name_without_the_hidden_ones(api: Caller) -> None:
    ClubFactory(name="Б", slug="b", address="Тверская, 1")
    ClubFactory(name="А", slug="a", timezone="Asia/Almaty", currency="KZT")
    ClubFactory(is_public=False)

    answer = api.get("/api/v1/clubs")

    assert answer.json() == {
        "meta": {"limit": None, "next": None, "previous": None},
        "data": [
            {"slug": "a", "name": "А", "timezone": "Asia/Almaty", "currency": "KZT"} | _EMPTY,
            {"slug": "b", "name": "Б", "timezone": "Europe/Moscow", "currency": "RUB"}
            | _EMPTY
            | {"address": "Тверская, 1"},
        ],
    }
    assert answer["Cache-Control"] == "public, max-age=5"


_EMPTY = {"address": "", "phone": "", "email": "", "description": ""}


@pytest.mark.parametrize("number", [1, 30])
def test_clubs_are_read_in_one_query(api: Caller, number: int) -> None:
    ClubFactory.create_batch(number)

    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = api.get("/api/v1/clubs")

    assert len(answer.json()["data"]) == number
    assert len(queries) == 1


def test_a_slot_is_shown_whole_in_the_clubs_time(api: Caller) -> None:
    club = ClubFactory(timezone="Asia/Yekaterinburg", free_cancel_lead_minutes=120)
    slot = SlotFactory(
        club=club,
        area=AreaFactory(club=club, name="Корт 1", location="Кулига"),
        instructor=InstructorFactory(club=club, name="Иван"),
        capacity=4,
        title="Группа",
    )
    day = slot.date_from.date().isoformat()

    answer = api.get(_address(slot))

    assert answer.json() == {
        "meta": {
            "club": club.slug,
            "timezone": "Asia/Yekaterinburg",
            "date": day,
            "date_from": f"{day}T00:00:00+05:00",
            "date_to": f"{(slot.date_from + timedelta(days=1)).date()}T00:00:00+05:00",
            "next_free": None,
        },
        "data": [
            {
                "id": slot.pk,
                "title": "Группа",
                "date_from": f"{day}T17:00:00+05:00",
                "date_to": f"{day}T18:00:00+05:00",
                "cancelation_time": f"{day}T15:00:00+05:00",
                "status": "AVAILABLE",
                "price": 150_000,
                "currency": "RUB",
                "area": {"id": slot.area_id, "name": "Корт 1", "kind": "court", "location": "Кулига"},
                "instructor": {"id": slot.instructor_id, "name": "Иван"},
                "capacity": 4,
                "places_left": 4,
            }
        ],
        "intervals": [],
    }
    assert answer["Cache-Control"] == "public, max-age=5"


def test_an_instructor_without_a_court_and_a_court_without_an_instructor_are_null(api: Caller) -> None:
    club = ClubFactory()
    court = SlotFactory(club=club)
    SlotFactory(club=club, area=None, instructor=InstructorFactory(club=club))

    rows = _rows(api, _address(court))

    assert {(row["area"] is None, row["instructor"] is None) for row in rows} == {(True, False), (False, True)}


def test_what_is_held_and_what_is_booked_say_so(api: Caller) -> None:
    club = ClubFactory()
    held, booked, free = (SlotFactory(club=club) for _ in range(3))
    for slot, onsite in ((held, None), (booked, 150_000)):
        services.book_for_client(
            slot_id=slot.pk, club_id=club.pk, typed=typed(), participants_count=1, actor=staff(slot), key=f"k{slot.pk}",
            onsite_amount=onsite,
        )  # fmt: skip
    assert Claim.objects.count() == 2

    found = {row["id"]: (row["status"], row["places_left"]) for row in _rows(api, _address(held))}

    assert found == {held.pk: ("HOLD", 0), booked.pk: ("BOOKED", 0), free.pk: ("AVAILABLE", 1)}


def test_a_slot_that_has_begun_is_past(api: Caller) -> None:
    slot = SlotFactory(start=now_utc() - timedelta(minutes=1))
    local = (slot.date_from + timedelta(hours=3)).date()

    rows = _rows(api, f"/api/v1/clubs/{slot.club.slug}/availability?date={local}")

    assert [row["status"] for row in rows] == ["PAST"]


def test_a_withdrawn_slot_and_one_outside_notice_are_not_shown(api: Caller) -> None:
    club = ClubFactory(notice_minutes=60 * 24 * 5)
    slot = SlotFactory(club=club)
    SlotFactory(closed=True)

    assert _rows(api, _address(slot)) == []


def test_a_day_is_the_clubs_own(api: Caller) -> None:
    slot = SlotFactory(start=ahead(22))  # 01:00 of the next day in Moscow

    assert _rows(api, _address(slot)) == []
    assert len(_rows(api, _address(slot, date=(slot.date_from + timedelta(days=1)).date()))) == 1


def test_another_clubs_slots_are_not_shown(api: Caller) -> None:
    slot = SlotFactory()
    SlotFactory()

    assert [row["id"] for row in _rows(api, _address(slot))] == [slot.pk]


def test_area_and_duration_narrow_the_day(api: Caller) -> None:
    club = ClubFactory()
    hour, long = SlotFactory(club=club), SlotFactory(club=club, minutes=90)

    assert [row["id"] for row in _rows(api, _address(hour, area_id=hour.area_id))] == [hour.pk]
    assert [row["id"] for row in _rows(api, _address(hour, duration=90))] == [long.pk]
    assert _rows(api, _address(hour, duration=90, area_id=hour.area_id)) == []
    assert _rows(api, _address(hour, area_id=2**62)) == []


def test_a_day_without_room_names_the_next_free_start(api: Caller) -> None:
    slot = SlotFactory()
    day = (slot.date_from - timedelta(days=1)).date()

    answer = api.get(_address(slot, date=day))

    assert answer.json()["meta"]["next_free"] == f"{slot.date_from.date()}T15:00:00+03:00"


@pytest.mark.parametrize("number", [1, 30])
def test_a_day_is_read_in_four_queries(api: Caller, number: int) -> None:
    club = ClubFactory()
    slots = [SlotFactory(club=club, instructor=InstructorFactory(club=club)) for _ in range(number)]

    with CaptureQueriesContext(connection) as queries:
        rows = _rows(api, _address(slots[0]))

    assert len(rows) == number
    assert len(queries) == 4


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "date"),
        ("date=", "date"),
        ("date=tomorrow", "date"),
        ("date=2026-02-30", "date"),
        ("date=20260201", "date"),
        ("date=2026-W05-1", "date"),
        ("date=2026-02-01T10:00", "date"),
        ("date=0001-01-01", "date"),
        ("date=9999-12-31", "date"),
        ("date=%D9%A2%D9%A0%D9%A2%D9%A6-01-01", "date"),
        ("date=2026-02-01%00", "date"),
        ("date=%FF", "date"),
        ("date=2026-02-01&area_id=x", "area_id"),
        ("date=2026-02-01&area_id=-1", "area_id"),
        ("date=2026-02-01&area_id=1%00", "area_id"),
        ("date=2026-02-01&area_id=9223372036854775808", "area_id"),
        ("date=2026-02-01&area_id=" + "9" * 5000, "area_id"),
        ("date=2026-02-01&duration=0", "duration"),
        ("date=2026-02-01&duration=1.5", "duration"),
        ("date=2026-02-01&duration=1e9", "duration"),
        ("date=2026-02-01&colour=red", "colour"),
    ],
)
def test_garbage_is_refused_by_field(api: Caller, query: str, field: str) -> None:
    answer = api.get(f"/api/v1/clubs/{ClubFactory().slug}/availability?{query}")

    assert refusal(answer) == (400, "validation_failed")
    assert list(answer.json()["errors"]) == [field]


@pytest.mark.parametrize("slug", ["nobody", "%00", "%FF", "a" * 5000, "..%2F..", "клуб"])
def test_an_unknown_club_is_not_found(api: Caller, slug: str) -> None:
    assert refusal(api.get(f"/api/v1/clubs/{slug}/availability?date=2026-02-01")) == (404, "not_found")


def test_a_hidden_club_is_not_found(api: Caller) -> None:
    slot = SlotFactory(club__is_public=False)

    assert refusal(api.get(_address(slot))) == (404, "not_found")


def test_an_unknown_filter_of_the_clubs_is_named(api: Caller) -> None:
    answer = api.get("/api/v1/clubs?colour=red")

    assert refusal(answer) == (400, "validation_failed")
    assert list(answer.json()["errors"]) == ["colour"]
