"""Moves and raises that meet others at the same moment: one wins, the other hears why, and nobody deadlocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from bookings import services
from bookings.models import Booking
from payments.models import Payment
from slots.models import Claim, Slot
from tests.bank import Bank
from tests.factories import AreaFactory, InstructorFactory, SlotFactory
from tests.play import booked, booked_on_site, customer, offer, payment_of, run_all, staff, take
from tests.races.crowd import Act, Background, Holder, at_once, buyer, kinds, phone, until_waiting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("peace")]
ROUNDS = 6
HOUR = timedelta(hours=1)


def mover(booking: Booking, **where: Any) -> Act:
    club = staff(booking.slot)
    return lambda: services.move(booking_id=booking.pk, actor=club, **where)


def raised_and_paid(slot: Slot, bank: Bank) -> tuple[Booking, Payment]:
    """Return a booking with a raised price, and the payment for it that the bank has and we have not heard of."""
    booking = booked(slot, bank)
    services.edit(booking_id=booking.pk, actor=staff(slot), price=210_000)
    services.pay_for_approved(booking_id=booking.pk, actor=customer(booking.client_id))
    payment = booking.payments.latest("pk")
    bank.pay(payment.provider_payment_id)
    return booking, payment


def with_teachers() -> tuple[Slot, Slot]:
    """Return two offers of one club, each with a court and an instructor of its own."""
    slot = offer()
    teachers = [InstructorFactory(club=slot.club) for _ in range(2)]
    Slot.objects.filter(pk=slot.pk).update(instructor=teachers[0])
    return Slot.objects.get(pk=slot.pk), SlotFactory(club=slot.club, instructor=teachers[1])


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("kind", ["area", "instructor"])
@pytest.mark.parametrize("of", ["where it is", "where it goes"])
def test_a_move_waits_for_both_courts_and_both_instructors(kind: str, of: str) -> None:
    left, there = with_teachers()
    row = getattr(left if of == "where it is" else there, kind)
    act = mover(booked_on_site(left), slot_id=there.pk)
    with Holder(lambda: list(type(row).objects.select_for_update(no_key=True).filter(pk=row.pk))) as holder:
        move = Background(act)
        until_waiting(1)
        assert not move.is_over
        holder.commit()
    assert isinstance(move.result(), Booking)


@pytest.mark.usefixtures("patience")
def test_a_move_to_a_court_where_nothing_is_offered_waits_for_that_court() -> None:
    booking = booked_on_site(offer())
    court = AreaFactory(club=booking.club)
    with Holder(lambda: list(type(court).objects.select_for_update(no_key=True).filter(pk=court.pk))) as holder:
        move = Background(mover(booking, area_id=court.pk))
        until_waiting(1)
        holder.commit()
    assert isinstance(move.result(), Booking)


@pytest.mark.usefixtures("patience")
def test_a_move_looks_again_after_its_locks() -> None:
    """What was offered there was withdrawn while the move waited, and another slot is offered instead."""
    booking = booked_on_site(offer())
    court = AreaFactory(club=booking.club)
    first = SlotFactory(club=booking.club, area=court)
    with Holder(lambda: list(type(court).objects.select_for_update(no_key=True).filter(pk=court.pk))) as holder:
        move = Background(mover(booking, area_id=court.pk))
        until_waiting(1)
        holder.does(lambda: Slot.objects.filter(pk=first.pk).update(closed=True))
        second = holder.does(lambda: SlotFactory(club=booking.club, area=court))
        holder.commit()
    assert move.result().slot_id == second.pk


@pytest.mark.usefixtures("patience")
def test_who_brings_money_looks_again_after_a_move(bank: Bank) -> None:
    """The door read where the booking was; while it waited for that court, the booking was moved to another."""
    booking, payment = raised_and_paid(offer(), bank)
    there = SlotFactory(club=booking.club)
    with Holder(mover(booking, slot_id=there.pk)) as holder:
        door = Background(lambda: services.look_again(token=payment.token))
        until_waiting(1)
        holder.commit()
    assert not isinstance(door.result(), BaseException)
    run_all()
    after = Booking.objects.get()
    assert (after.slot_id, after.price, after.raised_price) == (there.pk, 150_000, None)
    assert bank.money(payment.provider_payment_id)["net"] == 0  # the move withdrew the raise


@pytest.mark.usefixtures("patience")
def test_who_confirms_a_hold_beside_a_move_onto_its_court_is_not_disturbed(bank: Bank) -> None:
    there = offer()
    held = take(there)
    bank.pay(payment_of(held).provider_payment_id)
    booking = booked_on_site(SlotFactory(club=there.club), phone=phone(1))
    results = at_once([lambda: services.look_again(token=held.token), mover(booking, slot_id=there.pk)])
    assert kinds(results)["SlotTaken"] == 1
    assert Claim.objects.get(slot=there).booking_id == payment_of(held).booking_id


def test_of_a_buyer_and_a_move_one_has_the_place(bank: Bank) -> None:
    ends: Counter[str] = Counter()
    for number in range(ROUNDS):
        there = offer()
        booking = booked_on_site(SlotFactory(club=there.club), phone=phone(50))
        acts = [mover(booking, slot_id=there.pk), buyer(there, number), buyer(there, number + 100)]
        results = kinds(at_once(acts))
        assert results["SlotTaken"] == 2
        assert results["Booking"] + results["Checkout"] == 1
        assert Claim.objects.filter(slot=there).count() == 1
        ends += results
    assert ends["SlotTaken"] == 2 * ROUNDS


def test_two_who_swap_courts_are_both_refused_and_stay(bank: Bank) -> None:
    for _ in range(ROUNDS):
        one = offer()
        other = SlotFactory(club=one.club)
        mine, yours = booked_on_site(one), booked_on_site(other, phone=phone(1))
        results = at_once([mover(mine, slot_id=other.pk), mover(yours, area_id=one.area_id)])
        assert kinds(results) == {"SlotTaken": 2}
        held = Claim.objects.filter(slot__in=[one, other]).order_by("slot_id").values_list("slot_id", "booking_id")
        assert list(held) == [(one.pk, mine.pk), (other.pk, yours.pk)]


@pytest.mark.parametrize("is_offered", [True, False], ids=["offered", "made"])
def test_of_many_who_move_to_one_place_one_has_it(bank: Bank, is_offered: bool) -> None:
    first = offer()
    court, later = AreaFactory(club=first.club), first.date_from + 5 * HOUR
    if is_offered:
        SlotFactory(club=first.club, area=court, start=later)
    crowd = [booked_on_site(SlotFactory(club=first.club), phone=phone(number)) for number in range(8)]
    where = {"area_id": court.pk, "date_from": later, "date_to": later + HOUR}
    results = at_once([mover(booking, **where) for booking in crowd])
    assert kinds(results) == {"Booking": 1, "SlotTaken": 7}
    assert Claim.objects.filter(area=court).count() == Slot.objects.filter(area=court).count() == 1


def test_crossing_moves_lock_in_one_order(bank: Bank) -> None:
    """Back and forth between the same courts, at hours that do not meet: everybody gets there, every time."""
    one = offer()
    other = SlotFactory(club=one.club)
    mine, yours = booked_on_site(one), booked_on_site(other, phone=phone(1))

    def back_and_forth(booking: Booking, areas: list[int], hours: int) -> int:
        for turn in range(6):
            start = booking.date_from + (hours + turn) * HOUR
            mover(booking, area_id=areas[turn % 2], date_from=start, date_to=start + HOUR)()
        return 6

    areas = [one.area_id, other.area_id]
    results = at_once(
        [lambda: back_and_forth(mine, areas, 10), lambda: back_and_forth(yours, areas[::-1], 30)],
    )
    assert kinds(results) == {"int": 2}


def test_of_a_close_and_a_move_one_happens(bank: Bank) -> None:
    for _ in range(ROUNDS):
        slot = offer()
        booking = booked_on_site(slot)
        away: Callable[[], Any] = mover(booking, date_from=slot.date_from + 48 * HOUR, date_to=slot.date_to + 48 * HOUR)
        with time_machine.travel(slot.date_from + HOUR / 2):
            acts: list[Act] = [
                away,
                lambda booking=booking, slot=slot: services.close(
                    booking_id=booking.pk, actor=staff(slot), outcome="SHOWN"
                ),
            ]
            results = kinds(at_once(acts))
        assert results in ({"Closing": 1, "BookingFinished": 1}, {"Booking": 1, "TooEarlyToClose": 1})


def test_money_for_a_raise_and_a_cancel_end_with_nothing_kept(bank: Bank) -> None:
    for _ in range(ROUNDS):
        slot = offer()
        booking, payment = raised_and_paid(slot, bank)
        results = at_once(
            [
                lambda payment=payment: services.look_again(token=payment.token),
                lambda payment=payment: services.look_again(token=payment.token),
                lambda booking=booking, slot=slot: services.cancel_by_club(
                    booking_id=booking.pk, actor=staff(slot), reason="rain"
                ),
            ]
        )
        assert not [result for result in results if isinstance(result, BaseException)]
        run_all()
        assert Booking.objects.get(pk=booking.pk).status == "CANCELED_BY_CLUB"
        for each in Payment.objects.filter(booking=booking):
            money = bank.money(each.provider_payment_id)
            assert (money["held"], money["net"]) == (0, 0)


@pytest.mark.parametrize("price", [150_000, 100_000, 210_001])
def test_money_for_a_raise_and_another_price_agree_in_the_end(bank: Bank, price: int) -> None:
    for _ in range(ROUNDS // 2):
        slot = offer()
        booking, payment = raised_and_paid(slot, bank)
        results = at_once(
            [
                lambda payment=payment: services.look_again(token=payment.token),
                lambda booking=booking, slot=slot: services.edit(booking_id=booking.pk, actor=staff(slot), price=price),
            ]
        )
        assert not [result for result in results if isinstance(result, BaseException)]
        run_all()
        after = Booking.objects.get(pk=booking.pk)
        held = sum(p.keep or 0 for p in Payment.objects.filter(booking=booking, status="AUTHORIZED"))
        assert held == after.secured_amount == after.price
        assert price in (after.price, after.raised_price)
