"""What locks report: kept once each, as hints; forged or garbled, it changes nothing that matters."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from access import selectors, services
from access.models import AccessGrant, Lock, LockRecord
from access.services import recording
from access.services.recording import receive_records
from bookings.models import Booking
from palms.clock import now_utc
from palms.errors import ValidationFailed
from tests import play
from tests.access.conftest import DOOR, World, booked, grant_of

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE, SECRET = timedelta(minutes=1), "a-secret-of-the-address"
ADDRESS = f"/locks/ttlock/{SECRET}"


@pytest.fixture(autouse=True)
def _callback(settings: Any) -> None:
    settings.TTLOCK_CALLBACK_SECRET = SECRET


@pytest.fixture
def booking(door: Lock) -> Booking:
    return booked(door)


def told(at: datetime, *, code: str = "111222", name: str = "", **changes: Any) -> dict[str, str]:
    record = {
        "recordType": 4,
        "success": 1,
        "keyboardPwd": code,
        "username": name,
        "lockDate": int(at.timestamp() * 1000),
    }
    return {"notifyType": "1", "lockId": str(DOOR), "records": json.dumps([record | changes])}


def post(fields: dict[str, str], address: str = ADDRESS) -> Any:
    return Client(enforce_csrf_checks=True).post(address, fields)


def test_a_code_that_opened_was_used_and_repeats_are_one(world: World, booking: Booking) -> None:
    with world.at(booking.date_from + MINUTE):
        play.run_all()
        code = services.get_access_code(booking, now_utc()).code
        fields = told(now_utc(), code=code, name=f"palms-{booking.club_id}-{grant_of(booking).pk}")
        for _time in range(2):
            answer = post(fields)
            assert (answer.status_code, answer.content) == (200, b"success")
        record = LockRecord.objects.get()
        assert (record.grant, record.opened, record.is_unbooked) == (grant_of(booking), True, False)
        assert grant_of(booking).used_at == record.at == selectors.last_opening(booking.pk)
        kept = [str(value) for value in LockRecord.objects.values_list().get()]
        assert not any(code in value for value in kept if value != record.digest), "digits are not kept"
        first = record.at
        post(told(now_utc() + MINUTE, code=code, name=""))
        assert LockRecord.objects.filter(grant__booking=booking).count() == 2, "known by its digits too"
        assert grant_of(booking).used_at == first


def test_the_sandbox_tells_what_is_typed(world: World, booking: Booking, live_server: Any) -> None:
    world.control("settings", callback_url=f"{live_server.url}{ADDRESS}")
    with world.at(booking.date_from + MINUTE):
        play.run_all()
        world.opens("000000")
        assert world.opens(services.get_access_code(booking, now_utc()).code)
        for _try in range(100):
            if LockRecord.objects.count() == 2:
                break
            time.sleep(0.05)
        assert list(LockRecord.objects.order_by("pk").values_list("opened", "is_unbooked")) == [
            (False, False),
            (True, False),
        ]
        assert grant_of(booking).used_at is not None


def test_an_opening_without_a_booking_is_noticed(booking: Booking, door: Lock) -> None:
    post(told(now_utc() - MINUTE))
    post(told(now_utc() - 2 * MINUTE, success=0))
    post(told(now_utc() - 3 * MINUTE, recordType=45))
    rows = LockRecord.objects.order_by("-at").values_list("kind", "opened", "is_unbooked")
    assert list(rows) == [(4, True, True), (4, False, False), (45, False, False)]
    assert not AccessGrant.objects.exclude(used_at=None).exists()


def test_a_forged_record_changes_no_booking_and_opens_nothing(world: World, booking: Booking) -> None:
    with world.at(booking.date_from + MINUTE):
        play.run_all()
        before = Booking.objects.values().get()
        state = grant_of(booking).state
        for name in (
            f"palms-{booking.club_id}-{grant_of(booking).pk}",
            f"palms-{booking.club_id + 1}-{grant_of(booking).pk}",
        ):
            post(told(now_utc(), name=name))
        assert Booking.objects.values().get() == before
        assert grant_of(booking).state == state
        assert LockRecord.objects.filter(grant__isnull=False).count() == 1, "another club's name is nobody's"


@pytest.mark.parametrize("secret", ["", "x", SECRET[:-1], SECRET + "x", "й"])
def test_another_address_is_not_there(booking: Booking, secret: str, settings: Any) -> None:
    assert post(told(now_utc()), f"/locks/ttlock/{secret}").status_code == 404
    settings.TTLOCK_CALLBACK_SECRET = ""
    assert post(told(now_utc())).status_code == 404
    assert not LockRecord.objects.exists()


@pytest.mark.parametrize(
    "records",
    ["", "{}", "[[]]", "[1]", "null", "[" * 50_000, '[{"recordType": 4}]', '[{"recordType": "x", "lockDate": 1}]',
     '[{"recordType": 99999999, "lockDate": 1}]', '[{"recordType": 4, "lockDate": 1e300}]', '[{"recordType": 4, "lockDate": "x"}]',
     "[" + ",".join(["{}"] * 501) + "]"],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(booking: Booking, records: str) -> None:
    with pytest.raises(ValidationFailed):
        receive_records({"notifyType": "1", "lockId": str(DOOR), "records": records})
    assert post({"notifyType": "1", "lockId": str(DOOR), "records": records}).status_code == 400
    assert not LockRecord.objects.exists()


def test_what_is_not_ours_is_passed_over(booking: Booking) -> None:
    good = told(now_utc())
    for fields in (
        {}, {"notifyType": "2"}, good | {"lockId": "5"}, told(now_utc() - timedelta(days=400)), told(now_utc() + timedelta(days=2)),
    ):  # fmt: skip
        assert post(fields).content == b"success"
    assert post(good | {"lockId": "x" * 30}).status_code == 400
    assert post(good | {"records": "x" * 300_000}).status_code == 413
    assert Client().get(ADDRESS).status_code == 405
    assert not LockRecord.objects.exists()


def test_records_are_forgotten_after_three_months(booking: Booking) -> None:
    post(told(now_utc()))
    assert recording.forget_old() == 0
    LockRecord.objects.update(received_at=now_utc() - timedelta(days=91))
    assert recording.forget_old() == 1
