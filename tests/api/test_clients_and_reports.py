"""Clients by phone, and the summary of a span of days, as a club's CRM asks for them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bookings import services
from clubs.services import make_api_key
from palms.actors import SYSTEM
from palms.clock import now_utc, to_msk
from tests.api.club import Crm
from tests.api.conftest import refusal
from tests.bank import Bank
from tests.factories import ClientFactory, SlotFactory, ahead
from tests.play import booked, booked_on_site, offer, run_all, staff, take

CLIENTS, SUMMARY = "/api/v1/club/clients", "/api/v1/club/reports/summary"
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "phone", ["+79123456789", "8 (912) 345-67-89", "79123456789", "912 345 67 89", "%2B7%20912%20345%2067%2089"]
)
def test_a_client_is_found_by_any_spelling_of_the_phone(phone: str) -> None:
    crm = Crm()
    anna = ClientFactory(club=crm.club, phone="+79123456789")
    ClientFactory(club=crm.club)
    ClientFactory(phone="+79123456789")

    answer = crm.get(f"{CLIENTS}?phone={phone.replace(' ', '%20')}")

    expected = {"id": anna.pk, "name": "Анна Петрова", "phone_number": "+79123456789", "email": "anna@example.com"}
    assert answer.json()["data"] == [expected]


def test_a_foreign_number_whose_plus_was_lost_is_found() -> None:
    crm = Crm()
    hans = ClientFactory(club=crm.club, phone="+4915112345678")

    for spelling in ("+4915112345678", quote("+49 151 12345678")):
        assert [row["id"] for row in crm.get(f"{CLIENTS}?phone={spelling}").json()["data"]] == [hans.pk]


def test_clients_are_listed_page_by_page() -> None:
    crm = Crm()
    rows = [ClientFactory(club=crm.club).pk for _ in range(3)]
    ClientFactory()

    first = crm.get(f"{CLIENTS}?limit=2").json()
    second = crm.get(first["meta"]["next"].removeprefix("http://127.0.0.1:8000")).json()

    assert [row["id"] for row in (*first["data"], *second["data"])] == rows
    assert crm.get(f"{CLIENTS}?phone=%2B79990001122").json()["data"] == []


@pytest.mark.parametrize("query", ["phone=", "phone=abc", "phone=12", "phone=%00", "phone=" + "9" * 5000, "name=x"])
def test_a_phone_that_is_none_is_named(query: str) -> None:
    answer = Crm().get(f"{CLIENTS}?{query}")

    assert refusal(answer) == (400, "validation_failed")
    assert list(answer.json()["errors"]) == [query.partition("=")[0]]


def summary_of(crm: Crm, first: Any, last: Any) -> dict[str, Any]:
    answer = crm.get(f"{SUMMARY}?date_from={first:%Y-%m-%d}&date_to={last:%Y-%m-%d}")
    assert answer.status_code == 200, answer.content
    data: dict[str, Any] = answer.json()["data"]
    return data


def day(number: int = 1) -> Any:
    return to_msk(now_utc()) + timedelta(days=number)


@pytest.mark.django_db(transaction=True)
def test_a_summary_of_outcomes_money_and_occupancy(bank: Bank) -> None:
    paid = offer(start=ahead(8))
    crm = Crm(paid.club, area=paid.area)
    cancelled, asked, group = (
        offer(club=crm.club, start=ahead(hour), **more)
        for hour, more in ((10, {}), (12, {}), (14, {"capacity": 3, "area": paid.area}))
    )
    booked(paid, bank)
    gone = booked(cancelled, bank, phone="+79120000001")
    services.cancel_by_club(booking_id=gone.pk, actor=staff(cancelled), reason="rain")
    run_all()
    asked.area.mode = "request"
    asked.area.save()
    take(asked, phone="+79120000002")
    booked_on_site(group, phone="+79120000003")
    booked_on_site(SlotFactory(start=ahead(8)))

    found = summary_of(crm, day(2), day(3))

    def of(outcomes: dict[str, Any]) -> dict[str, int]:
        return {name: one["bookings"] for name, one in outcomes.items() if one["bookings"]}

    assert of(found["by_status"]) == {"REQUESTED": 1, "CONFIRMED": 2, "CANCELED_BY_CLUB": 1}
    assert of(found["by_phase"]) == {"pending": 1, "confirmed": 2, "cancelled": 1}
    assert len(found["by_status"]) == 8
    assert found["money"] == [
        {"currency": "RUB", "held": 150_000, "captured": 150_000, "returned": 0, "owed": 0, "kept": 150_000}
    ], "one held on a card, one paid on site, one released"
    areas = {row["area_id"]: (row["booked_minutes"], row["offered_minutes"]) for row in found["occupancy"]}
    assert areas == {paid.area_id: (120, 120), cancelled.area_id: (0, 60), asked.area_id: (0, 60)}
    assert of(summary_of(crm, day(3), day(4))["by_status"]) == {}
    with time_machine.travel(now_utc() + timedelta(days=3)):
        later = summary_of(crm, day(-1), day(0))
    assert of(later["by_status"]) == {"OTHER": 1, "CONFIRMED": 2, "CANCELED_BY_CLUB": 1}, "a deadline ends by itself"


@pytest.mark.django_db(transaction=True)
def test_money_that_goes_back_is_owed_until_it_is_returned(bank: Bank) -> None:
    slot = offer(start=ahead(8) + timedelta(days=20))
    crm = Crm(slot.club)
    booking = booked(slot, bank)
    services.cancel_by_club(booking_id=booking.pk, actor=staff(slot), reason="rain")

    def money() -> tuple[int, ...]:
        (row,) = summary_of(crm, day(20), day(23))["money"]
        return tuple(row[name] for name in ("held", "captured", "returned", "owed", "kept"))

    assert money() == (0, 150_000, 0, 150_000, 0)
    run_all()
    assert money() == (0, 150_000, 150_000, 0, 0)


def test_a_summary_takes_as_many_queries_for_a_year_as_for_a_day() -> None:
    crm = Crm()
    booked_on_site(offer(club=crm.club))
    crm.get(CLIENTS)
    counts = []
    for last in (day(2), day(401)):
        with CaptureQueriesContext(connection) as queries:
            summary_of(crm, day(1), last)
        counts.append(len(queries))

    assert counts[0] == counts[1] <= 5


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "date_from"),
        ("date_from=2026-01-01", "date_to"),
        ("date_from=2026-01-01&date_to=2026-01-01", "date_to"),
        ("date_from=2026-01-02&date_to=2026-01-01", "date_to"),
        ("date_from=2026-01-01&date_to=2027-02-06", "date_to"),
        ("date_from=2026-01-01T00:00:00Z&date_to=2026-01-02", "date_from"),
        ("date_from=2026-02-30&date_to=2026-03-02", "date_from"),
        ("date_from=%00&date_to=2026-03-02", "date_from"),
        ("date_from=0001-01-01&date_to=0001-01-02", "date_from"),
        ("date_from=2026-01-01&date_to=2026-01-02&area=1", "area"),
    ],
)
def test_a_span_that_is_none_is_named(query: str, field: str) -> None:
    answer = Crm().get(f"{SUMMARY}?{query}")

    assert refusal(answer) == (400, "validation_failed")
    assert field in answer.json()["errors"]


def test_a_summary_needs_its_scope() -> None:
    crm = Crm()
    secret = make_api_key(club_id=crm.club.pk, name="r", actor=SYSTEM, scopes=["bookings:read", "slots:read"])[1]

    answer = Crm(crm.club, secret=secret).get(f"{SUMMARY}?date_from=2026-01-01&date_to=2026-01-02")

    assert refusal(answer) == (403, "permission_denied")
    assert answer.json()["scope"] == "payments:read"
