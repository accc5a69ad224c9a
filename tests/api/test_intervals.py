"""Intervals over HTTP: what is free, a checkout by {area_id, date_from, date_to}, the CRM's booking, move and list."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from bookings.models import Booking
from clubs.models import Area
from palms.clock import now_utc
from slots.intervals import Interval
from slots.models import Slot
from tests.api.club import Crm
from tests.api.conftest import ANNA, Caller, refusal
from tests.bank import Bank
from tests.factories import AreaFactory, IntervalAreaFactory, SlotFactory
from tests.play import stay, stay_on_site, sunbed, take_stay

pytestmark = pytest.mark.django_db(transaction=True)
SITE = "/api/v1/site/bookings"
GARBAGE: list[Any] = [
    None, True, 0, -1, 2**63, 1.5, "7", "", [], {}, [1], {"a": 1}, "завтра", "\x00", "0000-00-00T00:00Z",
    "9999-12-31T23:59:59-23:59", "2026-11-24T12:00:60Z", "2026-11-24T25:00Z",
]  # fmt: skip


def place(interval: Interval) -> dict[str, Any]:
    return {
        "area_id": interval.area_id, "date_from": interval.date_from.isoformat(), "date_to": interval.date_to.isoformat(),
    }  # fmt: skip


def order(interval: Interval, **changes: Any) -> dict[str, Any]:
    return place(interval) | {"client": dict(ANNA)} | changes


def day(api: Caller, area: Area, days: int = 1, **query: Any) -> list[dict[str, Any]]:
    asked = "&".join(f"{name}={query[name]}" for name in query)
    that_day = stay(area, days=days).date_from.date()
    answer = api.get(f"/api/v1/clubs/{area.club.slug}/availability?date={that_day}&{asked}")
    assert answer.status_code == 200, answer.content
    assert answer.json()["data"] == []
    found: list[dict[str, Any]] = answer.json()["intervals"]
    return found


def test_a_day_lists_free_starts_with_their_prices(api: Caller) -> None:
    area = sunbed(peak_hours=(20, 24))
    stay_on_site(area, stay(area, 9, 660))

    (shown,) = day(api, area)

    assert {name: shown[name] for name in ("step", "min_duration", "max_duration", "currency")} == {
        "step": 30, "min_duration": 30, "max_duration": 240, "currency": "RUB",
    }  # fmt: skip
    assert shown["area"]["id"] == area.pk
    starts = {one["date_from"][11:]: one for one in shown["starts"]}
    assert list(starts) == [f"{at}:00+03:00" for at in ("08:00", "08:30", "20:00", "20:30", "21:00", "21:30")]
    assert starts["08:00:00+03:00"]["prices"] == [30_000, 60_000]
    assert starts["20:30:00+03:00"]["prices"] == [45_000, 90_000, 135_000]
    assert starts["20:30:00+03:00"]["date_to"][11:] == "22:00:00+03:00"


def test_area_and_duration_narrow_the_starts(api: Caller) -> None:
    area = sunbed()
    other = IntervalAreaFactory(club=area.club)
    assert [one["area"]["id"] for one in day(api, area)] == [area.pk, other.pk]
    (mine,) = day(api, area, area_id=other.pk, duration=240)
    assert mine["area"]["id"] == other.pk
    assert mine["starts"][-1]["date_from"][11:16] == "18:00"
    assert day(api, area, duration=45)[0]["starts"] == []


def test_an_interval_is_checked_out_repeated_and_refused_to_others(api: Caller, bank: Bank) -> None:
    area = sunbed()
    body = order(stay(area))
    made = api.post(f"{SITE}/individual", body, idempotency_key="once")
    assert made.status_code == 201
    assert made.json()["payment_url"].startswith(bank.url)
    assert api.post(f"{SITE}/individual", body, idempotency_key="once").json() == made.json()

    assert refusal(api.post(f"{SITE}/individual", order(stay(area, 13)), idempotency_key="once")) == (
        422,
        "idempotency_mismatch",
    )
    stranger = order(stay(area, 12.5), client=ANNA | {"phone": "+79120000002"})
    assert refusal(api.post(f"{SITE}/individual", stranger)) == (409, "slot_taken")
    assert refusal(api.post(f"{SITE}/group", order(stay(area, 15)))) == (400, "validation_failed")
    assert Slot.objects.count() == 1


@pytest.mark.parametrize("name", ["area_id", "date_from", "date_to"])
def test_garbage_in_an_interval_is_a_named_refusal(api: Caller, name: str) -> None:
    area = sunbed()
    crm = Crm(club=area.club)
    for wrong in GARBAGE:
        for answer in (
            api.post(f"{SITE}/individual", order(stay(area), **{name: wrong})),
            crm.post("/api/v1/club/bookings", order(stay(area), **{name: wrong})),
        ):
            assert refusal(answer) in {(400, "validation_failed"), (409, "slot_in_past")}, wrong
            assert answer.status_code == 409 or set(answer.json()["errors"]) <= {name, "date_to"}, wrong
    naive = stay(area).date_from.replace(tzinfo=None).isoformat()
    if name != "area_id":
        assert refusal(api.post(f"{SITE}/individual", order(stay(area), **{name: naive}))) == (400, "timezone_required")
    assert not Slot.objects.exists()


def test_a_place_is_named_once_and_whole(api: Caller) -> None:
    area = sunbed()
    for body in (order(stay(area), slot_id=1), {"client": ANNA}, {"area_id": area.pk, "client": ANNA}):
        assert refusal(api.post(f"{SITE}/individual", body)) == (400, "validation_failed")
    hidden, off, court = sunbed(club__is_public=False), sunbed(is_active=False), AreaFactory(club=area.club)
    for other in (hidden, off, court):
        assert refusal(api.post(f"{SITE}/individual", order(stay(area), area_id=other.pk))) == (404, "not_found")


def test_now_is_the_current_step(api: Caller, bank: Bank) -> None:
    area = sunbed()
    with time_machine.travel(stay(area, 12).date_from + timedelta(minutes=4), tick=False):
        (shown,) = day(api, area, days=0)
        first = shown["starts"][0]
        assert (first["date_from"][11:16], first["is_now"], first["prices"][0]) == ("12:00", True, 60_000)
        made = api.post(f"{SITE}/individual", order(stay(area, 12, 60, days=0)))
        assert made.status_code == 201
        late = order(stay(area, 11, 180, days=0), client=ANNA | {"phone": "+79120000002"})
        assert refusal(api.post(f"{SITE}/individual", late)) == (409, "slot_in_past")


def test_the_crm_books_moves_and_cancels_an_interval(api: Caller) -> None:
    area = sunbed(peak_hours=(12, 13))
    crm = Crm(club=area.club, api=api)
    other = IntervalAreaFactory(club=area.club)

    made = crm.post("/api/v1/club/bookings", order(stay(area, 12.25, 65)) | {"payment": {"method": "onsite"}})
    assert made.status_code == 201, made.content
    booking = made.json()
    assert (booking["status"], booking["price"]) == ("CONFIRMED", (45 * 90_000 + 20 * 60_000) // 60)
    assert refusal(crm.post("/api/v1/club/bookings", order(stay(area, 13)))) == (409, "slot_taken")

    listed = crm.get("/api/v1/club/slots").json()["data"]
    assert [(row["id"], row["status"], row["origin"]) for row in listed] == [
        (booking["slot"]["id"], "BOOKED", "interval")
    ]
    address = f"/api/v1/club/bookings/{booking['id']}"
    there = stay(other, 15)
    edited = api.patch(address, {"area_id": other.pk}, authorization=f"Bearer {crm.secret}")
    assert edited.json()["area"]["id"] == other.pk
    moved = crm.post(f"{address}/date", {name: place(there)[name] for name in ("date_from", "date_to")})
    assert (moved.status_code, moved.json()["slot"]["status"]) == (200, "BOOKED")
    assert Booking.objects.get().slot.date_from == there.date_from

    slots = crm.get("/api/v1/club/slots").json()["data"]
    assert [row["id"] for row in slots] == [moved.json()["slot"]["id"]]  # what nobody has any more is no offer
    crm.post(f"{address}/status", {"status": "CANCELED_BY_CLUB", "reason": "storm"})
    assert crm.get("/api/v1/club/slots").json()["data"] == []
    left = crm.get(f"/api/v1/club/slots/{moved.json()['slot']['id']}").json()
    assert (left["status"], left["places_left"]) == ("CLOSED", 0)
    assert refusal(crm.post(f"/api/v1/club/slots/{left['id']}", {"status": "AVAILABLE"})) == (400, "validation_failed")


def test_areas_say_how_they_are_booked_and_times_are_not_offered_on_them(api: Caller) -> None:
    area = sunbed()
    crm = Crm(club=area.club, api=api, area=area)
    (shown,) = crm.get("/api/v1/club/areas").json()["data"]
    assert (shown["booked_by"], shown["step"], shown["max_duration"], shown["price_per_hour"]) == (
        "interval",
        30,
        240,
        60_000,
    )
    assert refusal(crm.post("/api/v1/club/slots", crm.offer())) == (400, "validation_failed")
    slot = SlotFactory(club=area.club)
    assert refusal(crm.post(f"/api/v1/club/slots/{slot.pk}", {"area_id": area.pk})) == (400, "validation_failed")


def test_a_dead_hold_is_no_slot_of_the_crm(api: Caller, bank: Bank) -> None:
    area = sunbed()
    crm = Crm(club=area.club, api=api)
    take_stay(area, stay(area))
    assert [row["status"] for row in crm.get("/api/v1/club/slots").json()["data"]] == ["HOLD"]
    with time_machine.travel(now_utc() + timedelta(seconds=301)):
        assert crm.get("/api/v1/club/slots").json()["data"] == []
        assert crm.get("/api/v1/club/slots?status=AVAILABLE").json()["data"] == []
