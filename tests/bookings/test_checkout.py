"""The main way: hold, pay, confirm; and its ends. The money's end state is read at the bank."""

from datetime import timedelta

import pytest
import time_machine

from bookings import services
from bookings.models import Booking
from bookings.selectors import checkout_state
from palms.clock import now_utc
from palms.errors import ValidationFailed
from payments.errors import ProviderUnavailable
from payments.models import Payment, Refund
from slots.errors import SlotClosed, SlotInPast, SlotNotFound, SlotTaken
from slots.models import Claim
from tests.bank import Bank
from tests.factories import SlotFactory
from tests.play import DECLINED, booked, customer, look, offer, payment_of, run_all, staff, take, typed

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_court_is_held_paid_and_booked(bank: Bank) -> None:
    slot = offer()

    checkout = take(slot)
    assert checkout.state == "held"
    assert checkout.payment_url is not None
    assert checkout.payment_url.startswith(bank.url)
    assert Booking.objects.count() == 0  # none before money
    payment = payment_of(checkout)
    bank.pay(payment.provider_payment_id)
    look(checkout)

    booking = Booking.objects.get()
    payment.refresh_from_db(fields=["decision", "keep", "booking"])
    assert (booking.status, booking.price, booking.secured_amount) == ("CONFIRMED", 150_000, 150_000)
    assert (payment.decision, payment.keep, payment.booking_id) == ("USED", 150_000, booking.pk)
    assert list(Claim.objects.values_list("booking_id", "held_until")) == [(booking.pk, None)]
    assert bank.money(payment.provider_payment_id)["held"] == 150_000
    assert checkout_state(token=checkout.token, now=now_utc()).state == "confirmed"


def test_a_visit_beyond_the_holds_life_is_paid_in_one_stage(bank: Bank) -> None:
    slot = offer(start=now_utc() + timedelta(days=20))
    booking = booked(slot, bank)
    payment = booking.payments.get()
    assert (payment.two_stage, payment.status, payment.captured) == (False, "CAPTURED", 150_000)


def test_a_declined_card_frees_the_court_and_charges_nothing(bank: Bank) -> None:
    slot = offer()
    checkout = take(slot)
    payment = payment_of(checkout)
    bank.pay(payment.provider_payment_id, card=DECLINED)
    look(checkout)
    assert checkout_state(token=checkout.token, now=now_utc()).state == "failed"
    assert not Claim.objects.exists()
    assert take(slot).state == "held"


def test_money_that_comes_after_the_hold_goes_back(bank: Bank) -> None:
    slot = offer()
    checkout = take(slot)
    payment = payment_of(checkout)
    with time_machine.travel(now_utc() + timedelta(seconds=301)):
        bank.pay(payment.provider_payment_id)
        look(checkout)
        state = checkout_state(token=checkout.token, now=now_utc()).state
    assert state == "refunded"
    assert bank.effects(payment.provider_payment_id) == [("held", 150_000), ("voided", 150_000)]
    assert not Booking.objects.exists()
    assert not Claim.objects.exists()


def test_late_one_stage_money_is_refunded_once(bank: Bank) -> None:
    slot = offer(start=now_utc() + timedelta(days=20))
    checkout = take(slot)
    payment = payment_of(checkout)
    with time_machine.travel(now_utc() + timedelta(seconds=301)):
        bank.pay(payment.provider_payment_id)
        for _ in range(3):
            look(checkout)
    assert bank.effects(payment.provider_payment_id) == [("captured", 150_000), ("refunded", 150_000)]
    assert list(Refund.objects.values_list("state", "amount", "cause")) == [("DONE", 150_000, "late")]


def test_a_dead_hold_gives_way_to_the_next_buyer_and_its_money_goes_back(bank: Bank) -> None:
    slot = offer()
    first = take(slot)
    with pytest.raises(SlotTaken):
        take(slot, phone="+79120000002")
    with time_machine.travel(now_utc() + timedelta(seconds=301)):
        second = take(slot, phone="+79120000002")
        bank.pay(payment_of(second).provider_payment_id)
        bank.pay(payment_of(first).provider_payment_id)
        look(first)
        look(second)
    assert payment_of(second).decision == "USED"
    assert payment_of(first).decision == "RETURN"
    assert bank.money(payment_of(first).provider_payment_id)["net"] == 0


def test_the_same_form_twice_is_one_hold(bank: Bank) -> None:
    slot = offer()
    first, second = take(slot, key="form-1"), take(slot, key="form-1")
    assert first == second
    assert Payment.objects.count() == 1


def test_a_second_tab_of_the_same_visitor_gets_the_living_hold(bank: Bank) -> None:
    slot = offer()
    first = take(slot, visitor="v1")
    assert take(slot, visitor="v1").token == first.token
    with pytest.raises(SlotTaken):
        take(slot, visitor="v2")


def test_group_places_are_sold_one_by_one(bank: Bank) -> None:
    slot = offer(capacity=3)
    take(slot, count=2)
    with pytest.raises(SlotTaken):
        take(slot, count=2, phone="+79120000002")
    take(slot, count=1, phone="+79120000003")
    assert sorted(Claim.objects.values_list("place", flat=True)) == [0, 1, 2]


def test_overlapping_offers_of_one_court_exclude_each_other(bank: Bank) -> None:
    slot = offer()
    rival = SlotFactory(club=slot.club, area=slot.area, start=slot.date_from + timedelta(minutes=30), minutes=90)
    take(slot)
    with pytest.raises(SlotTaken):
        take(rival, phone="+79120000002")


def test_a_free_slot_is_booked_at_once(bank: Bank) -> None:
    slot = offer(price=0)
    checkout = take(slot)
    booking = Booking.objects.get(token=checkout.token)
    assert (checkout.state, checkout.payment_url, booking.status) == ("confirmed", None, "CONFIRMED")
    assert bank.calls() == []


def test_an_area_by_request_makes_a_request_then_a_paid_booking(bank: Bank) -> None:
    slot = offer()
    slot.area.mode = "request"
    slot.area.save()
    checkout = take(slot)
    booking = Booking.objects.get(token=checkout.token)
    assert (checkout.state, booking.status) == ("requested", "REQUESTED")
    booking = services.approve(booking_id=booking.pk, actor=staff(slot))
    assert booking.status == "APPROVED"
    url = services.pay_for_approved(booking_id=booking.pk, actor=customer(booking.client_id))
    assert url.startswith(bank.url)
    payment = booking.payments.get()
    bank.pay(payment.provider_payment_id)
    services.look_again(token=payment.token)
    assert Booking.objects.get().status == "CONFIRMED"
    assert list(Claim.objects.values_list("held_until", flat=True)) == [None]


def test_the_bank_refuses_a_payment_and_nothing_is_held(bank: Bank) -> None:
    slot = offer()
    bank.fault(on="create", kind="refuse")
    with pytest.raises(ProviderUnavailable):
        take(slot)
    assert not Claim.objects.exists()
    assert Payment.objects.get().status == "FAILED"


@pytest.mark.parametrize("kind", ["error_before", "error_after", "drop_before", "drop_after", "html_502", "garbled"])
def test_an_unknown_outcome_keeps_the_hold_and_is_asked_again_with_the_same_key(bank: Bank, kind: str) -> None:
    slot = offer()
    bank.fault(on="create", kind=kind)
    checkout = take(slot)
    assert checkout.state == "preparing"
    assert Claim.objects.count() == 1
    with time_machine.travel(now_utc() + timedelta(seconds=10)):
        look(checkout)
        assert checkout_state(token=checkout.token, now=now_utc()).state == "held"
    assert len(bank.state()["payments"]) == 1  # one at the bank, whatever happened
    assert len({call["idempotence_key"] for call in bank.calls("POST")}) == 1


def test_cancel_in_time_gives_everything_back(bank: Bank) -> None:
    slot = offer(start=now_utc() + timedelta(days=3))
    booking = booked(slot, bank)
    services.cancel_by_customer(booking_id=booking.pk, actor=customer(booking.client_id), reason="rain")
    run_all()
    payment = booking.payments.get()
    assert bank.effects(payment.provider_payment_id) == [("held", 150_000), ("voided", 150_000)]
    assert payment.status == "VOIDED"
    assert Booking.objects.get().status == "CANCELED_BY_CUSTOMER"
    assert not Claim.objects.exists()


def test_close_takes_what_the_club_charges_and_returns_the_rest(bank: Bank) -> None:
    slot = offer()
    booking = booked(slot, bank)
    with time_machine.travel(slot.date_from + timedelta(minutes=5)):
        closing = services.close(booking_id=booking.pk, actor=staff(slot), outcome="NOT_SHOWN", charge=50_000)
        assert (closing.charged, closing.returned) == (50_000, 100_000)
        run_all()
        again = services.close(booking_id=booking.pk, actor=staff(slot), outcome="NOT_SHOWN", charge=50_000)
        assert (again.charged, again.returned) == (50_000, 100_000)
    payment = booking.payments.get()
    assert payment.captured == 50_000
    assert bank.effects(payment.provider_payment_id) == [("held", 150_000), ("captured", 50_000), ("voided", 100_000)]
    assert Claim.objects.filter(booking=booking).exists()  # the visit took place, or could have


def test_what_cannot_be_had_is_refused(bank: Bank) -> None:
    slot = offer()
    with pytest.raises(SlotNotFound):
        services.checkout(
            slot_id=slot.pk + 1, club_id=slot.club_id, typed=typed(), participants_count=1, key="k", visitor="",
            actor=customer(),
        )  # fmt: skip
    slot.closed = True
    slot.save()
    with pytest.raises(SlotClosed):
        take(slot)
    past = offer(start=now_utc() - timedelta(minutes=1))
    with pytest.raises(SlotInPast):
        take(past)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"full_name": "x" * 10_000}, "full_name"),
        ({"full_name": ""}, "full_name"),
        ({"full_name": "a\0b"}, "full_name"),
        ({"phone": "12"}, "phone"),
        ({"phone": "9" * 1000}, "phone"),
        ({"email": "nobody"}, "email"),
        ({"email": "a@b.c\nBcc: x@y.z"}, "email"),
        ({"participants_names": ("A", "B")}, "participants_names"),
    ],
)
def test_bad_input_names_its_field(bank: Bank, changes: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        take(offer(), **changes)
    assert list(refusal.value.facts["errors"]) == [field]
    assert not Payment.objects.exists()
