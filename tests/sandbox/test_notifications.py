"""Notifications: what is told, when again, and how faults bend it."""

from collections.abc import Callable

import pytest

from tests.bank import Bank
from tests.sandbox.conftest import Ear, eventually

HOUR, DAY = 3600, 24 * 3600
Make = Callable[..., str]


def test_each_final_or_held_state_is_told(bank: Bank, make: Make, ear: Ear) -> None:
    payment_id = make(pay=True)
    ear.wait_for(1)
    bank.api("POST", f"/payments/{payment_id}/capture", {}, key="c")
    ear.wait_for(2)
    refund = bank.refund_in_cabinet(payment_id, 5000)
    events = ear.wait_for(3)

    assert events == ["payment.waiting_for_capture", "payment.succeeded", "refund.succeeded"]
    assert [body["type"] for body in ear.heard] == ["notification"] * 3
    assert ear.heard[0]["object"]["status"] == "waiting_for_capture"  # the object as it was at that moment
    assert ear.heard[2]["object"] == refund
    assert ear.heard[2]["object"]["payment_id"] == payment_id


def test_expiry_is_told_without_anybody_calling(bank: Bank, make: Make, ear: Ear) -> None:
    make()
    bank.advance(HOUR + 1)

    assert ear.wait_for(1) == ["payment.canceled"]


def test_pending_and_canceled_refunds_are_not_told(bank: Bank, make: Make, ear: Ear) -> None:
    payment_id = make(pay=True, capture=True)
    bank.fault(on="refund", kind="refund_canceled")
    bank.refund_in_cabinet(payment_id, 100)
    bank.fault(on="refund", kind="refund_pending", seconds=HOUR, then="canceled")
    bank.refund_in_cabinet(payment_id, 100)
    bank.advance(HOUR + 1)
    bank.refund_in_cabinet(payment_id, 100)

    assert ear.wait_for(2) == ["payment.succeeded", "refund.succeeded"]
    assert [note["event"] for note in bank.notifications()] == ["payment.succeeded", "refund.succeeded"]


@pytest.mark.parametrize("refusal", [500, 404, 201, 204, 302, None])
def test_anything_but_200_is_told_again(bank: Bank, make: Make, ear: Ear, refusal: int | None) -> None:
    ear.answers = [refusal, 200]
    make(pay=True)
    ear.wait_for(1)
    eventually(lambda: bank.notifications()[0]["attempts"] == 1)
    assert bank.notifications()[0]["state"] == "queued"

    bank.advance(5)
    ear.wait_for(2)
    eventually(lambda: bank.notifications()[0]["state"] == "delivered")

    assert ear.heard[0] == ear.heard[1]


def test_the_pauses_grow(bank: Bank, make: Make, ear: Ear) -> None:
    ear.answers = [500]
    make(pay=True)
    for seconds, heard in ((3, 2), (5, 3), (9, 4)):
        eventually(lambda: bank.notifications()[0]["attempts"] == heard - 1)  # noqa: B023
        bank.advance(seconds)
        ear.wait_for(heard)

    assert ear.events() == ["payment.waiting_for_capture"] * 4


def test_redelivery_ends_after_a_day(bank: Bank, make: Make, ear: Ear) -> None:
    ear.answers = [500]
    make(pay=True, capture=True)
    ear.wait_for(1)
    bank.advance(DAY + 1)

    eventually(lambda: bank.notifications()[0]["state"] == "given_up")


def test_a_restart_goes_on_telling(bank: Bank, make: Make, ear: Ear) -> None:
    ear.answers = [500, 200]
    make(pay=True)
    eventually(lambda: bank.notifications()[0]["attempts"] == 1)
    bank.restart()
    bank.advance(5)

    ear.wait_for(2)
    eventually(lambda: bank.notifications()[0]["state"] == "delivered")


def test_a_duplicate(bank: Bank, make: Make, ear: Ear) -> None:
    bank.fault(on="notify", kind="duplicate", copies=2)
    make(pay=True)

    assert ear.wait_for(3) == ["payment.waiting_for_capture"] * 3


def test_a_missing_one(bank: Bank, make: Make, ear: Ear) -> None:
    bank.fault(on="notify", kind="missing", event="payment.waiting_for_capture")
    payment_id = make(pay=True)
    bank.api("POST", f"/payments/{payment_id}/capture", {}, key="c")

    assert ear.wait_for(1) == ["payment.succeeded"]
    assert [note["state"] for note in bank.notifications()][0] == "missing"


def test_a_late_one(bank: Bank, make: Make, ear: Ear) -> None:
    bank.fault(on="notify", kind="late", seconds=HOUR)
    payment_id = make(pay=True)
    bank.api("POST", f"/payments/{payment_id}/capture", {}, key="c")
    ear.wait_for(1)
    bank.advance(HOUR + 1)

    assert ear.wait_for(2) == ["payment.succeeded", "payment.waiting_for_capture"]


def test_a_reordered_one_comes_after_the_next(bank: Bank, make: Make, ear: Ear) -> None:
    bank.fault(on="notify", kind="reorder", seconds=HOUR)
    payment_id = make(pay=True)
    bank.api("POST", f"/payments/{payment_id}/capture", {}, key="c")

    assert ear.wait_for(2) == ["payment.succeeded", "payment.waiting_for_capture"]


def test_a_lying_one(bank: Bank, make: Make, ear: Ear) -> None:
    bank.fault(on="notify", kind="lie", set={"status": "succeeded", "amount": {"value": "9.00"}})
    payment_id = make(pay=True)
    ear.wait_for(1)

    assert ear.heard[0]["object"]["amount"] == {"value": "9.00", "currency": "RUB"}
    assert bank.payment(payment_id)["status"] == "waiting_for_capture"


def test_a_forged_one_changes_nothing_here(bank: Bank, make: Make, ear: Ear) -> None:
    payment_id = make()
    bank.notify(payment_id, event="payment.succeeded", times=2, forge={"status": "succeeded", "paid": True})

    assert ear.wait_for(2) == ["payment.succeeded"] * 2
    assert ear.heard[0]["object"]["status"] == "succeeded"
    assert bank.payment(payment_id)["status"] == "pending"


def test_one_about_nothing_we_know(bank: Bank, ear: Ear) -> None:
    bank.notify(event="payment.succeeded", object={"id": "x" * 36, "status": "succeeded"})

    ear.wait_for(1)
    assert ear.heard[0] == {
        "type": "notification",
        "event": "payment.succeeded",
        "object": {"id": "x" * 36, "status": "succeeded"},
    }


def test_a_shop_without_an_address_is_not_told(bank: Bank, make: Make) -> None:
    make(pay=True)

    assert bank.notifications()[0]["state"] == "no_address"


def test_a_dead_address_is_tried_again(bank: Bank, make: Make, ear: Ear) -> None:
    bank.notify_url = "http://127.0.0.1:9/closed"
    make(pay=True)
    eventually(lambda: bank.notifications()[0]["attempts"] >= 1)
    bank.notify_url = ear.url
    bank.advance(10)

    assert ear.wait_for(1) == ["payment.waiting_for_capture"]
