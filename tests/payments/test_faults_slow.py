"""A bank that takes thirty seconds: its own customers are told to wait, everybody else feels nothing. On the real web server."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db import connection

from palms.embedded import parts, processes
from palms.embedded.options import ROOT, Options
from palms.secrets import seal
from payments.models import Payment
from slots.models import Slot
from tests.bank import Bank
from tests.factories import ClubFactory, ProviderAccountFactory, SlotFactory
from tests.races.crowd import phone

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]
NAME = "palms-slow-bank"  # how the server's connections are known
SLOW_SHOP, SLOW_SECRET = "200600", "test_slow"
CROWD = 60  # customers of the slow club at once: more than the server has threads
WORSE = 8  # how many times longer than before the longest wait may be; a customer stuck behind the bank waits a hundred times
THREADS = 2 * int(parts.THREADS)


@pytest.fixture
def bank() -> Iterator[Bank]:
    """One of its own: what it does half a minute late must not come upon another test."""
    with Bank(shops={SLOW_SHOP: SLOW_SECRET}) as bank:
        yield bank


@pytest.fixture
def site(bank: Bank, tmp_path: Path) -> Iterator[str]:
    """Palms as `make run` serves it, on the test's database and bank."""
    given = connection.settings_dict
    url = f"postgres://{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT']}/{given['NAME']}"
    options = Options(ROOT, "127.0.0.1", processes.free_port(), 1, "", "")
    keys = {"YOOKASSA_API_URL": bank.api_url, "PALMS_BASE_URL": options.site}
    urls = {"DATABASE_URL": f"{url}?application_name={NAME}", "REDIS_URL": ""}
    env = parts.environment(options, urls, dict(os.environ) | keys)
    process = processes.start(parts.web(options, env | urls).command, log=tmp_path / "web.log")
    try:
        deadline = time.monotonic() + 60
        while not answers(options.site):
            assert time.monotonic() < deadline, processes.tail(tmp_path / "web.log")
            time.sleep(0.1)
        yield options.site
    finally:
        processes.kill_session(process)


def answers(site: str) -> bool:
    try:
        return httpx.get(f"{site}/health/live", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def check_out(site: str, slot: Slot, number: int) -> httpx.Response:
    client = {"full_name": "Анна Петрова", "phone": phone(number), "email": "anna@example.com"}
    address = f"{site}/api/v1/site/bookings/individual"
    return httpx.post(address, json={"slot_id": slot.pk, "client": client}, timeout=60, trust_env=False)


def longest(acts: list[Callable[[], httpx.Response]]) -> float:
    """Return the longest wait of a customer, one after the other."""
    waits = []
    for act in acts:
        started = time.monotonic()
        assert act().status_code in (200, 201)
        waits.append(time.monotonic() - started)
    return max(waits)


def connections(state: str = "%") -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND state LIKE %s"
    with connection.cursor() as cursor:
        cursor.execute(query, [NAME, state])
        return int(cursor.fetchone()[0])


def test_a_bank_that_takes_thirty_seconds_is_felt_by_nobody_else(bank: Bank, site: str) -> None:
    quick, slow = ClubFactory(), ClubFactory()
    ProviderAccountFactory(club=quick)
    credentials = seal({"shop_id": SLOW_SHOP, "secret_key": SLOW_SECRET})
    ProviderAccountFactory(club=slow, account_id=SLOW_SHOP, credentials=credentials)
    courts = [SlotFactory(club=quick) for _ in range(24)]
    busy = [SlotFactory(club=slow) for _ in range(CROWD)]

    def customers(slots: list[Slot]) -> list[Callable[[], httpx.Response]]:
        looks: Any = [lambda: httpx.get(f"{site}/{quick.slug}/", timeout=60, trust_env=False) for _ in slots]
        books: Any = [lambda slot=slot: check_out(site, slot, 5000 + slot.pk) for slot in slots]
        return [act for pair in zip(looks, books, strict=True) for act in pair]

    longest(customers(courts[:4]))  # the server has warmed up
    before = longest(customers(courts[4:14]))
    bank.fault(on="create", kind="delay", seconds=30, times=None, shop_id=SLOW_SHOP)
    with ThreadPoolExecutor(CROWD) as pool:
        hanging = [pool.submit(check_out, site, slot, number) for number, slot in enumerate(busy)]
        until(lambda: sum(not answer.done() for answer in hanging) <= THREADS // 4)
        held, stuck = connections(), sum(not answer.done() for answer in hanging)
        assert connections("idle in transaction%") == 0
        assert (held + stuck <= THREADS, stuck > 0) == (True, True)  # who waits for the bank holds none
        during = longest(customers(courts[14:]))
        told = [answer.result() for answer in hanging]
    assert {answer.status_code for answer in told} == {201}
    assert {answer.json()["payment_url"] for answer in told} == {None}  # being prepared: the place is held
    assert Payment.objects.filter(club=slow, status="PENDING").count() == CROWD
    assert during < before * WORSE


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "it never becomes so"
        time.sleep(0.05)
