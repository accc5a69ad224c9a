"""What the API refuses, field by field, and that garbage never breaks it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.bank import Bank
from tests.sandbox.conftest import PAYMENT, web

Make = Callable[..., str]
ITEM = {"description": "Корт", "quantity": 1, "amount": {"value": "1000.00", "currency": "RUB"}, "vat_code": 1}
RECEIPT = {"customer": {"email": "a@palms.test"}, "items": [ITEM]}
LONG = "x" * 3000


def amount(value: object, currency: object = "RUB") -> dict[str, Any]:
    return {"amount": {"value": value, "currency": currency}}


BAD_PAYMENTS: list[tuple[dict[str, Any], str]] = [
    ({"amount": None}, "amount"),
    ({"amount": "100.00"}, "amount"),
    ({"amount": []}, "amount"),
    ({"amount": {"value": "1.00", "currency": "RUB", "x": 1}}, "amount"),
    (amount(1000), "amount.value"),
    (amount(1000.0), "amount.value"),
    (amount("1000"), "amount.value"),
    (amount("1000.0"), "amount.value"),
    (amount("1000.000"), "amount.value"),
    (amount("1,000.00"), "amount.value"),
    (amount("1000,00"), "amount.value"),
    (amount("-5.00"), "amount.value"),
    (amount("+5.00"), "amount.value"),
    (amount(" 5.00"), "amount.value"),
    (amount("5.00\n"), "amount.value"),
    (amount("05.00"), "amount.value"),
    (amount("٥.00"), "amount.value"),
    (amount("1e3"), "amount.value"),
    (amount("NaN"), "amount.value"),
    (amount(""), "amount.value"),
    (amount(None), "amount.value"),
    (amount("9" * 500 + ".00"), "amount.value"),
    (amount("0.99"), "amount.value"),
    (amount("350000.01"), "amount.value"),
    (amount("100.00", "USD"), "amount.currency"),
    (amount("100.00", None), "amount.currency"),
    (amount("100.00", "rub"), "amount.currency"),
    ({"capture": "true"}, "capture"),
    ({"capture": 1}, "capture"),
    ({"capture": None}, "capture"),
    ({"confirmation": "redirect"}, "confirmation"),
    ({"confirmation": {}}, "confirmation.type"),
    ({"confirmation": {"type": "embedded"}}, "confirmation.type"),
    ({"confirmation": {"type": ["redirect"]}}, "confirmation.type"),
    ({"confirmation": {"type": "redirect"}}, "confirmation.return_url"),
    ({"confirmation": {"type": "redirect", "return_url": ""}}, "confirmation.return_url"),
    ({"confirmation": {"type": "redirect", "return_url": "/back"}}, "confirmation.return_url"),
    ({"confirmation": {"type": "redirect", "return_url": "javascript:alert(1)"}}, "confirmation.return_url"),
    ({"confirmation": {"type": "redirect", "return_url": "https://a b"}}, "confirmation.return_url"),
    ({"confirmation": {"type": "redirect", "return_url": "https://[bad"}}, "confirmation.return_url"),
    ({"confirmation": {"type": "redirect", "return_url": "https://a.test/\r\nX: 1"}}, "confirmation.return_url"),
    ({"confirmation": {"type": "redirect", "return_url": "https://a.test/" + LONG}}, "confirmation.return_url"),
    ({"confirmation": {"type": "redirect", "return_url": "https://a.test", "locale": "de"}}, "confirmation.locale"),
    ({"confirmation": {"type": "redirect", "return_url": "https://a.test", "enforce": "yes"}}, "confirmation.enforce"),
    ({"description": "x" * 129}, "description"),
    ({"description": 5}, "description"),
    ({"metadata": []}, "metadata"),
    ({"metadata": {f"k{n}": "v" for n in range(17)}}, "metadata"),
    ({"metadata": {"k" * 33: "v"}}, "metadata"),
    ({"metadata": {"": "v"}}, "metadata"),
    ({"metadata": {"k": "v" * 513}}, "metadata"),
    ({"metadata": {"k": 1}}, "metadata"),
    ({"metadata": {"k": None}}, "metadata"),
    ({"metadata": {"k": {"a": "b"}}}, "metadata"),
    ({"merchant_customer_id": "x" * 201}, "merchant_customer_id"),
    ({"payment_method_data": {"type": "sbp"}}, "payment_method_data.type"),
    ({"payment_method_data": {"type": "bank_card", "card": {"number": "4111"}}}, "payment_method_data.card"),
    ({"payment_method_id": "abc"}, "payment_method_id"),
    ({"save_payment_method": True}, "save_payment_method"),
    ({"client_ip": "999.1.1.1"}, "client_ip"),
    ({"expires_at": "2030-01-01T00:00:00Z"}, "expires_at"),
    ({"receipt": "yes"}, "receipt"),
    ({"receipt": RECEIPT | {"customer": {}}}, "receipt.customer"),
    ({"receipt": RECEIPT | {"customer": {"phone": "+79000000000"}}}, "receipt.customer.phone"),
    ({"receipt": RECEIPT | {"customer": {"email": "nope"}}}, "receipt.customer.email"),
    ({"receipt": RECEIPT | {"items": []}}, "receipt.items"),
    ({"receipt": RECEIPT | {"items": [ITEM] * 101}}, "receipt.items"),
    ({"receipt": RECEIPT | {"items": [ITEM, 5]}}, "receipt.items[1]"),
    ({"receipt": RECEIPT | {"items": [ITEM | {"vat_code": 13}]}}, "receipt.items[0].vat_code"),
    ({"receipt": RECEIPT | {"items": [ITEM | {"vat_code": None}]}}, "receipt.items[0].vat_code"),
    ({"receipt": RECEIPT | {"items": [ITEM | {"quantity": 0}]}}, "receipt.items[0].quantity"),
    ({"receipt": RECEIPT | {"items": [ITEM | {"quantity": "sNaN"}]}}, "receipt.items[0].quantity"),
    ({"receipt": RECEIPT | {"items": [ITEM | {"quantity": 1e300}]}}, "receipt.items[0].quantity"),
    ({"receipt": RECEIPT | {"items": [ITEM | {"description": "x" * 129}]}}, "receipt.items[0].description"),
    ({"receipt": RECEIPT | {"items": [ITEM | {"payment_mode": "later"}]}}, "receipt.items[0].payment_mode"),
    ({"receipt": RECEIPT | {"items": [ITEM | {"quantity": 2}]}}, "receipt"),
    ({"receipt": RECEIPT | {"tax_system_code": 7}}, "receipt.tax_system_code"),
]


@pytest.mark.parametrize(("change", "parameter"), BAD_PAYMENTS)
def test_a_bad_field_is_named(bank: Bank, change: dict[str, Any], parameter: str) -> None:
    answer = bank.api("POST", "/payments", PAYMENT | change, key="k")

    assert answer.status_code == 400
    assert answer.json()["type"] == "error"
    assert (answer.json()["code"], answer.json()["parameter"]) == ("invalid_request", parameter)
    assert set(answer.json()) == {"type", "id", "code", "description", "parameter"}
    assert bank.state()["payments"] == []


GOOD_PAYMENTS: list[dict[str, Any]] = [
    amount("1.00"),
    amount("350000.00"),
    {"description": "я" * 128},
    {"metadata": {f"k{n}": "v" for n in range(16)}},
    {"metadata": {"k" * 32: "я" * 512, "e": ""}},
    {"payment_method_data": {"type": "bank_card"}},
    {"client_ip": "2a02:5180::1"},
    {"transfers": [], "statements": [], "save_payment_method": False},
    {"receipt": RECEIPT},
    {"receipt": RECEIPT | {"items": [ITEM | {"quantity": "2.0", "amount": {"value": "500.00", "currency": "RUB"}}]}},
    {"confirmation": {"type": "redirect", "return_url": "http://127.0.0.1:8000/x", "locale": "en_US", "enforce": True}},
    {"confirmation": None},
]


@pytest.mark.parametrize("change", GOOD_PAYMENTS)
def test_what_the_facts_allow_is_accepted(bank: Bank, change: dict[str, Any]) -> None:
    answer = bank.api("POST", "/payments", PAYMENT | change, key="k")

    assert answer.status_code == 200, answer.text


def test_a_shop_with_receipts_demands_them(bank: Bank) -> None:
    bank.shop(receipts=True)
    without = bank.api("POST", "/payments", PAYMENT, key="a")
    made = bank.api("POST", "/payments", PAYMENT | {"receipt": RECEIPT}, key="b").json()

    assert without.json()["description"] == "Receipt is missing or illegal"
    assert made["receipt_registration"] == "pending"
    assert bank.payment(made["id"])["receipt"] == RECEIPT


@pytest.mark.parametrize(
    ("change", "status", "parameter"),
    [
        ({"payment_id": None}, 400, "payment_id"),
        ({"payment_id": 5}, 400, "payment_id"),
        ({"payment_id": "short"}, 400, "payment_id"),
        ({"payment_id": "x" * 36}, 404, "payment_id"),
        ({"amount": None}, 400, "amount"),
        (amount("0.00"), 400, "amount.value"),
        (amount(5), 400, "amount.value"),
        (amount("1.00", "EUR"), 400, "amount.currency"),
        (amount("1000.01"), 400, "amount"),
        ({"description": "x" * 251}, 400, "description"),
        ({"metadata": {"k": 1}}, 400, "metadata"),
        ({"reason": "x"}, 400, "reason"),
    ],
)
def test_a_bad_refund_is_refused(bank: Bank, make: Make, change: dict[str, Any], status: int, parameter: str) -> None:
    payment_id = make(pay=True, capture=True)
    answer = bank.api("POST", "/refunds", {"payment_id": payment_id, **amount("10.00")} | change, key="r")

    assert (answer.status_code, answer.json()["parameter"]) == (status, parameter)
    assert bank.money(payment_id)["refunded"] == 0


@pytest.mark.parametrize("path", ["/payments/{}", "/payments/{}/capture", "/payments/{}/cancel", "/refunds/{}"])
def test_an_unknown_object_is_404(bank: Bank, path: str) -> None:
    method = "POST" if path.count("/") == 3 else "GET"
    for name in ("x" * 36, "x", "%00", "%F0%9F%8E%BE", "' OR 1=1", "x" * 3000):
        answer = bank.api(method, path.format(name), key="k" + str(len(name)) if method == "POST" else None)

        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "path", ["", "/", "/nothing", "/payments/", "//payments", "/payments/a/b", "/payments/a/capture/b"]
)
def test_an_unknown_address_is_404(bank: Bank, path: str) -> None:
    assert bank.api("GET", path).status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/payments"), ("PATCH", "/payments"), ("DELETE", "/payments"), ("POST", "/me"), ("GET", "/payments/x/capture"),
     ("DELETE", "/payments/x"), ("POST", "/payments/x"), ("POST", "/refunds/x")],
)  # fmt: skip
def test_a_wrong_method_is_405(bank: Bank, method: str, path: str) -> None:
    assert bank.api(method, path, key="k").status_code == 405


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
def test_a_wrong_content_type_is_415(bank: Bank, kind: str) -> None:
    headers = {"Idempotence-Key": "k", "Content-Type": kind}
    auth = (bank.shop_id, bank.secret)
    answer = web.post(bank.api_url + "/payments", content=json.dumps(PAYMENT), headers=headers, auth=auth)

    assert answer.status_code == 415


GARBAGE = [
    b"", b"null", b"[]", b"5", b'"x"', b"{", b"{}}", b"\xff\xfe", b'{"amount": NaN}', b'{"amount": Infinity}', b"[" * 100_000,
    b'{"a":' * 50_000, b'{"description": "\\ud800"}', b'{"\\ud800": 1}', b'{"amount": ' + b"9" * 10_000 + b"}", b"\x00" * 100,
    b'{"description": "\\u0000"}', b'{"x' + b"y" * 1_500_000 + b'": 1}',
]  # fmt: skip


@pytest.mark.parametrize("raw", GARBAGE, ids=range(len(GARBAGE)))
@pytest.mark.parametrize("path", ["/payments", "/refunds", "/payments/x/capture", "/payments/x/cancel"])
def test_garbage_is_refused(bank: Bank, path: str, raw: bytes) -> None:
    headers = {"Idempotence-Key": "k", "Content-Type": "application/json"}
    answer = web.post(bank.api_url + path, content=raw, headers=headers, auth=(bank.shop_id, bank.secret))

    assert answer.status_code in (400, 404)
    assert answer.json()["type"] == "error"


CONTROLS = [
    "pay",
    "refund",
    "capture",
    "cancel",
    "expire",
    "notify",
    "faults",
    "shops",
    "clock",
    "nothing",
    "faults/clear",
]


MORE_GARBAGE = [
    b'{"payment_id": 5, "kind": [], "advance": "x", "shop_id": {}, "id": "x"}',
    b'{"payment_id": {}, "advance": 1e400, "kind": "lie", "on": "moon", "object": 5, "odd": 1, "id": -1}',
]


@pytest.mark.parametrize("raw", [*GARBAGE[1:], *MORE_GARBAGE], ids=range(len(GARBAGE) + 1))
@pytest.mark.parametrize("path", CONTROLS)
def test_garbage_in_control_calls_is_refused(bank: Bank, path: str, raw: bytes) -> None:
    answer = web.post(f"{bank.url}/_control/{path}", content=raw, headers={"Content-Type": "application/json"})

    assert answer.status_code in (400, 404) or (path == "faults/clear" and answer.status_code == 200)
    assert "error" in answer.json() or answer.status_code == 200


@pytest.mark.parametrize("advance", [1e12, -1e12, "x", None, [], "nan", "inf"])
def test_the_clock_takes_only_sensible_moves(bank: Bank, advance: object) -> None:
    answer = web.post(f"{bank.url}/_control/clock", json={"advance": advance})

    assert answer.status_code == 400
    assert web.get(f"{bank.url}/_control/clock").json()["offset_seconds"] == 0


BAD_QUERIES = [
    {"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"limit": "-1"}, {"limit": ""}, {"limit": "٥"},
    {"status": "paid"}, {"status": ""},
    {"cursor": "x"}, {"cursor": "яя"}, {"cursor": "MS0="}, {"cursor": "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5LTE="}, {"cursor": ""},
    {"created_at.gte": "yesterday"}, {"created_at.gte": "2026-01-01T00:00:00"}, {"created_at.lt": ""},
    {"created_at.eq": "2026-01-01T00:00:00Z"}, {"metadata": "x"}, {"q\x00": "1"},
]  # fmt: skip


@pytest.mark.parametrize("query", BAD_QUERIES, ids=str)
@pytest.mark.parametrize("path", ["/payments", "/refunds"])
def test_a_bad_query_is_refused(bank: Bank, path: str, query: dict[str, str]) -> None:
    answer = web.get(bank.api_url + path, params=query, auth=(bank.shop_id, bank.secret))

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
