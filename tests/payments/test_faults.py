"""Every way in which the bank can misbehave, at every call that Palms makes, through the whole product: the same end, once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from bookings import services
from bookings.models import Booking
from payments.models import Payment, ProviderEvent
from sandbox.yookassa.faults import CALL, NOTIFY, OUTCOMES
from tests.bank import Bank
from tests.crashes import cases
from tests.crashes.cases import Make, come_back, in_time, payment_of, run_all
from tests.crashes.child import ACTS
from tests.play import offer, take
from tests.races.invariants import broken

pytestmark = pytest.mark.django_db(transaction=True)
HOOK = "/api/v1/payments/yookassa/webhook"
CALLS: dict[str, Make] = {  # every call on the way of money, and a life in which it is made
    "create": cases.a_checkout,
    "get": cases.a_return,
    "capture": cases.a_close,
    "cancel": cases.a_late_payment,
    "refund": cases.a_late_payment_in_one_stage,
    "list": cases.a_late_payment_in_one_stage,
}
STRANGE: dict[str, Any] = {
    "amount": {"amount": {"value": "1.00"}},
    "currency": {"amount": {"currency": "USD"}},
    "shop": {"recipient": {"account_id": "666", "gateway_id": "1"}},
    "flag": {"test": False},
}
FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("delay", {"seconds": 0.3}),
    ("delay_after", {"seconds": 0.3}),
    ("silence", {"seconds": 0.3}),
    ("silence_after", {"seconds": 0.3}),
    ("error_before", {}),
    ("error_after", {}),
    ("drop_before", {}),
    ("drop_after", {}),
    ("html_502", {}),
    ("html_502", {"effect": True}),
    ("processing_202", {}),
    ("processing_202", {"effect": True}),
    ("too_many_429", {}),
    ("garbled", {}),
    ("garbled", {"effect": False}),
    *[("lie", {"set": lie}) for lie in STRANGE.values()],
]


def test_every_fault_of_the_sandbox_has_its_test() -> None:
    """`refuse` and what the bank decides about refunds: tests/bookings/test_checkout.py, test_notifications.py beside this."""
    assert {kind for kind, _ in FAULTS} | {"refuse"} == set(CALL)
    assert set(NOTIFICATIONS) == set(NOTIFY)
    assert set(OUTCOMES) == {"refund_canceled", "refund_pending"}


@pytest.mark.parametrize("on", CALLS)
def test_whatever_the_bank_does_to_a_call_the_end_is_the_same(bank: Bank, on: str) -> None:
    for kind, options in FAULTS:
        if (on, kind) == ("get", "lie"):
            continue  # what is read is what is believed: test_notifications.py says what becomes of such money
        case = CALLS[on](bank)
        fault = bank.fault(on=on, kind=kind, **options)
        with in_time(case.ahead):
            ACTS[case.act](**case.args)
        hits = {one["id"]: one["hits"] for one in bank.state()["faults"]}[fault]
        try:
            assert hits == 1
            come_back(case, bank)
        except AssertionError as wrong:
            raise AssertionError(f"{kind} {options} at {on}") from wrong


NOTIFICATIONS: dict[str, dict[str, Any]] = {
    "duplicate": {"copies": 3},
    "late": {"seconds": 60},
    "missing": {},
    "reorder": {"seconds": 1},
    "lie": {"set": {"amount": {"value": "1.00"}, "status": "canceled"}},
}


@pytest.mark.parametrize("kind", NOTIFICATIONS)
def test_whatever_the_bank_does_to_its_notifications_the_booking_is_confirmed_once(
    bank: Bank, live_server: Any, kind: str
) -> None:
    """Two customers pay; the bank tells of the first one so, over HTTP."""
    bank.notify_url = live_server.url + HOOK
    first, second = (payment_of(take(offer())) for _ in range(2))
    bank.fault(on="notify", kind=kind, payment_id=first.provider_payment_id, **NOTIFICATIONS[kind])
    for payment in (first, second):
        bank.pay(payment.provider_payment_id or "")
    until(lambda: Booking.objects.filter(payments=second).exists())
    if kind in ("late", "missing"):
        assert not Booking.objects.filter(payments=first).exists()
        bank.advance(61)  # the sandbox's clock: what is late comes now
        if kind == "missing":
            services.look_again(token=first.token)
    until(lambda: Booking.objects.filter(payments=first).exists())
    if kind == "duplicate":
        until(lambda: ProviderEvent.objects.get(payment=first).times == 4)
    run_all()
    assert [booking.status for booking in Booking.objects.all()] == ["CONFIRMED"] * 2
    for payment in Payment.objects.all():
        assert bank.effects(payment.provider_payment_id or "") == [("held", 150_000)]
    assert broken() == {}


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "it never becomes so"
        time.sleep(0.05)
