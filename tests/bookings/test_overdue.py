"""Staying past the end: what it costs, who says that it is over, and where the money for it goes. Document C 6."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bookings import selectors, services
from bookings.errors import BookingFinished, FeeNotOwed, OverdueUnpaid, TooEarlyToClose
from bookings.models import Booking, Overdue
from notifications.models import Notification
from palms.actors import SYSTEM, Actor, Kind
from palms.clock import now_utc
from palms.errors import NotPermitted, ValidationFailed
from payments.models import Payment
from payments.services.inbox import receive_yookassa
from tests import play
from tests.access.conftest import World
from tests.bank import Bank
from tests.factories import AreaFactory, SlotFactory
from tests.raw import sql, stopped_by

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE, RATE, GRACE, CAP = timedelta(minutes=1), 60_000, 15, 100_000


@pytest.fixture
def world(bank: Bank) -> World:
    return World(bank)


@pytest.fixture
def booking(bank: Bank) -> Booking:
    """An hour tomorrow on a sunbed where staying costs 600 an hour after 15 minutes, 1,000 at most; paid by card."""
    area = AreaFactory(
        kind="sunbed", self_service=True, overdue_rate=RATE, overdue_grace_minutes=GRACE, overdue_cap=CAP
    )
    return play.booked(play.offer(club=area.club, area=area), bank)


def after_the_end(booking: Booking, minutes: float) -> Any:
    return booking.date_to + minutes * MINUTE


def guest(booking: Booking) -> Actor:
    return play.customer(booking.client_id)


def fresh(booking: Booking) -> Booking:
    return selectors.booking_by_token(booking.token)


def fee_of(booking: Booking) -> Overdue:
    return Overdue.objects.get(pk=booking.pk)


def left_late(booking: Booking) -> None:
    """The guest says, 75 minutes late, that they have left: they owe for an hour."""
    services.leave(booking_id=booking.pk, actor=guest(booking))


def begun(booking: Booking) -> Payment:
    """The guest is on the bank's page for the fee."""
    assert services.pay_fee(booking_id=booking.pk, actor=guest(booking)).startswith("http")
    return Payment.objects.filter(overdue_id=booking.pk, status="PENDING").latest("pk")


def pay(payment: Payment, bank: Bank) -> None:
    bank.pay(payment.provider_payment_id or "")
    services.look_again_at_fee(token=payment.token)
    play.run_all()
    payment.refresh_from_db(from_queryset=Payment.objects.defer("status"))


def ends(payment: Payment, bank: Bank) -> list[tuple[str, int]]:
    return bank.effects(payment.provider_payment_id or "")


def test_a_fee_runs_by_the_clock_whoever_has_written_it(world: World, booking: Booking) -> None:
    with world.at(after_the_end(booking, GRACE)):
        assert selectors.fee_of(fresh(booking), after_the_end(booking, GRACE)) is None
        assert not services.look_after(fresh(booking), now=after_the_end(booking, GRACE))
    with world.at(after_the_end(booking, GRACE + 10)):
        seen = selectors.fee_of(fresh(booking), after_the_end(booking, GRACE + 10))
        assert seen is not None
        assert (seen.state, seen.amount) == ("running", RATE // 6)
        assert not Overdue.objects.exists()
        assert services.look_after_all() == 1
        assert services.look_after_all() == 0
        assert fee_of(booking).state == "RUNNING"
        assert selectors.fee_of(fresh(booking), after_the_end(booking, GRACE + 10)) == seen
        assert Notification.objects.filter(event__startswith="overdue_opened").count() == 1
    with world.at(after_the_end(booking, 600)):
        capped = selectors.fee_of(fresh(booking), now_utc())
        assert capped is not None
        assert capped.amount == CAP
        assert booking.pk not in [b.pk for b in Booking.objects.filter(status="SHOWN")]


def test_who_leaves_in_time_owes_nothing_and_the_visit_closes_by_itself(
    world: World, booking: Booking, bank: Bank
) -> None:
    with world.at(booking.date_from + MINUTE):
        services.leave(booking_id=booking.pk, actor=guest(booking))
        assert not services.look_after(fresh(booking), now=now_utc()), "it is not over yet"
    with world.at(after_the_end(booking, 1)):
        assert services.look_after_all() == 1
        play.run_all()
        assert (fresh(booking).status, Overdue.objects.count()) == ("SHOWN", 0)
        assert ends(booking.payments.get(), bank)[-1] == ("captured", 150_000)


def test_a_fee_is_paid_by_its_own_money_and_then_the_visit_closes(world: World, booking: Booking, bank: Bank) -> None:
    with world.at(after_the_end(booking, GRACE + 60)):
        left_late(booking)
        services.leave(booking_id=booking.pk, actor=guest(booking))
        assert (fee_of(booking).state, fee_of(booking).amount) == ("DUE", RATE)
        for close in (
            lambda: services.close(booking_id=booking.pk, actor=play.staff(booking.slot), outcome="SHOWN"),
            lambda: services.try_complete_booking(booking_id=booking.pk, actor=SYSTEM),
        ):
            with pytest.raises(OverdueUnpaid) as refused:
                close()
            assert refused.value.facts == {"amount": RATE, "currency": "RUB"}
        assert services.look_after_all() == 0
        payment = begun(booking)
        assert begun(booking) == payment, "pressed again, it is the same page"
        pay(payment, bank)
        assert fee_of(booking).state == "PAID"
        assert (payment.purpose, payment.booking_id, payment.decision, payment.keep) == ("overdue", None, "USED", RATE)
        assert services.pay_fee(booking_id=booking.pk, actor=guest(booking)) == ""
        assert services.look_after_all() == 1
        play.run_all()
        own = booking.payments.get()
        assert (fresh(booking).status, fresh(booking).is_forced) == ("SHOWN", False)
        assert (ends(own, bank)[-1], ends(payment, bank)) == (("captured", 150_000), [("captured", RATE)])


def test_to_pay_is_to_leave(world: World, booking: Booking) -> None:
    with world.at(after_the_end(booking, GRACE + 30)):
        payment = begun(booking)
        assert payment.amount == RATE // 2
        assert fresh(booking).left_at is not None


def waived(booking: Booking) -> None:
    services.waive_fee(booking_id=booking.pk, actor=play.staff(booking.slot), reason="rain")


def paid_on_site(booking: Booking) -> None:
    services.record_fee_on_site(booking_id=booking.pk, actor=play.staff(booking.slot))


def corrected(booking: Booking) -> None:
    at = after_the_end(booking, GRACE + 30)
    services.leave(booking_id=booking.pk, actor=play.staff(booking.slot), at=at)


def corrected_to_nothing(booking: Booking) -> None:
    services.leave(booking_id=booking.pk, actor=play.staff(booking.slot), at=booking.date_to)


def not_shown(booking: Booking) -> None:
    services.close(booking_id=booking.pk, actor=play.staff(booking.slot), outcome="NOT_SHOWN", charge="none")


def canceled(booking: Booking) -> None:
    services.cancel_by_club(booking_id=booking.pk, actor=play.staff(booking.slot), reason="flood")


@pytest.mark.parametrize(
    ("meanwhile", "state", "amount"),
    [
        (waived, "WAIVED", RATE), (paid_on_site, "PAID", RATE), (corrected, "DUE", RATE // 2),
        (corrected_to_nothing, "WAIVED", RATE), (not_shown, "WAIVED", RATE), (canceled, "WAIVED", RATE),
    ],
)  # fmt: skip
def test_money_for_what_is_not_owed_any_more_goes_back_once(
    world: World, booking: Booking, bank: Bank, meanwhile: Callable[[Booking], None], state: str, amount: int
) -> None:
    with world.at(after_the_end(booking, GRACE + 60)):
        left_late(booking)
        payment = begun(booking)
        meanwhile(booking)
        pay(payment, bank)
        pay_again = {"type": "notification", "event": "payment.succeeded"}
        receive_yookassa(pay_again | {"object": bank.payment(payment.provider_payment_id or "")["object"]})
        play.run_all()
        assert ends(payment, bank) == [("captured", RATE), ("refunded", RATE)]
        assert (fee_of(booking).state, fee_of(booking).amount) == (state, amount)
        assert Notification.objects.filter(event="payment_returned", payment=payment).count() == 1


def test_of_two_payments_one_pays_and_the_other_goes_back(world: World, booking: Booking, bank: Bank) -> None:
    with world.at(after_the_end(booking, GRACE + 60)):
        left_late(booking)
        first = begun(booking)
        corrected(booking)
        second = begun(booking)
        for payment in (second, first):
            bank.pay(payment.provider_payment_id or "")
        for payment in (first, second):
            services.look_again_at_fee(token=payment.token)
        play.run_all()
        assert fee_of(booking).state == "PAID"
        assert ends(first, bank) == [("captured", RATE), ("refunded", RATE)]
        assert ends(second, bank) == [("captured", RATE // 2)]


@pytest.mark.parametrize("way", ["waived", "canceled"])
def test_a_fee_that_was_paid_goes_back_when_it_is_not_asked_for(
    world: World, booking: Booking, bank: Bank, way: str
) -> None:
    with world.at(after_the_end(booking, GRACE + 60)):
        left_late(booking)
        payment = begun(booking)
        pay(payment, bank)
        with pytest.raises(FeeNotOwed):
            corrected(booking)
        globals()[way](booking)
        if way == "waived":
            waived(booking)
        play.run_all()
        assert fee_of(booking).state == "WAIVED"
        assert ends(payment, bank) == [("captured", RATE), ("refunded", RATE)]
        assert ends(booking.payments.get(), bank)[-1] == (
            ("voided", 150_000) if way == "canceled" else ("held", 150_000)
        )


def test_a_fee_returned_at_the_bank_is_waived_and_the_booking_stays(world: World, booking: Booking, bank: Bank) -> None:
    with world.at(after_the_end(booking, GRACE + 60)):
        left_late(booking)
        payment = begun(booking)
        pay(payment, bank)
        bank.refund_in_cabinet(payment.provider_payment_id or "", RATE // 2)
        told = {"type": "notification", "event": "refund.succeeded"}
        for amount in (RATE // 2, None):
            if amount is None:
                bank.refund_in_cabinet(payment.provider_payment_id or "")
            refund = bank.payment(payment.provider_payment_id or "")["refunds"][-1]["object"]
            receive_yookassa(told | {"object": refund})
            play.run_all()
            assert fee_of(booking).state == ("WAIVED" if amount is None else "PAID")
        assert fresh(booking).status == "CONFIRMED"


def test_force_passes_a_fee_that_is_owed_and_it_stays_owed(world: World, booking: Booking, bank: Bank) -> None:
    staff = play.staff(booking.slot)
    with world.at(after_the_end(booking, GRACE + 60)):
        services.try_complete_booking(booking_id=booking.pk, actor=staff, force=True, reason="guest is gone")
        done = fresh(booking)
        assert (done.status, done.is_forced, done.reason, fee_of(booking).state) == (
            "SHOWN",
            True,
            "guest is gone",
            "DUE",
        )
        with pytest.raises(BookingFinished):
            left_late(booking)
        payment = begun(booking)
        pay(payment, bank)
        assert fee_of(booking).state == "PAID"
        assert fresh(booking).version > done.version, "the club's CRM hears of it"
        assert ends(payment, bank) == [("captured", RATE)]


def test_a_visit_that_was_moved_starts_anew(world: World, booking: Booking) -> None:
    later = SlotFactory(club=booking.club, area=booking.area, start=booking.date_from + timedelta(hours=5))
    with world.at(after_the_end(booking, GRACE + 60)):
        services.look_after_all()
        services.move(booking_id=booking.pk, actor=play.staff(later), slot_id=later.pk)
        assert (fee_of(booking).state, fee_of(booking).reason) == ("WAIVED", "moved")
        assert selectors.fee_of(fresh(booking), now_utc()).state == "waived"  # type: ignore[union-attr]
    with world.at(later.date_to + (GRACE + 60) * MINUTE):
        services.look_after_all()
        left_late(booking)
        assert (fee_of(booking).state, fee_of(booking).amount) == ("DUE", RATE)


def test_where_staying_is_free_nothing_is_counted(world: World, booking: Booking) -> None:
    court = SlotFactory(club=booking.club, start=booking.date_from + timedelta(hours=5))
    moved = services.move(booking_id=booking.pk, actor=play.staff(court), slot_id=court.pk)
    with world.at(moved.date_to + timedelta(hours=3)):
        assert services.look_after_all() == 0
        services.close(booking_id=booking.pk, actor=play.staff(court), outcome="SHOWN")
        assert not Overdue.objects.exists()


def test_who_may_say_what(world: World, booking: Booking) -> None:
    stranger, elsewhere = play.customer(booking.client_id + 1), Actor(Kind.STAFF, 9, club_ids=frozenset({-1}))
    with world.at(booking.date_from - MINUTE), pytest.raises(TooEarlyToClose):
        left_late(booking)
    with world.at(after_the_end(booking, GRACE + 60)):
        for actor in (stranger, elsewhere):
            with pytest.raises(NotPermitted):
                services.leave(booking_id=booking.pk, actor=actor)
            with pytest.raises(NotPermitted):
                services.pay_fee(booking_id=booking.pk, actor=actor)
        for actor in (stranger, elsewhere, guest(booking)):
            with pytest.raises(NotPermitted):
                services.waive_fee(booking_id=booking.pk, actor=actor, reason="please")
            with pytest.raises(NotPermitted):
                services.record_fee_on_site(booking_id=booking.pk, actor=actor)
        for wrong in (now_utc() + MINUTE, booking.date_from - MINUTE):
            with pytest.raises(ValidationFailed):
                services.leave(booking_id=booking.pk, actor=play.staff(booking.slot), at=wrong)
        left_late(booking)
        waived(booking)
        with pytest.raises(FeeNotOwed):
            paid_on_site(booking)


@pytest.mark.parametrize(
    ("change", "guard"),
    [
        ("UPDATE bookings_overdue SET state = 'PAID', settled_at = now()", "overdue_paid_with_its_money"),
        ("UPDATE bookings_overdue SET amount = cap + 1", "overdue_amount_once_they_have_left"),
        ("UPDATE bookings_overdue SET rate = 1", "overdue_terms_immutable"),
        ("UPDATE bookings_overdue SET state = 'RUNNING', amount = NULL", "overdue_transition"),
        ("UPDATE bookings_overdue SET state = 'WAIVED', settled_at = now()", "overdue_waived_says_why"),
        ("DELETE FROM bookings_overdue", "overdue_never_deleted"),
        ("UPDATE bookings_booking SET status = 'SHOWN', finished_at = now()", "booking_completed_with_its_fee_settled"),
        ("UPDATE bookings_booking SET is_forced = true", "booking_forced_says_why"),
        ("UPDATE bookings_booking SET left_at = date_from - interval '1 s'", "booking_left_after_it_began"),
        ("UPDATE payments_payment SET booking_id = overdue_id WHERE overdue_id IS NOT NULL", "payment_one_target"),
        ("UPDATE payments_payment SET overdue_id = NULL WHERE overdue_id IS NOT NULL", "payment_fee_immutable"),
        (
            "UPDATE payments_payment SET decision = 'USED', keep = amount WHERE overdue_id IS NOT NULL",
            "payment_of_a_fee_only_when_taken",
        ),
        (
            "UPDATE payments_payment SET decision = 'USED', keep = amount, status = 'CAPTURED', captured = amount"
            " WHERE overdue_id IS NOT NULL",
            "overdue_paid_with_its_money",
        ),
    ],
)
def test_sql_that_knows_no_rule_is_refused(world: World, booking: Booking, change: str, guard: str) -> None:
    with world.at(after_the_end(booking, GRACE + 60)):
        left_late(booking)
        begun(booking)
        with stopped_by(guard):
            sql(change)


def test_the_database_refuses_a_second_payment_of_a_fee(world: World, booking: Booking) -> None:
    with world.at(after_the_end(booking, GRACE + 60)):
        left_late(booking)
        begun(booking)
        paid_on_site(booking)
        with stopped_by("payment_fee_paid_once"):
            sql(
                "UPDATE payments_payment SET decision = 'USED', keep = amount, status = 'CAPTURED', captured = amount"
                " WHERE overdue_id IS NOT NULL AND status = 'PENDING'"
            )
