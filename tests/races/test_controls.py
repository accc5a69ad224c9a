"""Controls: take the locks away and the database has to refuse; take its constraints away too and a court is sold twice."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import IntegrityError, connection

from bookings.services import Checkout
from clubs.models import Area, Instructor
from slots import services
from slots.models import Claim, Slot
from tests.bank import Bank
from tests.factories import AreaFactory, InstructorFactory, SlotFactory
from tests.play import offer
from tests.races.crowd import Background, Holder, at_once, buyer, kinds
from tests.races.invariants import broken, deadlocks

pytestmark = pytest.mark.django_db(transaction=True)
NO_DOUBLE_SALE = ("claim_one_party_per_place", "claim_no_overlap_on_area", "claim_no_overlap_on_instructor")
Pair = Callable[[], tuple[Slot, Slot]]


@pytest.fixture
def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read places instead of locking them, and let both buyers look before either takes."""

    def only_read(slot_ids: Iterable[int], *, seen: Any = None) -> list[Slot]:
        return list(Slot.objects.select_related("area").filter(pk__in=list(slot_ids)).order_by("pk"))

    looked, find_room = OnceEach(2), services.find_room

    def find_and_wait(*args: Any, **kwargs: Any) -> list[int]:
        places = find_room(*args, **kwargs)
        looked.wait()
        return places

    monkeypatch.setattr(services, "lock_slots", only_read)
    monkeypatch.setattr(services, "find_room", find_and_wait)


@pytest.fixture(autouse=True)
def both_saw_it_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let neither begin before both have seen it free."""
    seen, module = OnceEach(2), sys.modules["bookings.services.checkout"]
    take_patiently = module._take_patiently

    def wait_for_both(order: Any) -> Any:
        seen.wait()
        return take_patiently(order)

    monkeypatch.setattr(module, "_take_patiently", wait_for_both)


class OnceEach:
    """A barrier that each thread passes once: who starts over does not wait again."""

    def __init__(self, count: int) -> None:
        self._barrier, self._passed = threading.Barrier(count), threading.local()

    def wait(self) -> None:
        if not getattr(self._passed, "it", False):
            self._passed.it = True
            self._barrier.wait(60)


@contextmanager
def without_constraints(*names: str) -> Iterator[None]:
    """Drop constraints of claims; afterwards forget the claims and put them back."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = ANY(%s)", [list(names)]
        )
        texts = dict(cursor.fetchall())
        assert set(texts) == set(names)
        cursor.execute("ALTER TABLE slots_claim " + ", ".join(f"DROP CONSTRAINT {name}" for name in names))
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE slots_claim")
            cursor.execute("ALTER TABLE slots_claim " + ", ".join(f"ADD CONSTRAINT {n} {t}" for n, t in texts.items()))


def one_slot() -> tuple[Slot, Slot]:
    slot = offer()
    return slot, slot


def one_court() -> tuple[Slot, Slot]:
    slot = offer()
    return slot, SlotFactory(club=slot.club, area=slot.area, start=slot.date_from, minutes=90)


def one_instructor() -> tuple[Slot, Slot]:
    slot = offer()
    slot.instructor = InstructorFactory(club=slot.club)
    slot.save()
    return slot, SlotFactory(club=slot.club, area=AreaFactory(club=slot.club), instructor=slot.instructor)


pairs = pytest.mark.parametrize("pair", [one_slot, one_court, one_instructor])


@pairs
@pytest.mark.usefixtures("without_locks")
def test_without_locks_the_database_must_refuse_or_break_a_deadlock(bank: Bank, pair: Pair) -> None:
    before = deadlocks()
    results = at_once([buyer(slot, number) for number, slot in enumerate(pair())])
    by_constraint = [result for result in results if isinstance(getattr(result, "__cause__", None), IntegrityError)]
    assert by_constraint or deadlocks() > before  # the look let both in
    assert kinds(results) == {"Checkout": 1, "SlotTaken": 1}
    assert broken() == {}


@pairs
@pytest.mark.usefixtures("without_locks")
def test_without_locks_and_constraints_it_is_sold_twice(bank: Bank, pair: Pair) -> None:
    slots = pair()
    with without_constraints(*NO_DOUBLE_SALE):
        results = at_once([buyer(slot, number) for number, slot in enumerate(slots)])
        assert kinds(results) == {"Checkout": 2}
        assert Claim.objects.count() == 2
        assert broken() != {}  # and the queries see it


@pairs
def test_the_locks_alone_sell_it_once(bank: Bank, pair: Pair) -> None:
    slots = pair()
    with without_constraints(*NO_DOUBLE_SALE):
        results = at_once([buyer(slot, number) for number, slot in enumerate(slots)])
        assert kinds(results) == {"Checkout": 1, "SlotTaken": 1}
        assert broken() == {}


@pytest.mark.parametrize("kind", [Area, Instructor])
def test_a_taker_who_skips_a_lock_does_not_wait(
    bank: Bank, kind: type[Area] | type[Instructor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the tests that see everybody wait can fail."""
    slot, _ = one_instructor()
    monkeypatch.setattr(sys.modules["bookings.services.checkout"], "_take_patiently", unhurried())
    monkeypatch.setattr(kind.objects, "select_for_update", lambda **_: kind.objects.all(), raising=False)
    with Holder(lambda: list(kind._default_manager.get_queryset().select_for_update(no_key=True))):
        assert isinstance(Background(buyer(slot, 1)).result(), Checkout)


def unhurried() -> Callable[[Any], Any]:
    return sys.modules["bookings.services.checkout"]._take
