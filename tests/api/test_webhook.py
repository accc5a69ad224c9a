"""Notifications: stored, believed only after the bank has been asked, answered with 200 and nothing else."""

import json
import logging
import threading
from typing import Any

import pytest
from django.db import connection, transaction

from bookings.models import Booking
from payments.models import Payment, ProviderEvent
from tests.api.conftest import Caller, refusal
from tests.bank import Bank
from tests.play import offer, payment_of, take

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESSES = ["/api/v1/payments/yookassa/webhook", "/payments/yookassa/webhook", "/api/kuliga/payment/callback"]
ADDRESS = ADDRESSES[0]


def _notice(object_id: str, event: str = "payment.waiting_for_capture", **more: Any) -> dict[str, Any]:
    return {"type": "notification", "event": event, "object": {"id": object_id, **more}}


def _paid(bank: Bank) -> Payment:
    payment = payment_of(take(offer()))
    bank.pay(payment.provider_payment_id)
    return payment


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_notification_confirms_the_booking_at_once(api: Caller, bank: Bank, address: str) -> None:
    payment = _paid(bank)

    answer = api.post(address, _notice(str(payment.provider_payment_id)))

    assert (answer.status_code, answer.content) == (200, b"")
    assert Booking.objects.get().status == "CONFIRMED"


def test_a_repeat_is_answered_and_changes_nothing(api: Caller, bank: Bank) -> None:
    payment = _paid(bank)
    notice = _notice(str(payment.provider_payment_id))

    answers = [api.post(ADDRESS, notice).status_code for _ in range(3)]

    assert answers == [200, 200, 200]
    assert ProviderEvent.objects.get().times == 3
    assert Booking.objects.count() == 1
    assert len(bank.effects(str(payment.provider_payment_id))) == 1


def test_a_forged_success_books_nothing(api: Caller, bank: Bank) -> None:
    payment = payment_of(take(offer()))

    body = _notice(str(payment.provider_payment_id), "payment.succeeded", status="succeeded", paid=True)
    answer = api.post(ADDRESS, body)

    assert answer.status_code == 200
    assert not Booking.objects.exists()
    assert payment_of_pk(payment).status == "PENDING"


def payment_of_pk(payment: Payment) -> Payment:
    return Payment.objects.get(pk=payment.pk)


@pytest.mark.parametrize(
    "body", [_notice("nobody's"), _notice("x", "refund.succeeded", payment_id="y"), _notice("z", "new.kind")]
)
def test_a_strangers_payment_is_answered_like_ours(api: Caller, body: dict[str, Any]) -> None:
    answer = api.post(ADDRESS, body)

    assert (answer.status_code, answer.content) == (200, b"")
    assert ProviderEvent.objects.get().payment is None


def test_a_silent_bank_is_answered_200_and_asked_later(api: Caller, bank: Bank) -> None:
    payment = _paid(bank)
    bank.fault(on="get", kind="error_before", times=None)

    assert api.post(ADDRESS, _notice(str(payment.provider_payment_id))).status_code == 200
    assert ProviderEvent.objects.get().applied_at is None
    assert not Booking.objects.exists()


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "text/plain", ""])
@pytest.mark.parametrize("accept", ["*/*", "text/html", "application/xml"])
def test_what_a_bank_says_about_its_format_does_not_matter(api: Caller, kind: str, accept: str) -> None:
    answer = api.post(ADDRESS, _notice("x"), content_type=kind, accept=accept)

    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("body", [b"{", b"\xff", b"a=b", b"[" * 60_000, b'{"type": NaN}', b"[" * 200 + b"]" * 200])
def test_what_is_not_json_is_malformed(api: Caller, body: bytes) -> None:
    assert refusal(api.post(ADDRESS, body)) == (400, "malformed_request")
    assert not ProviderEvent.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        None, [], {}, 7, "text", {"type": "notification"}, {"type": "notification", "event": "e", "object": []},
        {"type": "x", "event": "e", "object": {"id": "1"}}, _notice(""), _notice("a\0b"), _notice("a" * 65), _notice("\ud800"),
        {"type": "notification", "event": None, "object": {"id": "1"}},
        {"type": "notification", "event": "payment.succeeded", "object": {"id": 7}},
        {"type": "notification", "event": "e" * 65, "object": {"id": "1"}}, _notice("1", "refund.succeeded"), b"",
    ],
)  # fmt: skip
def test_what_is_not_a_notification_is_refused(api: Caller, body: Any) -> None:
    assert refusal(api.post(ADDRESS, body)) == (400, "validation_failed")
    assert not ProviderEvent.objects.exists()


def test_what_cannot_be_stored_as_text_is_stored_all_the_same(api: Caller) -> None:
    assert api.post(ADDRESS, _notice("x", note="\0 \ud800")).status_code == 200
    assert ProviderEvent.objects.get().body == ""  # of a stranger's payment only the ids are kept


def test_64_kib_are_read_and_a_byte_more_is_not(api: Caller) -> None:
    room = 64 * 1024 - len(json.dumps(_notice("x", note="")))

    assert api.post(ADDRESS, _notice("x", note="n" * room)).status_code == 200
    assert refusal(api.post(ADDRESS, _notice("y", note="n" * (room + 1)))) == (413, "request_too_large")
    assert ProviderEvent.objects.count() == 1


@pytest.mark.parametrize("provider", ["nobody", "onsite", "%00", "YooKassa"])
def test_an_unknown_provider_is_not_found(api: Caller, provider: str) -> None:
    for start in ("/api/v1", ""):
        assert refusal(api.post(f"{start}/payments/{provider}/webhook", _notice("x"))) == (404, "not_found")


def test_a_notification_is_posted(api: Caller) -> None:
    assert refusal(api.get(ADDRESS)) == (405, "method_not_allowed")


def test_a_busy_database_asks_the_bank_to_repeat(api: Caller, bank: Bank) -> None:
    payment = _paid(bank)
    locked, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Payment.objects.select_for_update().get(pk=payment.pk)
            locked.set()
            let_go.wait(30)
        connection.close()

    crowd = threading.Thread(target=hold)
    crowd.start()
    locked.wait(10)
    try:
        answer = api.post(ADDRESS, _notice(str(payment.provider_payment_id)))
    finally:
        let_go.set()
        crowd.join()

    assert refusal(answer) == (503, "database_unavailable")
    assert answer["Retry-After"] == "5"
    assert not Booking.objects.exists()


@pytest.mark.parametrize("body", [_notice("x", note="Anna Secret"), {"note": "Anna Secret"}, b'{"note": "Anna Secret"'])
def test_bodies_are_never_logged(api: Caller, caplog: pytest.LogCaptureFixture, body: Any) -> None:
    caplog.set_level(logging.DEBUG)

    api.post(ADDRESS, body)

    told = [record.getMessage() for record in caplog.records if not record.name.startswith("django.db")]
    assert not any("Secret" in words for words in told)
