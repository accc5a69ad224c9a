"""POST /club/bookings/:id/status, /date, /close and PATCH: each looks under the lock, each conflict says what could be done."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection

from bookings import services
from bookings.api import steps
from bookings.models import Booking
from palms.clock import now_utc
from palms.models import Intent
from payments.models import Payment
from slots.models import Claim, Slot
from tests.api.conftest import Caller, refusal
from tests.api.test_club_bookings import BOOKINGS, body, crm, go_live, requested
from tests.bank import Bank
from tests.factories import AreaFactory, ClubFactory, ahead
from tests.play import booked, booked_on_site, offer, run_all, staff, take

pytestmark = pytest.mark.django_db(transaction=True)


def call(api: Caller, booking: Booking, step: str, asked: Any, **headers: str) -> Any:
    return api.post(f"{BOOKINGS}/{booking.pk}/{step}", asked, **(crm(booking.club) | headers))


def edit(api: Caller, booking: Booking, asked: Any, **headers: str) -> Any:
    return api.patch(f"{BOOKINGS}/{booking.pk}", asked, **(crm(booking.club) | headers))


def conflict(answer: Any, code: str, current: str, events: list[str]) -> dict[str, Any]:
    """Return the body of a conflict, after checking its code, where the booking stands and what the caller may do."""
    assert refusal(answer) == (409, code)
    found: dict[str, Any] = answer.json()
    assert (found["current_status"], found["allowed_events"]) == (current, events)
    return found


CHANGES = ["cancel_by_club", "edit", "end_otherwise", "move"]
OPEN_REQUEST = ["approve", "cancel_by_club", "confirm", "edit", "end_otherwise", "move"]
WAITING = ["cancel_by_club", "confirm", "edit", "end_otherwise", "move"]


# --- status


def test_a_request_is_approved_once(api: Caller, bank: Bank) -> None:
    booking = requested()

    answer = call(api, booking, "status", {"status": "APPROVED"})

    assert answer.status_code == 200
    booking.refresh_from_db()
    assert (answer.json()["status"], answer.json()["version"]) == ("APPROVED", booking.version)
    assert answer["ETag"] == f'"{booking.version}"'
    conflict(call(api, booking, "status", {"status": "APPROVED"}), "transition_not_allowed", "APPROVED", WAITING)


def test_confirming_needs_money(api: Caller, bank: Bank) -> None:
    booking = requested()

    found = conflict(
        call(api, booking, "status", {"status": "CONFIRMED"}), "payment_required", "REQUESTED", OPEN_REQUEST
    )
    assert (found["due"], found["price"], found["raised_price"], found["currency"]) == (150_000, 150_000, None, "RUB")
    assert found["payment_url"] is None, "not approved yet"
    call(api, booking, "status", {"status": "APPROVED"})
    found = conflict(call(api, booking, "status", {"status": "CONFIRMED"}), "payment_required", "APPROVED", WAITING)
    assert found["payment_url"] == f"http://testserver/booking/{booking.token}/"
    little = {"status": "CONFIRMED", "payment": {"method": "onsite", "amount": 149_999}}
    conflict(call(api, booking, "status", little), "payment_required", "APPROVED", WAITING)
    assert not Payment.objects.exists()

    answer = call(api, booking, "status", {"status": "CONFIRMED", "payment": {"method": "onsite"}})

    assert (answer.status_code, answer.json()["status"]) == (200, "CONFIRMED")
    assert [(row["provider"], row["captured"]) for row in answer.json()["payments"]] == [("onsite", 150_000)]
    conflict(call(api, booking, "status", {"status": "CONFIRMED"}), "transition_not_allowed", "CONFIRMED", CHANGES)


def test_who_is_at_the_banks_page_may_be_paying(api: Caller, bank: Bank) -> None:
    """That is another answer than "nobody has paid": the club waits, or takes the money itself, and what comes late goes back."""
    booking = requested()
    call(api, booking, "status", {"status": "APPROVED"})
    services.pay_for_approved(booking_id=booking.pk, actor=staff(booking.slot))
    version = Booking.objects.get().version

    found = conflict(call(api, booking, "status", {"status": "CONFIRMED"}), "payment_in_progress", "APPROVED", WAITING)

    assert (found["due"], found["payment_url"]) == (150_000, f"http://testserver/booking/{booking.token}/")
    assert Booking.objects.get().version == version
    edit(api, booking, {"price": 100_000})
    conflict(call(api, booking, "status", {"status": "CONFIRMED"}), "payment_required", "APPROVED", WAITING)
    answer = call(api, booking, "status", {"status": "CONFIRMED", "payment": {"method": "onsite"}})
    assert (answer.status_code, answer.json()["status"]) == (200, "CONFIRMED")


def test_a_request_paid_before_it_is_approved_is_confirmed_without_more(api: Caller, bank: Bank) -> None:
    booking = requested()
    services.pay_for_approved(booking_id=booking.pk, actor=staff(booking.slot))
    bank.pay(Payment.objects.get().provider_payment_id)
    services.look_again(token=Payment.objects.get().token)

    answer = call(api, booking, "status", {"status": "CONFIRMED"})

    assert (answer.status_code, answer.json()["status"], len(answer.json()["payments"])) == (200, "CONFIRMED", 1)


@pytest.mark.parametrize("status", ["CANCELED_BY_CLUB", "OTHER"])
def test_the_club_ends_a_booking_with_a_reason(api: Caller, bank: Bank, status: str) -> None:
    slot = offer()
    booking = booked(slot, bank)
    for reason in ({}, {"reason": ""}, {"reason": "  "}):
        assert refusal(call(api, booking, "status", {"status": status} | reason)) == (400, "reason_required")

    answer = call(api, booking, "status", {"status": status, "reason": " rain "})

    shown = answer.json()
    assert (answer.status_code, shown["status"], shown["reason"], shown["allowed_events"]) == (200, status, "rain", [])
    assert shown["finished_at"] is not None
    run_all()
    assert bank.money(booking.payments.get().provider_payment_id)["net"] == 0
    again = call(api, booking, "status", {"status": status, "reason": "snow"})
    conflict(again, "booking_finished", status, [])
    conflict(call(api, booking, "status", {"status": "APPROVED"}), "booking_finished", status, [])


@pytest.mark.parametrize("status", ["SHOWN", "NOT_SHOWN", "REQUESTED", "CANCELED_BY_CUSTOMER", "paid", "", "confirmed"])
def test_other_statuses_are_not_set(api: Caller, status: str) -> None:
    booking = booked_on_site(offer())

    answer = call(api, booking, "status", {"status": status, "reason": "x"})

    if status:
        assert refusal(answer) == (400, "status_not_settable")
        assert answer.json()["settable"] == ["APPROVED", "CONFIRMED", "CANCELED_BY_CLUB", "OTHER"]
    else:
        assert refusal(answer) == (400, "validation_failed")


def test_what_has_expired_is_neither_approved_nor_paid_moved_or_edited(api: Caller, bank: Bank) -> None:
    booking = requested(request_deadline_minutes=30)
    other = offer(club=booking.club, start=ahead(16))
    assert booking.expires_at is not None
    with time_machine.travel(booking.expires_at):
        for step, asked in (
            ("status", {"status": "APPROVED"}),
            ("status", {"status": "CONFIRMED", "payment": {"method": "onsite"}}),
            ("status", {"status": "OTHER", "reason": "x"}),
            ("date", {"slot_id": other.pk}),
        ):
            answer = call(api, booking, step, asked)
            code = "hold_expired" if Booking.objects.get().status == "REQUESTED" else answer.json()["code"]
            conflict(answer, code, "OTHER", [])
            assert code in ("hold_expired", "booking_finished")
        assert refusal(edit(api, booking, {"price": 1})) == (409, "booking_finished")
    booking.refresh_from_db()
    assert (booking.status, booking.reason) == ("OTHER", "expired"), "whoever touches it first writes it down"
    assert not Claim.objects.exists()
    assert not Payment.objects.exists()


@pytest.mark.parametrize(
    ("step", "asked", "field"),
    [
        ("status", {}, "status"), ("status", {"status": None}, "status"), ("status", {"status": 7}, "status"),
        ("status", {"status": ["APPROVED"]}, "status"), ("status", {"status": "a\0"}, "status"),
        ("status", {"status": "x" * 9999}, "status"), ("status", {"status": "OTHER", "reason": 7}, "reason"),
        ("status", {"status": "OTHER", "reason": "a\0b"}, "reason"), ("status", {"status": "OTHER", "reason": "x" * 501}, "reason"),
        ("status", {"status": "OTHER", "reason": None}, "reason"), ("status", {"status": "APPROVED", "note": "x"}, "note"),
        ("status", {"status": "APPROVED", "payment": {"method": "onsite"}}, "payment"),
        ("status", {"status": "CONFIRMED", "payment": {}}, "payment.method"),
        ("status", {"status": "CONFIRMED", "payment": {"method": "onsite", "amount": 10**40}}, "payment.amount"),
        ("status", {"status": "CONFIRMED", "payment": {"method": "onsite", "amount": True}}, "payment.amount"),
        ("status", [], "body"), ("status", "APPROVED", "body"), ("status", None, "body"),
        ("date", {}, "date_from"), ("date", {"slot_id": "1"}, "slot_id"), ("date", {"slot_id": None}, "slot_id"),
        ("date", {"slot_id": 2**63}, "slot_id"), ("date", {"slot_id": 1, "date_from": "2026-11-21T18:00:00Z"}, "slot_id"),
        ("date", {"date_from": "2026-11-21T18:00:00Z"}, "date_to"), ("date", {"date_from": 7}, "date_from"),
        ("date", {"date_from": "2026-11-21T18:00:00Z", "date_to": "2026-11-21T18:00:00Z"}, "date_to"),
        ("date", {"date_from": "0001-01-01T00:00Z", "date_to": "2026-11-21T18:00:00Z"}, "date_from"),
        ("date", {"area_id": 1, "slot_id": 1}, "area_id"), ("date", [], "body"), ("date", 7, "body"),
        ("close", {}, "outcome"), ("close", {"outcome": "OTHER"}, "outcome"), ("close", {"outcome": []}, "outcome"),
        ("close", {"outcome": None}, "outcome"), ("close", {"outcome": "SHOWN", "charge": "half"}, "charge"),
        ("close", {"outcome": "SHOWN", "charge": -1}, "charge"), ("close", {"outcome": "SHOWN", "charge": 1.5}, "charge"),
        ("close", {"outcome": "SHOWN", "charge": "100"}, "charge"), ("close", {"outcome": "SHOWN", "charge": True}, "charge"),
        ("close", {"outcome": "SHOWN", "charge": None}, "charge"), ("close", {"outcome": "SHOWN", "charge": {}}, "charge"),
        ("close", {"outcome": "SHOWN", "charge": 10**30}, "charge"),
        ("close", {"outcome": "SHOWN", "finished_at": "x"}, "finished_at"),
        ("close", {"outcome": "SHOWN", "reason": 7}, "reason"), ("close", [], "body"),
        ("edit", {}, "body"), ("edit", {"price": "1"}, "price"), ("edit", {"price": -1}, "price"),
        ("edit", {"price": 10**16}, "price"),
        ("edit", {"price": None}, "price"), ("edit", {"area_id": 0}, "area_id"), ("edit", {"area_id": None}, "area_id"),
        ("edit", {"reference_id": "7"}, "reference_id"), ("edit", {"reference_id": 2**63}, "reference_id"),
        ("edit", {"status": "CONFIRMED"}, "status"), ("edit", {"date_from": "x"}, "date_from"), ("edit", [], "body"),
    ],
)  # fmt: skip
def test_garbage_is_named_and_changes_nothing(api: Caller, step: str, asked: Any, field: str) -> None:
    booking = booked_on_site(offer())
    booking.refresh_from_db()
    with time_machine.travel(booking.date_from):
        answer = edit(api, booking, asked) if step == "edit" else call(api, booking, step, asked)

    assert refusal(answer) == (400, "validation_failed")
    assert field in answer.json()["errors"]
    assert Booking.objects.get().version == booking.version


@pytest.mark.parametrize("step", ["status", "date", "close", "edit"])
@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b'{"status": NaN}', b"[" * 40 + b"]" * 40])
def test_what_is_not_json_is_malformed(api: Caller, step: str, raw: bytes) -> None:
    booking = booked_on_site(offer())

    answer = edit(api, booking, raw) if step == "edit" else call(api, booking, step, raw)

    assert refusal(answer)[1] in ("malformed_request", "validation_failed")


def test_each_call_has_its_method(api: Caller) -> None:
    booking = booked_on_site(offer())
    headers = crm(booking.club)

    for step in ("status", "date", "close"):
        assert refusal(api.get(f"{BOOKINGS}/{booking.pk}/{step}", **headers)) == (405, "method_not_allowed")
    assert refusal(api.post(f"{BOOKINGS}/{booking.pk}", {}, **headers)) == (405, "method_not_allowed")


# --- versions


@pytest.mark.parametrize(
    ("step", "asked"),
    [
        ("status", {"status": "OTHER", "reason": "x"}),
        ("status", {"status": "CANCELED_BY_CLUB", "reason": "x"}),
        ("status", {"status": "APPROVED"}),
        ("status", {"status": "CONFIRMED"}),
        ("date", {"slot_id": 1}),
        ("close", {"outcome": "SHOWN"}),
        ("edit", {"price": 1}),
    ],
)
def test_who_has_seen_an_older_version_changes_nothing(api: Caller, step: str, asked: dict[str, Any]) -> None:
    booking = booked_on_site(offer())
    booking.refresh_from_db()
    send: Any = edit if step == "edit" else lambda *args, **headers: call(*args[:2], step, args[2], **headers)

    answer = send(api, booking, asked, if_match=f'"{booking.version - 1}"')

    assert refusal(answer) == (412, "stale_version")
    assert answer.json()["version"] == booking.version == Booking.objects.get().version
    assert refusal(send(api, booking, asked, if_match="7")) == (400, "validation_failed")
    assert send(api, booking, asked, if_match=f'"{booking.version}"').status_code != 412


def test_of_two_who_have_seen_the_same_version_one_succeeds(bank: Bank) -> None:
    booking = booked(offer(), bank)
    booking.refresh_from_db()
    headers, answers = crm(booking.club) | {"if-match": f'"{booking.version}"'}, []

    def send(price: int) -> None:
        answers.append(Caller().patch(f"{BOOKINGS}/{booking.pk}", {"price": price}, **headers))
        connection.close()

    threads = [threading.Thread(target=send, args=(price,)) for price in (100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answer.status_code for answer in answers) == [200, 412, 412], [answer.content for answer in answers]


# --- dates, places, prices


def test_a_booking_moves_to_an_offered_time_or_to_one_made_for_it(api: Caller, bank: Bank) -> None:
    slot = offer()
    booking, there = booked(slot, bank), offer(club=slot.club, area=slot.area, start=ahead(16))
    start = ahead(18)

    first = call(api, booking, "date", {"slot_id": there.pk})
    second = call(
        api, booking, "date", {"date_from": start.isoformat(), "date_to": (start + timedelta(minutes=90)).isoformat()}
    )

    assert (first.status_code, first.json()["slot"]["id"], first.json()["price"]) == (200, there.pk, 150_000)
    assert second.status_code == 200
    assert (second.json()["area"]["id"], second.json()["price"]) == (slot.area_id, 150_000)
    made = Slot.objects.get(pk=second.json()["slot"]["id"])
    assert (made.origin, made.date_from) == ("move", start)


def test_a_move_to_what_is_taken_or_not_ours_changes_nothing(api: Caller, bank: Bank) -> None:
    slot = offer()
    booking, taken = booked_on_site(slot), offer(club=slot.club, start=ahead(16))
    booked_on_site(taken)
    past = offer(club=slot.club, start=now_utc() - timedelta(hours=2))

    conflict(call(api, booking, "date", {"slot_id": taken.pk}), "slot_taken", "CONFIRMED", CHANGES)
    conflict(call(api, booking, "date", {"slot_id": past.pk}), "slot_in_past", "CONFIRMED", CHANGES)
    assert refusal(call(api, booking, "date", {"slot_id": offer().pk})) == (404, "not_found")
    assert refusal(edit(api, booking, {"area_id": AreaFactory().pk})) == (404, "not_found")
    closed = AreaFactory(club=slot.club, is_active=False)
    conflict(edit(api, booking, {"area_id": closed.pk}), "slot_closed", "CONFIRMED", CHANGES)
    assert Booking.objects.get(pk=booking.pk).slot_id == slot.pk


def test_area_price_and_reference_are_edited_together(api: Caller, bank: Bank) -> None:
    booking = booked_on_site(offer())
    area = AreaFactory(club=booking.club)

    answer = edit(api, booking, {"area_id": area.pk, "price": 100_000, "reference_id": 7})

    shown = answer.json()
    assert (answer.status_code, shown["area"]["id"], shown["price"], shown["reference_id"]) == (
        200,
        area.pk,
        100_000,
        7,
    )
    assert edit(api, booking, {"reference_id": None}).json()["reference_id"] is None
    other = booked_on_site(offer(club=booking.club, start=ahead(16)))
    edit(api, other, {"reference_id": 9})
    assert list(edit(api, booking, {"reference_id": 9}).json()["errors"]) == ["reference_id"]


def test_a_raised_price_waits_for_its_payment(api: Caller, bank: Bank) -> None:
    booking = booked(offer(), bank)

    found = conflict(
        edit(api, booking, {"price": 200_000}),
        "payment_required",
        "CONFIRMED",
        ["cancel_by_club", "confirm", "edit", "end_otherwise", "move"],
    )

    page = f"http://testserver/booking/{booking.token}/"
    assert (found["price"], found["raised_price"], found["due"], found["payment_url"]) == (
        150_000,
        200_000,
        50_000,
        page,
    )
    assert edit(api, booking, {"reference_id": 7}).status_code == 200, "about something else"
    shown = api.get(f"{BOOKINGS}/{booking.pk}", **crm(booking.club)).json()
    assert (shown["price"], shown["raised_price"], shown["payment_url"]) == (150_000, 200_000, page)
    done = call(api, booking, "status", {"status": "CONFIRMED", "payment": {"method": "onsite"}})
    assert (done.status_code, done.json()["price"], done.json()["raised_price"]) == (200, 200_000, None)


def test_a_finished_booking_is_not_changed(api: Caller, bank: Bank) -> None:
    slot = offer()
    booking = booked_on_site(slot)
    services.cancel_by_club(booking_id=booking.pk, actor=staff(slot), reason="rain")

    for answer in (
        edit(api, booking, {"price": 1}),
        edit(api, booking, {"reference_id": 1}),
        call(api, booking, "date", {"slot_id": slot.pk}),
        call(api, booking, "close", {"outcome": "SHOWN"}),
    ):
        conflict(answer, "booking_finished", "CANCELED_BY_CLUB", [])


# --- close


def test_a_close_answers_before_the_bank_is_asked_and_the_capture_follows(api: Caller, bank: Bank) -> None:
    slot = offer()
    booking = booked(slot, bank)
    calls = len(bank.calls())
    with time_machine.travel(slot.date_from):
        answer = call(api, booking, "close", {"outcome": "SHOWN"})

        assert answer.status_code == 200
        found = answer.json()
        assert (found["charged"], found["returned"], found["overdue"]) == (150_000, 0, None)
        assert (found["booking"]["status"], found["booking"]["phase"]) == ("SHOWN", "completed")
        assert found["payments"] == found["booking"]["payments"]
        assert found["payments"][0]["status"] == "AUTHORIZED"
        assert len(bank.calls()) == calls
        assert Intent.objects.filter(kind="payments.capture", state="OPEN").count() == 1
        version = answer["ETag"]
        run_all()
        shown = api.get(f"{BOOKINGS}/{booking.pk}", **crm(booking.club))
    assert bank.money(booking.payments.get().provider_payment_id)["captured"] == 150_000
    assert shown.json()["payments"][0]["captured"] == 150_000
    assert shown["ETag"] != version, "money moved"


def test_what_is_not_charged_goes_back(api: Caller, bank: Bank) -> None:
    slot = offer()
    booking = booked(slot, bank)
    with time_machine.travel(slot.date_from):
        asked = {"outcome": "NOT_SHOWN", "charge": 40_000, "reason": "no word"}
        first = call(api, booking, "close", asked).json()
        again = call(api, booking, "close", asked).json()
        run_all()
        later = call(api, booking, "close", asked)
        conflict(call(api, booking, "close", asked | {"charge": "none"}), "booking_finished", "NOT_SHOWN", [])
        conflict(call(api, booking, "close", {"outcome": "SHOWN"}), "booking_finished", "NOT_SHOWN", [])

    assert (first["charged"], first["returned"], first["booking"]["reason"]) == (40_000, 110_000, "no word")
    assert (again["charged"], again["returned"]) == (40_000, 110_000)
    assert (later.status_code, later.json()["charged"], later.json()["returned"]) == (200, 40_000, 110_000)
    assert bank.money(booking.payments.get().provider_payment_id)["net"] == 40_000


def test_a_fee_that_is_owed_stands_in_the_way_of_a_close(api: Caller, bank: Bank) -> None:
    area = AreaFactory(kind="sunbed", overdue_rate=60_000, overdue_cap=90_000)
    slot = offer(club=area.club, area=area)
    booking = booked(slot, bank)
    page = f"http://testserver/booking/{booking.token}/"
    with time_machine.travel(slot.date_to + timedelta(minutes=75)):
        events = ["cancel_by_club", "close_as_not_shown", "edit", "end_otherwise", "move"]
        refused = conflict(call(api, booking, "close", {"outcome": "SHOWN"}), "overdue_unpaid", "CONFIRMED", events)
        assert (refused["amount"], refused["currency"]) == (60_000, "RUB")
        shown = api.get(f"{BOOKINGS}/{booking.pk}", **crm(booking.club)).json()["overdue"]
        assert (shown["state"], shown["amount"], shown["payment_url"], shown["left_at"]) == (
            "running",
            60_000,
            page,
            None,
        )
        services.pay_fee(booking_id=booking.pk, actor=staff(slot))
        payment = Payment.objects.get(overdue_id=booking.pk)
        bank.pay(payment.provider_payment_id or "")
        services.look_again_at_fee(token=payment.token)
        closed = call(api, booking, "close", {"outcome": "SHOWN"}).json()
        (listed,) = api.get(BOOKINGS, **crm(booking.club)).json()["data"]
        mine = api.get(f"/api/v1/user/bookings/{booking.token}").json()
    assert (closed["charged"], [one["amount"] for one in closed["payments"]]) == (150_000, [150_000])
    assert (closed["overdue"]["state"], closed["overdue"]["payment_url"]) == ("paid", None)
    assert [(one["amount"], one["status"]) for one in closed["overdue"]["payments"]] == [(60_000, "CAPTURED")]
    assert listed["overdue"] == closed["overdue"] == mine["overdue"]


def test_a_close_that_cannot_be(api: Caller, bank: Bank) -> None:
    slot = offer()
    booking, waiting = booked_on_site(slot), requested()
    early = call(api, booking, "close", {"outcome": "SHOWN"})
    conflict(early, "too_early_to_close", "CONFIRMED", CHANGES)
    conflict(call(api, waiting, "close", {"outcome": "SHOWN"}), "transition_not_allowed", "REQUESTED", OPEN_REQUEST)
    with time_machine.travel(slot.date_from):
        assert refusal(call(api, booking, "close", {"outcome": "NOT_SHOWN"})) == (400, "charge_required")
        now = ["cancel_by_club", "close_as_not_shown", "close_as_shown", "edit", "end_otherwise", "move"]
        much = conflict(
            call(api, booking, "close", {"outcome": "SHOWN", "charge": 150_001}), "charge_exceeds_authorization",
            "CONFIRMED", now,
        )  # fmt: skip
        assert much["secured"] == 150_000
        assert api.get(f"{BOOKINGS}/{booking.pk}", **crm(booking.club)).json()["allowed_events"] == now


# --- every event that is offered is accepted, and none that is not


STEPS: dict[str, tuple[str, dict[str, Any]]] = {
    "approve": ("status", {"status": "APPROVED"}),
    "confirm": ("status", {"status": "CONFIRMED", "payment": {"method": "onsite"}}),
    "cancel_by_club": ("status", {"status": "CANCELED_BY_CLUB", "reason": "x"}),
    "end_otherwise": ("status", {"status": "OTHER", "reason": "x"}),
    "close_as_shown": ("close", {"outcome": "SHOWN"}),
    "close_as_not_shown": ("close", {"outcome": "NOT_SHOWN", "charge": "none"}),
    "edit": ("edit", {"reference_id": 5}),
    "move": ("date", {}),
}


@pytest.mark.parametrize("event", STEPS)
@pytest.mark.parametrize("state", ["requested", "approved", "confirmed", "begun", "canceled", "expired"])
def test_allowed_events_are_exactly_what_is_accepted(api: Caller, bank: Bank, state: str, event: str) -> None:
    club = ClubFactory(request_deadline_minutes=30)
    booking, moment = _in_state(api, club, state)
    there = offer(club=club, start=ahead(20))
    step, asked = STEPS[event]
    with time_machine.travel(moment):
        offered = api.get(f"{BOOKINGS}/{booking.pk}", **crm(club)).json()["allowed_events"]
        asked = {"slot_id": there.pk} if event == "move" else asked
        answer = edit(api, booking, asked) if step == "edit" else call(api, booking, step, asked)

    assert (answer.status_code == 200) is (event in offered), (offered, answer.content)
    assert answer.status_code in (200, 409)


def _in_state(api: Caller, club: Any, state: str) -> tuple[Booking, Any]:
    if state in ("confirmed", "begun", "canceled"):
        slot = offer(club=club)
        booking = booked_on_site(slot)
        if state == "canceled":
            services.cancel_by_club(booking_id=booking.pk, actor=staff(slot), reason="rain")
        return booking, slot.date_from if state == "begun" else now_utc()
    area = AreaFactory(club=club, mode="request")
    take(offer(club=club, area=area))
    booking = Booking.objects.get()
    if state == "approved":
        call(api, booking, "status", {"status": "APPROVED"})
    return booking, booking.expires_at if state == "expired" else now_utc()


def test_live_money_that_comes_first_hides_a_booking_from_a_test_key(api: Caller, bank: Bank) -> None:
    """A race: the test key has looked, then money on site is recorded, then the test key's step gets the lock."""
    slot = offer()
    waiting = Booking.objects.get(pk=api.post(BOOKINGS, body(slot), **crm(slot.club)).json()["id"])
    test, real = crm(slot.club, is_test=True), steps.ClubBookingView.booking
    looks: list[int] = []

    def look(view: Any, booking_id: int) -> Booking:
        found = real(view, booking_id)
        looks.append(booking_id)
        if len(looks) == 1:
            services.record_payment_on_site(booking_id=booking_id, actor=staff(slot))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps.ClubBookingView, "booking", look)
        answer = api.post(f"{BOOKINGS}/{waiting.pk}/status", {"status": "OTHER", "reason": "x"}, **test)

    assert refusal(answer) == (404, "not_found")
    assert Booking.objects.get().status == "CONFIRMED"


def test_a_test_key_that_went_live_is_another_matter(api: Caller, bank: Bank) -> None:
    slot = offer()
    go_live(slot.club)
    booking = booked_on_site(slot)

    assert refusal(call(api, booking, "close", {"outcome": "SHOWN"}, **crm(slot.club, is_test=True))) == (
        404,
        "not_found",
    )
