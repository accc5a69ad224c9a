"""Money arrives: whoever brings the news, and however many at once, it is decided once."""

from __future__ import annotations

import random
from datetime import timedelta
from functools import partial

import pytest
import time_machine

from bookings import services
from bookings.models import Booking
from bookings.services import Checkout
from notifications.models import Notification
from palms import intents
from palms.clock import now_utc
from palms.models import Intent
from payments.models import Payment
from payments.services.inbox import receive_yookassa
from slots.errors import SlotTaken
from slots.models import Claim, Slot
from tests.bank import Bank
from tests.play import CARD, customer, offer, payment_of, run_all, staff, take
from tests.races.crowd import Act, Holder, at_once, buyer, kinds

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("peace")]


def news_of(payment: Payment) -> list[Act]:
    """Return the three ways in which we hear of a payment: the bank's notification, the return page, our own watch."""
    Intent.objects.filter(lane=f"watch:{payment.pk}").update(due_at=now_utc())
    watch = Intent.objects.get(lane=f"watch:{payment.pk}")
    body = {
        "type": "notification",
        "event": "payment.waiting_for_capture" if payment.two_stage else "payment.succeeded",
        "object": {"id": payment.provider_payment_id, "metadata": {"payment_token": payment.token}},
    }
    return [
        lambda: receive_yookassa(body),
        lambda: services.look_again(token=payment.token),
        lambda: intents.run(watch.pk),
        intents.run_due,
    ]


@pytest.mark.parametrize("days", [1, 20], ids=["two stages", "one stage"])
def test_news_on_all_ways_at_once_make_one_booking(bank: Bank, days: int) -> None:
    checkout = take(offer(start=now_utc() + timedelta(days=days)))
    payment = payment_of(checkout)
    bank.pay(payment.provider_payment_id)

    results = at_once(news_of(payment) * 5)

    assert not [result for result in results if isinstance(result, BaseException)]
    booking = Booking.objects.get()
    assert (booking.status, booking.secured_amount) == ("CONFIRMED", 150_000)
    assert decisions(payment) == ["USED"]
    assert Claim.objects.filter(booking=booking, held_until=None).count() == 1
    assert Notification.objects.filter(event="booking_confirmed").count() == 1
    run_all()
    assert len(bank.effects(payment.provider_payment_id)) == 1


@pytest.mark.parametrize(("days", "word"), [(1, "voided"), (20, "refunded")])
def test_late_news_on_all_ways_at_once_send_the_money_back_once(bank: Bank, days: int, word: str) -> None:
    checkout = take(offer(start=now_utc() + timedelta(days=days)))
    payment = payment_of(checkout)
    bank.pay(payment.provider_payment_id)
    Claim.objects.update(held_until=now_utc())

    results = at_once(news_of(payment) * 5)
    run_all()

    assert not [result for result in results if isinstance(result, BaseException)]
    assert decisions(payment) == ["RETURN"]
    assert not Booking.objects.exists()
    assert [kind for kind, _amount in bank.effects(payment.provider_payment_id)][1:] == [word]
    assert bank.money(payment.provider_payment_id)["net"] == 0


def decisions(payment: Payment) -> list[str]:
    """Return the decisions this payment has ever had, from its append-only history."""
    history = payment.events.order_by("pgh_id").values_list("decision", flat=True)  # type: ignore[attr-defined]
    return list(dict.fromkeys(word for word in history if word))


def test_at_the_deadline_a_hold_has_two_endings_only(bank: Bank) -> None:
    """The door, the sweep and the next buyer meet as the hold dies: the first has the court, or its money back."""
    rng, ends, left = random.Random(20), set(), 0.05
    for _round in range(30):
        slot = offer()
        first = take(slot)
        payment = payment_of(first)
        bank.pay(payment.provider_payment_id, CARD)
        Claim.objects.filter(payment=payment).update(held_until=now_utc() + timedelta(seconds=left))
        door: Act = partial(services.look_again, token=first.token)
        acts = [door, door, services.end_expired, *(buyer(slot, number) for number in range(2))]
        rng.shuffle(acts)

        results = at_once(acts)

        assert not [r for r in results if isinstance(r, BaseException) and not isinstance(r, SlotTaken)]
        run_all()
        ending = ending_of(first, slot, bank)
        ends.add(ending)
        left = max(0.0, left + (rng.uniform(0, 0.03) if ending == "returned" else -rng.uniform(0, 0.03)))
        if len(ends) == 2 and _round >= 5:
            break
    assert ends == {"booked", "returned"}


def ending_of(first: Checkout, slot: Slot, bank: Bank) -> str:
    payment = payment_of(first)
    money = bank.money(payment.provider_payment_id)
    if payment.decision == "USED":
        assert list(Claim.objects.filter(slot=slot).values_list("booking_id", flat=True)) == [payment.booking_id]
        assert (money["held"], money["voided"]) == (150_000, 0)
        return "booked"
    assert payment.decision == "RETURN"
    assert (money["held"], money["voided"]) == (0, 150_000)
    assert not Booking.objects.filter(slot=slot).exists()
    assert Claim.objects.filter(slot=slot).exclude(payment=payment).count() <= 1
    assert not Claim.objects.filter(payment=payment).exists()
    return "returned"


def test_ten_who_cancel_end_a_booking_once(bank: Bank) -> None:
    checkout = take(offer(start=now_utc() + timedelta(days=3)))
    payment = payment_of(checkout)
    bank.pay(payment.provider_payment_id)
    services.look_again(token=checkout.token)
    booking = Booking.objects.select_related("slot").get()
    by_customer, by_club = canceling(booking)

    results = at_once([by_customer, by_club] * 5 + [intents.run_due] * 2)
    run_all()

    assert kinds(results) == {"Booking": 1, "BookingFinished": 9, "int": 2}
    assert bank.effects(payment.provider_payment_id) == [("held", 150_000), ("voided", 150_000)]
    assert not Claim.objects.exists()


def canceling(booking: Booking) -> tuple[Act, Act]:
    who, club = customer(booking.client_id), staff(booking.slot)
    return (
        lambda: services.cancel_by_customer(booking_id=booking.pk, actor=who, reason="rain"),
        lambda: services.cancel_by_club(booking_id=booking.pk, actor=club, reason="rain"),
    )


def test_a_booking_that_somebody_stands_on_keeps_no_other_from_ending() -> None:
    slots = [offer(area__mode="request") for _ in range(2)]
    first, second = (Booking.objects.get(token=take(slot).token) for slot in slots)
    with (
        time_machine.travel(now_utc() + timedelta(days=3)),
        Holder(lambda: Booking.objects.select_for_update().get(pk=first.pk)),
        pytest.raises(ExceptionGroup, match="could not be ended"),
    ):
        services.end_expired()
    assert [Booking.objects.get(pk=booking.pk).status for booking in (first, second)] == ["REQUESTED", "OTHER"]
