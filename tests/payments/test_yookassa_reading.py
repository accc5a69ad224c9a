"""No answer of YooKassa, however odd, gets past the reader as anything but ProviderUnknown."""

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palms.money import Money
from payments.providers import yookassa_reading as reading
from payments.providers.base import ProviderUnknown, Seen

PAYMENT: dict[str, Any] = {
    "id": "2d0a1f0b-000f-5000-8000-1a2b3c4d5e6f",
    "status": "waiting_for_capture",
    "amount": {"value": "1000.00", "currency": "RUB"},
    "recipient": {"account_id": "100500", "gateway_id": "100501"},
    "payment_method": {"type": "bank_card", "id": "x", "card": {"first6": "411111", "last4": "1111"}},
    "created_at": "2026-07-02T10:00:00.000Z",
    "captured_at": "2026-07-02T10:05:00.000Z",
    "expires_at": "2026-07-09T10:00:00.000Z",
    "confirmation": {"type": "redirect", "confirmation_url": "https://yoomoney.ru/checkout?orderId=1"},
    "refunded_amount": {"value": "10.50", "currency": "RUB"},
    "cancellation_details": {"party": "merchant", "reason": "canceled_by_merchant"},
    "test": True,
    "paid": True,
    "refundable": False,
    "metadata": {"payment_token": "tok"},
}
REFUND: dict[str, Any] = {
    "id": "2d0a1f0b-0015-5000-8000-1a2b3c4d5e6f",
    "payment_id": PAYMENT["id"],
    "status": "succeeded",
    "amount": {"value": "10.50", "currency": "RUB"},
    "created_at": "2026-07-02T10:00:00.000Z",
    "metadata": {"refund_id": "17"},
}
GONE = object()
ODD: tuple[Any, ...] = (0, 1, -1, 1.5, True, [], ["x"], "\x00", "x" * 5000, "a\nb", float("nan"))
NO_OBJECT = (*ODD, "", "x")
NO_TEXT = (None, {}, {"a": 1}, "", *ODD)
BAD_VALUES = (
    "NaN", "Infinity", "-Infinity", "-1.00", "+1.00", "1e3", "1,00", "1 000.00", "1_000.00", "١.00", ".5", "5.", "1.001",
    " 1.00", "1.00\n", "0x10", "9" * 16, 1000, 1000.0, None, "", [], {}, True,
)  # fmt: skip


def changed(whole: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    found = copy.deepcopy(whole)
    *outer, last = path.split(".")
    inside = found
    for name in outer:
        inside = inside[name]
    if value is GONE:
        del inside[last]
    else:
        inside[last] = value
    return found


def cases(*rows: tuple[str, tuple[Any, ...]]) -> list[Any]:
    return [pytest.param(path, value, id=f"{path}-{n}") for path, values in rows for n, value in enumerate(values)]


@pytest.mark.parametrize(
    ("path", "value"),
    cases(
        ("id", (GONE, *NO_TEXT, "a/b", "../me", "х")),
        ("status", (GONE, *NO_TEXT, "unknown", "SUCCEEDED", "succeeded ")),
        ("amount", (GONE, None, {}, *NO_OBJECT)),
        ("amount.value", (GONE, *BAD_VALUES, "0.00")),
        ("amount.currency", (GONE, *NO_TEXT, "rub", "XXX", "RUB ")),
        ("refunded_amount", ({}, *NO_OBJECT)),
        ("refunded_amount.value", (GONE, *BAD_VALUES, "1000.01")),
        ("refunded_amount.currency", (GONE, *NO_TEXT, "USD")),
        ("test", (GONE, None, 0, 1, "true", "", [], {})),
        ("paid", (GONE, None, 0, 1, "true", "", [], {})),
        ("recipient", NO_OBJECT),
        ("recipient.account_id", (GONE, *NO_TEXT, 100500, "a", "1\n")),
        ("payment_method", NO_OBJECT),
        ("payment_method.type", (GONE, *NO_TEXT)),
        ("cancellation_details", NO_OBJECT),
        ("cancellation_details.reason", (GONE, *NO_TEXT)),
        ("metadata", NO_OBJECT),
        ("metadata.payment_token", (None, 1, True, [], {})),
        ("confirmation", NO_OBJECT),
        (
            "confirmation.confirmation_url",
            (GONE, *NO_TEXT, "javascript:alert(1)", "//evil", "https://", "https:// x", "https://a\nb", "https://[", "ftp://x"),
        ),
        *(
            (
                name,
                (
                    "", "x", 0, 1751450400, True, [], {}, "2026-07-02", "2026-07-02T10:00:00", "2026-13-02T10:00:00Z",
                    "2026-02-30T10:00:00Z", "0001-01-01T00:00:00+23:59", "2026-W01-1T10:00:00Z", "2026-07-02T10:00:00Z\n",
                    "2026-07-02T25:00:00Z", "2026-07-02T10:00:00+99:00", "9999-12-31T23:59:59-23:59",
                ),
            )
            for name in ("expires_at", "captured_at")
        ),
    ),
)  # fmt: skip
def test_a_garbage_field_of_a_payment_is_unknown(path: str, value: Any) -> None:
    with pytest.raises(ProviderUnknown):
        reading.payment_seen(changed(PAYMENT, path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    cases(
        ("id", (GONE, *NO_TEXT)),
        ("payment_id", (GONE, *NO_TEXT, "another")),
        ("status", (GONE, *NO_TEXT, "waiting_for_capture")),
        ("amount", (GONE, None, {}, *NO_OBJECT)),
        ("amount.value", (GONE, *BAD_VALUES, "0.00")),
        ("amount.currency", (GONE, *NO_TEXT, "XXX")),
        ("cancellation_details", NO_OBJECT),
        ("metadata", NO_OBJECT),
        ("metadata.refund_id", (None, 17, True, [], {})),
    ),
)
def test_a_garbage_field_of_a_refund_is_unknown(path: str, value: Any) -> None:
    whole = REFUND | {"cancellation_details": {"party": "yoo_money", "reason": "general_decline"}}

    with pytest.raises(ProviderUnknown):
        reading.refund_seen(changed(whole, path, value), payment_id=PAYMENT["id"])


@pytest.mark.parametrize(
    "raw",
    [
        None, [], "x", 1, {}, {"items": None}, {"items": {}}, {"type": "error", "items": []}, {"items": [], "next_cursor": ""},
        {"items": [], "next_cursor": 1}, {"items": [], "next_cursor": ["a"]}, {"items": [], "next_cursor": "x" * 1001},
    ],
)  # fmt: skip
def test_a_garbage_list_is_unknown(raw: Any) -> None:
    with pytest.raises(ProviderUnknown):
        reading.page_of(raw)


def test_a_whole_payment_is_read() -> None:
    seen = reading.payment_seen(PAYMENT)

    assert (seen.status, seen.amount, seen.taken, seen.refunded) == (Seen.HELD, Money(100000, "RUB"), 0, 1050)
    assert seen.hold_expires_at == datetime(2026, 7, 9, 10, tzinfo=UTC)
    assert seen.captured_at == datetime(2026, 7, 2, 10, 5, tzinfo=UTC)
    assert seen.raw == PAYMENT


@pytest.mark.parametrize(
    "name",
    [
        "recipient", "payment_method", "captured_at", "expires_at", "confirmation", "refunded_amount", "cancellation_details",
        "metadata", "created_at", "refundable",
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", [GONE, None])
def test_what_may_be_missing_may_be_missing(name: str, value: Any) -> None:
    assert reading.payment_seen(changed(PAYMENT, name, value)).status is Seen.HELD


@pytest.mark.parametrize("status", ["pending", "succeeded", "canceled"])
def test_only_a_hold_has_an_end_and_only_a_success_is_taken(status: str) -> None:
    seen = reading.payment_seen(changed(PAYMENT, "status", status))

    assert seen.hold_expires_at is None
    assert seen.taken == (100000 if status == "succeeded" else 0)


@pytest.mark.parametrize(
    ("value", "currency", "minor"),
    [
        ("1.00", "RUB", 100),
        ("100000.01", "RUB", 10000001),
        ("999999999999999.99", "RUB", 99999999999999999),
        ("1000", "RUB", 100000),
        ("1000", "JPY", 1000),
    ],
)
def test_amounts_are_read_exactly(value: str, currency: str, minor: int) -> None:
    whole = changed(PAYMENT, "refunded_amount", GONE) | {"amount": {"value": value, "currency": currency}}

    assert reading.payment_seen(whole).amount == Money(minor, currency)


@pytest.mark.parametrize(
    ("told", "our_id"),
    [("17", 17), ("", None), ("017", None), ("0", None), ("-1", None), ("b-17", None), ("9" * 19, None), ("١٧", None)],
)
def test_only_a_number_of_ours_is_our_refund(told: str, our_id: int | None) -> None:
    seen = reading.refund_seen(changed(REFUND, "metadata.refund_id", told), payment_id=PAYMENT["id"])

    assert seen.our_id == our_id


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.sampled_from([*PAYMENT, "value", "currency"]), inner)
    ),
    max_leaves=20,
)


@given(path=st.sampled_from([*PAYMENT, "amount.value", "amount.currency", "confirmation.confirmation_url"]), value=JSON)
def test_any_json_in_any_field_is_read_or_unknown(path: str, value: Any) -> None:
    whole = changed(PAYMENT, path, value)
    try:
        seen = reading.payment_seen(whole)
    except ProviderUnknown:
        return

    assert seen.raw is whole
    assert seen.amount.amount > 0
    json.dumps(seen.id + seen.method + seen.provider_status + seen.cancel_reason + seen.confirmation_url).encode(
        "ascii"
    )


@given(raw=JSON)
def test_any_json_at_all_is_unknown(raw: Any) -> None:
    for read in (reading.payment_seen, reading.shop_of, lambda raw: reading.refund_seen(raw, payment_id="a")):
        with pytest.raises(ProviderUnknown):
            read(raw)
