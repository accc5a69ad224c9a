"""GET /user/bookings/<token> and its cancel: whoever has the link is the customer."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from bookings import services
from bookings.models import Booking
from palms.clock import now_utc
from slots.models import Claim, Slot
from tests.api.conftest import Caller, refusal
from tests.bank import Bank
from tests.factories import AreaFactory, InstructorFactory
from tests.play import booked, customer, offer, run_all, staff, take

pytestmark = pytest.mark.django_db(transaction=True)


def _address(booking: Booking, step: str = "") -> str:
    return f"/api/v1/user/bookings/{booking.token}{step}"


def _cancel(api: Caller, booking: Booking, body: Any = None, **headers: str) -> Any:
    return api.post(_address(booking, "/cancel"), {"reason": "rain"} if body is None else body, **headers)


def _requested(**changes: Any) -> Booking:
    area = AreaFactory(mode="request")
    take(offer(club=area.club, area=area, **changes))
    return Booking.objects.get()


def test_a_booking_is_shown_whole_in_the_clubs_time(api: Caller, bank: Bank) -> None:
    slot: Slot = offer()
    slot.instructor = InstructorFactory(club=slot.club, name="Иван")
    slot.save()
    booking = booked(slot, bank)
    payment = booking.payments.get()
    day = slot.date_from.date()

    answer = api.get(_address(booking))

    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store, private"
    body = answer.json()
    moments = {name: body.pop(name) for name in ("created_at", "updated_at")}
    assert all(moment.endswith("+03:00") for moment in moments.values())
    paid = body["payments"][0].pop("created_at")
    assert paid.endswith("+03:00")
    area = {"id": slot.area_id, "name": slot.area.name, "kind": "court", "location": ""}
    lead = (slot.date_from - timedelta(days=1)).date()
    assert body == {
        "id": booking.pk,
        "token": booking.token,
        "status": "CONFIRMED",
        "overdue": None,
        "reason": "",
        "date_from": f"{day}T15:00:00+03:00",
        "date_to": f"{day}T16:00:00+03:00",
        "participants_count": 1,
        "price": 150_000,
        "currency": "RUB",
        "payments": [
            {
                "id": payment.pk,
                "status": "AUTHORIZED",
                "amount": 150_000,
                "captured": 0,
                "refunded": 0,
                "currency": "RUB",
                "provider": "yookassa",
                "method": payment.payment_method,
                "captured_at": None,
            }
        ],
        "area": area,
        "instructor": {"id": slot.instructor_id, "name": "Иван"},
        "slot": {
            "id": slot.pk,
            "title": "",
            "date_from": f"{day}T15:00:00+03:00",
            "date_to": f"{day}T16:00:00+03:00",
            "cancelation_time": f"{lead}T15:00:00+03:00",
            "status": "BOOKED",
            "price": 150_000,
            "currency": "RUB",
            "area": area,
            "instructor": {"id": slot.instructor_id, "name": "Иван"},
            "capacity": 1,
            "places_left": 0,
        },
        "user": {"id": booking.client_id, "name": "Анна Петрова", "phone_number": "+79123456789"},
        "cancel": body["cancel"],
        "access_url": f"http://testserver{_address(booking, '/access')}",
        "page_url": f"http://testserver/booking/{booking.token}/",
        "reference_id": None,
        "finished_at": None,
    }


def test_a_request_is_cancelled_with_its_reason(api: Caller, bank: Bank) -> None:
    booking = _requested()

    answer = _cancel(api, booking, {"reason": " rain "})

    assert answer.status_code == 200
    body = answer.json()
    assert (body["status"], body["reason"]) == ("CANCELED_BY_CUSTOMER", "rain")
    assert body["finished_at"].endswith("+03:00")
    assert body["slot"]["status"] == "AVAILABLE"
    assert not Claim.objects.exists()


def test_a_confirmed_booking_is_cancelled_where_its_policy_lets(api: Caller, bank: Bank) -> None:
    booking = booked(offer(start=now_utc() + timedelta(days=3)), bank)
    assert api.get(_address(booking)).json()["cancel"]["allowed"] is True

    assert _cancel(api, booking).json()["status"] == "CANCELED_BY_CUSTOMER"
    run_all()

    payment = api.get(_address(booking)).json()["payments"][0]
    assert payment["status"] == "VOIDED"
    assert bank.effects(booking.payments.get().provider_payment_id) == [("held", 150_000), ("voided", 150_000)]


def test_the_policy_never_is_a_conflict_that_says_what_can_be_done(api: Caller, bank: Bank) -> None:
    booking = booked(offer(club__customer_cancel="never"), bank)

    answer = _cancel(api, booking)

    assert refusal(answer) == (409, "transition_not_allowed")
    assert answer.json()["current_status"] == "CONFIRMED"
    assert isinstance(answer.json()["allowed_events"], list)
    assert Claim.objects.filter(booking=booking).exists()


def test_a_finished_booking_stays_as_it_is(api: Caller, bank: Bank) -> None:
    booking = _requested()
    _cancel(api, booking)

    answer = _cancel(api, booking, {"reason": "snow"})

    assert refusal(answer) == (409, "booking_finished")
    assert answer.json()["current_status"] == "CANCELED_BY_CUSTOMER"
    assert Booking.objects.get().reason == "rain"


def test_a_cancel_sent_again_with_its_key_is_answered_again(api: Caller, bank: Bank) -> None:
    booking = _requested()
    first = _cancel(api, booking, idempotency_key="once")

    again = _cancel(api, booking, idempotency_key="once")

    assert (first.status_code, "Idempotent-Replayed" in first) == (200, False)
    assert (again.status_code, again["Idempotent-Replayed"], again.content) == (200, "true", first.content)
    assert again["Cache-Control"] == "no-store, private"
    assert refusal(_cancel(api, booking, {"reason": "snow"}, idempotency_key="once")) == (422, "idempotency_mismatch")
    assert refusal(_cancel(api, booking, idempotency_key="two")) == (409, "booking_finished")
    assert refusal(_cancel(api, booking, idempotency_key="two")) == (409, "booking_finished"), "a refusal is kept too"
    assert refusal(_cancel(api, booking, idempotency_key="")) == (400, "validation_failed")


def test_anothers_key_says_nothing_about_this_booking(api: Caller, bank: Bank) -> None:
    first = _requested()
    take(offer(club=first.club, area=AreaFactory(club=first.club, mode="request")))
    second = Booking.objects.exclude(pk=first.pk).get()

    assert _cancel(api, first, idempotency_key="once").json()["token"] == first.token
    assert _cancel(api, second, idempotency_key="once").json()["token"] == second.token


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "  "}])
def test_a_cancel_says_why(api: Caller, bank: Bank, body: dict[str, Any]) -> None:
    booking = _requested()

    assert refusal(_cancel(api, booking, body)) == (400, "reason_required")
    assert Booking.objects.get().status == "REQUESTED"


@pytest.mark.parametrize("reason", [None, 7, True, [], {}, "a\0b", "a" * 501, "a" * 10_000, "\ud800"])
def test_a_garbage_reason_is_refused(api: Caller, bank: Bank, reason: object) -> None:
    booking = _requested()

    answer = _cancel(api, booking, {"reason": reason})

    assert refusal(answer) == (400, "validation_failed")
    assert list(answer.json()["errors"]) == ["reason"]
    assert Booking.objects.get().status == "REQUESTED"


def test_an_unknown_booking_is_not_cancelled(api: Caller) -> None:
    assert refusal(api.post("/api/v1/user/bookings/nobody/cancel", {"reason": "x"})) == (404, "not_found")


def test_a_payments_token_opens_no_booking(api: Caller, bank: Bank) -> None:
    checkout = take(offer())

    assert refusal(api.get(f"/api/v1/user/bookings/{checkout.token}")) == (404, "not_found")


def test_a_late_cancellation_says_what_is_kept_before_and_keeps_it(api: Caller, bank: Bank) -> None:
    slot = offer(
        club__customer_cancel="always_with_fee", club__late_cancel_fee_percent=40, start=now_utc() + timedelta(hours=5)
    )
    booking = booked(slot, bank)

    offered = api.get(_address(booking)).json()["cancel"]
    assert (offered["allowed"], offered["returned"], offered["kept"]) == (True, 90_000, 60_000)
    assert _cancel(api, booking).status_code == 200
    run_all()

    assert bank.money(booking.payments.get().provider_payment_id)["net"] == 60_000


def test_a_cancelled_checkout_and_a_visited_one_say_so(api: Caller, bank: Bank) -> None:
    slot = offer()
    booking = booked(slot, bank)
    token = booking.payments.get().token
    with time_machine.travel(slot.date_to):
        services.close(booking_id=booking.pk, actor=staff(slot), outcome="SHOWN")
    assert api.get(f"/api/v1/site/checkouts/{token}").json()["state"] == "confirmed"
    assert api.get(_address(booking)).json()["status"] == "SHOWN"

    other = booked(offer(start=now_utc() + timedelta(days=3)), bank)
    services.cancel_by_customer(booking_id=other.pk, actor=customer(other.client_id), reason="rain")

    token = other.payments.get().token
    assert api.get(f"/api/v1/site/checkouts/{token}").json()["state"] in ("refunding", "canceled")
    assert api.get(_address(other)).json()["status"] == "CANCELED_BY_CUSTOMER"


def test_a_place_without_a_lock_shows_no_door_code(api: Caller, bank: Bank) -> None:
    booking = booked(offer(), bank)
    address = api.get(_address(booking)).json()["access_url"].removeprefix("http://testserver")

    assert refusal(api.get(address)) == (404, "not_found")
    assert refusal(api.get("/api/v1/user/bookings/nobody/access")) == (404, "not_found")
