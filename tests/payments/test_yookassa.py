"""The YooKassa provider against the sandbox bank: what it promises of each call, and what is left at the bank."""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from yookassa import Configuration

from palms.money import Money
from payments.providers.base import NewPayment, PaymentSeen, ProviderRefused, ProviderUnknown, Seen, SeenRefund
from payments.providers.yookassa import YooKassa
from payments.providers.yookassa_client import Shop
from tests.bank import Bank

OTHER = ("200600", "live_other_secret")
PATIENCE = 10.0
CALLS = ("create", "read", "capture", "void", "refund", "refunds", "find", "check")
FAULTED_AS = {"read": "get", "void": "cancel", "refunds": "list", "find": "list", "check": "me"}
ACTS = ("create", "capture", "void", "refund")
keys = (f"key-{n}" for n in count())


def roubles(value: str) -> Money:
    return Money.parse(value, "RUB")


def new(token: str = "tok", amount: str = "1000.00", **changes: Any) -> NewPayment:
    given = {"two_stage": True, "description": "Корт 1", "return_url": "https://palms.test/b/1?a=b", "locale": "ru"}
    return NewPayment(token=token, amount=roubles(amount), **(given | changes))


@pytest.fixture
def bank(bank: Bank) -> Bank:
    """The sandbox bank, with a second club's shop."""
    shop_id, secret = OTHER
    bank.shop(shop_id, secret=secret, partial_amount="captured")
    return bank


def shop_at(bank: Bank, shop_id: str = Bank.shop_id, secret: str = Bank.secret) -> YooKassa:
    return YooKassa(Shop(shop_id, secret, bank.api_url))


@pytest.fixture
def shop(bank: Bank) -> YooKassa:
    return shop_at(bank)


def made(shop: YooKassa, token: str = "tok", **changes: Any) -> PaymentSeen:
    return shop.create(new(token, **changes), key=next(keys), patience=PATIENCE)


def paid(bank: Bank, shop: YooKassa, **changes: Any) -> str:
    payment_id = made(shop, **changes).id
    bank.pay(payment_id)
    return payment_id


def call(shop: YooKassa, name: str, payment_id: str, *, key: str = "the-key", patience: float = PATIENCE) -> Any:
    """Make any call on a payment of 1000.00, in the one way these tests repeat it."""
    now = datetime.now(UTC)
    window = {"since": now - timedelta(hours=1), "until": now + timedelta(hours=1)}
    calls: dict[str, Callable[[], Any]] = {
        "create": lambda: shop.create(new("second"), key=key, patience=patience),
        "read": lambda: shop.read(payment_id, patience=patience),
        "capture": lambda: shop.capture(payment_id, roubles("600.00"), key=key, patience=patience),
        "void": lambda: shop.void(payment_id, key=key, patience=patience),
        "refund": lambda: shop.refund(payment_id, roubles("100.00"), our_id=17, key=key, patience=patience),
        "refunds": lambda: shop.refunds(payment_id, patience=patience),
        "find": lambda: shop.find("tok", **window, patience=patience),
        "check": lambda: shop.check(patience=patience),
    }
    return calls[name]()


def ready_for(bank: Bank, shop: YooKassa, name: str) -> str:
    """A payment on which this call would succeed."""
    return paid(bank, shop, two_stage=name != "refund")


def effects_of(bank: Bank, name: str, payment_id: str) -> int:
    """How often the call has had its effect at the bank."""
    if name == "create":
        return sum(
            p["metadata"]["payment_token"] == "second" for p in bank.api("GET", "/payments?limit=100").json()["items"]
        )
    kind = {"capture": "captured", "void": "voided", "refund": "refunded"}.get(name)
    moved = [effect for effect, _ in bank.effects(payment_id)]
    return moved.count(kind) if kind else 0


def last_request(bank: Bank) -> Any:
    return json.loads(bank.calls("POST")[-1]["request"])


# --- each call does what it says


def test_a_new_payment_reaches_the_bank_as_asked(bank: Bank, shop: YooKassa) -> None:
    seen = made(shop, description="Теннис " + "x" * 200, locale="en")

    assert last_request(bank) == {
        "amount": {"value": "1000.00", "currency": "RUB"},
        "capture": False,
        "confirmation": {"type": "redirect", "return_url": "https://palms.test/b/1?a=b", "locale": "en_US"},
        "metadata": {"payment_token": "tok"},
        "description": ("Теннис " + "x" * 200)[:128],
    }
    assert (seen.status, seen.amount, seen.taken, seen.refunded) == (Seen.PENDING, Money(100000, "RUB"), 0, 0)
    assert (seen.account_id, seen.is_test, seen.token) == ("100500", True, "tok")
    assert (seen.provider_status, seen.hold_expires_at, seen.captured_at) == ("pending", None, None)
    assert seen.confirmation_url == f"{bank.url}/pay/{seen.id}"
    assert seen.raw == bank.payment(seen.id)["object"]


@pytest.mark.parametrize("two_stage", [True, False])
def test_the_stages_are_always_named(bank: Bank, shop: YooKassa, two_stage: bool) -> None:
    made(shop, two_stage=two_stage)

    assert last_request(bank)["capture"] is not two_stage


def test_an_empty_description_is_left_out(bank: Bank, shop: YooKassa) -> None:
    made(shop, description="", locale="ru")

    assert "description" not in last_request(bank)
    assert last_request(bank)["confirmation"]["locale"] == "ru_RU"


@pytest.mark.parametrize("value", ["1.00", "100000.01", "0.99", "350000.00", "1234.56"])
def test_amounts_reach_the_wire_exactly(bank: Bank, shop: YooKassa, value: str) -> None:
    if value == "0.99":
        with pytest.raises(ProviderRefused, match="invalid_request"):
            made(shop, amount=value)
    else:
        assert made(shop, amount=value).amount == roubles(value)

    assert last_request(bank)["amount"] == {"value": value, "currency": "RUB"}


def test_a_hold_is_seen_with_its_end(bank: Bank, shop: YooKassa) -> None:
    payment_id = paid(bank, shop)
    seen = shop.read(payment_id, patience=PATIENCE)

    assert (seen.status, seen.taken, seen.method, seen.confirmation_url) == (Seen.HELD, 0, "bank_card", "")
    expires = bank.payment(payment_id)["object"]["expires_at"]
    assert seen.hold_expires_at == datetime.fromisoformat(expires)


def test_a_one_stage_payment_is_taken_when_paid(bank: Bank, shop: YooKassa) -> None:
    seen = shop.read(paid(bank, shop, two_stage=False), patience=PATIENCE)

    assert (seen.status, seen.taken, seen.hold_expires_at) == (Seen.TAKEN, 100000, None)
    assert seen.captured_at is not None


def test_a_declined_card_is_a_cancel_with_its_reason(bank: Bank, shop: YooKassa) -> None:
    payment_id = made(shop).id
    bank.pay(payment_id, card="5555555555554600")
    seen = shop.read(payment_id, patience=PATIENCE)

    assert (seen.status, seen.cancel_reason, seen.taken) == (Seen.CANCELED, "insufficient_funds", 0)


@pytest.mark.parametrize(
    ("value", "effects"),
    [
        ("1000.00", [("held", 100000), ("captured", 100000)]),
        ("600.01", [("held", 100000), ("captured", 60001), ("voided", 39999)]),
    ],
)
def test_a_hold_is_taken_whole_or_in_part(
    bank: Bank, shop: YooKassa, value: str, effects: list[tuple[str, int]]
) -> None:
    payment_id = paid(bank, shop)
    seen = shop.capture(payment_id, roubles(value), key="c", patience=PATIENCE)

    assert last_request(bank) == {"amount": {"value": value, "currency": "RUB"}}
    assert (seen.status, seen.taken) == (Seen.TAKEN, roubles(value).amount)
    assert bank.effects(payment_id) == effects


@pytest.mark.parametrize(("shown", "taken"), [("captured", 60000), ("original", 100000)])
def test_taken_is_what_the_bank_shows_after_a_capture_in_part(bank: Bank, shown: str, taken: int) -> None:
    """Which of the two YooKassa shows is not documented: who asked for less must not believe `taken` alone."""
    bank.shop(OTHER[0], partial_amount=shown)
    shop = shop_at(bank, *OTHER)
    payment_id = paid(bank, shop)
    seen = shop.capture(payment_id, roubles("600.00"), key="c", patience=PATIENCE)

    assert (seen.status, seen.taken) == (Seen.TAKEN, taken)
    assert bank.money(payment_id)["captured"] == 60000


def test_a_hold_is_let_go(bank: Bank, shop: YooKassa) -> None:
    payment_id = paid(bank, shop)
    seen = shop.void(payment_id, key="v", patience=PATIENCE)

    assert (seen.status, seen.cancel_reason, seen.taken) == (Seen.CANCELED, "canceled_by_merchant", 0)
    assert bank.effects(payment_id) == [("held", 100000), ("voided", 100000)]


def test_an_unpaid_payment_cannot_be_let_go(shop: YooKassa) -> None:
    with pytest.raises(ProviderRefused) as no:
        shop.void(made(shop).id, key="v", patience=PATIENCE)

    assert no.value.code == "invalid_request"
    assert shop.capabilities.cancel_unpaid is False


def test_refunds_carry_our_id_and_are_listed_with_the_cabinets(bank: Bank, shop: YooKassa) -> None:
    payment_id = paid(bank, shop, two_stage=False)
    ours = shop.refund(payment_id, roubles("100.10"), our_id=17, key="r", patience=PATIENCE)
    sent = last_request(bank)
    bank.refund_in_cabinet(payment_id, 5000)
    listed = shop.refunds(payment_id, patience=PATIENCE)

    assert sent == {
        "payment_id": payment_id,
        "amount": {"value": "100.10", "currency": "RUB"},
        "metadata": {"refund_id": "17"},
    }
    assert (ours.status, ours.amount, ours.our_id) == (SeenRefund.DONE, Money(10010, "RUB"), 17)
    assert [(r.our_id, r.amount.amount, r.status) for r in listed] == [
        (None, 5000, SeenRefund.DONE),
        (17, 10010, SeenRefund.DONE),
    ]
    assert shop.read(payment_id, patience=PATIENCE).refunded == 15010


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [("refund_canceled", SeenRefund.REFUSED, "insufficient_funds"), ("refund_pending", SeenRefund.PENDING, "")],
)
def test_a_refund_may_be_refused_or_wait(
    bank: Bank, shop: YooKassa, kind: str, status: SeenRefund, reason: str
) -> None:
    payment_id = paid(bank, shop, two_stage=False)
    bank.fault(on="refund", kind=kind)
    seen = shop.refund(payment_id, roubles("1000.00"), our_id=1, key="r", patience=PATIENCE)

    assert (seen.status, seen.reason) == (status, reason)
    assert bank.money(payment_id)["refunded"] == 0


def test_more_than_a_page_of_refunds_is_listed_whole(bank: Bank, shop: YooKassa) -> None:
    payment_id = paid(bank, shop, two_stage=False)
    for _ in range(103):
        bank.refund_in_cabinet(payment_id, 100)
    bank.refund_in_cabinet(paid(bank, shop, two_stage=False, token="other"), 100)

    assert len({refund.id for refund in shop.refunds(payment_id, patience=PATIENCE)}) == 103
    assert len(bank.calls("GET", "/refunds")) == 2


def test_a_payment_is_found_by_its_token_pages_back(bank: Bank, shop: YooKassa) -> None:
    wanted = made(shop, token="wanted")
    for n in range(101):
        bank.api("POST", "/payments", {"amount": {"value": "5.00", "currency": "RUB"}}, key=f"stranger-{n}")
    now = datetime.now(UTC)

    def find(token: str, since: datetime, until: datetime) -> PaymentSeen | None:
        return shop.find(token, since=since, until=until, patience=PATIENCE)

    assert find("wanted", now - timedelta(hours=1), now + timedelta(hours=1)) == wanted
    assert len(bank.calls("GET", "/payments")) == 2
    assert find("never", now - timedelta(hours=1), now + timedelta(hours=1)) is None
    assert find("wanted", now - timedelta(hours=2), now - timedelta(hours=1)) is None
    assert find("wanted", now + timedelta(hours=1), now + timedelta(hours=2)) is None


def test_a_broken_page_is_not_the_end_of_the_list(bank: Bank, shop: YooKassa) -> None:
    payment_id = paid(bank, shop, two_stage=False)
    for _ in range(101):
        bank.refund_in_cabinet(payment_id, 100)
    bank.fault(on="list", kind="error_before", skip=1)

    with pytest.raises(ProviderUnknown):
        shop.refunds(payment_id, patience=PATIENCE)


def test_the_credentials_are_proved(bank: Bank, shop: YooKassa) -> None:
    shop.check(patience=PATIENCE)

    with pytest.raises(ProviderRefused) as no:
        shop_at(bank, secret="test_wrong").check(patience=PATIENCE)
    assert no.value.code == "invalid_credentials"


# --- repeats


@pytest.mark.parametrize("name", ACTS)
def test_the_same_key_twice_is_one_operation(bank: Bank, shop: YooKassa, name: str) -> None:
    payment_id = ready_for(bank, shop, name)

    assert call(shop, name, payment_id) == call(shop, name, payment_id)
    assert effects_of(bank, name, payment_id) == 1
    assert {c["idempotence_key"] for c in bank.calls("POST")[-2:]} == {"the-key"}


@pytest.mark.parametrize("key", ["", "x" * 65, "a b", "ключ", "a\r\nb"])
def test_nothing_is_sent_without_a_proper_key(bank: Bank, shop: YooKassa, key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        shop.create(new(), key=key, patience=PATIENCE)

    assert bank.calls() == []


def test_a_key_used_for_other_data_proves_nothing(shop: YooKassa) -> None:
    shop.create(new(), key="k", patience=PATIENCE)

    with pytest.raises(ProviderUnknown, match="used before"):
        shop.create(new(amount="2.00"), key="k", patience=PATIENCE)


# --- faults


@pytest.mark.parametrize(
    ("kind", "done"),
    [
        ("error_before", 0),
        ("error_after", 1),
        ("drop_before", 0),
        ("drop_after", 1),
        ("html_502", 0),
        ("processing_202", 0),
        ("too_many_429", 0),
        ("garbled", 1),
    ],
)
@pytest.mark.parametrize("name", CALLS)
def test_a_fault_is_unknown_sent_once_and_healed_by_the_same_call(
    bank: Bank, shop: YooKassa, name: str, kind: str, done: int
) -> None:
    payment_id = ready_for(bank, shop, name)
    before = len(bank.calls())
    bank.fault(on=FAULTED_AS.get(name, name), kind=kind)

    with pytest.raises(ProviderUnknown):
        call(shop, name, payment_id)
    assert len(bank.calls()) == before + 1
    assert effects_of(bank, name, payment_id) == (done if name in ACTS else 0)

    call(shop, name, payment_id)
    assert effects_of(bank, name, payment_id) == (name in ACTS)


@pytest.mark.parametrize("kind", ["silence", "silence_after"])
@pytest.mark.parametrize("name", CALLS)
def test_silence_ends_within_patience(bank: Bank, shop: YooKassa, name: str, kind: str) -> None:
    payment_id = ready_for(bank, shop, name)
    before = len(bank.calls())
    bank.fault(on=FAULTED_AS.get(name, name), kind=kind, seconds=5)
    started = time.monotonic()

    with pytest.raises(ProviderUnknown, match="ReadTimeout"):
        call(shop, name, payment_id, patience=0.3)

    assert 0.3 <= time.monotonic() - started < 1.5
    assert len(bank.calls()) == before + 1


def test_a_late_answer_within_patience_is_an_answer(bank: Bank, shop: YooKassa) -> None:
    bank.fault(on="create", kind="delay", seconds=0.5)

    assert made(shop).status is Seen.PENDING


@pytest.mark.parametrize(
    ("status", "code"), [(400, "invalid_request"), (404, "not_found"), (410, "gone"), (405, "x"), (415, "x")]
)
@pytest.mark.parametrize("name", ["create", "read", "capture", "void", "refund", "check"])
def test_a_refusal_is_final(bank: Bank, shop: YooKassa, name: str, status: int, code: str) -> None:
    payment_id = ready_for(bank, shop, name)
    bank.fault(on=FAULTED_AS.get(name, name), kind="refuse", status=status, code=code, description="No,\nnever")

    with pytest.raises(ProviderRefused) as no:
        call(shop, name, payment_id)

    assert str(no.value) == (f"{code}: No,never" if code != "x" else f"http_{status}")
    assert no.value.code == (code if code != "x" else f"http_{status}")
    assert effects_of(bank, name, payment_id) == 0


@pytest.mark.parametrize("status", [402, 406, 408, 409, 413, 422, 425, 429, 500, 501, 502, 503, 504, 520])
@pytest.mark.parametrize("name", ["create", "capture", "read"])
def test_any_other_status_is_unknown(bank: Bank, shop: YooKassa, name: str, status: int) -> None:
    payment_id = ready_for(bank, shop, name)
    bank.fault(on=FAULTED_AS.get(name, name), kind="refuse", status=status, code="some_code")

    with pytest.raises(ProviderUnknown, match=str(status)):
        call(shop, name, payment_id)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("name", CALLS)
def test_refused_credentials_are_final_only_where_nothing_is_owed(
    bank: Bank, shop: YooKassa, name: str, status: int
) -> None:
    payment_id = ready_for(bank, shop, name)
    bank.fault(on=FAULTED_AS.get(name, name), kind="refuse", status=status, code="forbidden")

    with pytest.raises(ProviderRefused if name in ("create", "check") else ProviderUnknown, match="forbidden"):
        call(shop, name, payment_id)


@pytest.mark.parametrize("name", ["find", "refunds"])
@pytest.mark.parametrize("status", [400, 404])
def test_a_refused_list_is_no_proof_of_absence(bank: Bank, shop: YooKassa, name: str, status: int) -> None:
    bank.fault(on="list", kind="refuse", status=status)

    with pytest.raises(ProviderUnknown):
        call(shop, name, "0" * 36)


def test_an_unknown_payment_is_not_found(shop: YooKassa) -> None:
    with pytest.raises(ProviderRefused) as no:
        shop.read("2d0a1f0b-000f-5000-8000-1a2b3c4d5e6f", patience=PATIENCE)

    assert no.value.code == "not_found"


@pytest.mark.parametrize("payment_id", ["", "../me", "a/b", "a?b", "%2e", "a b", "х", "x" * 65, "a\n"])
@pytest.mark.parametrize("name", ["read", "capture", "void", "refund", "refunds"])
def test_what_is_no_id_is_never_put_into_an_address(bank: Bank, shop: YooKassa, name: str, payment_id: str) -> None:
    with pytest.raises(ProviderRefused, match="not_found"):
        call(shop, name, payment_id)

    assert bank.calls() == []


def test_a_bank_that_is_not_there_is_unknown() -> None:
    nobody = YooKassa(Shop("100500", "test_x", "http://127.0.0.1:9/v3"))

    for name in CALLS:
        with pytest.raises(ProviderUnknown, match="no answer"):
            call(nobody, name, "0" * 36)


def test_without_time_nothing_is_sent(bank: Bank, shop: YooKassa) -> None:
    for name in CALLS:
        with pytest.raises(ProviderUnknown, match="no time"):
            call(shop, name, "0" * 36, patience=0)

    assert bank.calls() == []


# --- lies of the bank


@pytest.mark.parametrize(
    "lie",
    [
        {"amount": {"value": "NaN"}},
        {"amount": {"currency": "XXX"}},
        {"status": "half_paid"},
        {"recipient": {"account_id": 100500}},
        {"test": "yes"},
        {"expires_at": "tomorrow"},
        {"confirmation": {"confirmation_url": "javascript:alert(1)"}},
    ],
)
def test_a_lie_that_cannot_be_read_is_unknown(bank: Bank, shop: YooKassa, lie: dict[str, Any]) -> None:
    payment_id = made(shop).id
    for on in ("get", "list"):
        bank.fault(on=on, kind="lie", set=lie)

    for name in ("read", "find"):
        with pytest.raises(ProviderUnknown, match="unreadable"):
            call(shop, name, payment_id)


def test_a_new_payment_without_a_page_is_unknown(bank: Bank, shop: YooKassa) -> None:
    bank.fault(on="create", kind="lie", set={"confirmation": {"type": "external"}})

    with pytest.raises(ProviderUnknown, match="page"):
        made(shop)


def test_a_refund_of_another_payment_is_not_believed(bank: Bank, shop: YooKassa) -> None:
    payment_id = paid(bank, shop, two_stage=False)
    bank.fault(on="refund", kind="lie", set={"payment_id": "another"})

    with pytest.raises(ProviderUnknown, match="another payment"):
        call(shop, "refund", payment_id)


# --- several clubs in one process


def test_two_clubs_at_once_never_mix(bank: Bank) -> None:
    shops = {shop_id: shop_at(bank, shop_id, secret) for shop_id, secret in [(Bank.shop_id, Bank.secret), OTHER]}
    stop = threading.Event()

    def meddle() -> None:
        while not stop.is_set():  # a module-level switch of credentials, as the SDK would have it, changes nothing
            Configuration.configure("666", "wrong", api_url="http://127.0.0.1:9/v3")
            Configuration.auth_token = "wrong"
            time.sleep(0.001)

    def work(n: int) -> tuple[str, str, bool]:
        shop_id = list(shops)[n % 2]
        made_one = shops[shop_id].create(new(f"tok-{n}"), key=f"k-{n}", patience=PATIENCE)
        seen = shops[shop_id].read(made_one.id, patience=PATIENCE)
        return shop_id, seen.account_id, seen.is_test

    meddler = threading.Thread(target=meddle)
    meddler.start()
    try:
        with ThreadPoolExecutor(8) as pool:
            worked = list(pool.map(work, range(60)))
    finally:
        stop.set()
        meddler.join()
        Configuration.account_id = Configuration.secret_key = Configuration.auth_token = None
        Configuration.api_url = "https://api.yookassa.ru/v3"

    assert all(asked == answered for asked, answered, _ in worked)
    assert {(shop_id, is_test) for shop_id, _, is_test in worked} == {("100500", True), ("200600", False)}
    assert {c["shop"] for c in bank.calls()} == {"100500", "200600"}


def test_one_club_cannot_see_the_others_payment(bank: Bank, shop: YooKassa) -> None:
    payment_id = made(shop).id

    with pytest.raises(ProviderRefused, match="not_found"):
        shop_at(bank, *OTHER).read(payment_id, patience=PATIENCE)
