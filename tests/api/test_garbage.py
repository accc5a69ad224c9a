"""What cannot be read, or cannot be had: a documented code for each, and nothing written."""

import json
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest

from bookings.models import Booking
from clients.models import Client
from palms.api import StrictJson
from palms.clock import now_utc
from palms.problems import RequestTooLarge
from payments.models import Payment
from slots.models import Claim
from tests.api.conftest import Caller, order, refusal
from tests.factories import SlotFactory
from tests.play import offer

pytestmark = pytest.mark.django_db
INDIVIDUAL, GROUP = "/api/v1/site/bookings/individual", "/api/v1/site/bookings/group"
OLD_INDIVIDUAL, OLD_GROUP = "/api/kuliga/bookings/individual", "/api/kuliga/bookings/group"


def _nothing_was_written() -> bool:
    return not (
        Payment.objects.exists() or Booking.objects.exists() or Claim.objects.exists() or Client.objects.exists()
    )


def test_older_addresses_name_their_own_fields(api: Caller) -> None:
    body = {"client_name": "A", "client_phone": "12", "client_email": "no", "group_training_id": offer().pk}

    answer = api.post(OLD_GROUP, body)

    assert refusal(answer) == (400, "validation_failed")
    assert set(answer.json()["errors"]) == {"client_name", "client_phone", "client_email"}
    assert set(api.post(OLD_INDIVIDUAL, {}).json()["errors"]) == {
        "slot_id", "client_name", "client_phone", "client_email",
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/api/v1/site/bookings/program", "/api/kuliga/bookings/program"])
def test_programs_are_not_there_yet(api: Caller, path: str) -> None:
    assert refusal(api.post(path, order(offer().pk))) == (404, "not_found")


@pytest.mark.parametrize("key", ["", "k" * 256, "a\x7fb", "a\xa0b"])
def test_a_key_must_be_printable_and_not_too_long(api: Caller, key: str) -> None:
    answer = api.post(INDIVIDUAL, order(offer().pk), idempotency_key=key)

    assert refusal(answer) == (400, "validation_failed")
    assert list(answer.json()["errors"]) == ["Idempotency-Key"]
    assert _nothing_was_written()


@pytest.mark.parametrize("token", ["nobody", "%00", "%FF", "x" * 3000, "1"])
@pytest.mark.parametrize(
    "path", ["/api/v1/site/checkouts/{}", "/api/v1/site/checkouts/{}?look=1", "/api/v1/user/bookings/{}"]
)
def test_an_unknown_token_is_not_found(api: Caller, path: str, token: str) -> None:
    assert refusal(api.get(path.format(token))) == (404, "not_found")


def test_an_unknown_and_a_hidden_slot_are_not_found(api: Caller) -> None:
    hidden = offer(club__is_public=False)

    assert refusal(api.post(INDIVIDUAL, order(2**63 - 1))) == (404, "not_found")
    assert refusal(api.post(INDIVIDUAL, order(hidden.pk))) == (404, "not_found")
    assert _nothing_was_written()


def test_a_slot_that_has_begun_is_a_conflict(api: Caller) -> None:
    slot = offer(start=now_utc() - timedelta(minutes=1))

    assert refusal(api.post(INDIVIDUAL, order(slot.pk))) == (409, "slot_in_past")
    assert _nothing_was_written()


def test_more_people_than_places_is_a_conflict(api: Caller) -> None:
    assert refusal(api.post(GROUP, order(offer(capacity=3).pk, participants_count=4))) == (409, "slot_taken")
    assert _nothing_was_written()


def test_a_club_without_an_account_takes_no_payments(api: Caller) -> None:
    answer = api.post(INDIVIDUAL, order(SlotFactory().pk))

    assert refusal(answer) == (503, "provider_unavailable")
    assert answer["Retry-After"] == "5"
    assert _nothing_was_written()


def _with(path: str, value: object) -> dict[str, Any]:
    body = order(1)
    where, _sep, name = path.rpartition(".")
    (body[where] if where else body)[name] = value
    return body


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slot_id", None), ("slot_id", "1"), ("slot_id", 1.0), ("slot_id", True), ("slot_id", 0), ("slot_id", -1),
        ("slot_id", 2**63), ("slot_id", 10**400), ("slot_id", []), ("slot_id", {}), ("slot_id", 1e400),
        ("client", None), ("client", "Anna"), ("client", []), ("client", 7),
        ("client.full_name", None), ("client.full_name", ""), ("client.full_name", " "), ("client.full_name", 7),
        ("client.full_name", "A"), ("client.full_name", True), ("client.full_name", "a\0b"),
        ("client.full_name", "a" * 10_000), ("client.full_name", "a\ud800b"), ("client.full_name", ["Anna"]),
        ("client.phone", None), ("client.phone", ""), ("client.phone", 79123456789), ("client.phone", "+7" * 5000),
        ("client.phone", "12"), ("client.phone", "abc"), ("client.phone", "+79123456789\0"), ("client.phone", {}),
        ("client.email", None), ("client.email", ""), ("client.email", "anna"), ("client.email", "a@b@c"),
        ("client.email", "a" * 10_000 + "@example.com"), ("client.email", "a\0@example.com"), ("client.email", []),
        ("client.email", "anna@example.com\nBcc: x@example.com"),
        ("client.birth_date", ""), ("client.birth_date", 20010203), ("client.birth_date", "03.02.2001"),
        ("client.birth_date", "2001-02-30"), ("client.birth_date", "20010203"), ("client.birth_date", "2001-02-03T00:00"),
        ("client.birth_date", "1899-12-31"), ("client.birth_date", "2999-01-01"), ("client.birth_date", "0000-00-00"),
        ("client.birth_date", []), ("client.birth_date", True),
        ("participants_count", None), ("participants_count", 0), ("participants_count", -1),
        ("participants_count", 1001), ("participants_count", 10**30), ("participants_count", "1"),
        ("participants_count", 1.5), ("participants_count", False), ("participants_count", [1]),
        ("participants_names", None), ("participants_names", 7), ("participants_names", {"0": "A"}),
        ("participants_names", ["A", "B"]), ("participants_names", ["A"] * 1001),
    ],
)  # fmt: skip
def test_garbage_is_refused_by_field_and_writes_nothing(api: Caller, field: str, value: object) -> None:
    body = _with(field, value)
    if field != "slot_id":
        body["slot_id"] = offer().pk

    answer = api.post(INDIVIDUAL, json.dumps(body).replace("Infinity", "1e400").encode())

    assert refusal(answer) == (400, "validation_failed")
    assert list(answer.json()["errors"]) == [field]
    assert all(isinstance(words, list) and words for words in answer.json()["errors"].values())
    assert _nothing_was_written()


@pytest.mark.parametrize("value", [7, None, "a" * 10_000, "a\0b", {}, [[]]])
def test_a_garbage_name_is_refused_by_its_place(api: Caller, value: object) -> None:
    answer = api.post(GROUP, order(offer(capacity=3).pk, participants_count=2, participants_names=["Иван", value]))

    assert refusal(answer) == (400, "validation_failed")
    assert list(answer.json()["errors"]) == ["participants_names.1"]
    assert _nothing_was_written()


def test_everything_wrong_is_named_at_once(api: Caller) -> None:
    who = {"full_name": "A", "phone": "1", "email": "x"}

    answer = api.post(INDIVIDUAL, order(offer().pk, client=who), idempotency_key="k")

    assert set(answer.json()["errors"]) == {"client.full_name", "client.phone", "client.email"}
    assert set(api.post(INDIVIDUAL, {}).json()["errors"]) == {"slot_id", "client"}


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"7", b"null", b"true", b'[{"slot_id": 1}]'])
def test_what_is_not_an_object_is_refused(api: Caller, body: bytes) -> None:
    answer = api.post(INDIVIDUAL, body)

    assert refusal(answer) == (400, "validation_failed")
    assert list(answer.json()["errors"]) == ["body"]


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"slot_id=1", b"{'slot_id': 1}", b'{"slot_id": NaN}', b'{"slot_id": Infinity}', b'{"slot_id": 01}', b"\xff\xfe",
        b'{"slot_id": 1, "slot_id": 2}', b'{"client": {"phone": "1", "phone": "1"}}',
        b'{"a": "\xff"}', b'{"a": "\xed\xa0\x80"}', b"\xef\xbb\xbf{}", "{}".encode("utf-16"), b'{"a": "\0"}', b"\0",
        b'{"slot_id": ' + b"9" * 5000 + b"}", b"[" * 33 + b"]" * 33, b"[" * 400_000, b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    ],
)  # fmt: skip
def test_what_is_not_json_is_malformed(api: Caller, body: bytes) -> None:
    assert refusal(api.post(INDIVIDUAL, body)) == (400, "malformed_request")


def test_a_body_beyond_a_megabyte_is_too_large(api: Caller) -> None:
    answer = api.post(INDIVIDUAL, b'{"a": "' + b"x" * 1_000_000 + b'"}')

    assert refusal(answer) == (413, "request_too_large")


def test_who_still_writes_ten_megabytes_is_let_finish() -> None:
    """Cut off in the middle, a client that does not keep its connection sees a broken pipe and no code."""
    stream = BytesIO(b'{"a": "' + b"x" * 10_000_000 + b'"}')

    with pytest.raises(RequestTooLarge):
        StrictJson().parse(stream)

    assert stream.read(1) == b""


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""]
)
def test_only_json_is_read(api: Caller, kind: str) -> None:
    assert refusal(api.post(INDIVIDUAL, b"slot_id=1", content_type=kind)) == (415, "unsupported_media_type")


def test_only_json_is_written(api: Caller) -> None:
    assert refusal(api.post(INDIVIDUAL, {}, accept="application/xml")) == (406, "not_acceptable")


def test_a_checkout_is_posted(api: Caller) -> None:
    answer = api.get(INDIVIDUAL)

    assert refusal(answer) == (405, "method_not_allowed")
    assert "POST" in answer["Allow"]
