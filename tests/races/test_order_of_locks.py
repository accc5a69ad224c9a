"""Who waits for whom, step by step: what is looked at again after the locks, and which locks it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, transaction

from bookings import services
from bookings.models import Booking
from bookings.services.locking import lock_booking
from clubs.models import Area
from palms import intents
from palms.clock import now_utc
from palms.errors import settle_constraints
from palms.models import Intent
from payments.models import Payment
from payments.providers import provider_for
from payments.services import inbox, lock_payments
from payments.targets import Sighting, nothing
from slots.errors import SlotTaken
from slots.models import Claim, Slot
from slots.services import lock_slots
from tests.bank import Bank
from tests.factories import AreaFactory, InstructorFactory, SlotFactory
from tests.play import customer, offer, payment_of, run_all, staff, take, typed
from tests.races.crowd import Act, Background, Holder, at_once, buyer, kinds, until_waiting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("patience")]


def locking(row: Any) -> Callable[[], Any]:
    return lambda: list(type(row).objects.select_for_update(no_key=True).filter(pk=row.pk))


def with_instructor() -> Slot:
    slot = offer()
    slot.instructor = InstructorFactory(club=slot.club)
    slot.save()
    return slot


def a_taker(slot: Slot, bank: Bank) -> Act:
    return buyer(slot, 1)


def a_confirmer(slot: Slot, bank: Bank) -> Act:
    held = take(slot)
    bank.pay(payment_of(held).provider_payment_id)
    return lambda: services.look_again(token=held.token)


def a_sweep(slot: Slot, bank: Bank) -> Act:
    Claim.objects.filter(payment=payment_of(take(slot))).update(held_until=now_utc())
    return services.end_expired


def a_canceler(slot: Slot, bank: Bank) -> Act:
    booking = approve_for(slot)
    return lambda: services.cancel_by_club(booking_id=booking.pk, actor=staff(slot), reason="rain")


@pytest.mark.usefixtures("peace")
@pytest.mark.parametrize("kind", ["area", "instructor"])
@pytest.mark.parametrize("somebody", [a_taker, a_confirmer, a_sweep, a_canceler])
def test_whoever_changes_who_has_a_place_waits_for_its_court_and_its_instructor(
    bank: Bank, kind: str, somebody: Callable[[Slot, Bank], Act]
) -> None:
    slot = with_instructor()
    act = somebody(slot, bank)
    with Holder(locking(getattr(slot, kind))) as holder:
        who = Background(act)
        until_waiting(1)
        assert not who.is_over
        holder.commit()
    assert not isinstance(who.result(), BaseException)


def approve_for(slot: Slot) -> Booking:
    return services.book_for_client(
        slot_id=slot.pk, club_id=slot.club_id, typed=typed(), participants_count=1, actor=staff(slot), key=f"k{slot.pk}"
    )


@pytest.mark.usefixtures("peace")
def test_who_confirms_looks_again_after_its_locks(bank: Bank) -> None:
    """The hold was alive when the news came; while the door waited it died, and another has the court."""
    slot = offer()
    first = take(slot)
    bank.pay(payment_of(first).provider_payment_id)
    with Holder(locking(slot.area)) as holder:
        door = Background(lambda: services.look_again(token=first.token))
        until_waiting(1)
        holder.does(lambda: Claim.objects.filter(payment=payment_of(first)).delete())
        holder.commit()
    assert door.result() is True
    run_all()
    assert payment_of(first).decision == "RETURN"
    assert bank.money(payment_of(first).provider_payment_id)["net"] == 0
    assert not Booking.objects.exists()


@pytest.mark.usefixtures("peace")
def test_who_confirms_finds_the_slot_moved_and_the_claims_gone(bank: Bank) -> None:
    """A dead hold's slot went to another court, and that one is sold: the old hold buys neither."""
    slot = offer()
    other = AreaFactory(club=slot.club)
    first = take(slot)
    bank.pay(payment_of(first).provider_payment_id)

    def move() -> None:
        Claim.objects.filter(payment=payment_of(first)).delete()
        Slot.objects.filter(pk=slot.pk).update(area=other)

    with Holder(locking(slot.area)) as holder, Holder(locking(other)) as beyond:
        door = Background(lambda: services.look_again(token=first.token))
        until_waiting(1)
        holder.does(move)
        holder.commit()
        until_waiting(1)  # for the other court now: it has the place the slot has now
        beyond.commit()
    assert door.result() is True
    assert payment_of(first).decision == "RETURN"
    assert not Booking.objects.exists()


@pytest.mark.usefixtures("peace")
def test_who_takes_uses_the_slot_as_it_is_under_the_lock(bank: Bank) -> None:
    """While a buyer waited the slot moved to a court that is taken at that time."""
    slot = offer()
    rival = SlotFactory(club=slot.club, start=slot.date_from + timedelta(minutes=30))
    take(rival, phone="+79120000009")
    with Holder(locking(slot.area)) as holder:
        late = Background(buyer(slot, 1))
        until_waiting(1)
        holder.does(lambda: Slot.objects.filter(pk=slot.pk).update(area=rival.area))
        holder.commit()
    assert isinstance(late.result(), SlotTaken)
    assert Claim.objects.count() == 1


@pytest.mark.usefixtures("peace")
def test_a_lock_sought_in_vain_is_let_go_of_when_the_slot_moved(bank: Bank) -> None:
    """Starting over means without the old place's locks: they would stand in the wrong order."""
    slot = offer()
    other = AreaFactory(club=slot.club)
    with Holder(locking(slot.area)) as holder, Holder(locking(other)):
        late = Background(buyer(slot, 1))
        until_waiting(1)
        holder.does(lambda: Slot.objects.filter(pk=slot.pk).update(area=other))
        holder.commit()
        until_waiting(1)
        assert any(both_are_free(slot) for _try in range(10)), "before its own wait of 2.5 s is over"
    assert not isinstance(late.result(), BaseException)


def both_are_free(slot: Slot) -> bool:
    """Whether nobody holds the slot or its old place; asked again where who waits has not moved on yet."""
    try:
        with transaction.atomic():
            list(Area.objects.select_for_update(nowait=True).filter(pk=slot.area_id))
            list(Slot.objects.select_for_update(nowait=True).filter(pk=slot.pk))
    except OperationalError:
        time.sleep(0.1)
        return False
    return True


@pytest.mark.usefixtures("peace")
def test_opposite_wishes_lock_in_one_order() -> None:
    slots = [with_instructor() for _ in range(4)]
    wishes = [[slot.pk for slot in slots], [slot.pk for slot in reversed(slots)]]

    def lock_many_times(ids: list[int]) -> int:
        for _ in range(25):
            with transaction.atomic():
                lock_slots(ids)
        return 25

    results = at_once([lambda ids=wishes[number % 2]: lock_many_times(ids) for number in range(8)])
    assert kinds(results) == {"int": 8}


def test_control_opposite_wishes_without_that_order_deadlock() -> None:
    one, two = (with_instructor() for _ in range(2))
    with Holder(locking(one.area)) as first, Holder(locking(two.area)) as second:
        second.asks(locking(one.area))
        until_waiting(1)
        first.asks(locking(two.area))
        ends = [answer_of(first), answer_of(second)]
        assert [type(end).__name__ for end in ends].count("OperationalError") == 1


def answer_of(holder: Holder) -> Any:
    try:
        return holder.answer()
    except OperationalError as error:
        return error


@pytest.mark.usefixtures("peace")
def test_a_dead_request_is_ended_once_by_whoever_comes_first(bank: Bank) -> None:
    """By the next buyers, or by the sweep."""
    slot = offer()
    slot.area.mode = "request"
    slot.area.save()
    asked = take(slot)
    booking = Booking.objects.get(token=asked.token)
    with transaction.atomic():
        moment = now_utc()
        Booking.objects.filter(pk=booking.pk).update(expires_at=moment)
        Claim.objects.filter(booking=booking).update(held_until=moment)
        settle_constraints()
    results = at_once([buyer(slot, 1), buyer(slot, 2), *[services.end_expired] * 3])
    assert kinds(results) == {"Checkout": 1, "SlotTaken": 1, "int": 3}
    ended = Booking.objects.get(pk=booking.pk)
    assert (ended.status, ended.reason) == ("OTHER", "expired")
    assert Claim.objects.filter(slot=slot).count() == 1  # the next buyer's


def move(booking: Booking, target: Slot) -> None:
    """Move a booking as a service would: both places, its payments and itself locked in the one order."""
    lock_slots([booking.slot_id, target.pk])
    lock_payments(booking_ids=[booking.pk])
    list(Booking.objects.select_for_update(of=("self",)).filter(pk=booking.pk))
    Booking.objects.filter(pk=booking.pk).update(slot=target, area=target.area, date_from=target.date_from)
    place = {"slot": target, "area": target.area, "period": (target.date_from, target.date_to)}
    Claim.objects.filter(booking=booking).update(**place)
    settle_constraints()


def moved_while_waited_for(bank: Bank) -> tuple[Booking, Slot]:
    slot = offer()
    booking = approve_for(slot)
    services.pay_for_approved(booking_id=booking.pk, actor=customer(booking.client_id))
    return booking, SlotFactory(club=slot.club, start=slot.date_from)


@pytest.mark.usefixtures("peace")
def test_who_confirms_a_booking_follows_it_to_where_it_was_moved(bank: Bank) -> None:
    booking, target = moved_while_waited_for(bank)
    payment = Payment.objects.get()
    bank.pay(payment.provider_payment_id)
    with Holder(lambda: move(booking, target)) as mover:
        door = Background(lambda: services.look_again(token=payment.token))
        until_waiting(1)
        mover.commit()
    assert door.result() is True
    booking = Booking.objects.get()
    assert (booking.status, booking.slot_id) == ("CONFIRMED", target.pk)
    assert list(Claim.objects.values_list("slot_id", "held_until")) == [(target.pk, None)]


@pytest.mark.usefixtures("peace")
def test_who_finds_a_booking_moved_starts_over_without_its_locks(bank: Bank) -> None:
    """Two want the moved booking: one read where it was, one where it is. Neither may hold what the other must have first."""
    booking, target = moved_while_waited_for(bank)
    payment = Payment.objects.get()

    def lock() -> None:
        with transaction.atomic():
            lock_booking(booking.pk)

    with Holder(lambda: move(booking, target)) as mover, Holder(lambda: None) as looker:
        looker.asks(locking(payment))  # somebody with business about the payment alone, next in its queue
        until_waiting(1)
        stale = Background(lock)  # knows the old court, and waits for it
        until_waiting(2)
        mover.commit()
        looker.answer()
        until_waiting(1)  # the stale one has the old court, and waits for the payment
        fresh = Background(lock)  # has the new court, and waits for the payment
        until_waiting(2)
        looker.commit()
    assert [stale.result(), fresh.result()] == [None, None]


@pytest.mark.usefixtures("peace")
def test_news_older_than_the_booking_do_not_stand_in_its_way(bank: Bank) -> None:
    """A poll saw the payment unpaid, and comes to the door while two others bring the money."""
    payment = payment_of(take(offer()))
    unpaid = sight(payment)
    bank.pay(payment.provider_payment_id)
    paid = sight(payment)

    def door(seen: Sighting) -> None:
        services.confirm_booking_payment(payment_id=payment.pk, seen=seen, close=nothing)

    with Holder(lambda: door(paid)) as first:
        poll = Background(lambda: door(unpaid))  # nothing to decide: it waits for the payment alone
        until_waiting(1)
        second = Background(lambda: door(paid))  # it waits for the court
        until_waiting(2)
        first.commit()
    assert [poll.result(), second.result()] == [None, None]


def sight(payment: Payment) -> Sighting:
    assert payment.account is not None
    provider = provider_for(payment.account)
    intents.let_go()
    return Sighting(provider.read(payment.provider_payment_id or "", patience=10))


def test_what_was_let_go_of_is_free_for_those_who_waited_for_it(bank: Bank) -> None:
    """Starting over releases a lock for everybody, also for who already stood in line: they must not wait for the end.

    PostgreSQL lets go of a savepoint's row locks when that savepoint is rolled back. But who waits for a lock that was
    taken in a savepoint since released waits for the end of the whole transaction, whatever is rolled back above it.
    """
    court = AreaFactory()  # the first by id
    slot = offer(club=court.club)
    booking = approve_for(slot)
    services.pay_for_approved(booking_id=booking.pk, actor=customer(booking.client_id))
    target, payment = SlotFactory(club=slot.club, area=court, start=slot.date_from), Payment.objects.get()

    def lock() -> None:
        with transaction.atomic():
            lock_booking(booking.pk)

    def lock_both_courts() -> None:
        with transaction.atomic():
            lock_slots([slot.pk, target.pk])

    with Holder(lambda: move(booking, target)) as mover, Holder(lambda: None) as looker:
        looker.asks(locking(payment))  # somebody with business about the payment alone, next in its queue
        until_waiting(1)
        stale = Background(lock)  # knows the old court, and waits for it
        until_waiting(2)
        mover.commit()
        looker.answer()
        until_waiting(1)  # the stale one has the old court, and waits for the payment
        both = Background(lock_both_courts)  # has the new court, and stands in line for the old one
        until_waiting(2)
        looker.commit()  # the stale one sees that the booking moved, lets go of the old court and wants the new one
    assert [stale.result(), both.result()] == [None, None]


def test_an_event_is_stored_after_its_payment_is_locked(bank: Bank) -> None:
    """A row that points at a payment is checked at COMMIT: by then the door may hold the payment and want our intent."""
    payment = payment_of(take(offer()))
    bank.pay(payment.provider_payment_id)
    paid = sight(payment)
    bank.fault(on="get", kind="error_before")
    inbox.receive_yookassa(notice(payment, "payment.waiting_for_capture"))  # the read of it is planned, and waits
    reads = Intent.objects.filter(lane=f"events:{payment.pk}", state=Intent.State.OPEN)
    assert reads.count() == 1

    def close(payment: Payment, *, believed: bool) -> None:
        reads.update(last_error="")

    def door() -> None:
        services.confirm_booking_payment(payment_id=payment.pk, seen=paid, close=close)

    with Holder(lambda: store(notice(payment, "payment.succeeded"))) as teller:
        news = Background(door)
        until_waiting(1)
        teller.commit()
    assert news.result() is None


def notice(payment: Payment, event: str) -> dict[str, Any]:
    thing = {"id": payment.provider_payment_id, "metadata": {"payment_token": payment.token}}
    return {"type": "notification", "event": event, "object": thing}


def store(body: dict[str, Any]) -> None:
    inbox._store(*inbox._hint(body), body)
