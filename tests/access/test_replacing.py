"""A lock comes to bookings that are there, is replaced, goes to another place, or rests."""

from __future__ import annotations

from datetime import timedelta

import pytest

from access import services
from access.errors import AccessNotOpen, LockInUse, NoLock
from access.models import AccessGrant, Lock, LockAccount, State
from access.selectors import door_of
from bookings.models import Booking
from palms.actors import SYSTEM, Actor, Kind
from palms.clock import now_utc
from palms.errors import NotFound, NotPermitted
from tests import play
from tests.access.conftest import DOOR, World, booked, grant_of
from tests.factories import AreaFactory
from tests.raw import sql, stopped_by

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE = timedelta(minutes=1)


def put(lock: Lock, **changes: object) -> Lock:
    """Let the owner change a lock."""
    fresh = Lock.objects.get(pk=lock.pk)
    for name, value in changes.items():
        setattr(fresh, name, value)
    return services.fit_lock(lock=fresh, actor=SYSTEM)


def test_a_new_lock_serves_the_bookings_that_are_there(world: World, door: Lock) -> None:
    """They are planned without anybody looking, so that the lock is tried before its guest comes."""
    area = AreaFactory(club=door.club, kind="sunbed")
    booking = play.booked_on_site(play.offer(club=door.club, area=area))
    services.fit_lock(
        lock=Lock(club=door.club, account=door.account, area=area, provider_lock_id=DOOR + 1), actor=SYSTEM
    )
    play.run_all()
    assert grant_of(booking).state == State.PLANNED
    play.run_all()
    assert AccessGrant.objects.filter(booking=booking).count() == 1


def test_another_device_takes_over_what_is_planned(world: World, door: Lock) -> None:
    booking = booked(door)
    put(door, provider_lock_id=DOOR + 1)
    with world.at(booking.date_from + MINUTE):
        play.run_all()
        code = services.get_access_code(booking, now_utc()).code
        assert [row["lock"] for row in world.state()["memory"]] == [DOOR + 1]
        assert world.control("type", lock=DOOR + 1, code=code)["opened"]


@pytest.mark.parametrize("change", ["area", "device"])
def test_a_lock_with_digits_on_it_is_not_taken_away(world: World, door: Lock, change: str) -> None:
    booking = booked(door)
    elsewhere = AreaFactory(club=door.club)
    with world.at(booking.date_from + MINUTE):
        play.run_all()
        with pytest.raises(LockInUse):
            put(door, **({"area": elsewhere} if change == "area" else {"provider_lock_id": DOOR + 1}))
        assert world.opens(services.get_access_code(booking, now_utc()).code)


def test_a_lock_that_goes_to_another_place_leaves_its_bookings_and_serves_the_others(world: World, door: Lock) -> None:
    left = booked(door)
    area = AreaFactory(club=door.club, kind="sunbed")
    found = play.booked_on_site(play.offer(club=door.club, area=area, start=left.date_from), phone="+79120000007")
    put(door, area=area)
    play.run_all()
    assert (grant_of(left).state, grant_of(left).reason) == (State.REMOVED, "lock moved")
    assert grant_of(found).state == State.PLANNED
    with world.at(left.date_from + MINUTE):
        play.run_all()
        assert world.remembers() == [services.get_access_code(found, now_utc()).code]
        with pytest.raises(NoLock):
            services.get_access_code(left, now_utc())
        assert door_of(left, now_utc()) is None


def test_a_lock_at_rest_takes_no_new_codes_and_keeps_those_it_has(world: World, door: Lock) -> None:
    booking = booked(door)
    services.set_in_use(lock_id=door.pk, in_use=False, actor=SYSTEM)
    with world.at(booking.date_from + MINUTE):
        play.run_all()
        assert world.remembers() == []
        view = door_of(booking, now_utc())
        assert view is not None
        assert view.word == "stuck"
        services.set_in_use(lock_id=door.pk, in_use=True, actor=SYSTEM)
        world.travel(MINUTE)
        play.run_all()
        code = services.get_access_code(booking, now_utc()).code
        services.set_in_use(lock_id=door.pk, in_use=False, actor=SYSTEM)
        view = door_of(booking, now_utc())
        assert view is not None
        assert (view.word, view.code) == ("open", code)


def test_staff_give_a_code_where_there_was_none(world: World, door: Lock) -> None:
    booking = booked(door)
    staff = play.staff(booking.slot)
    services.revoke(grant_id=grant_of(booking).pk, actor=staff, reason="damage")
    with world.at(booking.date_from + MINUTE):
        services.issue(booking_id=booking.pk, actor=staff, reason="settled")
        play.run_all()
        assert world.opens(services.get_access_code(booking, now_utc()).code)
        for actor in (Actor(Kind.STAFF, 9), play.customer(booking.client_id)):
            with pytest.raises(NotPermitted):
                services.issue(booking_id=booking.pk, actor=actor, reason="x")
        with pytest.raises(NotFound):
            services.issue(booking_id=booking.pk + 99, actor=staff, reason="x")
    with world.at(booking.date_to + MINUTE), pytest.raises(AccessNotOpen):
        services.issue(booking_id=booking.pk, actor=staff, reason="late")


def test_one_device_is_on_one_place_of_an_account(world: World, door: Lock) -> None:
    """A gate that leads to two places is one place more: two locks of one device would draw codes apart."""
    area = AreaFactory(club=door.club)
    other = LockAccount.objects.create(club=door.club, name="Another", username="other@club.example")
    services.fit_lock(lock=Lock(club=door.club, account=other, area=area, provider_lock_id=DOOR), actor=SYSTEM)
    with stopped_by("lock_once_per_account"):
        sql(f"UPDATE access_lock SET account_id = {door.account_id} WHERE account_id = {other.pk}")


def test_of_one_device_under_two_accounts_neither_takes_the_others_codes(world: World, door: Lock) -> None:
    area = AreaFactory(club=door.club, kind="sunbed")
    account = services.save_account(
        account=LockAccount(club=door.club, name="Second", username="second@club.example"), password="password", actor=SYSTEM
    )  # fmt: skip
    first: Booking = booked(door)
    second = play.booked_on_site(play.offer(club=door.club, area=area, start=first.date_from), phone="+79120000008")
    world.control("settings", username="service@club.example")
    lock = services.fit_lock(lock=Lock(club=door.club, account=account, area=area, provider_lock_id=DOOR), actor=SYSTEM)
    known = LockAccount.objects.get(pk=door.account_id)
    LockAccount.objects.filter(pk=account.pk).update(tokens=known.tokens, tokens_expire_at=known.tokens_expire_at)
    with world.at(first.date_from + MINUTE):
        play.run_all()
        codes = {services.get_access_code(booking, now_utc()).code for booking in (first, second)}
        assert set(world.remembers()) == codes
        for one in (door, lock):
            services.check_lock(lock_id=one.pk, actor=SYSTEM)
        play.run_all()
        assert set(world.remembers()) == codes
