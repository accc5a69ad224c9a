"""What happens to bookings and slots is told by the database, whatever way of the code it came."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from bookings import services as bookings
from bookings.models import Booking
from clubs.models import Club
from slots import services as slots
from slots.models import Slot
from tests.bank import Bank
from tests.factories import AreaFactory, ClubFactory, SlotFactory, ahead
from tests.play import booked, booked_on_site, offer, run_all, staff, take
from tests.raw import sql, stopped_by
from tests.webhooks.conftest import endpoint_at, staff_of
from tests.webhooks.receiver import Receiver
from webhooks import services
from webhooks.models import Delivery, Endpoint, Event

pytestmark = pytest.mark.django_db(transaction=True)


def told(about: Any = None) -> list[str]:
    """The types of events, in order; of one row where it is given."""
    rows = Event.objects.order_by("pk")
    if about is not None:
        rows = rows.filter(object_id=about.pk, type__startswith=about._meta.model_name)
    return list(rows.values_list("type", flat=True))


def test_the_life_of_a_paid_booking(endpoint: Endpoint, club: Club, bank: Bank) -> None:
    slot = offer(club=club)
    booking = booked(slot, bank)
    assert told(slot) == ["slot.created"]
    assert told(booking) == ["booking.confirmed"]

    bookings.cancel_by_club(booking_id=booking.pk, actor=staff(slot), reason="rain")
    assert told(booking)[:2] == ["booking.confirmed", "booking.canceled"]
    run_all()  # the money goes back, after the end
    assert set(told(booking)[2:]) == {"booking.updated"}
    last = Event.objects.filter(type="booking.updated").latest("pk")
    assert last.version == Booking.objects.get(pk=booking.pk).version


def test_a_request_approved_and_closed(endpoint: Endpoint, club: Club) -> None:
    slot = offer(club=club, area=AreaFactory(club=club, mode="request"))
    take(slot)
    booking = Booking.objects.get()
    bookings.approve(booking_id=booking.pk, actor=staff(slot))
    assert told(booking) == ["booking.requested", "booking.approved"]


def test_a_visit_that_took_place_and_one_that_ended_otherwise(endpoint: Endpoint, club: Club) -> None:
    first, second = booked_on_site(offer(club=club)), booked_on_site(offer(club=club))
    bookings.try_complete_booking(booking_id=first.pk, actor=staff(first.slot), force=True, reason="early")
    bookings.end_otherwise(booking_id=second.pk, actor=staff(second.slot), reason="fire")
    assert told(first)[:2] == ["booking.approved", "booking.confirmed"]
    assert "booking.completed" in told(first)
    assert "booking.other" in told(second)


def test_raw_sql_cannot_forget_to_tell(endpoint: Endpoint, club: Club) -> None:
    slot = SlotFactory(club=club)
    other = SlotFactory(club=club, area=slot.area, start=slot.date_from + timedelta(hours=2))
    sql("UPDATE slots_slot SET closed = true WHERE id = %s", slot.pk)
    sql("UPDATE slots_slot SET closed = false WHERE id = %s", slot.pk)
    sql("UPDATE slots_slot SET price = price + 1 WHERE id IN (%s, %s)", slot.pk, other.pk)
    sql("UPDATE slots_slot SET updated_at = now() WHERE id = %s", slot.pk)
    assert told(slot) == ["slot.created", "slot.closed", "slot.reopened", "slot.updated"]
    assert told(other) == ["slot.created", "slot.updated"]


def test_a_booking_that_moves_is_told_as_moved(endpoint: Endpoint, club: Club) -> None:
    booking = booked_on_site(offer(club=club))
    there = SlotFactory(club=club, area=booking.slot.area, start=booking.date_from + timedelta(hours=3))
    with transaction.atomic():  # what a move does to the rows
        sql("SET CONSTRAINTS ALL DEFERRED")
        sql(
            "UPDATE slots_claim SET slot_id = %s, period = tstzrange(%s, %s) WHERE booking_id = %s",
            there.pk, there.date_from, there.date_to, booking.pk,
        )  # fmt: skip
        sql(
            "UPDATE bookings_booking SET slot_id = %s, date_from = %s, date_to = %s WHERE id = %s",
            there.pk, there.date_from, there.date_to, booking.pk,
        )  # fmt: skip
    assert told(booking) == ["booking.approved", "booking.confirmed", "booking.moved"]


def test_what_is_rolled_back_is_not_told(endpoint: Endpoint, club: Club) -> None:
    with transaction.atomic():
        SlotFactory(club=club)
        transaction.set_rollback(True)
    assert told() == []


def test_nothing_is_told_where_nobody_listens(club: Club, receiver: Receiver) -> None:
    elsewhere: Club = ClubFactory()
    endpoint_at(receiver, elsewhere)
    off = endpoint_at(receiver, club)
    services.turn_off(endpoint_id=off.pk, actor=staff_of(club))
    endpoint_at(receiver, club, types=["slot.closed"])
    slot = SlotFactory(club=club)
    assert told() == []
    slots.set_closed(slot_id=slot.pk, closed=True, actor=staff_of(club))
    assert told() == ["slot.closed"]
    assert Delivery.objects.count() == 1


def test_ten_thousand_slots_cost_one_statement(endpoint: Endpoint, club: Club) -> None:
    area = AreaFactory(club=club)
    drafts = [
        Slot(club=club, area=area, date_from=start, date_to=start + timedelta(minutes=1), price=100)
        for start in (ahead() + timedelta(minutes=number) for number in range(10_000))
    ]
    with CaptureQueriesContext(connection) as asked:
        begun = time.monotonic()
        Slot.objects.bulk_create(drafts)
        print(f"published in {time.monotonic() - begun:.2f} s, {len(asked)} statements")
    assert Event.objects.count() == Delivery.objects.filter(state="OPEN").count() == 10_000
    assert list(Event.objects.order_by("pk").values_list("object_id", flat=True)) == sorted(
        draft.pk for draft in drafts
    )
    assert not [query for query in asked if "webhooks" in query["sql"]]


def test_an_event_that_commits_late_is_not_skipped(endpoint: Endpoint, club: Club, receiver: Receiver) -> None:
    """An earlier id becomes visible after a later one was delivered: its delivery is a row, no cursor passes it."""
    late, early = connection.copy(), SlotFactory(club=club)
    slot = SlotFactory(club=club)
    services.deliver_due()
    receiver.got.clear()
    with late.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("UPDATE slots_slot SET closed = true WHERE id = %s", [early.pk])
        slots.set_closed(slot_id=slot.pk, closed=True, actor=staff_of(club))
        services.deliver_due()
        cursor.execute("COMMIT")
    late.close()
    services.deliver_due()
    assert [got.event["data"]["id"] for got in receiver.got] == [slot.pk, early.pk]
    assert receiver.got[1].id < receiver.got[0].id


def test_a_club_has_ten_endpoints_at_most(club: Club, receiver: Receiver) -> None:
    made = [endpoint_at(receiver, club) for _number in range(10)]
    with stopped_by("endpoint_at_most_ten_of_a_club"):
        sql(
            "INSERT INTO webhooks_endpoint (club_id, url, description, types, credentials, is_active, off_because,"
            " created_by, created_at, failures) VALUES (%s, 'https://x.example', '', '{}', 'x', true, '', '', now(), 0)",
            club.pk,
        )
    services.remove_endpoint(endpoint_id=made[0].pk, actor=staff_of(club))
    endpoint_at(receiver, club)


def test_a_delivery_stays_inside_its_club(endpoint: Endpoint, club: Club) -> None:
    SlotFactory(club=club)
    other: Club = ClubFactory()
    with stopped_by("delivery_endpoint_of_same_club"):
        sql("UPDATE webhooks_delivery SET club_id = %s", other.pk)
    with stopped_by("event_immutable"):
        sql("UPDATE webhooks_event SET type = 'slot.closed'")
    with stopped_by("delivery_due_exactly_while_open"):
        sql("UPDATE webhooks_delivery SET state = 'DONE'")
