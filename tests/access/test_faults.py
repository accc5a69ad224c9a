"""What goes wrong at a door, and what comes of it: troubles told apart, slow answers, forgotten codes, people told in time."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest

from access import services
from access.models import AccessGrant, Lock, State
from access.providers import base
from access.providers.ttlock import CLASS_OF
from access.selectors import door_of
from access.services import fitting, installing
from bookings import services as bookings
from bookings.models import Booking
from palms import intents
from palms.actors import SYSTEM
from palms.clock import now_utc
from palms.models import Intent
from tests import play
from tests.access.conftest import DOOR, World, booked, grant_of
from tests.factories import MembershipFactory

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def booking(door: Lock) -> Booking:
    return booked(door)


def cancel(booking: Booking) -> None:
    bookings.cancel_by_club(booking_id=booking.pk, actor=play.staff(booking.slot), reason="repairs")


def due_in(booking: Booking) -> float:
    """Return in how many seconds the call of a booking's newest grant is made again."""
    intent = Intent.objects.get(lane=f"grant:{grant_of(booking).pk}", state="OPEN")
    return (intent.due_at - now_utc()).total_seconds()


@pytest.mark.parametrize(
    ("errcode", "kind", "state", "seconds"),
    [
        (-3003, base.Busy, State.INSTALLING, (1, 3)), (-3037, base.Busy, State.INSTALLING, (1, 3)),
        (30006, base.Busy, State.INSTALLING, (1, 3)), (1, base.Unsure, State.INSTALLING, (1, 3)),
        (90000, base.Unsure, State.INSTALLING, (1, 3)), (-12345, base.Unsure, State.INSTALLING, (1, 3)),
        (-3002, base.Unreachable, State.FAILED, (25, 31)), (-2012, base.Unreachable, State.FAILED, (25, 31)),
        (-3036, base.Unreachable, State.FAILED, (25, 31)), (-3009, base.Full, State.FAILED, (290, 301)),
        (-4056, base.Full, State.FAILED, (290, 301)), (30008, base.Misconfigured, State.FAILED, (290, 301)),
        (20002, base.Forbidden, State.FAILED, (290, 301)), (80000, base.WrongClock, State.FAILED, (290, 301)),
        (30007, base.QuotaSpent, State.FAILED, (3590, 3601)), (-3, base.Defect, State.FAILED, (290, 301)),
    ],
)  # fmt: skip
def test_troubles_are_told_apart(
    world: World, booking: Booking, errcode: int, kind: type[base.LockTrouble], state: str, seconds: tuple[int, int]
) -> None:
    assert CLASS_OF.get(errcode, base.Unsure) is kind
    world.fault("add", "errcode", errcode=errcode)
    with world.at(booking.date_from + MINUTE):
        intents.run_due()
        grant = grant_of(booking)
        assert (grant.state, grant.error) == (state, f"{kind.__name__} {errcode}")
        assert seconds[0] <= due_in(booking) <= seconds[1]
        assert (Lock.objects.get().trouble_at is not None) is (state == State.FAILED)


def test_pauses_grow(world: World, booking: Booking) -> None:
    world.online(False)
    pauses = []
    with world.at(booking.date_from + MINUTE):
        for _try in range(5):
            play.run_all()
            pauses.append(round(due_in(booking) / 10))
            world.travel(timedelta(seconds=due_in(booking)))
    assert pauses == [3, 6, 12, 12, 12]


def test_a_cloud_that_never_answers_is_told_of(world: World, booking: Booking, mailoutbox: Any) -> None:
    """A silence may pass in seconds; one that does not is for people."""
    MembershipFactory(club=booking.club, role="OWNER", user__email="owner@example.com")
    MembershipFactory(club=booking.club, role="STAFF", user__email="desk@example.com")
    play.run_all()
    mailoutbox.clear()
    world.fault("any", "drop_before", times=None)
    with world.at(booking.date_from - 10 * MINUTE):
        for _try in range(3):
            assert not mailoutbox
            intents.run_due()
            world.travel(timedelta(seconds=20))
        play.run_all()
    (letter,) = mailoutbox
    assert letter.to == ["owner@example.com", "desk@example.com"]
    assert "ReadError" not in letter.subject
    assert "TTLock" in letter.body


def test_a_code_that_lands_after_its_cancel_is_found(
    world: World, booking: Booking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cloud was slow: nobody waited for its answer any more, the booking was cancelled, and then the code was there."""
    monkeypatch.setattr(installing, "PATIENCE", 0.3)
    world.fault("add", "delay", seconds=1.5)
    with world.at(booking.date_from + MINUTE):
        intents.run_due()
        assert grant_of(booking).error.startswith("Unsure")
        cancel(booking)
        intents.run_due()
        assert (world.remembers(), grant_of(booking).state) == ([], State.REMOVING), "not there, and not sure yet"
        wait_for(lambda: len(world.remembers()) == 1)
        world.travel(installing.LANDING)
        play.run_all()
        assert (world.remembers(), grant_of(booking).state) == ([], State.REMOVED)


def test_a_slow_code_that_refuses_its_own_repeat_is_adopted(
    world: World, booking: Booking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list did not show it yet, the repeat was told "the same code exists": it is ours."""
    world.fault("add", "drop_after")
    real, looks = installing._adopt, []

    def late(locks: Any, grant: AccessGrant) -> int | None:
        looks.append(1)
        return real(locks, grant) if len(looks) > 1 else None

    monkeypatch.setattr(installing, "_adopt", late)
    with world.at(booking.date_from + MINUTE):
        intents.run_due()
        world.travel(timedelta(seconds=5))
        play.run_all()
        assert len(looks) == 2
        assert world.remembers() == [services.get_access_code(booking, now_utc()).code]


def wait_for(happened: Any) -> None:
    for _try in range(200):
        if happened():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def test_what_was_taken_back_before_its_turn_is_not_sent(world: World, booking: Booking) -> None:
    """A worker has read the grant and waits for its turn; meanwhile the booking is cancelled."""
    with world.at(booking.date_from + MINUTE):
        stale = AccessGrant.objects.select_related("booking", "lock__account").get()
        cancel(booking)
        told = installing._install(stale, now_utc())
        assert isinstance(told, intents.Later)
        assert str(told.answer.text).startswith("NotOurTurn")
        assert world.remembers() == []


def listed(world: World, name: str, code: str) -> None:
    """Write a code into the lock past Palms, as a lost database or another hand would have."""
    now = now_utc()

    def put(locks: base.Locks) -> int:
        return locks.add(DOOR, base.Passcode(0, name, code, now - MINUTE, now + 60 * MINUTE), patience=5)

    installing.with_locks(Lock.objects.get().account_id, put, patience=5)


def test_the_daily_look_takes_out_what_nobody_wants(world: World, booking: Booking, door: Lock) -> None:
    """Codes of grants that are over or that no row knows, and second copies; not what is in use, and not what is others'."""
    with world.at(booking.date_from + MINUTE):
        play.run_all()
        mine = services.get_access_code(booking, now_utc()).code
        club, grant = booking.club_id, grant_of(booking).pk
        names = [f"palms-{club}-{grant}", f"palms-{club}-{grant + 999}", f"palms-{club + 1}-{grant}", "Cleaner"]
        codes = ["471902", "471903", "471904", "471905"]
        for name, code in zip(names, codes, strict=True):
            listed(world, name, code)
        services.check_lock(lock_id=door.pk, actor=SYSTEM)
        play.run_all()
        assert sorted(world.remembers()) == sorted([mine, codes[2], codes[3]])
        assert services.get_access_code(booking, now_utc()).code == mine


def test_two_looks_at_once_are_one(world: World, booking: Booking, door: Lock) -> None:
    """Two sweeps, and a code being written: one after the other at the gateway, each thing done once."""
    world.control("gateway", id=800_001, latency=0.05)
    with world.at(booking.date_from + MINUTE):
        services.check_lock(lock_id=door.pk, actor=SYSTEM)
        crowd = [threading.Thread(target=sweep) for _worker in range(3)]
        for worker in crowd:
            worker.start()
        for worker in crowd:
            worker.join()
        world.travel(timedelta(seconds=10))
        play.run_all()
        assert world.remembers() == [services.get_access_code(booking, now_utc()).code]
        busy = [call for call in world.state()["calls"] if "-3003" in (call["answer"] or "")]
        assert busy == [], "two calls at one gateway"
        assert Lock.objects.get().trouble == ""


def sweep() -> None:
    try:
        intents.run_due()
    finally:
        fitting.intents.let_go()


def test_a_wrong_clock_is_set_before_the_guest_comes(world: World, booking: Booking) -> None:
    world.control("lock", id=DOOR, skew=-5 * 3_600_000)
    with world.at(booking.date_from - 10 * MINUTE):
        play.run_all()
    with world.at(booking.date_from + MINUTE):
        play.run_all()
        assert world.opens(services.get_access_code(booking, now_utc()).code)


def test_a_check_tells_of_battery_and_gateway(world: World, door: Lock) -> None:
    door.refresh_from_db()
    assert (door.battery, door.gateway_online, door.signal, door.trouble) == (80, True, -60, "")
    world.control("lock", id=DOOR, battery=15)
    world.online(False)
    services.check_lock(lock_id=door.pk, actor=SYSTEM)
    play.run_all()
    door.refresh_from_db()
    assert (door.gateway_online, door.trouble) == (False, "Unreachable -3002")


def test_a_dead_lock_keeps_no_call_for_ever(world: World, booking: Booking) -> None:
    """After its end a code opens nothing: it is asked for less and less, and given up after a week."""
    with world.at(booking.date_from + MINUTE):
        play.run_all()
    world.online(False)
    with world.at(booking.date_to + MINUTE):
        play.run_all()
        assert grant_of(booking).state == State.REMOVING
        assert due_in(booking) >= 3590
    with world.at(booking.date_to + timedelta(days=8)):
        play.run_all()
        assert (grant_of(booking).state, grant_of(booking).code) == (State.REMOVED, "")
        assert len(world.remembers()) == 1
        world.online(True)
        services.check_lock(lock_id=booking.area.lock.pk, actor=SYSTEM)  # type: ignore[union-attr]
        play.run_all()
        assert world.remembers() == [], "the daily look finds it by its name"


def test_the_page_tells_a_code_taken_back_from_a_lock_that_is_silent(world: World, booking: Booking) -> None:
    services.revoke(grant_id=grant_of(booking).pk, actor=play.staff(booking.slot), reason="damage")
    view = door_of(booking, now_utc())
    assert view is not None
    assert view.word == "withdrawn"
