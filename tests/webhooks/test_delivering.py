"""Signed, in order, tried for days, and never in the way of money."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import pairwise
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from standardwebhooks import Webhook

from bookings import services as bookings
from clubs.models import Club
from palms import intents
from palms.actors import Actor, Kind
from palms.clock import now_utc
from palms.errors import NotFound, NotPermitted, ValidationFailed
from palms.models import Intent
from payments.models import Payment
from tests.bank import Bank
from tests.factories import AreaFactory, ClubFactory, MembershipFactory, SlotFactory, UserFactory
from tests.play import booked, offer, staff
from tests.raw import sql
from tests.webhooks.conftest import endpoint_at, staff_of
from tests.webhooks.receiver import Manner, Receiver
from webhooks import services
from webhooks.errors import EndpointOff
from webhooks.models import Delivery, Endpoint, Event
from webhooks.rules import PAUSES, message_id, new_secret, signature

pytestmark = pytest.mark.django_db(transaction=True)
STANDARD = [5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600]


def many_events(club: Club, count: int) -> None:
    """Let an area's slot change so many times, in one statement each thousand."""
    slot = SlotFactory(club=club)
    sql(
        "INSERT INTO webhooks_event (club_id, type, object_id, created_at)"
        " SELECT %s, 'slot.updated', %s, now() FROM generate_series(1, %s)",
        club.pk, slot.pk, count,
    )  # fmt: skip
    sql(
        "INSERT INTO webhooks_delivery (club_id, endpoint_id, event_id, state, tries, next_at, last_error)"
        " SELECT v.club_id, e.id, v.id, 'OPEN', 0, v.created_at, '' FROM webhooks_event v"
        " JOIN webhooks_endpoint e ON e.club_id = v.club_id ON CONFLICT DO NOTHING"
    )


def test_what_arrives_is_thin_signed_and_in_order(
    endpoint: Endpoint, club: Club, receiver: Receiver, bank: Bank
) -> None:
    booking = booked(offer(club=club), bank)
    assert services.deliver_due() == 2
    assert receiver.types == ["slot.created", "booking.confirmed"]
    assert all(got.is_genuine for got in receiver.got)
    last = receiver.got[-1]
    assert last.event["data"] == {"id": booking.pk, "version": last.event["data"]["version"]}
    assert set(last.event) == {"type", "timestamp", "data"}
    assert datetime.fromisoformat(last.event["timestamp"]).tzinfo is not None
    assert [got.id for got in receiver.got] == sorted(got.id for got in receiver.got)
    assert last.path == "/hooks?from=palms"
    assert last.headers["content-type"] == "application/json"
    assert "Анна" not in last.body.decode()
    assert len(last.body) < 200
    assert Delivery.objects.filter(state="DONE", tries=1, last_status=200).count() == 2
    assert services.deliver_due() == 0


def test_our_signature_is_the_reference_librarys_in_utc() -> None:
    secret, moment, body = new_secret(), datetime(2026, 11, 21, 7, 0, 1, tzinfo=UTC), '{"a":"ё"}'
    ours = signature([secret], message=message_id(7), timestamp=int(moment.timestamp()), body=body.encode())
    assert ours == Webhook(secret).sign(message_id(7), moment, body)
    assert [int(pause.total_seconds()) for pause in PAUSES] == STANDARD


def test_a_changed_body_or_a_foreign_secret_does_not_verify(endpoint: Endpoint, receiver: Receiver) -> None:
    receiver.secrets[:] = [new_secret()]
    services.send_test(endpoint_id=endpoint.pk, actor=staff_of(endpoint.club))
    services.deliver_due()
    assert [got.is_genuine for got in receiver.got] == [False]


def test_while_a_secret_is_rotated_both_open_it(endpoint: Endpoint, receiver: Receiver) -> None:
    actor = staff_of(endpoint.club)
    first = receiver.secrets[0]
    _endpoint, second = services.rotate_secret(endpoint_id=endpoint.pk, actor=actor)
    for secret in (first, second):
        receiver.secrets[:] = [secret]
        services.send_test(endpoint_id=endpoint.pk, actor=actor)
        services.deliver_due()
    assert [got.is_genuine for got in receiver.got] == [True, True]
    assert len(receiver.got[0].headers["webhook-signature"].split(" ")) == 2
    with time_machine.travel(now_utc() + timedelta(hours=25)):
        receiver.secrets[:] = [first]
        services.send_test(endpoint_id=endpoint.pk, actor=actor)
        services.deliver_due()
        assert not receiver.got[-1].is_genuine
        assert len(receiver.got[-1].headers["webhook-signature"].split(" ")) == 1


def test_secrets_are_sealed_in_the_database(endpoint: Endpoint, receiver: Receiver) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(e)::text FROM webhooks_endpoint e")
        row = cursor.fetchone()[0]
        cursor.execute("SELECT string_agg(row_to_json(e)::text, ' ') FROM webhooks_endpointevent e")
        row += cursor.fetchone()[0]
    assert receiver.secrets[0] not in row
    assert receiver.secrets[0].removeprefix("whsec_")[:20] not in row


def test_tries_go_on_for_three_days_then_the_endpoint_is_turned_off_and_owners_are_told(
    endpoint: Endpoint, club: Club, receiver: Receiver, mailoutbox: list[Any]
) -> None:
    MembershipFactory(club=club, user=UserFactory(email="owner@example.com"))
    MembershipFactory(club=club, user=UserFactory(email="helper@example.com"), role="STAFF")
    receiver.manner = lambda _got: Manner(500)
    delivery = services.send_test(endpoint_id=endpoint.pk, actor=staff_of(club))
    moments = []
    with time_machine.travel(now_utc(), tick=False) as clock:
        while delivery.state == "OPEN":
            assert delivery.next_at is not None
            clock.move_to(max(delivery.next_at, now_utc()))
            moments.append(now_utc())
            assert services.deliver_due() == 1
            assert services.deliver_due() == 0  # not before its time
            delivery.refresh_from_db()
        pauses = [(after - before).total_seconds() for before, after in pairwise(moments)]
        assert all(said <= pause <= said * 1.1 for said, pause in zip(STANDARD, pauses, strict=True))
        endpoint.refresh_from_db()
        assert (delivery.state, delivery.tries, delivery.last_status) == ("FAILED", 10, 500)
        assert (endpoint.is_active, endpoint.off_because) == (False, "failing")
        assert len({got.id for got in receiver.got}) == 1
        assert Intent.objects.get(kind="webhooks.notice").state == "OPEN"
        intents.run_due()
    (letter,) = mailoutbox
    assert letter.to == ["owner@example.com"]
    assert receiver.url in letter.body
    assert Intent.objects.get(kind="webhooks.notice").state == "DONE"
    SlotFactory(club=club)
    assert Event.objects.count() == 1


def test_one_event_that_is_never_taken_turns_nothing_off(endpoint: Endpoint, club: Club, receiver: Receiver) -> None:
    receiver.manner = lambda got: Manner(500 if got.event["type"] == "webhook.test" else 200)
    poison = services.send_test(endpoint_id=endpoint.pk, actor=staff_of(club))
    services.deliver_due()
    slot = SlotFactory(club=club)
    services.deliver_due()
    with time_machine.travel(now_utc() + timedelta(days=4)):
        Delivery.objects.filter(pk=poison.pk).update(tries=9)
        sql("UPDATE slots_slot SET closed = true WHERE id = %s", slot.pk)
        services.deliver_due()
    poison.refresh_from_db()
    endpoint.refresh_from_db()
    assert poison.state == "FAILED"
    assert endpoint.is_active


def test_410_turns_it_off_at_once(endpoint: Endpoint, club: Club, receiver: Receiver) -> None:
    receiver.manner = lambda _got: Manner(410)
    delivery = services.send_test(endpoint_id=endpoint.pk, actor=staff_of(club))
    SlotFactory(club=club)
    services.deliver_due()
    delivery.refresh_from_db()
    endpoint.refresh_from_db()
    assert (delivery.state, delivery.last_status) == ("FAILED", 410)
    assert (endpoint.is_active, endpoint.off_because) == (False, "gone")
    with pytest.raises(EndpointOff):
        services.replay(delivery_id=delivery.pk, actor=staff_of(club))
    receiver.manner = lambda _got: Manner()
    services.turn_on(endpoint_id=endpoint.pk, actor=staff_of(club))
    services.deliver_due()
    assert receiver.types[-1] == "slot.created"  # what was on its way has arrived


def test_who_does_not_answer_is_left_alone_for_a_while(endpoint: Endpoint, club: Club, receiver: Receiver) -> None:
    receiver.manner = lambda _got: Manner(503, {"Retry-After": "600"})
    many_events(club, 50)
    assert services.deliver_due() == 1
    assert services.deliver_due() == 0
    receiver.manner = lambda _got: Manner()
    with time_machine.travel(now_utc() + timedelta(seconds=601)):
        assert services.deliver_due() == 51


def test_replay_of_one_and_of_everything_since(endpoint: Endpoint, club: Club, receiver: Receiver) -> None:
    actor, since = staff_of(club), now_utc() - timedelta(minutes=1)
    slot = SlotFactory(club=club)
    services.deliver_due()
    delivery = Delivery.objects.get()
    services.replay(delivery_id=delivery.pk, actor=actor)
    services.deliver_due()
    assert receiver.types == ["slot.created"] * 2
    assert receiver.got[0].id == receiver.got[1].id
    assert all(got.is_genuine for got in receiver.got)
    with Receiver() as another:
        late = endpoint_at(another, club, types=["slot.created"])
        sql("UPDATE slots_slot SET price = price + 1 WHERE id = %s", slot.pk)
        assert services.replay_since(endpoint_id=late.pk, since=since, actor=actor) == 1
        assert services.replay_since(endpoint_id=endpoint.pk, since=since, actor=actor) == 1
        services.deliver_due()
        assert another.types == ["slot.created"]
    assert sorted(receiver.types[2:]) == ["slot.created", "slot.updated"]


def test_strangers_have_no_say(endpoint: Endpoint, club: Club) -> None:
    stranger = Actor(Kind.STAFF, 2, frozenset({club.pk + 1000}), "admin")
    delivery = services.send_test(endpoint_id=endpoint.pk, actor=staff_of(club))
    for step in (
        services.turn_off,
        services.turn_on,
        services.rotate_secret,
        services.send_test,
        services.remove_endpoint,
    ):
        with pytest.raises(NotPermitted):
            step(endpoint_id=endpoint.pk, actor=stranger)
        with pytest.raises(NotFound):
            step(endpoint_id=0, actor=stranger)
    with pytest.raises(NotPermitted):
        services.replay(delivery_id=delivery.pk, actor=stranger)
    with pytest.raises(NotPermitted):
        services.make_endpoint(club_id=club.pk, url="https://crm.example.com/", actor=stranger)


@pytest.mark.parametrize(
    "asked",
    [{"url": "ftp://x"}, {"types": ["slot.eaten"]}, {"description": "x" * 201}, {"description": "\0"}, {"url": "\0"}],
)
def test_garbage_makes_no_endpoint(club: Club, asked: dict[str, Any]) -> None:
    with pytest.raises(ValidationFailed):
        services.make_endpoint(club_id=club.pk, actor=staff_of(club), **({"url": "https://crm.example.com/"} | asked))


def test_a_removed_endpoint_keeps_its_log_and_no_secret(endpoint: Endpoint, club: Club) -> None:
    services.send_test(endpoint_id=endpoint.pk, actor=staff_of(club))
    services.remove_endpoint(endpoint_id=endpoint.pk, actor=staff_of(club))
    endpoint.refresh_from_db()
    assert endpoint.credentials == ""
    assert services.deliver_due() == 0
    assert Delivery.objects.count() == 1
    with pytest.raises(NotFound):
        services.turn_on(endpoint_id=endpoint.pk, actor=staff_of(club))


def test_a_receiver_that_hangs_keeps_no_other_waiting(endpoint: Endpoint, club: Club, receiver: Receiver) -> None:
    release = threading.Event()

    def hang(_got: Any) -> Manner:
        release.wait(20)
        return Manner()

    receiver.manner = hang
    many_events(club, 100)
    with Receiver() as brisk:
        other: Club = ClubFactory()
        endpoint_at(brisk, other)
        AreaFactory(club=other)
        SlotFactory.create_batch(20, club=other)
        one_pass = threading.Thread(target=services.deliver_due)
        one_pass.start()
        deadline = time.monotonic() + 10
        while len(brisk.got) < 20 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(brisk.got) == 20
        assert len(receiver.got) == 1
        SlotFactory(club=other)  # comes while the pass runs
        assert services.deliver_due() == 0  # only one runs
        while len(brisk.got) < 21 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(brisk.got) == 21
        release.set()
        one_pass.join(60)


def test_ten_thousand_due_deliveries_keep_no_capture_waiting(
    endpoint: Endpoint, club: Club, receiver: Receiver, bank: Bank
) -> None:
    receiver.manner = lambda _got: Manner(seconds=0.2)
    booking = booked(offer(club=club), bank)
    many_events(club, 10_000)
    stop = threading.Thread(target=services.deliver_due, kwargs={"budget": 3.0})
    stop.start()
    bookings.try_complete_booking(booking_id=booking.pk, actor=staff(booking.slot), force=True, reason="early")
    begun = time.monotonic()
    assert intents.run_due() >= 1
    took = time.monotonic() - begun
    assert Payment.objects.get(booking=booking).status == "CAPTURED"
    assert took < 3, took
    assert Delivery.objects.filter(state="OPEN").count() > 9_900
    stop.join(60)


def test_with_no_worker_at_all_a_sweep_delivers(endpoint: Endpoint, club: Club, receiver: Receiver) -> None:
    SlotFactory(club=club)
    said = StringIO()
    call_command("sweep", stdout=said)
    assert receiver.types == ["slot.created"]
    assert "1 webhooks tried" in said.getvalue()


def test_a_pass_goes_on_turn_by_turn(endpoint: Endpoint, club: Club, receiver: Receiver) -> None:
    receiver.manner = lambda _got: Manner(seconds=0.5)
    many_events(club, 15)  # longer than one turn
    assert services.deliver_due() == 16


def test_what_a_dead_pass_held_comes_back(endpoint: Endpoint, club: Club, receiver: Receiver) -> None:
    SlotFactory(club=club)
    ahead = now_utc() + timedelta(seconds=60)
    Endpoint.objects.update(leased_until=ahead)
    Delivery.objects.update(tries=1, next_at=ahead)
    assert services.deliver_due() == 0
    with time_machine.travel(ahead + timedelta(seconds=1)):
        assert services.deliver_due() == 1
    assert Delivery.objects.get().tries == 2


def test_two_passes_at_once_send_nothing_twice(endpoint: Endpoint, club: Club, receiver: Receiver) -> None:
    many_events(club, 30)
    crowd = [threading.Thread(target=services.deliver_due) for _number in range(4)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join(60)
    assert len(receiver.got) == len({got.id for got in receiver.got}) == 31


def test_an_unreadable_secret_keeps_no_other_endpoint_waiting(
    endpoint: Endpoint, club: Club, receiver: Receiver
) -> None:
    Endpoint.objects.update(credentials="nonsense")
    with Receiver() as other:
        endpoint_at(other, club)
        SlotFactory(club=club)
        services.deliver_due()
        assert other.types == ["slot.created"]
    assert Delivery.objects.get(endpoint=endpoint).last_error == "secret_unreadable"


def test_a_private_address_is_refused_where_it_is_not_allowed(
    endpoint: Endpoint, receiver: Receiver, settings: Any
) -> None:
    settings.PALMS_WEBHOOKS_ALLOW_PRIVATE = False
    delivery = services.send_test(endpoint_id=endpoint.pk, actor=staff_of(endpoint.club))
    Endpoint.objects.update(url=f"https://localhost.:{receiver.port}/")
    services.deliver_due()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.last_error) == ("OPEN", "address_refused")
    assert receiver.got == []


def test_a_month_old_log_is_forgotten(endpoint: Endpoint, club: Club) -> None:
    services.send_test(endpoint_id=endpoint.pk, actor=staff_of(club))
    services.deliver_due()
    services.send_test(endpoint_id=endpoint.pk, actor=staff_of(club))
    assert services.forget_old() == 0
    with time_machine.travel(now_utc() + timedelta(days=31)):
        assert services.forget_old() == 1
    assert Event.objects.count() == Delivery.objects.count() == 1  # what is on its way stays
