"""Choosing an interval on the pages: a start on the day, a length with its price, then the form that everybody knows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from bookings.models import Booking
from clubs.models import Area
from palms.clock import now_utc
from payments.models import Payment
from slots.intervals import Interval
from slots.models import Slot
from tests.bank import Bank
from tests.factories import IntervalAreaFactory, SlotFactory
from tests.pages.conftest import FORM, inputs_of, text_of
from tests.play import stay, stay_on_site, sunbed, take_stay

money_moves = pytest.mark.django_db(transaction=True)


def day(client: Client, area: Area, days: int = 1) -> str:
    address = reverse("club-day", kwargs={"slug": area.club.slug})
    return text_of(client.get(address, {"day": f"{stay(area, days=days).date_from.date()}"}))


def start_of(interval: Interval, area: Area) -> str:
    return reverse("interval-start", args=[area.club.slug, area.pk, interval.date_from])


def address(interval: Interval, area: Area) -> str:
    minutes = (interval.date_to - interval.date_from) // timedelta(minutes=1)
    return reverse("interval", args=[area.club.slug, area.pk, interval.date_from, minutes])


def send(client: Client, interval: Interval, area: Area, **changes: Any) -> Any:
    key = inputs_of(client.get(address(interval, area))).get("key", "")
    return client.post(address(interval, area), FORM | {"key": key} | changes)


@money_moves
def test_from_the_day_to_a_length_to_the_bank_and_the_booking(client: Client, bank: Bank) -> None:
    area = sunbed(peak_hours=(13, 17))
    wanted = stay(area, 12, 90)

    shown = day(client, area)
    assert f'<a href="{start_of(wanted, area)}">' in shown
    assert "от 300 ₽" in shown
    assert "до 4 ч" in shown
    lengths = text_of(client.get(start_of(wanted, area)))
    for words in (address(wanted, area), "1 ч 30 мин", "1 050 ₽", address(stay(area, 12, 240), area), "3 300 ₽"):
        assert words in lengths
    assert "1 050 ₽" in text_of(client.get(address(wanted, area)))

    sent = send(client, wanted, area)
    assert sent.status_code == 303
    assert sent["Location"].startswith(bank.url)
    payment = Payment.objects.get()
    assert payment.amount == 105_000
    assert client.get(address(wanted, area))["Location"] == reverse("checkout-status", args=[payment.token])
    bank.pay(payment.provider_payment_id)
    client.get(reverse("checkout-return", args=[payment.token]))
    assert Booking.objects.get().date_to == wanted.date_to
    assert start_of(wanted, area) not in day(client, area)
    assert "занято" in day(client, area)


@money_moves
def test_who_comes_second_is_led_to_other_places_and_times_with_what_was_typed(client: Client, bank: Bank) -> None:
    area = sunbed(name="Первый")
    other = IntervalAreaFactory(club=area.club, name="Второй")
    wanted = stay(area)
    form = inputs_of(client.get(address(wanted, area)))
    take_stay(area, stay(area, 12.5), phone="+79120000002")

    lost = client.post(address(wanted, area), FORM | {"key": form["key"]})

    assert lost.status_code == 409
    page = text_of(lost)
    assert "Второй" in page
    assert FORM["email"] in page
    picked = stay(other)
    assert f'action="{address(picked, other)}"' in page
    again = client.post(address(picked, other), FORM | {"pick": "1"})
    assert inputs_of(again)["full_name"] == FORM["full_name"]
    assert "оформляют" in day(client, area)


@money_moves
def test_a_hold_that_died_offers_the_same_interval_again(client: Client, bank: Bank) -> None:
    area = sunbed()
    send(client, stay(area), area)
    token = Payment.objects.get().token
    with time_machine.travel(now_utc() + timedelta(seconds=301)):
        page = text_of(client.get(reverse("checkout-status", args=[token])))
        assert f'action="{address(stay(area), area)}"' in page
        assert "Это время ещё свободно" in page or "снова" in page.lower()
        sent = client.post(
            address(stay(area), area), FORM | {"key": inputs_of(client.get(address(stay(area), area)))["key"]}
        )
        assert sent.status_code == 303
    assert Slot.objects.count() == 1


@pytest.mark.django_db
def test_now_is_offered_first_and_counts_from_the_current_step(client: Client) -> None:
    area = sunbed(name="Лежак 5")
    with time_machine.travel(stay(area, 12).date_from + timedelta(minutes=10)):
        now = stay(area, 12, 60, days=0)
        page = day(client, area, days=0)
        assert "Свободно прямо сейчас" in page
        assert page.index(start_of(now, area)) < page.index("<table>")
        assert "08:00" not in page  # what has passed takes no lines
        assert "время считается с 12:00" in text_of(client.get(start_of(now, area)))
        assert address(stay(area, 12, 30, days=0), area) not in text_of(client.get(start_of(now, area)))
    assert "Свободно прямо сейчас" not in day(client, area)
    with time_machine.travel(stay(area, 23).date_from):
        page = day(client, area, days=0)
        for words in ("В этот день свободного времени больше нет", "прошло", start_of(stay(area, 8, days=1), area)):
            assert words in page


@pytest.mark.django_db
def test_a_start_that_is_taken_says_so_and_names_others(client: Client) -> None:
    area = sunbed()
    stay_on_site(area, stay(area))
    page = client.get(start_of(stay(area), area))
    assert page.status_code == 200
    assert "уже занято" in text_of(page)
    assert address(stay(area, 13, 30), area) in text_of(page)


@pytest.mark.django_db
def test_a_full_day_leads_to_the_next_free_start(client: Client) -> None:
    area = sunbed(open_hours=(8, 9))
    for hour in (8, 8.5):
        stay_on_site(area, stay(area, hour, 30), phone=f"+7912000{hour * 10:04.0f}")
    page = day(client, area)
    assert "Ближайшее свободное время" in page
    assert start_of(stay(area, 8, days=2), area) in page


@pytest.mark.django_db
def test_places_with_times_and_places_by_interval_share_a_day(client: Client) -> None:
    area = sunbed(name="Лежак 9")
    slot = SlotFactory(club=area.club, area__name="Корт 9", start=stay(area, 15).date_from)
    page = day(client, area)
    for words in ("Лежак 9", "Корт 9", reverse("slot", args=[area.club.slug, slot.pk]), start_of(stay(area), area)):
        assert words in page


@pytest.mark.django_db
@pytest.mark.parametrize(
    "tail",
    [
        "20261399T0900Z/", "20261124T2500Z/", "20261124T0901Z/", "29991124T0900Z/", "завтра/", "20261124T0900Z/0/", "x/60/",
        "20261124T0900Z/7/", "20261124T0900Z/99999999999/", "20261124T0900Z/-60/", "20261124T0900Z/999999999999999999999/",
        "20991231T0900Z/60/", "21991231T2300Z/44640/",
    ],
)  # fmt: skip
def test_addresses_that_nobody_offers_are_not_found(client: Client, tail: str) -> None:
    area = sunbed()
    for place in (area.pk, 0, 10**17, "9" * 30):
        for answer in (client.get, client.post):
            found = answer(f"/{area.club.slug}/areas/{place}/{tail}")
            assert found.status_code in ((404, 405) if place != area.pk or "2099" not in tail else (200, 404, 400))
    assert not Slot.objects.exists()


@pytest.mark.django_db
def test_another_clubs_place_and_one_out_of_use_are_not_found(client: Client) -> None:
    area, other = sunbed(), sunbed()
    court = SlotFactory(club=area.club).area
    for place in (other.pk, court.pk, IntervalAreaFactory(club=area.club, is_active=False).pk):
        start = reverse("interval-start", args=[area.club.slug, place, stay(area).date_from])
        assert [client.get(start).status_code, client.get(f"{start}60/").status_code] == [404, 404]


@pytest.mark.django_db
def test_looking_costs_the_same_however_many_places_and_writes_nothing(client: Client) -> None:
    area = sunbed()

    def queries(address: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(address).status_code == 200
        return len(seen)

    pages = [
        f"/{area.club.slug}/?day={stay(area).date_from.date()}", start_of(stay(area), area), address(stay(area), area),
    ]  # fmt: skip
    queries(pages[2])  # makes the visitor known
    before = [queries(page) for page in pages]
    for number in range(8):
        bed = IntervalAreaFactory(club=area.club)
        stay_on_site(bed, stay(bed, 10), phone=f"+7912000010{number}")
    assert [queries(page) for page in pages] == before == [5, 4, 9]
    assert Slot.objects.count() == 8
