"""With PostgreSQL gone, or going in the middle of a request, every door says 503 and when to come again; never 500."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from django.urls import reverse

from slots.models import Slot
from tests.bank import Bank
from tests.factories import UserFactory
from tests.pages.conftest import FORM
from tests.play import booked, offer, payment_of, take

pytestmark = pytest.mark.django_db(transaction=True)
TOKEN = "a" * 22
ORDER = {"slot_id": 1, "client": {"full_name": "Анна", "phone": "+79123456789", "email": "anna@example.com"}}
EVENT = {"type": "notification", "event": "payment.succeeded", "object": {"id": "2d", "metadata": {}}}
Ask = Callable[[Client], Any]


def post(path: str, body: dict[str, Any]) -> Ask:
    return lambda browser: browser.post(path, body, content_type="application/json")


DOORS: dict[str, Ask] = {
    "clubs": lambda browser: browser.get("/"),
    "day": lambda browser: browser.get("/club/"),
    "form": lambda browser: browser.get("/club/slots/1/"),
    "checkout": lambda browser: browser.post("/club/slots/1/", FORM),
    "status": lambda browser: browser.get(f"/checkout/{TOKEN}/"),
    "return": lambda browser: browser.get(f"/checkout/{TOKEN}/return/"),
    "booking": lambda browser: browser.get(f"/booking/{TOKEN}/"),
    "cancel": lambda browser: browser.post(f"/booking/{TOKEN}/cancel/"),
    "admin": lambda browser: browser.get("/admin/"),
    "admin's post": lambda browser: browser.post("/admin/clubs/club/add/", {}),
    "sign in": lambda browser: browser.post("/admin/login/", {"username": "a@example.com", "password": "b"}),
    "ready": lambda browser: browser.get("/health/ready"),
    "api: clubs": lambda browser: browser.get("/api/v1/clubs"),
    "api: availability": lambda browser: browser.get("/api/v1/clubs/club/availability?date=2030-01-01"),
    "api: checkout": post("/api/v1/site/bookings/individual", ORDER),
    "api: status": lambda browser: browser.get(f"/api/v1/site/checkouts/{TOKEN}?look=1"),
    "api: booking": lambda browser: browser.get(f"/api/v1/user/bookings/{TOKEN}"),
    "api: cancel": post(f"/api/v1/user/bookings/{TOKEN}/cancel", {"reason": "rain"}),
    "webhook": post("/api/v1/payments/yookassa/webhook", EVENT),
}


@pytest.fixture
def browser() -> Client:
    """A browser of somebody who is signed in, so that sessions are looked for too."""
    browser = Client(raise_request_exception=False)
    browser.force_login(UserFactory(is_superuser=True))
    return browser


@pytest.fixture
def gone(browser: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody listens where PostgreSQL was."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    connection.close()
    with monkeypatch.context() as changed:
        changed.setitem(connection.settings_dict, "PORT", port)
        yield
        connection.close()


def assert_unavailable(answer: Any, *, where: str) -> None:
    assert answer.status_code == 503, where
    assert 0 < int(answer["Retry-After"]) <= 60, where
    kind = "application/problem+json" if where.startswith(("api", "webhook")) else "text/"
    assert answer["Content-Type"].startswith(kind), where


@pytest.mark.parametrize("door", DOORS)
def test_every_door_says_come_again(browser: Client, gone: None, door: str) -> None:
    assert_unavailable(DOORS[door](browser), where=door)


def test_the_process_is_alive_without_it(browser: Client, gone: None) -> None:
    assert browser.get("/health/live").status_code == 200


class Cut:
    """Ends our connection from the server's side just before its query number `at`, as a dying server does."""

    def __init__(self, at: int) -> None:
        self.at, self.seen = at, 0

    def __call__(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        self.seen += 1
        if self.seen == self.at:
            end_connection(connection.connection.info.backend_pid)
        return execute(sql, params, many, context)


def end_connection(pid: int) -> None:
    given = connection.settings_dict
    address = f"postgres://{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT']}/{given['NAME']}"
    with psycopg.connect(address) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def form(slot: Slot) -> Ask:
    path = reverse("slot", kwargs={"slug": slot.club.slug, "slot_id": slot.pk})
    return lambda browser: browser.post(path, FORM | {"key": uuid.uuid4().hex})


def by_page(bank: Bank) -> Ask:
    return form(offer())


def by_api(bank: Bank) -> Ask:
    return post("/api/v1/site/bookings/individual", ORDER | {"slot_id": offer().pk})


def back_from_the_bank(bank: Bank) -> Ask:
    checkout = take(offer())
    bank.pay(payment_of(checkout).provider_payment_id)
    return lambda browser: browser.get(f"/checkout/{checkout.token}/return/")


def told_by_the_bank(bank: Bank) -> Ask:
    payment = payment_of(take(offer()))
    bank.pay(payment.provider_payment_id)
    told = EVENT | {"event": "payment.waiting_for_capture", "object": {"id": payment.provider_payment_id}}
    return post("/api/v1/payments/yookassa/webhook", told)


def cancelled(bank: Bank) -> Ask:
    booking = booked(offer(), bank)
    return lambda browser: browser.post(f"/booking/{booking.token}/cancel/", {"reason": "rain"})


def in_the_back_office(bank: Bank) -> Ask:
    return lambda browser: browser.get("/admin/bookings/booking/")


def signing_in(bank: Bank) -> Ask:
    person = UserFactory(password="a-long-password")
    data = {"username": person.email, "password": "a-long-password"}
    return lambda browser: browser.post("/admin/login/", data)


@pytest.mark.parametrize(
    "arrange", [by_page, by_api, back_from_the_bank, told_by_the_bank, cancelled, in_the_back_office, signing_in]
)
def test_cut_off_before_any_query_a_request_ends_well_or_with_come_again(
    browser: Client, bank: Bank, arrange: Callable[[Bank], Ask]
) -> None:
    assert bank.api_url == django_settings.YOOKASSA_API_URL
    for number in range(1, 100):
        ask, cut = arrange(bank), Cut(number)
        with connection.execute_wrapper(cut):
            answer = ask(browser)
        connection.close()
        where = f"{arrange.__name__}, query {number}"
        if answer.status_code >= 400:
            assert_unavailable(answer, where="api" if "json" in answer["Content-Type"] else where)
        if cut.seen < number:
            return
    raise AssertionError("it never ends")
