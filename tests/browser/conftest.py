"""A real Chromium on the real pages: a live server, the sandbox bank, and a club with two days of courts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client as Signed
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from bookings.models import Booking
from clubs.models import Club, User
from slots.models import Slot
from tests.bank import Bank
from tests.factories import AreaFactory, ClubFactory, ProviderAccountFactory, SlotFactory, tomorrow
from tests.play import booked, take

LAUNCH = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def browser(chromium_path: str) -> Iterator[Browser]:
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = (
        "1"  # playwright keeps an event loop in this thread; the ORM here is ours alone
    )
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium_path, args=LAUNCH)
        yield found
        found.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def site(live_server: Any, bank: Bank, settings: Any) -> str:
    """The address of the running site, where the bank sends people back to."""
    settings.BASE_URL = live_server.url
    return str(live_server.url)


@pytest.fixture
def club(site: str) -> Club:
    """Three courts from 12 to 15 o'clock tomorrow and the day after, a group, two lengths on the first court."""
    club: Club = ClubFactory(name="Пальмы", slug="palms", phone="+79001112233", address="Москва, Лужники")
    ProviderAccountFactory(club=club)
    for number in (1, 2, 3):
        area = AreaFactory(club=club, name=f"Корт {number}", position=number)
        for day in (0, 1):
            for hour in (9, 10, 11):
                SlotFactory(club=club, area=area, start=tomorrow(hour) + timedelta(days=day))
    court = club.areas.get(position=1)
    SlotFactory(club=club, area=court, start=tomorrow(9), minutes=90, price=210_000)
    hall = AreaFactory(club=club, name="Зал", exclusive=False, position=9)
    SlotFactory(club=club, area=hall, start=tomorrow(16), minutes=75, capacity=12, title="Йога", price=80_000)
    return club


@pytest.fixture
def court(club: Club) -> Slot:
    """The first hour of the second court."""
    return club.slots.get(area__position=2, date_from=tomorrow(9))


@pytest.fixture
def group(club: Club) -> Slot:
    return club.slots.get(capacity=12)


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Return a page of a new visitor. Nothing may go wrong on it: errors of scripts and of the policy fail the test."""
    contexts: list[BrowserContext] = []
    troubles: list[str] = []

    def make(width: int = 1280, **options: Any) -> Page:
        height = options.pop("height", 800)
        context = browser.new_context(viewport={"width": width, "height": height}, locale="ru-RU", **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "console", lambda message: troubles.append(message.text) if "Content Security" in message.text else None
        )
        return page

    yield make
    for context in contexts:
        context.close()
    assert troubles == []


def signed_in(page: Page, site: str, person: User) -> None:
    """Let this browser be a person of the staff."""
    signed = Signed()
    signed.force_login(person)
    name = settings.SESSION_COOKIE_NAME
    page.context.add_cookies([{"name": name, "value": signed.cookies[name].value, "url": site}])


def fill(page: Page, **changes: str) -> None:
    """Type what a customer types."""
    typed = {"full_name": "Анна Петрова", "phone": "8 912 345-67-89", "email": "anna@example.com"} | changes
    for name, value in typed.items():
        page.fill(f"#id_{name}", value)
    page.check("#id_consent")


def pay(page: Page, card: str = "4111 1111 1111 1111") -> None:
    """Pay on the bank's page, which sends people back."""
    page.fill("[name=card_number]", card)
    page.press("[name=card_number]", "Enter")


def booking_of(slot: Slot, bank: Bank) -> Booking:
    """Return a paid booking, made without the browser."""
    return booked(slot, bank)


def status_of(slot: Slot) -> str:
    """Return the address of a held checkout's status page."""
    return f"/checkout/{take(slot).token}/"
