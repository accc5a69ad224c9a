"""The hosted payment page and the landing page."""

from collections.abc import Callable

import pytest

from sandbox.yookassa.cards import DECLINES, SUCCESS
from tests.bank import Bank
from tests.sandbox.conftest import web

Make = Callable[..., str]
RETURN = "https://palms.test/back?b=1"


def test_the_page_says_what_is_paid(bank: Bank, make: Make) -> None:
    payment_id = make(description='Корт <1> & "2"')
    page = web.get(f"{bank.url}/pay/{payment_id}")

    assert page.status_code == 200
    assert "1\u00a0000,00\u00a0₽" in page.text
    assert "Корт &lt;1&gt; &amp; &#34;2&#34;" in page.text
    assert "Магазин 100500" in page.text
    assert all(number in page.text for number in SUCCESS)
    assert RETURN in page.text
    assert "<script" not in page.text
    assert "http://" not in page.text.replace(bank.url, "")


@pytest.mark.parametrize("typed", [*SUCCESS, "4111 1111 1111 1111", " 5555-5555-5555-4444 "])
def test_a_good_card_pays_and_goes_back(bank: Bank, make: Make, typed: str) -> None:
    held, taken = make(), make(capture=True)
    answers = [bank.pay_on_page(payment_id, typed) for payment_id in (held, taken)]

    assert [answer.status_code for answer in answers] == [302, 302]
    assert answers[0].headers["location"] == RETURN
    assert bank.payment(held)["status"] == "waiting_for_capture"
    assert bank.payment(taken)["status"] == "succeeded"


@pytest.mark.parametrize("card", DECLINES, ids=lambda card: f"{card.reason}-{card.number}")
def test_a_declined_card_ends_the_payment_with_its_reason(bank: Bank, make: Make, card: object) -> None:
    payment_id = make()
    answer = bank.pay_on_page(payment_id, card.number)  # type: ignore[attr-defined]
    found = bank.api("GET", f"/payments/{payment_id}").json()

    assert (answer.status_code, answer.headers["location"]) == (302, RETURN)
    assert found["status"] == "canceled"
    assert found["cancellation_details"] == {"party": card.party, "reason": card.reason}  # type: ignore[attr-defined]
    assert bank.effects(payment_id) == []


def test_all_documented_declines_are_there() -> None:
    assert len(DECLINES) == 39
    assert len({card.number for card in DECLINES}) == 39


@pytest.mark.parametrize(
    "typed", ["4111111111111112", "", "abc", "4" * 5000, "<script>", "\x00", "４１１１１１１１１１１１１１１１"]
)
def test_an_unknown_card_changes_nothing(bank: Bank, make: Make, typed: str) -> None:
    payment_id = make()
    answer = bank.pay_on_page(payment_id, typed)

    assert answer.status_code == 422
    assert "role='alert'" in answer.text
    assert "<script>" not in answer.text
    assert bank.payment(payment_id)["status"] == "pending"


def test_a_wrong_expiry_is_told(bank: Bank, make: Make) -> None:
    payment_id = make()
    data = {"card_number": "4111111111111111", "expiry": "13/30", "cvc": "1"}

    assert web.post(f"{bank.url}/pay/{payment_id}", data=data).status_code == 422
    assert web.post(f"{bank.url}/pay/{payment_id}", data=data | {"expiry": "11/31"}).status_code == 302
    card = bank.payment(payment_id)["object"]["payment_method"]["card"]
    assert (card["expiry_month"], card["expiry_year"]) == ("11", "2031")


def test_nobody_pays_twice(bank: Bank, make: Make) -> None:
    payment_id = make()
    bank.pay_on_page(payment_id)
    again = bank.pay_on_page(payment_id)

    assert again.status_code == 409
    assert "Платёж уже оплачен" in again.text
    assert bank.effects(payment_id) == [("held", 100000)]


def test_a_dead_link_says_so(bank: Bank, make: Make) -> None:
    payment_id = make()
    bank.advance(3601)

    assert "Время на оплату вышло" in web.get(f"{bank.url}/pay/{payment_id}").text
    assert bank.pay_on_page(payment_id).status_code == 409
    assert bank.effects(payment_id) == []


@pytest.mark.parametrize("path", ["/pay/x", "/pay/", "/pay/%00", "/pay/a/b"])
def test_an_unknown_payment_is_404(bank: Bank, path: str) -> None:
    assert web.get(bank.url + path).status_code == 404


def test_the_landing_page_works_by_forms_alone(bank: Bank, make: Make) -> None:
    payment_id = make(description="Ужин <b>")
    web.post(f"{bank.url}/_control/pay", data={"payment_id": payment_id})
    web.post(f"{bank.url}/_control/capture", data={"payment_id": payment_id})
    answer = web.post(f"{bank.url}/_control/refund", data={"payment_id": payment_id, "amount": "250.50"})
    web.post(f"{bank.url}/_control/faults", data={"on": "capture", "kind": "delay", "times": "always", "seconds": "3"})
    page = web.get(bank.url + "/")

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert bank.money(payment_id)["refunded"] == 25050
    assert bank.state()["faults"][0] == {
        "id": 1,
        "on": "capture",
        "kind": "delay",
        "times": None,
        "skip": 0,
        "hits": 0,
        "seconds": 3,
    } | {"id": bank.state()["faults"][0]["id"]}
    assert "Ужин &lt;b&gt;" in page.text
    assert f"/pay/{payment_id}" in page.text
    assert "delay" in page.text
