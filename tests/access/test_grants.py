"""A door code exists for a paid booking, inside its time, and otherwise not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from access import services
from access.errors import AccessNotOpen, CodeNotReady, NoLock
from access.models import AccessGrant, Lock, State
from access.services import granting
from bookings import services as bookings
from bookings.models import Booking
from palms import intents
from palms.actors import SYSTEM, Actor, Kind
from palms.clock import now_utc
from palms.errors import NotPermitted
from tests import play
from tests.access.conftest import World, booked, grant_of
from tests.factories import MembershipFactory
from tests.raw import sql, stopped_by

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def booking(door: Lock) -> Booking:
    return booked(door)


def cancel(booking: Booking) -> None:
    bookings.cancel_by_club(booking_id=booking.pk, actor=play.staff(booking.slot), reason="repairs")


def code_of(booking: Booking) -> str:
    return services.get_access_code(booking, now_utc()).code


def test_a_code_is_installed_in_its_time_and_gone_after_it(world: World, booking: Booking) -> None:
    play.run_all()
    assert world.remembers() == []
    with pytest.raises(AccessNotOpen):
        code_of(booking)

    with world.at(booking.date_from + MINUTE):
        with pytest.raises(CodeNotReady):
            code_of(booking)
        play.run_all()
        code = code_of(booking)
        assert world.opens(code)
        assert grant_of(booking).code != code, "digits are sealed at rest"

    with world.at(booking.date_to + MINUTE):
        assert not world.opens(code), "the lock's own validity has ended"
        with pytest.raises(AccessNotOpen):
            code_of(booking)
        play.run_all()
        assert world.remembers() == []
        assert (grant_of(booking).state, grant_of(booking).code) == (State.REMOVED, "")


def test_a_cleared_code_is_removed_at_once_and_once(world: World, booking: Booking) -> None:
    with world.at(booking.date_from + MINUTE):
        play.run_all()
        cancel(booking)
        with transaction.atomic():
            assert services.clear_access(booking_id=booking.pk, reason="again", now=now_utc()) == 0
        with pytest.raises(AccessNotOpen):
            code_of(booking)
        play.run_all()
        assert world.remembers() == []
        assert intents.run_due() == 0


@pytest.mark.parametrize("kind", ["silence_after", "drop_after", "garbled", "silence", "drop_before", "html_502"])
def test_an_unknown_outcome_never_leaves_two_codes(world: World, booking: Booking, kind: str) -> None:
    world.fault("add", kind, seconds=0.1)
    with world.at(booking.date_from + MINUTE):
        play.run_all()
    with world.at(booking.date_from + 2 * MINUTE):
        play.run_all()
        assert len(world.remembers()) == 1
        assert world.opens(code_of(booking))


def test_a_lock_out_of_reach_is_told_of_before_the_guest_comes(world: World, booking: Booking, door: Lock) -> None:
    world.online(False)
    with world.at(booking.date_from - 10 * MINUTE):
        play.run_all()
        door.refresh_from_db()
        assert door.trouble_at is not None
    with world.at(booking.date_from + MINUTE):
        play.run_all()
        assert grant_of(booking).state == State.FAILED
    world.online(True)
    with world.at(booking.date_from + 3 * MINUTE):
        play.run_all()
        assert world.opens(code_of(booking))
        door.refresh_from_db()
        assert door.trouble_at is None


def test_a_lock_out_of_reach_keeps_a_removed_code_until_it_is_back(world: World, booking: Booking) -> None:
    with world.at(booking.date_from + MINUTE):
        play.run_all()
        world.online(False)
        cancel(booking)
        play.run_all()
        assert grant_of(booking).state == State.REMOVING
        world.online(True)
    with world.at(booking.date_from + 3 * MINUTE):
        play.run_all()
        assert (grant_of(booking).state, world.remembers()) == (State.REMOVED, [])


def test_a_token_that_is_not_accepted_is_renewed_once(world: World, booking: Booking) -> None:
    world.control("revoke")
    with world.at(booking.date_from + MINUTE):
        play.run_all()
        assert world.opens(code_of(booking))
    world.control("revoke", refresh=True)
    with world.at(booking.date_to + MINUTE):
        play.run_all()
        assert world.remembers() == []


def test_digits_that_the_lock_has_already_are_drawn_again(world: World, booking: Booking) -> None:
    world.fault("add", "errcode", errcode=-3007, times=2)
    with world.at(booking.date_from + MINUTE):
        play.run_all()
        assert world.opens(code_of(booking))
        assert AccessGrant.objects.count() == 1


def close(booking: Booking) -> None:
    bookings.close(booking_id=booking.pk, actor=play.staff(booking.slot), outcome="SHOWN")


def end_otherwise(booking: Booking) -> None:
    bookings.end_otherwise(booking_id=booking.pk, actor=play.staff(booking.slot), reason="flood")


@pytest.mark.parametrize("way_out", [cancel, close, end_otherwise])
def test_every_way_out_takes_the_code_along(world: World, booking: Booking, way_out: Callable[[Booking], None]) -> None:
    with world.at(booking.date_from + MINUTE):
        play.run_all()
        code = code_of(booking)
        way_out(booking)
        with pytest.raises(AccessNotOpen):
            code_of(booking)
        play.run_all()
        assert not world.opens(code)


def test_a_moved_booking_gets_another_code_for_its_new_time(world: World, booking: Booking) -> None:
    with world.at(booking.date_from + MINUTE):
        play.run_all()
        first = code_of(booking)
        later = booking.date_from + timedelta(hours=3)
        moved = bookings.move(
            booking_id=booking.pk, actor=play.staff(booking.slot), date_from=later, date_to=later + timedelta(hours=1)
        )
        play.run_all()
        assert not world.opens(first)
        with pytest.raises(AccessNotOpen):
            code_of(moved)
    with world.at(later + MINUTE):
        play.run_all()
        assert world.opens(code_of(moved))
        assert [grant.state for grant in AccessGrant.objects.order_by("pk")] == [State.REMOVED, State.INSTALLED]


def test_the_guest_who_looks_wakes_a_worker(world: World, booking: Booking, monkeypatch: pytest.MonkeyPatch) -> None:
    """With beat dead nobody sweeps: the customer's own request has the code made, by a worker."""
    woken: list[int] = []
    monkeypatch.setattr(granting, "wake", lambda _task, *, intent_id: woken.append(intent_id))
    with world.at(booking.date_from + MINUTE):
        services.ask_for_code(booking, now_utc())
        assert len(woken) == 1
        intents.run(woken[0])
        assert world.opens(code_of(booking))
        services.ask_for_code(booking, now_utc())
        assert len(woken) == 1


def test_a_lock_that_comes_later_serves_bookings_that_were_there(world: World, door: Lock) -> None:
    services.set_in_use(lock_id=door.pk, in_use=False, actor=SYSTEM)
    booking = booked(door)
    services.set_in_use(lock_id=door.pk, in_use=True, actor=SYSTEM)
    with world.at(booking.date_from + MINUTE):
        services.ask_for_code(booking, now_utc())
        play.run_all()
        assert world.opens(code_of(booking))


def test_people_take_a_code_back_and_give_another(world: World, booking: Booking) -> None:
    staff = play.staff(booking.slot)
    with world.at(booking.date_from + MINUTE):
        play.run_all()
        first = code_of(booking)
        services.issue(booking_id=booking.pk, actor=staff, reason="code was overheard")
        play.run_all()
        second = code_of(booking)
        assert not world.opens(first)
        assert world.opens(second)
        services.revoke(grant_id=grant_of(booking).pk, actor=staff, reason="damage")
        play.run_all()
        assert not world.opens(second)
        services.ask_for_code(booking, now_utc())
        play.run_all()
        assert world.remembers() == [], "what people took back does not return by itself"
        with pytest.raises(NotPermitted):
            services.revoke(grant_id=grant_of(booking).pk, actor=Actor(Kind.STAFF, 9), reason="x")


def test_another_place_has_no_lock(booking: Booking) -> None:
    other = play.booked_on_site(play.offer(start=booking.date_from))
    with pytest.raises(NoLock):
        code_of(other)


@pytest.mark.parametrize(
    ("change", "guard"),
    [
        ("UPDATE access_accessgrant SET valid_to = valid_to + interval '1 day'", "accessgrant_immutable"),
        ("DELETE FROM access_accessgrant", "accessgrant_never_deleted"),
        ("UPDATE access_accessgrant SET state = 'installed'", "accessgrant_installed_is_on_the_lock"),
        ("UPDATE access_lock SET area_id = area_id + 1", "lock_in_use"),
        ("UPDATE access_accessgrant SET state = 'open'", "accessgrant_state_known"),
        (
            "INSERT INTO access_accessgrant (club_id, booking_id, lock_id, valid_from, valid_to, state, reason, code, attempts,"
            " error, created_at) SELECT club_id, booking_id, lock_id, valid_from, valid_to + interval '1 hour', 'planned', '', '',"
            " 0, '', now() FROM access_accessgrant",
            "accessgrant_one_living_per_booking",
        ),
    ],
)
def test_sql_that_knows_no_rule_is_refused(booking: Booking, change: str, guard: str) -> None:
    with stopped_by(guard):
        sql(change)


def test_a_booking_does_not_end_without_its_code(booking: Booking) -> None:
    """Whoever forgets the door is stopped by the database."""
    with stopped_by("accessgrant_ends_with_its_booking"):
        sql("UPDATE bookings_booking SET status = 'OTHER', reason = 'x', finished_at = now()")
        sql("DELETE FROM slots_claim")


def test_a_code_taken_back_never_returns(world: World, booking: Booking) -> None:
    with world.at(booking.date_from + MINUTE):
        play.run_all()
        cancel(booking)
        with stopped_by("accessgrant_taken_back"):
            sql("UPDATE access_accessgrant SET state = 'installed'")
        again = (
            "INSERT INTO access_accessgrant (club_id, booking_id, lock_id, valid_from, valid_to, state, reason, code, attempts,"
            " error, created_at) SELECT club_id, booking_id, lock_id, valid_from, valid_to, 'planned', '', '', 0, '', now()"
            " FROM access_accessgrant"
        )
        with stopped_by("accessgrant_of_a_confirmed_booking"):
            sql(again)


def test_the_owners_hear_of_a_dead_lock_before_the_guest_does(world: World, booking: Booking, mailoutbox: Any) -> None:
    MembershipFactory(club=booking.club, role="OWNER", user__email="owner@example.com")
    play.run_all()
    mailoutbox.clear()
    world.online(False)
    with world.at(booking.date_from - 10 * MINUTE):
        play.run_all()
        play.run_all()
    (letter,) = mailoutbox
    assert letter.to == ["owner@example.com"]
    assert "не отвечает" in letter.subject
