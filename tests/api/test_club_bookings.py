"""GET and POST /club/bookings: what a CRM sees of its bookings, and how it books for a client."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bookings import services
from bookings.models import Booking, BookingContact, BookingParticipant
from bookings.services.party import policy_of
from clubs.models import Club
from clubs.services import make_api_key
from palms.actors import SYSTEM
from palms.clock import now_utc
from palms.errors import violated
from palms.models import StoredAnswer
from payments.models import Payment
from payments.services import record_onsite
from slots.models import Claim, Slot
from tests.api.conftest import ANNA, Caller, refusal
from tests.bank import Bank
from tests.factories import AreaFactory, ClientFactory, ClubFactory, ProviderAccountFactory, SlotFactory, ahead
from tests.play import booked, booked_on_site, offer, run_all, staff, take

BOOKINGS = "/api/v1/club/bookings"
pytestmark = pytest.mark.django_db(transaction=True)


def crm(club: Club, **changes: Any) -> dict[str, str]:
    """Return the headers of a CRM with a new key of this club."""
    return {"authorization": f"Bearer {make_api_key(club_id=club.pk, name='CRM', actor=SYSTEM, **changes)[1]}"}


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["data"]]


def moment(value: datetime) -> str:
    return quote(value.isoformat())


def requested(**changes: Any) -> Booking:
    area = AreaFactory(mode="request", **{f"club__{name}": changes[name] for name in changes})
    take(offer(club=area.club, area=area))
    return Booking.objects.latest("pk")


def test_a_booking_is_shown_whole(api: Caller, bank: Bank) -> None:
    slot: Slot = offer(capacity=3, area__exclusive=False)
    booking = booked(slot, bank, count=2, participants_names=("Иван", "Ольга"))
    headers = crm(slot.club)

    answer = api.get(f"{BOOKINGS}/{booking.pk}", **headers)

    assert answer.status_code == 200
    booking.refresh_from_db()
    assert answer["ETag"] == f'"{booking.version}"'
    assert answer["Cache-Control"] == "private, no-store"
    body = answer.json()
    assert api.get(BOOKINGS, **headers).json()["data"] == [body]
    (payment,) = body.pop("payments")
    assert (payment["status"], payment["amount"], payment["provider"]) == ("AUTHORIZED", 300_000, "yookassa")
    assert set(payment) == {
        "id", "status", "amount", "captured", "refunded", "currency", "provider", "method", "created_at", "captured_at",
    }  # fmt: skip
    day, lead = slot.date_from.date(), (slot.date_from - timedelta(days=1)).date()
    area = {"id": slot.area_id, "name": slot.area.name, "kind": "court", "location": ""}
    assert all(body.pop(name).endswith("+03:00") for name in ("created_at", "updated_at"))
    assert {name: body[name] for name in body if name != "cancel"} == {
        "id": booking.pk,
        "token": booking.token,
        "status": "CONFIRMED",
        "phase": "confirmed",
        "booking_type": "group",
        "reason": "",
        "date_from": f"{day}T15:00:00+03:00",
        "date_to": f"{day}T16:00:00+03:00",
        "expires_at": None,
        "finished_at": None,
        "participants_count": 2,
        "participants_names": ["Иван", "Ольга"],
        "price": 300_000,
        "raised_price": None,
        "currency": "RUB",
        "paid": True,
        "payment_url": None,
        "refunds": [],
        "overdue": None,
        "area": area,
        "instructor": None,
        "slot": {
            "id": slot.pk,
            "title": "",
            "date_from": f"{day}T15:00:00+03:00",
            "date_to": f"{day}T16:00:00+03:00",
            "cancelation_time": f"{lead}T15:00:00+03:00",
            "status": "AVAILABLE",
            "price": 150_000,
            "currency": "RUB",
            "area": area,
            "instructor": None,
            "capacity": 3,
            "places_left": 1,
        },
        "user": {"id": booking.client_id, "name": "Анна Петрова", "phone_number": "+79123456789"},
        "contact": {"name": "Анна Петрова", "phone": "+79123456789", "email": "anna@example.com"},
        "policy": {"customer_cancel": "until_cancelation_time", "late_cancel_fee_percent": 100, "reopen": "auto"},
        "cancelation_time": f"{lead}T15:00:00+03:00",
        "allowed_events": ["cancel_by_club", "edit", "end_otherwise", "move"],
        "access_url": f"http://testserver/api/v1/user/bookings/{booking.token}/access",
        "page_url": f"http://testserver/booking/{booking.token}/",
        "reference_id": None,
        "is_test": False,
        "version": booking.version,
    }


def test_the_refunds_of_a_cancelled_booking_are_shown_without_changing_it(api: Caller, bank: Bank) -> None:
    slot = offer(club__capture="one_stage")
    booking, headers = booked(slot, bank), crm(slot.club)
    services.cancel_by_club(booking_id=booking.pk, actor=staff(slot), reason="rain")

    body = api.get(f"{BOOKINGS}/{booking.pk}", **headers).json()

    (refund,) = body["refunds"]
    assert (refund["payment_id"], refund["amount"], refund["status"]) == (
        body["payments"][0]["id"],
        150_000,
        "INTENDED",
    )
    assert (refund["cause"], refund["finished_at"]) == ("cancel", None)
    assert (body["status"], body["phase"], body["paid"], body["allowed_events"]) == (
        "CANCELED_BY_CLUB", "cancelled", False, [],
    )  # fmt: skip


def test_money_needs_its_scope_and_writing_its_own(api: Caller, bank: Bank) -> None:
    slot = offer()
    booking, headers = booked_on_site(slot), crm(slot.club, scopes=["bookings:read"])

    body = api.get(f"{BOOKINGS}/{booking.pk}", **headers).json()

    assert (body["payments"], body["refunds"], body["paid"]) == (None, None, True)
    assert body["allowed_events"] == []
    answer = api.post(f"{BOOKINGS}/{booking.pk}/status", {"status": "OTHER", "reason": "x"}, **headers)
    assert refusal(answer) == (403, "permission_denied")
    assert answer.json()["scope"] == "bookings:write"
    assert refusal(api.get(BOOKINGS, **crm(slot.club, scopes=["slots:read"]))) == (403, "permission_denied")


def test_another_clubs_bookings_are_not_found(api: Caller, bank: Bank) -> None:
    booking, headers = booked_on_site(offer()), crm(ClubFactory())

    assert ids(api.get(BOOKINGS, **headers)) == []
    for address in (f"{BOOKINGS}/{booking.pk}", f"{BOOKINGS}/{2**63 - 1}", f"{BOOKINGS}/{10**30}", f"{BOOKINGS}/0"):
        assert refusal(api.get(address, **headers)) == (404, "not_found")
    for step, body in (
        ("status", {"status": "OTHER", "reason": "x"}),
        ("date", {"slot_id": booking.slot_id}),
        ("close", {"outcome": "SHOWN"}),
    ):
        assert refusal(api.post(f"{BOOKINGS}/{booking.pk}/{step}", body, **headers)) == (404, "not_found")
    assert refusal(api.get(f"{BOOKINGS}/x", **headers)) == (404, "not_found")
    assert refusal(api.get(BOOKINGS)) == (401, "not_authenticated")
    assert Booking.objects.get().status == "CONFIRMED"


def _six(club: Club) -> dict[str, Booking]:
    """A booking in every phase, an hour apart."""
    slots = [offer(club=club, start=ahead(hour)) for hour in range(8, 14)]
    made = {name: booked_on_site(slot) for name, slot in zip(("confirmed", "shown", "canceled"), slots, strict=False)}
    with time_machine.travel(slots[1].date_from):
        services.close(booking_id=made["shown"].pk, actor=staff(slots[1]), outcome="SHOWN")
    services.cancel_by_club(booking_id=made["canceled"].pk, actor=staff(slots[2]), reason="rain")
    for name, slot in zip(("approved", "requested", "expired"), slots[3:], strict=True):
        slot.area.mode = "request"
        slot.area.save()
        take(slot, phone="+7 999 000-00-00")
        made[name] = Booking.objects.latest("pk")
    services.approve(booking_id=made["approved"].pk, actor=staff(slots[3]))
    return {name: Booking.objects.get(pk=booking.pk) for name, booking in made.items()}


def test_filters_agree_with_what_is_shown_also_past_a_deadline(api: Caller, bank: Bank) -> None:
    club = ClubFactory(request_deadline_minutes=600, payment_deadline_minutes=60)
    made, headers = _six(club), crm(club)
    late = made["expired"].expires_at
    assert late is not None

    def names(query: str) -> set[str]:
        by_id = {booking.pk: name for name, booking in made.items()}
        return {by_id[pk] for pk in ids(api.get(f"{BOOKINGS}?{query}", **headers))}

    assert names("status=REQUESTED") == {"requested", "expired"}
    assert names("phase=pending") == {"approved", "requested", "expired"}
    assert names("phase=completed") == {"shown"} == names("status=SHOWN")
    assert names("paid=true") == {"confirmed", "shown"}
    assert names("paid=false") == {"canceled", "approved", "requested", "expired"}
    assert names(f"area_id={made['shown'].area_id}") == {"shown"}
    assert names(f"area_id={AreaFactory().pk}") == set()
    assert names(f"date_from={moment(ahead(9))}&date_to={moment(ahead(11))}") == {"shown", "canceled"}
    assert (
        names(f"phone={quote('8 (999) 0000000')}")
        == {"approved", "requested", "expired"}
        == names("phone=%2B79990000000")
    )
    assert names("phone=+79990000000") == {"approved", "requested", "expired"}, "a plus that was lost on the way"
    assert names(f"phone={quote('+7 912 345-67-80')}") == set()
    with time_machine.travel(late):
        headers = crm(club)
        assert names("status=REQUESTED") == set()
        assert names("status=OTHER") == {"requested", "expired", "approved"}
        assert names("phase=cancelled") == {"requested", "expired", "approved", "canceled"}
        assert names("phase=pending") == set() == names("status=OTHER&phase=pending")
        row = api.get(f"{BOOKINGS}/{made['expired'].pk}", **headers).json()
        assert (row["status"], row["phase"], row["reason"], row["allowed_events"]) == (
            "OTHER",
            "cancelled",
            "expired",
            [],
        )
        assert datetime.fromisoformat(row["finished_at"]) == late == datetime.fromisoformat(row["updated_at"])
        assert row["payment_url"] is None


def test_a_contacts_phone_finds_the_booking_and_so_does_the_clients(api: Caller, bank: Bank) -> None:
    slot = offer()
    booking, headers = booked_on_site(slot), crm(slot.club)
    BookingContact.objects.filter(booking=booking).update(phone="+79990000000")

    for phone in ("89990000000", "8 912 345 67 89"):
        assert ids(api.get(f"{BOOKINGS}?phone={quote(phone)}", **headers)) == [booking.pk]


def test_changes_are_asked_for_since_a_moment_and_none_is_missed(api: Caller, bank: Bank) -> None:
    club = ClubFactory(capture="one_stage")
    first, second = booked(offer(club=club), bank), booked(offer(club=club, start=ahead(14)), bank)
    headers = crm(club)
    services.cancel_by_club(booking_id=first.pk, actor=staff(first.slot), reason="rain")
    found = api.get(f"{BOOKINGS}?updated_since={moment(now_utc() - timedelta(hours=1))}", **headers)
    assert ids(found) == [second.pk, first.pk], "in the order of their changes"
    since = found.json()["meta"]["as_of"]
    assert ids(api.get(f"{BOOKINGS}?updated_since={quote(since)}", **headers)) == []
    version = Booking.objects.get(pk=first.pk).version

    run_all()

    answer = api.get(f"{BOOKINGS}?updated_since={quote(since)}", **headers)
    assert ids(answer) == [first.pk], "its money moved after its end"
    (row,) = answer.json()["data"]
    assert row["version"] > version
    assert row["refunds"][0]["status"] == "DONE"
    assert row["payments"][0]["refunded"] == 150_000


def test_what_ends_by_the_clock_alone_is_a_change(api: Caller, bank: Bank) -> None:
    booking = requested(request_deadline_minutes=30)
    assert booking.expires_at is not None
    query = f"{BOOKINGS}?updated_since={moment(booking.expires_at - timedelta(minutes=1))}"

    assert ids(api.get(query, **crm(booking.club))) == []
    with time_machine.travel(booking.expires_at):
        assert ids(api.get(query, **crm(booking.club))) == [booking.pk]


@pytest.mark.parametrize(
    "query",
    [
        "status=BOOKED", "status=confirmed", "status=%00", "phase=paid", "area_id=x", "area_id=-1", "area_id=9223372036854775808",
        "area_id=1.5", "phone=12", "phone=%00", "phone=" + "9" * 5000, "date_from=2026-13-01T00:00Z", "date_from=yesterday",
        "date_to=%00", "reference_id=" + "9" * 400, "reference_id=x", "paid=1", "paid=yes", "updated_since=1",
        "updated_since=0001-01-01T00:00Z", "limit=501", "cursor=x", "colour=red", "client=1", "format=xml",
        "status=SHOWN&status=OTHER",
    ],
)  # fmt: skip
def test_a_garbage_filter_is_named(api: Caller, query: str) -> None:
    answer = api.get(f"{BOOKINGS}?{query}", **crm(ClubFactory()))

    assert refusal(answer) == (400, "validation_failed")
    assert list(answer.json()["errors"]) == [query.split("=")[0]]


@pytest.mark.parametrize("name", ["date_from", "date_to", "updated_since"])
def test_a_moment_names_its_offset(api: Caller, name: str) -> None:
    answer = api.get(f"{BOOKINGS}?{name}=2026-11-21T18:00:00", **crm(ClubFactory()))

    assert refusal(answer) == (400, "timezone_required")


def test_pages_hold_every_booking_once(api: Caller, bank: Bank) -> None:
    club = ClubFactory()
    made = [booked_on_site(offer(club=club)).pk for _ in range(5)]  # one start for all
    headers, address, seen = crm(club), f"{BOOKINGS}?limit=2", []
    while address:
        answer = api.get(address, **headers)
        seen += ids(answer)
        address = (answer.json()["meta"]["next"] or "").removeprefix("http://testserver")

    assert seen == made


@transaction.atomic
def _many(club: Club, count: int) -> None:
    """Confirmed bookings, paid on site, an hour apart on one court, each with a participant."""
    client, area = ClientFactory(club=club), AreaFactory(club=club)
    starts = [ahead(8) + timedelta(hours=number) for number in range(count)]
    slots = [SlotFactory.build(club=club, area=area, start=start) for start in starts]
    bookings = [
        Booking(
            club=club, client=client, slot=slot, area=area, date_from=slot.date_from, date_to=slot.date_to,
            price=slot.price, currency="RUB", status="CONFIRMED", policy=policy_of(club, slot.area),
        )
        for slot in Slot.objects.bulk_create(slots)
    ]  # fmt: skip
    contacts = [
        BookingContact(club=club, booking=booking, full_name="Анна", phone=client.phone)
        for booking in Booking.objects.bulk_create(bookings)
    ]
    people = [
        BookingParticipant(club=club, contact=made, position=0, name="Иван")
        for made in BookingContact.objects.bulk_create(contacts)
    ]
    BookingParticipant.objects.bulk_create(people)
    Claim.objects.bulk_create(
        Claim(
            club=club, slot=one.slot, place=0, area=area, exclusive=True, capacity=1, booking=one,
            period=(one.date_from, one.date_to),
        )
        for one in bookings
    )  # fmt: skip
    Payment.objects.bulk_create(
        Payment(
            club=club, client=client, booking=one, provider="onsite", amount=one.price, currency="RUB", keep=one.price,
            decision="USED", status="CAPTURED", captured=one.price, captured_at=now_utc(),
        )
        for one in bookings
    )  # fmt: skip


def test_a_list_takes_as_many_queries_for_five_hundred_as_for_one(api: Caller, bank: Bank) -> None:
    club = ClubFactory()
    headers = crm(club)
    _many(club, 1)
    api.get(BOOKINGS, **headers)  # notes the use of the key
    taken = []
    for more in (0, 499):
        _many(club, more)
        with CaptureQueriesContext(connection) as queries:
            rows = api.get(f"{BOOKINGS}?limit=500&paid=true", **headers).json()["data"]
        taken.append((len(rows), len(queries)))

    assert taken == [(1, 8), (500, 8)]


def test_one_booking_takes_seven_queries(api: Caller, bank: Bank) -> None:
    booking = booked_on_site(offer())
    headers = crm(booking.club)
    api.get(BOOKINGS, **headers)
    with CaptureQueriesContext(connection) as queries:
        api.get(f"{BOOKINGS}/{booking.pk}", **headers)

    assert len(queries) == 7, "\n".join(query["sql"] for query in queries)


# --- booking for a client


def body(slot: Slot, **changes: Any) -> dict[str, Any]:
    return {"slot_id": slot.pk, "client": dict(ANNA)} | changes


def test_a_crm_books_with_a_page_to_pay_on(api: Caller, bank: Bank) -> None:
    slot = offer()

    answer = api.post(BOOKINGS, body(slot, reference_id=77), **crm(slot.club))

    assert answer.status_code == 201
    found, booking = answer.json(), Booking.objects.get()
    assert (found["status"], found["reference_id"], found["paid"]) == ("APPROVED", 77, False)
    assert found["payment_url"] == found["page_url"] == f"http://testserver/booking/{booking.token}/"
    assert found["allowed_events"] == ["cancel_by_club", "confirm", "edit", "end_otherwise", "move"]
    assert answer["ETag"] == f'"{booking.version}"'
    assert ids(api.get(f"{BOOKINGS}?reference_id=77", **crm(slot.club))) == [booking.pk]


@pytest.mark.parametrize("payment", [{"method": "onsite"}, {"method": "onsite", "amount": 150_000}])
def test_a_crm_books_what_is_paid_on_site(api: Caller, payment: dict[str, Any]) -> None:
    slot = offer()

    answer = api.post(BOOKINGS, body(slot, payment=payment), **crm(slot.club))

    assert answer.status_code == 201, answer.content
    found = answer.json()
    assert (found["status"], found["paid"], found["payment_url"]) == ("CONFIRMED", True, None)
    assert [(p["provider"], p["method"], p["captured"]) for p in found["payments"]] == [("onsite", "onsite", 150_000)]


def test_too_little_on_site_books_nothing(api: Caller) -> None:
    slot = offer()

    answer = api.post(BOOKINGS, body(slot, payment={"method": "onsite", "amount": 1}), **crm(slot.club))

    assert refusal(answer) == (409, "payment_required")
    assert not Booking.objects.exists()
    assert not Claim.objects.exists()


def test_the_email_may_be_unknown(api: Caller) -> None:
    slot = offer()
    who = {"full_name": "Анна Петрова", "phone": "8 912 345-67-89", "language": "en"}

    answer = api.post(BOOKINGS, body(slot, client=who), **crm(slot.club))

    assert answer.status_code == 201, answer.content
    assert answer.json()["contact"]["email"] == ""
    assert BookingContact.objects.get().language == "en"


def test_a_time_is_also_found_by_place_and_interval(api: Caller) -> None:
    slot = offer()
    headers = crm(slot.club)
    place = {"area_id": slot.area_id, "date_from": slot.date_from.isoformat(), "date_to": slot.date_to.isoformat()}
    late = place | {"date_to": (slot.date_to + timedelta(minutes=1)).isoformat()}

    assert refusal(api.post(BOOKINGS, {"client": ANNA, **late}, **headers)) == (404, "not_found")
    answer = api.post(BOOKINGS, {"client": ANNA, **place}, **headers)

    assert answer.status_code == 201
    assert answer.json()["slot"]["id"] == slot.pk


def test_a_free_time_is_booked_at_once_and_staff_book_what_is_closed(api: Caller) -> None:
    slot = offer(price=0, closed=True)

    assert api.post(BOOKINGS, body(slot), **crm(slot.club)).json()["status"] == "CONFIRMED"


def test_what_cannot_be_had_is_a_conflict(api: Caller) -> None:
    slot = offer()
    past, other = offer(club=slot.club, start=now_utc() - timedelta(hours=1)), offer()
    headers = crm(slot.club)
    booked_on_site(slot)

    assert refusal(api.post(BOOKINGS, body(slot), **headers)) == (409, "slot_taken")
    assert refusal(api.post(BOOKINGS, body(past), **headers)) == (409, "slot_in_past")
    assert refusal(api.post(BOOKINGS, body(other), **headers)) == (404, "not_found"), "another club's"


def test_a_reference_belongs_to_one_booking(api: Caller) -> None:
    slot = offer()
    headers = crm(slot.club)
    api.post(BOOKINGS, body(slot, reference_id=7), **headers)

    answer = api.post(BOOKINGS, body(offer(club=slot.club, start=ahead(15)), reference_id=7), **headers)

    assert refusal(answer) == (400, "validation_failed")
    assert list(answer.json()["errors"]) == ["reference_id"]
    assert Booking.objects.count() == 1


def test_a_repeat_books_once(api: Caller, bank: Bank) -> None:
    slot = offer()
    headers = crm(slot.club) | {"idempotency-key": "k"}

    first, second = (api.post(BOOKINGS, body(slot), **headers) for _ in range(2))

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second["Idempotent-Replayed"] == "true"
    assert second["ETag"] == first["ETag"]
    assert Booking.objects.count() == 1
    assert refusal(api.post(BOOKINGS, body(slot, reference_id=1), **headers)) == (422, "idempotency_mismatch")


def test_a_repeat_after_a_first_run_that_died_finds_its_booking(api: Caller) -> None:
    slot = offer()
    headers = crm(slot.club) | {"idempotency-key": "k"}
    first = api.post(BOOKINGS, body(slot), **headers).json()
    StoredAnswer.objects.all().delete()

    second = api.post(BOOKINGS, body(slot), **headers)

    assert (second.status_code, second.json()["id"]) == (201, first["id"])
    assert Booking.objects.count() == 1


def _with(path: str, value: object) -> dict[str, Any]:
    asked: dict[str, Any] = {"slot_id": 1, "client": dict(ANNA), "payment": {"method": "onsite"}}
    where, _sep, name = path.rpartition(".")
    (asked[where] if where else asked)[name] = value
    return asked


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slot_id", None), ("slot_id", "1"), ("slot_id", 2**63), ("slot_id", True), ("slot_id", [1]), ("slot_id", 0),
        ("client", None), ("client", []), ("client", "Anna"), ("client.full_name", ""), ("client.full_name", "a\0b"),
        ("client.full_name", 7), ("client.phone", "12"), ("client.phone", 79123456789), ("client.phone", None),
        ("client.email", "x"), ("client.email", 7), ("client.birth_date", "2999-01-01"), ("client.language", "xx"),
        ("client.language", []), ("client.age", 7), ("participants_count", 0), ("participants_count", "2"),
        ("participants_count", 10**30), ("participants_names", ["A", "B"]), ("participants_names", 7),
        ("payment", "onsite"), ("payment", None), ("payment.method", "card"), ("payment.method", None),
        ("payment.method", {}), ("payment.amount", 0), ("payment.amount", -1), ("payment.amount", 10**18),
        ("payment.amount", 1.5), ("payment.amount", "1"), ("payment.tip", 1), ("reference_id", "7"),
        ("reference_id", -1), ("reference_id", 2**63), ("reference_id", []), ("price", 1), ("status", "CONFIRMED"),
        ("area_id", 1), ("date_from", "2026-11-21T18:00:00Z"),
    ],
)  # fmt: skip
def test_garbage_is_refused_by_field_and_books_nothing(api: Caller, field: str, value: object) -> None:
    slot = offer()
    asked = _with(field, value)
    if field != "slot_id":
        asked["slot_id"] = slot.pk

    answer = api.post(BOOKINGS, asked, **crm(slot.club))

    assert refusal(answer) == (400, "validation_failed")
    assert list(answer.json()["errors"]) == [field]
    assert not Booking.objects.exists()


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b"7", b'"x"', b"{}", b"[{}]"])
def test_what_is_no_booking_is_refused(api: Caller, raw: bytes) -> None:
    status, code = refusal(api.post(BOOKINGS, raw, **crm(ClubFactory())))

    assert (status, code) in ((400, "validation_failed"), (400, "malformed_request"))


def test_half_a_place_is_refused_and_so_is_a_moment_without_an_offset(api: Caller) -> None:
    headers = crm(ClubFactory())

    assert list(api.post(BOOKINGS, {"client": ANNA, "area_id": 1}, **headers).json()["errors"]) == ["slot_id"]
    naive = {"client": ANNA, "area_id": 1, "date_from": "2026-11-21T18:00:00", "date_to": "2026-11-21T19:00:00"}
    assert refusal(api.post(BOOKINGS, naive, **headers)) == (400, "timezone_required")


# --- test keys see and make test payments only


def test_a_test_key_books_for_test_money_only(api: Caller, bank: Bank) -> None:
    slot = offer()
    live = slot.club.provider_accounts.get()
    test, headers = crm(slot.club, is_test=True), crm(slot.club)
    with_cash = body(slot, payment={"method": "onsite"})

    assert refusal(api.post(BOOKINGS, with_cash, **test)) == (403, "permission_denied")
    made = api.post(BOOKINGS, body(slot), **test).json()

    assert (made["is_test"], made["status"]) == (True, "APPROVED")
    assert "confirm" not in made["allowed_events"]
    cash = {"status": "CONFIRMED", "payment": {"method": "onsite"}}
    for caller in (test, headers):
        answer = api.post(f"{BOOKINGS}/{made['id']}/status", cash, **caller)
        assert refusal(answer) == (403, "permission_denied"), "nobody pays for a test with real money"
    assert live.is_test
    assert not Payment.objects.exists()


def test_a_test_key_does_not_see_real_money_nor_what_waits_for_it(api: Caller, bank: Bank) -> None:
    club = ClubFactory()
    tested, cash = booked(offer(club=club), bank), booked_on_site(offer(club=club, start=ahead(14)))
    test, headers = crm(club, is_test=True), crm(club)
    made = api.post(BOOKINGS, body(offer(club=club, start=ahead(15))), **test).json()
    waiting = api.post(BOOKINGS, body(offer(club=club, start=ahead(16))), **headers).json()

    assert ids(api.get(BOOKINGS, **test)) == [tested.pk, made["id"], waiting["id"]], "the club is not live yet"
    assert len(ids(api.get(BOOKINGS, **headers))) == 4, "a live key sees everything"
    assert refusal(api.get(f"{BOOKINGS}/{cash.pk}", **test)) == (404, "not_found")
    go_live(club)

    assert ids(api.get(BOOKINGS, **test)) == [tested.pk, made["id"]], "what waits would now be paid with real money"
    step = {"status": "CANCELED_BY_CLUB", "reason": "test"}
    for booking_id in (cash.pk, waiting["id"]):
        assert refusal(api.post(f"{BOOKINGS}/{booking_id}/status", step, **test)) == (404, "not_found")
    assert api.post(f"{BOOKINGS}/{made['id']}/status", step, **test).status_code == 200


def go_live(club: Club) -> None:
    """The club takes real money from now on; its test account stays beside."""
    club.provider_accounts.update(is_default=False)
    ProviderAccountFactory(club=club, account_id="200600", is_test=False)


def test_a_test_booking_of_a_live_club_is_paid_through_its_test_account(api: Caller, bank: Bank) -> None:
    slot = offer()
    go_live(slot.club)
    made = api.post(BOOKINGS, body(slot), **crm(slot.club, is_test=True)).json()

    page = Client().post(f"/booking/{made['token']}/pay/")

    payment = Payment.objects.get()
    assert payment.account is not None
    assert payment.account.is_test
    assert page["Location"] == payment.confirmation_url


def test_the_database_keeps_test_and_real_money_apart(api: Caller, bank: Bank) -> None:
    slot: Any = SlotFactory()
    go_live(slot.club)
    made = api.post(BOOKINGS, body(slot), **crm(slot.club, is_test=True)).json()
    booking = Booking.objects.get(pk=made["id"])

    with pytest.raises(IntegrityError) as cash:
        record_onsite(
            club_id=slot.club_id, client_id=booking.client_id, booking_id=booking.pk, amount=1, currency="RUB",
            now=now_utc(),
        )  # fmt: skip
    with pytest.raises(IntegrityError) as changed:
        Booking.objects.filter(pk=booking.pk).update(is_test=False)

    assert violated(cash.value) == "payment_of_a_test_booking_is_test"
    assert violated(changed.value) == "booking_is_test_immutable"
    assert Client().post(f"/booking/{made['token']}/pay/").status_code == 503, "the club has no test account"
