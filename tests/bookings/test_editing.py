"""Editing a booking: a lower price sends money back, a higher one waits for its own payment, and nothing is lost on the way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.db import IntegrityError, connection, transaction

from bookings import services
from bookings.audit import broken
from bookings.errors import BookingFinished, HoldExpired, PaymentRequired, TransitionRefused, WrongType
from bookings.models import Booking
from bookings.services import Edited
from notifications.models import Notification
from palms.clock import now_utc
from palms.errors import NotFound, NotPermitted, ValidationFailed
from payments import services as money
from payments.errors import RefundNotOwed
from payments.models import Payment, Refund
from slots.errors import SlotTaken
from slots.models import Slot
from tests.bank import Bank
from tests.factories import AreaFactory, SlotFactory
from tests.play import booked, booked_on_site, customer, offer, run_all, staff, take, typed

pytestmark = pytest.mark.django_db(transaction=True)
PRICE, LESS, MORE = 150_000, 100_000, 210_000


def edited(booking: Booking, **what: Any) -> Edited:
    slot = Slot.objects.get(pk=booking.slot_id)
    return services.edit(booking_id=booking.pk, actor=staff(slot), **what)


def now_of(booking: Booking) -> Booking:
    return Booking.objects.select_related("slot").get(pk=booking.pk)


def page_of(booking: Booking) -> Payment:
    """Open the bank's page as the customer does; return its payment."""
    url = services.pay_for_approved(booking_id=booking.pk, actor=customer(booking.client_id))
    return Payment.objects.get(confirmation_url=url)


def pay(page: Payment, bank: Bank) -> Payment:
    bank.pay(page.provider_payment_id)
    services.look_again(token=page.token)
    run_all()
    return Payment.objects.get(pk=page.pk)


def approved(slot: Slot) -> Booking:
    return services.book_for_client(
        slot_id=slot.pk, club_id=slot.club_id, typed=typed(), participants_count=1, actor=staff(slot), key=f"k{slot.pk}"
    )


def requested_and_paid(bank: Bank) -> Booking:
    booking = Booking.objects.get(token=take(offer(area__mode="request")).token)
    pay(page_of(booking), bank)
    return now_of(booking)


# A lower price.


@pytest.mark.parametrize("price", [LESS, 0])
def test_a_lower_price_takes_less_of_a_hold_and_no_earlier(bank: Bank, price: int) -> None:
    booking = booked(offer(), bank)
    assert edited(booking, price=price).due == 0
    run_all()
    payment, after = Payment.objects.get(), now_of(booking)
    assert (after.price, after.secured_amount, after.status) == (price, price, "CONFIRMED")
    assert (payment.keep, payment.capture_at) == (price, None)
    assert payment.status == ("AUTHORIZED" if price else "VOIDED")
    with time_machine.travel(after.date_from):
        summary = services.close(booking_id=booking.pk, actor=staff(after.slot), outcome="SHOWN")
        again = services.close(booking_id=booking.pk, actor=staff(after.slot), outcome="SHOWN")
        run_all()
    assert (summary.charged, summary.returned) == (again.charged, again.returned) == (price, 0)
    assert bank.money(payment.provider_payment_id)["net"] == price
    assert broken() == {}


def test_a_lower_price_refunds_the_difference_of_money_taken(bank: Bank) -> None:
    booking = booked(offer(start=now_utc() + timedelta(days=20)), bank)
    edited(booking, price=LESS)
    run_all()
    edited(booking, price=LESS - 1)
    run_all()
    payment = Payment.objects.get()
    assert list(Refund.objects.order_by("pk").values_list("amount", "state")) == [(PRICE - LESS, "DONE"), (1, "DONE")]
    assert bank.money(payment.provider_payment_id)["net"] == now_of(booking).secured_amount == LESS - 1
    assert broken() == {}


def test_the_same_price_again_changes_no_money(bank: Bank) -> None:
    booking = booked(offer(), bank)
    before = Payment.objects.values().get()
    assert edited(booking, price=PRICE).due == 0
    assert Payment.objects.values().get() == before
    assert broken() == {}


def test_what_was_paid_on_site_is_handed_back_by_people_once(bank: Bank) -> None:
    slot = offer()
    booking = booked_on_site(slot)
    edited(booking, price=LESS)
    refund = Refund.objects.get()
    assert (refund.state, refund.amount, refund.account_id) == ("INTENDED", PRICE - LESS, None)
    with pytest.raises(NotPermitted):
        money.handed_back(refund_id=refund.pk, actor=customer(booking.client_id))
    with pytest.raises(NotFound):
        money.handed_back(refund_id=0, actor=staff(slot))

    first, again = (money.handed_back(refund_id=refund.pk, actor=staff(slot)) for _ in range(2))

    assert (first.state, first.finished_at) == ("DONE", again.finished_at)
    done = refund.events.get(state="DONE")
    assert (done.pgh_context.metadata["actor"], done.pgh_context.metadata["actor_id"]) == ("staff", 1)
    assert (Payment.objects.get().refunded, now_of(booking).secured_amount) == (PRICE - LESS, LESS)
    assert broken() == {}


def test_nobody_hands_back_what_the_bank_returns(bank: Bank) -> None:
    slot = offer(start=now_utc() + timedelta(days=20))
    edited(booked(slot, bank), price=LESS)
    with pytest.raises(RefundNotOwed):
        money.handed_back(refund_id=Refund.objects.get().pk, actor=staff(slot))
    assert Refund.objects.get().state == "INTENDED"


@pytest.mark.breaks_rules("money that was handed back on site was handed by somebody")
def test_the_audit_sees_money_handed_back_by_nobody(bank: Bank) -> None:
    edited(booked_on_site(offer()), price=LESS)
    Refund.objects.update(state="DONE", finished_at=now_utc())
    assert list(broken()) == ["money that was handed back on site was handed by somebody"]


# A higher price of a confirmed booking.


def test_a_raised_price_waits_for_its_own_payment(bank: Bank) -> None:
    booking = booked(offer(), bank)
    first, again = edited(booking, price=MORE), edited(booking, price=MORE)
    assert first.due == again.due == MORE - PRICE
    assert first.page.endswith(f"/booking/{booking.token}/")
    assert (again.booking.price, again.booking.raised_price, again.booking.status) == (PRICE, MORE, "CONFIRMED")
    assert Notification.objects.filter(event__startswith="price_raised:").count() == 1
    assert edited(booking, reference_id=5).due == MORE - PRICE

    page = page_of(booking)

    assert (page.amount, page_of(booking).pk) == (MORE - PRICE, page.pk)
    assert pay(page, bank).decision == "USED"
    after = now_of(booking)
    assert (after.price, after.raised_price, after.secured_amount) == (MORE, None, MORE)
    assert edited(booking, price=MORE).due == 0
    assert broken() == {}


def test_a_free_booking_can_get_a_price(bank: Bank) -> None:
    booking = Booking.objects.get(token=take(offer(price=0)).token)
    assert edited(booking, price=PRICE).due == PRICE
    pay(page_of(booking), bank)
    assert (now_of(booking).price, now_of(booking).secured_amount) == (PRICE, PRICE)


def test_the_letter_about_a_raise_brings_the_customer_to_its_payment(bank: Bank) -> None:
    booking = booked(offer(), bank)
    mail.outbox.clear()
    page = edited(booking, price=MORE).page
    run_all()
    (letter,) = mail.outbox
    assert page in letter.body
    assert "600" in letter.body.replace("\xa0", " ")


def test_staff_may_take_the_difference_on_site(bank: Bank) -> None:
    booking = booked(offer(), bank)
    edited(booking, price=MORE)
    act = {"booking_id": booking.pk, "actor": staff(now_of(booking).slot)}
    with pytest.raises(PaymentRequired):
        services.record_payment_on_site(**act, amount=MORE - PRICE - 1)
    for garbage in (-1, 10**30, True, "5", 1.5):
        with pytest.raises(ValidationFailed):
            services.record_payment_on_site(**act, amount=garbage)  # type: ignore[arg-type]
    assert Payment.objects.count() == 1
    after = services.record_payment_on_site(**act)
    assert (after.price, after.raised_price, Payment.objects.count()) == (MORE, None, 2)
    with pytest.raises(TransitionRefused):
        services.record_payment_on_site(**act)
    assert broken() == {}


def withdraw(booking: Booking) -> None:
    edited(booking, price=PRICE)


def lower(booking: Booking) -> None:
    edited(booking, price=LESS)


def raise_differently(booking: Booking) -> None:
    edited(booking, price=MORE + 1)


def cancel(booking: Booking) -> None:
    services.cancel_by_club(booking_id=booking.pk, actor=staff(booking.slot), reason="rain")


def end(booking: Booking) -> None:
    services.end_otherwise(booking_id=booking.pk, actor=staff(booking.slot), reason="rain")


def move(booking: Booking) -> None:
    services.move(booking_id=booking.pk, actor=staff(booking.slot), area_id=AreaFactory(club=booking.club).pk)


def close(booking: Booking) -> None:
    services.try_complete_booking(booking_id=booking.pk, actor=staff(booking.slot), force=True, reason="left")


def pay_on_site(booking: Booking) -> None:
    services.record_payment_on_site(booking_id=booking.pk, actor=staff(booking.slot))


@pytest.mark.parametrize("days", [1, 20], ids=["held", "taken"])
@pytest.mark.parametrize("act", [withdraw, lower, raise_differently, cancel, end, move, close, pay_on_site])
def test_money_for_a_raise_that_is_not_wanted_any_more_goes_back(bank: Bank, act: Any, days: int) -> None:
    booking = booked(offer(start=now_utc() + timedelta(days=days)), bank)
    edited(booking, price=MORE)
    page = page_of(booking)
    act(now_of(booking))
    before = now_of(booking)

    paid = pay(page, bank)

    assert (paid.decision, bank.money(page.provider_payment_id)["net"]) == ("RETURN", 0)
    after = now_of(booking)
    assert (after.price, after.raised_price, after.status) == (before.price, before.raised_price, before.status)
    assert before.raised_price == (MORE + 1 if act is raise_differently else None)
    assert broken() == {}


def test_of_two_pages_for_one_raise_the_second_to_pay_goes_back(bank: Bank) -> None:
    booking = booked(offer(), bank)
    edited(booking, price=MORE)
    first = page_of(booking)
    edited(booking, price=MORE + 1)
    second = page_of(booking)
    edited(booking, price=MORE)
    assert page_of(booking).pk == first.pk  # its own page again
    assert (pay(first, bank).decision, pay(second, bank).decision) == ("USED", "RETURN")
    assert now_of(booking).price == MORE
    assert broken() == {}


def test_a_page_of_the_first_price_never_pays_a_raise_of_the_same_sum(bank: Bank) -> None:
    booking = approved(offer())
    page = page_of(booking)
    services.record_payment_on_site(booking_id=booking.pk, actor=staff(now_of(booking).slot))
    edited(booking, price=2 * PRICE)
    assert pay(page, bank).decision == "RETURN"
    assert now_of(booking).raised_price == 2 * PRICE


def test_a_raise_for_a_visit_beyond_the_life_of_a_hold_is_taken_at_once(bank: Bank) -> None:
    booking = booked(offer(start=now_utc() + timedelta(days=20)), bank)
    edited(booking, price=MORE)
    assert pay(page_of(booking), bank).status == "CAPTURED"


def test_after_a_paid_raise_all_of_it_goes_back_with_a_cancel(bank: Bank) -> None:
    booking = booked(offer(), bank)
    edited(booking, price=MORE)
    pay(page_of(booking), bank)
    cancel(now_of(booking))
    run_all()
    assert [bank.money(p.provider_payment_id)["net"] for p in Payment.objects.all()] == [0, 0]
    assert {p.status for p in Payment.objects.all()} == {"VOIDED"}
    assert broken() == {}


def test_lowered_after_a_paid_raise_the_newest_money_goes_back_first(bank: Bank) -> None:
    booking = booked(offer(), bank)
    edited(booking, price=MORE)
    pay(page_of(booking), bank)
    edited(booking, price=PRICE + 1)
    run_all()
    assert list(Payment.objects.order_by("pk").values_list("keep", "status")) == [
        (PRICE, "AUTHORIZED"),
        (1, "AUTHORIZED"),
    ]
    edited(booking, price=PRICE)
    run_all()
    assert list(Payment.objects.order_by("pk").values_list("keep", "status")) == [(PRICE, "AUTHORIZED"), (0, "VOIDED")]
    assert broken() == {}


@pytest.mark.parametrize("change", ["raised_price = price", "raised_price = price - 1"])
def test_sql_refuses_a_raise_that_is_none(bank: Bank, change: str) -> None:
    booking = booked(offer(), bank)
    with pytest.raises(IntegrityError, match="booking_raise_waits_above_the_price"), transaction.atomic():
        execute(f"UPDATE bookings_booking SET {change} WHERE id = %s", booking.pk)


def test_sql_keeps_a_raise_with_confirmed_bookings_and_frozen_ones_as_they_are(bank: Bank) -> None:
    waiting, over = approved(offer()), booked(offer(), bank)
    cancel(now_of(over))
    change = "UPDATE bookings_booking SET raised_price = price + 1 WHERE id = %s"
    with pytest.raises(IntegrityError, match="booking_raise_waits_above_the_price"), transaction.atomic():
        execute(change, waiting.pk)
    with pytest.raises(IntegrityError, match="a finished booking does not change"), transaction.atomic():
        execute(change, over.pk)


def test_sql_refuses_a_price_without_its_money(bank: Bank) -> None:
    booking = booked(offer(), bank)
    change = "SET CONSTRAINTS ALL IMMEDIATE; UPDATE bookings_booking SET price = price + 1 WHERE id = %s"
    with pytest.raises(IntegrityError, match="no confirmed booking without its money"), transaction.atomic():
        execute(change, booking.pk)


def execute(statement: str, *given: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)


# A price of a booking that waits.


@pytest.mark.parametrize("price", [LESS, MORE])
def test_a_waiting_booking_has_its_new_price_at_once_and_a_new_page(bank: Bank, price: int) -> None:
    booking = approved(offer())
    old = page_of(booking)
    assert edited(booking, price=price).due == 0
    assert (now_of(booking).price, now_of(booking).raised_price) == (price, None)
    new = page_of(booking)
    assert (new.amount, new.pk == old.pk) == (price, False)
    pay(new, bank)
    assert (now_of(booking).status, now_of(booking).secured_amount) == ("CONFIRMED", price)
    assert pay(old, bank).decision == "RETURN"
    assert broken() == {}


@pytest.mark.parametrize("days", [1, 20], ids=["held", "taken"])
def test_an_old_page_with_more_than_the_price_confirms_and_the_rest_goes_back(bank: Bank, days: int) -> None:
    booking = approved(offer(start=now_utc() + timedelta(days=days)))
    old = page_of(booking)
    edited(booking, price=LESS)
    paid = pay(old, bank)
    after = now_of(booking)
    assert (after.status, after.secured_amount, paid.decision, paid.keep) == ("CONFIRMED", LESS, "USED", LESS)
    with time_machine.travel(after.date_from):
        services.close(booking_id=booking.pk, actor=staff(after.slot), outcome="SHOWN")
        run_all()
    assert bank.money(old.provider_payment_id)["net"] == LESS
    assert broken() == {}


def test_an_old_page_with_less_than_the_price_counts_and_the_rest_is_asked_for(bank: Bank) -> None:
    booking = approved(offer())
    old = page_of(booking)
    edited(booking, price=MORE)
    pay(old, bank)
    assert (now_of(booking).status, now_of(booking).secured_amount) == ("APPROVED", PRICE)
    rest = page_of(booking)
    assert rest.amount == MORE - PRICE
    pay(rest, bank)
    assert (now_of(booking).status, now_of(booking).secured_amount) == ("CONFIRMED", MORE)
    assert broken() == {}


def test_an_approved_booking_that_is_paid_enough_by_now_is_confirmed(bank: Bank) -> None:
    booking = requested_and_paid(bank)
    edited(booking, price=MORE)
    assert services.approve(booking_id=booking.pk, actor=staff(booking.slot)).status == "APPROVED"
    assert edited(booking, price=PRICE).booking.status == "CONFIRMED"
    free = approved(offer())
    assert edited(free, price=0).booking.status == "CONFIRMED"
    assert broken() == {}


def test_a_request_that_is_paid_gives_back_what_is_above_its_price_at_once(bank: Bank) -> None:
    booking = requested_and_paid(bank)
    edited(booking, price=LESS)
    assert (now_of(booking).status, now_of(booking).secured_amount) == ("REQUESTED", LESS)
    services.approve(booking_id=booking.pk, actor=staff(booking.slot))
    run_all()
    payment = Payment.objects.get()
    assert (now_of(booking).status, payment.keep, payment.status) == ("CONFIRMED", LESS, "AUTHORIZED")
    assert broken() == {}


def test_a_second_payment_of_a_request_that_is_paid_goes_back(bank: Bank) -> None:
    booking = Booking.objects.get(token=take(offer(area__mode="request")).token)
    first = page_of(booking)
    edited(booking, price=LESS)
    second = page_of(booking)
    assert (pay(second, bank).decision, pay(first, bank).decision) == ("USED", "RETURN")
    assert now_of(booking).secured_amount == LESS
    assert broken() == {}


# The rest.


@pytest.mark.parametrize("price", [-1, 10**15 + 1, 2**63, 10**40, True, 1.5, "5"])
def test_a_price_is_a_whole_number_that_fits(bank: Bank, price: Any) -> None:
    booking = booked_on_site(offer())
    with pytest.raises(ValidationFailed) as refused:
        edited(booking, price=price)
    assert list(refused.value.facts["errors"]) == ["price"]


def test_the_greatest_price_is_a_price(bank: Bank) -> None:
    assert edited(booked_on_site(offer()), price=10**15).due == 10**15 - PRICE


@pytest.mark.parametrize("reference_id", [-1, 2**63, True, "5"])
def test_a_reference_is_a_whole_number_that_fits(bank: Bank, reference_id: Any) -> None:
    booking = booked_on_site(offer())
    with pytest.raises(ValidationFailed) as refused:
        edited(booking, reference_id=reference_id)
    assert list(refused.value.facts["errors"]) == ["reference_id"]


def test_a_reference_is_set_changed_and_cleared_and_one_per_club() -> None:
    slot = offer()
    booking, other = booked_on_site(slot), booked_on_site(SlotFactory(club=slot.club))
    stranger = booked_on_site(offer())
    assert edited(booking, reference_id=2**63 - 1).booking.reference_id == 2**63 - 1
    edited(booking, reference_id=7)
    edited(stranger, reference_id=7)
    assert edited(booking, price=PRICE).booking.reference_id == 7
    with pytest.raises(ValidationFailed) as refused:
        edited(other, reference_id=7, price=LESS)
    assert list(refused.value.facts["errors"]) == ["reference_id"]
    assert (now_of(other).reference_id, now_of(other).price) == (None, PRICE)
    edited(booking, reference_id=None)
    assert edited(other, reference_id=7).booking.reference_id == 7


def test_area_price_and_reference_change_together_or_not_at_all(bank: Bank) -> None:
    slot = offer()
    booking, court = booked_on_site(slot), AreaFactory(club=slot.club)
    after = edited(booking, area_id=court.pk, price=MORE, reference_id=3)
    assert (after.booking.area_id, after.booking.raised_price, after.booking.reference_id) == (court.pk, MORE, 3)
    taken = booked_on_site(SlotFactory(club=slot.club), phone="+79120000001")
    with pytest.raises(SlotTaken):
        edited(booking, area_id=taken.area_id, price=LESS, reference_id=4)
    still = now_of(booking)
    assert (still.area_id, still.price, still.raised_price, still.reference_id) == (court.pk, PRICE, MORE, 3)


def test_what_is_over_late_or_not_theirs_is_not_edited(bank: Bank) -> None:
    booking, waiting = booked_on_site(offer()), approved(offer())
    for stranger in (customer(booking.client_id), staff(offer())):
        with pytest.raises(NotPermitted):
            services.edit(booking_id=booking.pk, actor=stranger, price=LESS)
    cancel(now_of(booking))
    with pytest.raises(BookingFinished):
        edited(booking, reference_id=1)
    with time_machine.travel(waiting.expires_at or now_utc()), pytest.raises(HoldExpired):
        edited(waiting, price=LESS)
    assert now_of(waiting).status == "OTHER"


def test_the_type_of_a_booking_is_its_slots(bank: Bank) -> None:
    group = offer(capacity=3)
    assert (approved(group).booking_type, booked_on_site(offer()).booking_type) == ("group", "individual")
    with pytest.raises(WrongType):
        services.checkout(
            slot_id=group.pk, club_id=group.club_id, typed=typed(), participants_count=1, key="k", visitor="",
            actor=customer(), booking_type="individual",
        )  # fmt: skip
    assert Payment.objects.count() == 1
