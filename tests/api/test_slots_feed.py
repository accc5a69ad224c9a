"""Lists of slots by status, and what has changed since."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import quote

import pytest
import time_machine
from django.db import connection

from palms.clock import now_utc
from slots.models import Slot
from tests.api.club import SLOTS, Crm
from tests.api.test_slots import ids
from tests.bank import Bank
from tests.factories import SlotFactory, ahead
from tests.play import booked_on_site, offer, take

pytestmark = pytest.mark.django_db


@pytest.mark.django_db(transaction=True)
def test_status_is_asked_of_the_claims_and_the_clock(bank: Bank) -> None:
    free = offer(start=ahead(8))
    crm = Crm(free.club)
    closed = SlotFactory(club=crm.club, start=ahead(9), closed=True)
    held, rival = offer(club=crm.club, start=ahead(10)), None
    rival = SlotFactory(club=crm.club, area=held.area, start=ahead(10), minutes=90)
    booked = offer(club=crm.club, start=ahead(13))
    past = SlotFactory(club=crm.club, start=now_utc() - timedelta(hours=1))
    take(held)
    booked_on_site(booked, phone="+79120000001")
    SlotFactory()

    found = {
        status: ids(crm.get(f"{SLOTS}?status={status}")) for status in ("AVAILABLE", "CLOSED", "HOLD", "BOOKED", "PAST")
    }

    assert found == {
        "AVAILABLE": [free.pk], "CLOSED": [closed.pk], "HOLD": [held.pk, rival.pk], "BOOKED": [booked.pk],
        "PAST": [past.pk],
    }  # fmt: skip
    with time_machine.travel(now_utc() + timedelta(seconds=301)):
        assert ids(crm.get(f"{SLOTS}?status=HOLD")) == [], "the hold is dead, whoever cleans"
        assert ids(crm.get(f"{SLOTS}?status=AVAILABLE")) == [free.pk, held.pk, rival.pk]


def test_what_changed_since_comes_in_the_order_of_change() -> None:
    crm = Crm()
    slots = [SlotFactory(club=crm.club, start=ahead(hour)) for hour in (8, 9, 10)]
    meta = crm.get(SLOTS).json()["meta"]
    Slot.objects.filter(pk=slots[2].pk).update(price=5)
    Slot.objects.filter(pk=slots[0].pk).update(price=6)
    since = max(Slot.objects.get(pk=slots[1].pk).updated_at, datetime.fromisoformat(meta["as_of"]))

    answer = crm.get(f"{SLOTS}?updated_since={quote((since + timedelta(microseconds=1)).isoformat())}&limit=1")

    assert ids(answer) == [slots[2].pk]
    following = answer.json()["meta"]["next"].removeprefix("http://127.0.0.1:8000")
    assert ids(crm.get(following)) == [slots[0].pk]
    assert meta["as_of"].endswith("+03:00")


def test_pages_hold_thousands_that_changed_at_one_moment() -> None:
    crm = Crm()
    Slot.objects.bulk_create(
        Slot(club=crm.club, area=crm.area, exclusive=True, date_from=ahead() + timedelta(hours=n),
             date_to=ahead() + timedelta(hours=n + 1), price=1, currency="RUB")
        for n in range(1200)
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE slots_slot DISABLE TRIGGER slot_version")
        cursor.execute("UPDATE slots_slot SET updated_at = '2026-01-01T00:00Z'")
        cursor.execute("ALTER TABLE slots_slot ENABLE TRIGGER slot_version")
    address, found = f"{SLOTS}?updated_since=2026-01-01T00:00:00Z&limit=500", []
    while address:
        body = crm.get(address).json()
        found += [row["id"] for row in body["data"]]
        address = (body["meta"]["next"] or "").removeprefix("http://127.0.0.1:8000")

    assert found == sorted(Slot.objects.values_list("pk", flat=True))
