"""How payments and refunds live: stages, limits, the clock."""

from collections.abc import Callable

import pytest

from tests.bank import Bank
from tests.sandbox.conftest import PAYMENT

HOUR, DAY = 3600, 24 * 3600
Make = Callable[..., str]


def rub(value: str) -> dict[str, dict[str, str]]:
    return {"amount": {"value": value, "currency": "RUB"}}


def test_a_new_payment_waits_for_its_payer(bank: Bank) -> None:
    made = bank.api("POST", "/payments", PAYMENT, key="k").json()

    assert len(made["id"]) == 36
    assert made["status"] == "pending"
    assert made["amount"] == {"value": "1000.00", "currency": "RUB"}
    assert made["confirmation"]["confirmation_url"] == f"{bank.url}/pay/{made['id']}"
    assert made["recipient"]["account_id"] == "100500"
    assert made["metadata"] == {"booking": "17"}
    assert (made["paid"], made["test"], made["refundable"]) == (False, True, False)
    assert made["created_at"].endswith("Z")
    assert not {"expires_at", "payment_method", "captured_at", "refunded_amount", "cancellation_details"} & set(made)


def test_two_stages_hold_then_take(bank: Bank, make: Make) -> None:
    payment_id = make()
    held = bank.pay(payment_id)
    taken = bank.api("POST", f"/payments/{payment_id}/capture", {}, key="c").json()

    assert (held["status"], held["paid"], held["refundable"]) == ("waiting_for_capture", True, False)
    assert "confirmation" not in held
    assert held["payment_method"]["card"]["first6"] == "411111"
    assert held["payment_method"]["card"]["last4"] == "1111"
    assert held["authorization_details"]["three_d_secure"] == {"applied": False}
    assert (taken["status"], taken["paid"], taken["refundable"]) == ("succeeded", True, True)
    assert taken["captured_at"].endswith("Z")
    assert taken["income_amount"] == {"value": "965.00", "currency": "RUB"}
    assert bank.effects(payment_id) == [("held", 100000), ("captured", 100000)]


def test_one_stage_takes_at_once(bank: Bank, make: Make) -> None:
    payment_id = make(capture=True)

    assert bank.pay(payment_id)["status"] == "succeeded"
    assert bank.effects(payment_id) == [("captured", 100000)]


def test_the_default_is_two_stages(bank: Bank) -> None:
    body = {name: value for name, value in PAYMENT.items() if name != "capture"}
    payment_id = bank.api("POST", "/payments", body, key="k").json()["id"]

    assert bank.pay(payment_id)["status"] == "waiting_for_capture"


@pytest.mark.parametrize(("shows", "value"), [("captured", "600.00"), ("original", "1000.00")])
def test_a_partial_capture_releases_the_rest(bank: Bank, make: Make, shows: str, value: str) -> None:
    bank.shop(partial_amount=shows)
    payment_id = make(pay=True)
    taken = bank.api("POST", f"/payments/{payment_id}/capture", rub("600.00"), key="c").json()

    assert taken["amount"]["value"] == value
    assert bank.effects(payment_id) == [("held", 100000), ("captured", 60000), ("voided", 40000)]
    money = bank.money(payment_id)
    assert (money["held"], money["captured"], money["voided"], money["refundable"]) == (0, 60000, 40000, 60000)


@pytest.mark.parametrize("value", ["1000.01", "0.00"])
def test_a_capture_is_above_zero_and_within_the_hold(bank: Bank, make: Make, value: str) -> None:
    payment_id = make(pay=True)

    assert bank.api("POST", f"/payments/{payment_id}/capture", rub(value), key="c").status_code == 400
    assert bank.money(payment_id)["held"] == 100000


def test_cancel_returns_the_hold(bank: Bank, make: Make) -> None:
    payment_id = make(pay=True)
    canceled = bank.api("POST", f"/payments/{payment_id}/cancel", key="c").json()

    assert canceled["status"] == "canceled"
    assert canceled["cancellation_details"] == {"party": "merchant", "reason": "canceled_by_merchant"}
    assert canceled["paid"] is False
    assert bank.effects(payment_id) == [("held", 100000), ("voided", 100000)]


def _pending(bank: Bank, make: Make) -> str:
    return make()


def _taken(bank: Bank, make: Make) -> str:
    return make(pay=True, capture=True)


def _canceled(bank: Bank, make: Make) -> str:
    payment_id = make(pay=True)
    bank.api("POST", f"/payments/{payment_id}/cancel", key="end")
    return payment_id


@pytest.mark.parametrize("step", ["capture", "cancel"])
@pytest.mark.parametrize("state", [_pending, _taken, _canceled])
def test_only_a_hold_can_be_captured_or_cancelled(
    bank: Bank, make: Make, state: Callable[[Bank, Make], str], step: str
) -> None:
    payment_id = state(bank, make)
    before = bank.payment(payment_id)["object"]
    response = bank.api("POST", f"/payments/{payment_id}/{step}", {}, key="k")

    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")
    assert bank.payment(payment_id)["object"] == before


@pytest.mark.parametrize("state", [_pending, _canceled])
def test_only_taken_money_is_refunded(bank: Bank, make: Make, state: Callable[[Bank, Make], str]) -> None:
    payment_id = state(bank, make)

    response = bank.api("POST", "/refunds", {"payment_id": payment_id, **rub("1.00")}, key="r")

    assert (response.status_code, response.json()["parameter"]) == (400, "payment_id")


def test_a_hold_is_not_refunded(bank: Bank, make: Make) -> None:
    payment_id = make(pay=True)

    assert bank.api("POST", "/refunds", {"payment_id": payment_id, **rub("1.00")}, key="r").status_code == 400


def test_refunds_stop_at_what_was_taken(bank: Bank, make: Make) -> None:
    payment_id = make(pay=True)
    bank.api("POST", f"/payments/{payment_id}/capture", rub("600.00"), key="c")
    answers = [
        bank.api("POST", "/refunds", {"payment_id": payment_id, **rub(v)}, key=v)
        for v in ("500.00", "100.01", "100.00", "0.01")
    ]
    payment = bank.api("GET", f"/payments/{payment_id}").json()

    assert [answer.status_code for answer in answers] == [200, 400, 200, 400]
    assert answers[1].json()["parameter"] == "amount"
    assert (payment["status"], payment["refundable"]) == ("succeeded", False)
    assert payment["refunded_amount"] == {"value": "600.00", "currency": "RUB"}


def test_a_refund_carries_our_words(bank: Bank, make: Make) -> None:
    payment_id = make(pay=True, capture=True)
    body = {"payment_id": payment_id, "description": "дождь", "metadata": {"intent": "9"}, **rub("10.00")}
    made = bank.api("POST", "/refunds", body, key="r").json()

    assert len(made["id"]) == 36
    assert (made["status"], made["description"], made["metadata"]) == ("succeeded", "дождь", {"intent": "9"})
    assert bank.api("GET", f"/refunds/{made['id']}").json() == made


def test_people_refund_in_the_cabinet(bank: Bank, make: Make) -> None:
    payment_id = make(pay=True, capture=True)
    made = bank.refund_in_cabinet(payment_id, 30000)

    assert bank.api("GET", "/refunds", None).json()["items"][0]["id"] == made["id"]
    assert bank.money(payment_id)["net"] == 70000


def test_a_refund_may_be_refused_at_the_end(bank: Bank, make: Make) -> None:
    payment_id = make(pay=True, capture=True)
    bank.fault(on="refund", kind="refund_canceled")
    body = {"payment_id": payment_id, **rub("10.00")}
    refused = bank.api("POST", "/refunds", body, key="r1").json()
    again = bank.api("POST", "/refunds", body, key="r2").json()

    assert refused["status"] == "canceled"
    assert refused["cancellation_details"] == {"party": "yoo_money", "reason": "insufficient_funds"}
    assert again["status"] == "succeeded"
    assert bank.money(payment_id)["refunded"] == 1000


@pytest.mark.parametrize(("then", "refunded"), [("succeeded", 100000), ("canceled", 0)])
def test_a_refund_may_take_its_time(bank: Bank, make: Make, then: str, refunded: int) -> None:
    payment_id = make(pay=True, capture=True)
    bank.fault(on="refund", kind="refund_pending", seconds=600, then=then)
    made = bank.api("POST", "/refunds", {"payment_id": payment_id, **rub("1000.00")}, key="r").json()
    more = bank.api("POST", "/refunds", {"payment_id": payment_id, **rub("1.00")}, key="r2")

    assert (made["status"], "cancellation_details" in made) == ("pending", False)
    assert more.status_code == 400  # what is under way is spent
    assert bank.money(payment_id)["refunded"] == 0

    bank.advance(601)

    assert bank.api("GET", f"/refunds/{made['id']}").json()["status"] == then
    assert bank.money(payment_id)["refunded"] == refunded


@pytest.mark.parametrize(("seconds", "status"), [(HOUR - 5, "pending"), (HOUR + 1, "canceled")])
def test_the_payer_has_an_hour(bank: Bank, make: Make, seconds: int, status: str) -> None:
    payment_id = make()
    bank.advance(seconds)
    found = bank.api("GET", f"/payments/{payment_id}").json()

    assert found["status"] == status
    if status == "canceled":
        assert found["cancellation_details"] == {"party": "yoo_money", "reason": "expired_on_confirmation"}
        assert bank.effects(payment_id) == []


@pytest.mark.parametrize(("seconds", "status"), [(7 * DAY - 5, "waiting_for_capture"), (7 * DAY + 1, "canceled")])
def test_a_hold_lives_seven_days(bank: Bank, make: Make, seconds: int, status: str) -> None:
    payment_id = make(pay=True)
    bank.advance(seconds)
    found = bank.api("GET", f"/payments/{payment_id}").json()

    assert found["status"] == status
    if status == "canceled":
        assert found["cancellation_details"] == {"party": "yoo_money", "reason": "expired_on_capture"}
        assert bank.effects(payment_id) == [("held", 100000), ("voided", 100000)]


def test_a_dead_hold_is_not_captured(bank: Bank, make: Make) -> None:
    payment_id = make(pay=True)
    bank.advance(7 * DAY + 1)

    assert bank.api("POST", f"/payments/{payment_id}/capture", {}, key="c").status_code == 400
    assert bank.money(payment_id)["captured"] == 0


def test_people_can_end_a_payment_without_moving_the_clock(bank: Bank, make: Make) -> None:
    assert bank.expire(make())["cancellation_details"]["reason"] == "expired_on_confirmation"
    assert bank.expire(make(pay=True))["cancellation_details"]["reason"] == "expired_on_capture"


def test_a_restart_keeps_everything(bank: Bank, make: Make) -> None:
    payment_id = make(pay=True)
    bank.advance(60)
    bank.fault(on="capture", kind="error_before", times=3)
    before = bank.state()
    bank.restart(kill=True)
    after = bank.state()

    assert {k: v for k, v in after.items() if k != "now"} == {k: v for k, v in before.items() if k != "now"}
    assert after["now"] > before["now"]
    assert bank.money(payment_id)["held"] == 100000


def test_totals_add_up(bank: Bank, make: Make) -> None:
    make(pay=True)
    taken = make(pay=True, capture=True)
    bank.refund_in_cabinet(taken, 25000)

    totals = bank.state()["totals"]

    assert totals == {
        "amount": 200000,
        "held": 100000,
        "captured": 100000,
        "refunded": 25000,
        "voided": 0,
        "net": 75000,
    }
