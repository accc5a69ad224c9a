"""Lists: newest first, filters, cursors."""

from collections.abc import Callable
from typing import Any

from tests.bank import Bank
from tests.sandbox.conftest import web

Make = Callable[..., str]


def listed(bank: Bank, path: str = "/payments", **query: Any) -> dict[str, Any]:
    params = {name.replace("__", "."): value for name, value in query.items()}
    answer = web.get(bank.api_url + path, params=params, auth=(bank.shop_id, bank.secret))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ids(found: dict[str, Any]) -> list[str]:
    return [item["id"] for item in found["items"]]


def test_the_newest_ten_come_first(bank: Bank, make: Make) -> None:
    made = [make() for _ in range(12)]
    found = listed(bank)

    assert found["type"] == "list"
    assert ids(found) == made[:1:-1]
    assert isinstance(found["next_cursor"], str)


def test_a_cursor_shows_each_once_whatever_is_made_meanwhile(bank: Bank, make: Make) -> None:
    made = [make() for _ in range(7)]
    seen: list[str] = []
    found = listed(bank, limit=3)
    while True:
        seen += ids(found)
        make()
        if "next_cursor" not in found:
            break
        found = listed(bank, limit=3, cursor=found["next_cursor"])

    assert seen == made[::-1]


def test_filters_by_state_and_method(bank: Bank, make: Make) -> None:
    pending, held, taken = make(), make(pay=True), make(pay=True, capture=True)

    assert ids(listed(bank, status="pending")) == [pending]
    assert ids(listed(bank, status="waiting_for_capture")) == [held]
    assert ids(listed(bank, status="succeeded")) == [taken]
    assert ids(listed(bank, payment_method="bank_card")) == [taken, held]
    assert ids(listed(bank, payment_method="sbp")) == []


def test_filters_by_moment(bank: Bank, make: Make) -> None:
    old = make(pay=True, capture=True)
    bank.advance(100)
    new = make()
    moment = bank.api("GET", f"/payments/{new}").json()["created_at"]

    assert ids(listed(bank, created_at__gte=moment)) == [new]
    assert ids(listed(bank, created_at__gt=moment)) == []
    assert ids(listed(bank, created_at__lte=moment)) == [new, old]
    assert ids(listed(bank, created_at__lt=moment.replace("Z", "+00:00"))) == [old]
    assert ids(listed(bank, captured_at__lt=moment)) == [old]
    assert ids(listed(bank, captured_at__gte=moment)) == []


def test_refunds_are_listed_by_payment(bank: Bank, make: Make) -> None:
    first, second = make(pay=True, capture=True), make(pay=True, capture=True)
    mine = [bank.refund_in_cabinet(first, 100)["id"] for _ in range(3)]
    other = bank.refund_in_cabinet(second, 100)["id"]

    assert ids(listed(bank, "/refunds", payment_id=first)) == mine[::-1]
    assert ids(listed(bank, "/refunds")) == [other, *mine[::-1]]
    assert ids(listed(bank, "/refunds", status="canceled")) == []
    page = listed(bank, "/refunds", limit=2)
    assert ids(listed(bank, "/refunds", limit=2, cursor=page["next_cursor"])) == mine[1::-1]


def test_only_three_years_are_listed(bank: Bank, make: Make) -> None:
    make()
    bank.advance(3 * 366 * 24 * 3600 + 5)

    assert listed(bank)["items"] == []
