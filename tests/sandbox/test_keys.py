"""Who may call, and the memory of Idempotence-Key."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.bank import Bank
from tests.sandbox.conftest import PAYMENT, web

DAY = 24 * 3600
Make = Callable[..., str]


@pytest.mark.parametrize(
    "auth",
    [
        None,
        ("100500", "wrong"),
        ("999", "test_sandbox_secret"),
        ("", ""),
        ("100500", ""),
        ("ю", "ю"),
        ("100500", "live_other_secret"),
    ],
)
def test_a_call_without_the_shops_secret_is_401(bank: Bank, auth: tuple[str, str] | None) -> None:
    response = web.get(bank.api_url + "/payments", auth=auth)

    assert response.status_code == 401
    assert response.json()["type"] == "error"
    assert response.json()["code"] == "invalid_credentials"
    assert len(response.json()["id"]) == 36


@pytest.mark.parametrize("header", ["Bearer abc", "Basic", "Basic !!!", "Basic " + "A" * 5000, "nonsense"])
def test_odd_authorization_headers_are_401(bank: Bank, header: str) -> None:
    assert web.get(bank.api_url + "/me", headers={"Authorization": header}).status_code == 401


def test_a_shop_sees_only_its_own(bank: Bank, make: Make) -> None:
    payment_id = make()

    other = web.get(f"{bank.api_url}/payments/{payment_id}", auth=("200600", "live_other_secret"))
    listed = web.get(f"{bank.api_url}/payments", auth=("200600", "live_other_secret"))

    assert other.status_code == 404
    assert listed.json()["items"] == []


def test_both_prefixes_are_one_api(bank: Bank, make: Make) -> None:
    payment_id = make()

    response = web.get(f"{bank.url}/yookassa/v3/payments/{payment_id}", auth=(bank.shop_id, bank.secret))

    assert response.json()["id"] == payment_id


@pytest.mark.parametrize("key", [None, "", "x" * 65, "a b", "ключ".encode().decode("latin-1"), "a/b", "a:b"])
def test_a_post_needs_a_proper_key(bank: Bank, key: str | None) -> None:
    headers = {} if key is None else {b"Idempotence-Key": key.encode("latin-1")}
    response = web.post(bank.api_url + "/payments", json=PAYMENT, headers=headers, auth=(bank.shop_id, bank.secret))

    assert response.status_code == 400
    assert response.json()["code"] == "invalid_request"
    assert response.json()["parameter"] == "Idempotence-Key"
    assert bank.state()["payments"] == []


@pytest.mark.parametrize("key", ["x", "x" * 64, "Az09+-_."])
def test_the_allowed_keys(bank: Bank, key: str) -> None:
    assert bank.api("POST", "/payments", PAYMENT, key=key).status_code == 200


def test_the_same_key_and_data_give_the_original_answer(bank: Bank) -> None:
    first = bank.api("POST", "/payments", PAYMENT, key="k")
    bank.pay(first.json()["id"])
    again = bank.api("POST", "/payments", dict(reversed(PAYMENT.items())), key="k")

    assert again.json() == first.json()
    assert [call["outcome"] for call in bank.calls("POST")] == ["executed", "replayed"]
    assert len(bank.state()["payments"]) == 1


def test_the_same_key_with_other_data_is_refused(bank: Bank) -> None:
    bank.api("POST", "/payments", PAYMENT, key="k")
    other = bank.api("POST", "/payments", PAYMENT | {"description": "other"}, key="k")

    assert other.status_code == 400
    assert (other.json()["code"], other.json()["parameter"]) == ("invalid_request", "Idempotence-Key")
    assert other.json()["description"] == "Idempotence key duplicated"
    assert len(bank.state()["payments"]) == 1


def test_the_same_key_at_another_address_is_refused(bank: Bank, make: Make) -> None:
    payment_id = make(pay=True)
    bank.api("POST", f"/payments/{payment_id}/capture", {}, key="k")

    assert bank.api("POST", f"/payments/{payment_id}/cancel", {}, key="k").json()["parameter"] == "Idempotence-Key"


def test_two_shops_may_use_one_key(bank: Bank) -> None:
    bank.api("POST", "/payments", PAYMENT, key="k")
    other = web.post(
        bank.api_url + "/payments", json=PAYMENT, headers={"Idempotence-Key": "k"}, auth=("200600", "live_other_secret")
    )

    assert other.status_code == 200
    assert other.json()["test"] is False
    assert len(bank.state()["payments"]) == 2


def test_a_refusal_is_remembered_too(bank: Bank, make: Make) -> None:
    payment_id = make()
    first = bank.api("POST", f"/payments/{payment_id}/capture", {}, key="k")
    bank.pay(payment_id)
    again = bank.api("POST", f"/payments/{payment_id}/capture", {}, key="k")

    assert (first.status_code, again.status_code) == (400, 400)
    assert again.json() == first.json()
    assert bank.money(payment_id)["captured"] == 0


@pytest.mark.parametrize(("seconds", "payments"), [(DAY - 5, 1), (DAY + 1, 2)])
def test_a_key_lives_24_hours(bank: Bank, seconds: int, payments: int) -> None:
    bank.api("POST", "/payments", PAYMENT, key="k")
    bank.advance(seconds)
    bank.api("POST", "/payments", PAYMENT, key="k")

    assert len(bank.state()["payments"]) == payments


def test_many_calls_at_once_with_one_key_execute_once(bank: Bank) -> None:
    gate = threading.Barrier(8)

    def call(_: int) -> str:
        gate.wait()
        payment_id: str = bank.api("POST", "/payments", PAYMENT, key="race").json()["id"]
        return payment_id

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(call, range(8)))

    assert len(ids) == 1
    assert len(bank.state()["payments"]) == 1


def test_many_refunds_at_once_never_return_more_than_was_taken(bank: Bank, make: Make) -> None:
    payment_id = make(pay=True, capture=True)
    body = {"payment_id": payment_id, "amount": {"value": "400.00", "currency": "RUB"}}

    with ThreadPoolExecutor(6) as pool:
        codes = list(pool.map(lambda n: bank.api("POST", "/refunds", body, key=f"r{n}").status_code, range(6)))

    assert sorted(codes) == [200, 200, 400, 400, 400, 400]
    assert bank.money(payment_id)["refunded"] == 80000
