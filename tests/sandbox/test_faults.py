"""Each fault does what its name says, as often as it was told, and the truth stays what it is."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.bank import Bank
from tests.sandbox.conftest import PAYMENT, eventually, web

Make = Callable[..., str]


def capture(bank: Bank, payment_id: str, key: str = "c", timeout: float = 10) -> httpx.Response:
    return bank.api("POST", f"/payments/{payment_id}/capture", {}, key=key, timeout=timeout)


@pytest.mark.parametrize(("kind", "captured"), [("error_before", 0), ("error_after", 100000)])
def test_a_500_before_or_after_the_effect(bank: Bank, make: Make, kind: str, captured: int) -> None:
    payment_id = make(pay=True)
    bank.fault(on="capture", kind=kind)
    failed = capture(bank, payment_id)

    assert (failed.status_code, failed.json()["code"]) == (500, "internal_server_error")
    assert bank.money(payment_id)["captured"] == captured

    assert capture(bank, payment_id).json()["status"] == "succeeded"
    assert bank.effects(payment_id) == [("held", 100000), ("captured", 100000)]


@pytest.mark.parametrize(("kind", "captured"), [("drop_before", 0), ("drop_after", 100000)])
def test_a_dropped_connection(bank: Bank, make: Make, kind: str, captured: int) -> None:
    payment_id = make(pay=True)
    bank.fault(on="capture", kind=kind)

    with pytest.raises(httpx.RemoteProtocolError):
        capture(bank, payment_id)

    assert bank.money(payment_id)["captured"] == captured
    assert bank.calls(path="/capture")[0]["status"] is None
    assert capture(bank, payment_id).json()["status"] == "succeeded"
    assert bank.effects(payment_id) == [("held", 100000), ("captured", 100000)]


@pytest.mark.parametrize(("kind", "captured"), [("silence", 0), ("silence_after", 100000)])
def test_silence(bank: Bank, make: Make, kind: str, captured: int) -> None:
    payment_id = make(pay=True)
    bank.fault(on="capture", kind=kind, seconds=1.5)

    with pytest.raises(httpx.ReadTimeout):
        capture(bank, payment_id, timeout=0.4)

    assert bank.money(payment_id)["captured"] == captured
    assert capture(bank, payment_id).json()["status"] == "succeeded"
    assert bank.effects(payment_id) == [("held", 100000), ("captured", 100000)]


@pytest.mark.parametrize("kind", ["delay", "delay_after"])
def test_a_delay_then_the_truth(bank: Bank, make: Make, kind: str) -> None:
    payment_id = make(pay=True)
    bank.fault(on="capture", kind=kind, seconds=0.6)
    started = time.monotonic()

    assert capture(bank, payment_id).json()["status"] == "succeeded"
    assert time.monotonic() - started >= 0.6


def test_a_gateways_html(bank: Bank, make: Make) -> None:
    payment_id = make(pay=True)
    bank.fault(on="capture", kind="html_502")
    bank.fault(on="capture", kind="html_502", effect=True)

    assert (capture(bank, payment_id).status_code, bank.money(payment_id)["captured"]) == (502, 0)
    second = capture(bank, payment_id)
    assert (second.headers["content-type"], bank.money(payment_id)["captured"]) == ("text/html; charset=utf-8", 100000)


def test_processing_is_over_when_the_same_key_returns(bank: Bank, make: Make) -> None:
    payment_id = make(pay=True)
    bank.fault(on="capture", kind="processing_202", times=None)
    first = capture(bank, payment_id)

    assert (first.status_code, first.json()["type"], first.json()["retry_after"]) == (202, "processing", 1800)
    assert capture(bank, payment_id).json()["status"] == "succeeded"
    assert capture(bank, payment_id, key="other").status_code == 202


def test_too_many(bank: Bank, make: Make) -> None:
    payment_id = make(pay=True)
    bank.fault(on="capture", kind="too_many_429", retry_after=500)
    refused = capture(bank, payment_id)

    assert (refused.status_code, refused.json()["code"], refused.json()["retry_after"]) == (
        429,
        "too_many_requests",
        500,
    )
    assert capture(bank, payment_id).status_code == 200


def test_garbled_json(bank: Bank, make: Make) -> None:
    payment_id = make(pay=True)
    bank.fault(on="capture", kind="garbled")
    broken = capture(bank, payment_id)

    assert broken.status_code == 200
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        broken.json()
    assert bank.money(payment_id)["captured"] == 100000


def test_a_lie_changes_only_the_answer(bank: Bank, make: Make) -> None:
    payment_id = make(pay=True)
    lie = {"amount": {"value": "1.00"}, "test": False, "recipient": {"account_id": "666"}, "paid": None}
    bank.fault(on="get", kind="lie", set=lie)
    told = bank.api("GET", f"/payments/{payment_id}").json()
    truth = bank.api("GET", f"/payments/{payment_id}").json()

    assert told["amount"] == {"value": "1.00", "currency": "RUB"}
    assert (told["test"], told["recipient"]["account_id"], "paid" in told) == (False, "666", False)
    assert (truth["amount"]["value"], truth["test"], truth["paid"]) == ("1000.00", True, True)


def test_a_lie_about_a_creation_is_not_remembered(bank: Bank) -> None:
    bank.fault(on="create", kind="lie", set={"amount": {"currency": "USD"}})
    told = bank.api("POST", "/payments", PAYMENT, key="k").json()
    truth = bank.api("POST", "/payments", PAYMENT, key="k").json()

    assert (told["amount"]["currency"], truth["amount"]["currency"], told["id"] == truth["id"]) == ("USD", "RUB", True)


def test_a_refusal_stays_with_its_key(bank: Bank, make: Make) -> None:
    payment_id = make(pay=True)
    bank.fault(on="capture", kind="refuse", code="forbidden", status=403, description="no")
    refused = capture(bank, payment_id)

    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert capture(bank, payment_id).json() == refused.json()
    assert capture(bank, payment_id, key="new").json()["status"] == "succeeded"


@pytest.mark.parametrize("on", ["create", "list", "get", "me", "any"])
def test_a_fault_hits_only_what_it_names(bank: Bank, make: Make, on: str) -> None:
    payment_id = make()
    bank.fault(on=on, kind="error_before", times=None)
    answers = {
        "create": bank.api("POST", "/payments", PAYMENT, key="k").status_code,
        "list": bank.api("GET", "/payments").status_code,
        "get": bank.api("GET", f"/payments/{payment_id}").status_code,
        "me": bank.api("GET", "/me").status_code,
    }

    assert answers == {name: 500 if on in (name, "any") else 200 for name in answers}


def test_a_fault_ends_after_its_times_and_may_wait_for_its_turn(bank: Bank) -> None:
    bank.fault(on="me", kind="error_before", times=2, skip=1)

    assert [bank.api("GET", "/me").status_code for _ in range(4)] == [200, 500, 500, 200]
    assert bank.state()["faults"][0]["hits"] == 2


def test_a_fault_may_wait_for_one_payment(bank: Bank, make: Make) -> None:
    spared, hit = make(), make()
    bank.fault(on="get", kind="error_before", payment_id=hit)

    assert bank.api("GET", f"/payments/{spared}").status_code == 200
    assert bank.api("GET", f"/payments/{hit}").status_code == 500


def test_faults_are_cleared(bank: Bank) -> None:
    bank.fault(kind="error_before", times=None)
    bank.clear_faults()

    assert bank.api("GET", "/me").status_code == 200
    assert bank.state()["faults"] == []


def test_a_silent_call_does_not_hold_up_a_stop(bank: Bank) -> None:
    bank.fault(on="me", kind="silence", seconds=60)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(bank.api, "GET", "/me")
        eventually(lambda: bank.state()["faults"][0]["hits"] == 1)
        started = time.monotonic()
        bank.restart()

        assert time.monotonic() - started < 3
        with pytest.raises(httpx.RemoteProtocolError):
            waiting.result()


def test_a_fault_with_no_chance_never_strikes(bank: Bank) -> None:
    bank.fault(on="me", kind="error_before", times=None, probability=0)

    assert {bank.api("GET", "/me").status_code for _ in range(5)} == {200}


@pytest.mark.parametrize(
    "fault",
    [
        {}, {"kind": "nonsense"}, {"on": "moon", "kind": "delay"},
        {"kind": "delay", "seconds": "1"}, {"kind": "delay", "seconds": -1},
        {"kind": "delay", "times": -1}, {"kind": "delay", "times": 1.5}, {"kind": "delay", "probability": 2},
        {"kind": "delay", "odd": 1},
        {"on": "notify", "kind": "delay"}, {"on": "create", "kind": "refund_pending"}, {"kind": "refuse", "status": 200},
        {"on": ["any"], "kind": "delay"}, {"on": {}, "kind": {}}, {"kind": "lie", "set": 5},
    ],
)  # fmt: skip
def test_an_impossible_fault_is_refused(bank: Bank, fault: dict[str, object]) -> None:
    answer = web.post(f"{bank.url}/_control/faults", json=fault)

    assert answer.status_code == 400
    assert "error" in answer.json()
    assert bank.state()["faults"] == []
