"""A worker killed at any step of writing a code into a lock, or of taking it out: the lock and the books agree afterwards."""

from __future__ import annotations

from datetime import timedelta

import pytest

from access.models import AccessGrant, Lock, LockAccount, State, Turn
from access.selectors import get_access_code
from bookings import services
from bookings.models import Booking
from palms import intents
from palms.clock import now_utc
from palms.models import Intent
from slots.models import Slot
from tests import play
from tests.access.conftest import World, door, grant_of, world
from tests.crashes.conftest import Victim
from tests.factories import tomorrow

__all__ = ["door", "world"]  # fixtures
pytestmark = pytest.mark.django_db(transaction=True)
SECOND, LEASE = (
    timedelta(seconds=1),
    intents.lease(intents.PATIENCE),
)  # what a dead worker had claimed waits for so long


def live(world: World, victim: Victim, slot: Slot, kill: tuple[int, str] | None, *, wanted: bool) -> list[str]:
    """Play a visit whose worker dies as the order says, to the agreement afterwards. Returns the steps it made."""
    Intent.objects.filter(state=Intent.State.OPEN).update(due_at=now_utc() + timedelta(days=99))
    Turn.objects.update(leased_until=now_utc())  # the life before this one was lived later
    LockAccount.objects.update(leased_until=None)
    booking = play.booked_on_site(slot)
    with world.at(booking.date_from + SECOND):
        if not wanted:
            play.run_all()
            assert len(world.remembers()) == 1
            cancel(booking)
        told = victim.run("sweep", ahead=world.gone.total_seconds(), kill=kill)
        assert (told["error"], told["killed"]) == ("", kill is not None), (kill, told)
        assert not wanted or kill or grant_of(booking).state == State.INSTALLED
        for pause in (LEASE, LEASE, timedelta(minutes=1)):
            world.travel(pause)
            play.run_all()
        agree(world, booking, wanted=wanted)
        if wanted:
            cancel(booking)
            play.run_all()
        assert world.remembers() == []
    steps: list[str] = told["steps"]
    return steps


def cancel(booking: Booking) -> None:
    services.cancel_by_club(booking_id=booking.pk, actor=play.staff(booking.slot), reason="flood")


def agree(world: World, booking: Booking, *, wanted: bool) -> None:
    grant = grant_of(booking)
    if wanted:
        code = get_access_code(booking, now_utc()).code
        assert (world.remembers(), grant.state) == ([code], State.INSTALLED)
        assert world.opens(code)
    else:
        assert (world.remembers(), grant.state, grant.code) == ([], State.REMOVED, "")
    assert not AccessGrant.objects.filter(digest__isnull=False).exclude(pk=grant.pk).exists()


@pytest.mark.parametrize("wanted", [True, False], ids=["install", "remove"])
def test_killed_at_any_step_the_lock_and_the_books_agree(
    victim: Victim, world: World, door: Lock, wanted: bool
) -> None:
    slot = play.offer(club=door.club, area=door.area, start=tomorrow())
    steps = live(world, victim, slot, None, wanted=wanted)
    of_doors = [n for n, name in enumerate(steps, start=1) if name.startswith(("ttlock.", "access."))]
    assert len(of_doors) >= 2, steps
    for number in of_doors:
        for moment in ("before", "after"):
            live(world, victim, slot, (number, moment), wanted=wanted)
