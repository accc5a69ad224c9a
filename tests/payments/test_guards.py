"""What PostgreSQL itself refuses about money, whoever writes. Each test names the guard."""

from __future__ import annotations

import pytest

from bookings.models import Booking
from payments.models import Payment, Refund
from tests.factories import ClientFactory, ClubFactory, ProviderAccountFactory
from tests.play import booked_on_site, offer
from tests.raw import sql, stopped_by

pytestmark = pytest.mark.django_db
S = Payment.Status
UNDECIDED = "money that came is decided"  # by raw SQL it comes with nobody there to decide


def pending(**changes: object) -> Payment:
    account = ProviderAccountFactory()
    fields = {
        "club": account.club, "client": ClientFactory(club=account.club), "account": account, "provider": "yookassa",
        "amount": 1000, "currency": "RUB", "snapshot": {"slot_id": 1},
    }  # fmt: skip
    return Payment.objects.create(**(fields | changes))


def moved(payment: Payment, *statuses: str) -> Payment:
    """Bring a payment to a status through legal moves."""
    for status in statuses:
        extra = ", captured = amount" if status == "CAPTURED" else ""
        sql(f"UPDATE payments_payment SET status = %s{extra} WHERE id = %s", status, payment.pk)
    return payment


def refund(payment: Payment, *, cause: str, amount: int) -> Refund:
    return Refund.objects.create(
        club=payment.club, payment=payment, account_id=payment.account_id, cause=cause, amount=amount
    )


WAYS = {
    "PENDING": (),
    "AUTHORIZED": ("AUTHORIZED",),
    "CAPTURED": ("CAPTURED",),
    "VOIDED": ("AUTHORIZED", "VOIDED"),
    "FAILED": ("FAILED",),
}
MOVES = {
    ("PENDING", "AUTHORIZED"), ("PENDING", "CAPTURED"), ("PENDING", "FAILED"), ("AUTHORIZED", "CAPTURED"),
    ("AUTHORIZED", "VOIDED"),
}  # fmt: skip
REOPENED = {(old, new) for old in ("VOIDED", "FAILED") for new in ("AUTHORIZED", "CAPTURED")}


@pytest.mark.breaks_rules(UNDECIDED, "money that is not kept is going back")
@pytest.mark.parametrize("old", list(S))
@pytest.mark.parametrize("new", list(S))
def test_payments_move_only_as_the_table_says(old: str, new: str) -> None:
    payment = moved(pending(), *WAYS[old])
    captured = "captured = amount" if new == "CAPTURED" else "captured = 0"
    statement = f"UPDATE payments_payment SET status = %s, {captured} WHERE id = %s"
    if old == new or (old, new) in MOVES:
        sql(statement, new, payment.pk)
        assert Payment.objects.get().status == new
    elif (old, new) in REOPENED:
        with stopped_by("payment_reopened_only_to_return"):
            sql(statement, new, payment.pk)
        sql(statement.replace("status", "decision = 'RETURN', keep = 0, status", 1), new, payment.pk)
    else:
        with stopped_by("payment_transition"):
            sql(statement, new, payment.pk)


@pytest.mark.parametrize(
    ("change", "guard"),
    [
        ("snapshot = '{}'", "payment_snapshot_immutable"),
        ("snapshot = NULL", "payment_snapshot_immutable"),
        ("amount = amount + 1", "payment_snapshot_immutable"),
        ("currency = 'USD'", "payment_snapshot_immutable"),
        ("account_id = NULL", "payment_snapshot_immutable"),
        ("captured = 1", "payment_captured_exactly_when_taken"),
        ("status = 'CAPTURED', captured = amount + 1", "payment_captured_at_most_amount"),
        ("status = 'CAPTURED'", "payment_captured_exactly_when_taken"),
        ("refunded = 1", "payment_refunded_is_its_refunds"),
        ("decision = 'USED', keep = 1", "payment_decision_names_what_is_kept"),
        ("decision = 'RETURN', keep = 1", "payment_decision_names_what_is_kept"),
        ("decision = 'RETURN'", "payment_decision_names_what_is_kept"),
        ("keep = 0", "payment_decision_names_what_is_kept"),
    ],
)
def test_a_payment_keeps_what_it_was_asked_for(change: str, guard: str) -> None:
    payment = pending()
    with stopped_by(guard):
        sql(f"UPDATE payments_payment SET {change} WHERE id = %s", payment.pk)


def test_a_decision_is_not_taken_back_and_keep_only_shrinks() -> None:
    payment = pending()
    sql("UPDATE payments_payment SET decision = 'RETURN', keep = 0")
    with stopped_by("payment_decided_once"):
        sql("UPDATE payments_payment SET decision = NULL, keep = NULL WHERE id = %s", payment.pk)
    booking = booked_on_site(offer())
    used = booking.payments.get()
    with stopped_by("booking_confirmed_is_secured"):
        sql("UPDATE payments_payment SET keep = keep - 1 WHERE id = %s", used.pk)
    with stopped_by("payment_keep_only_shrinks"):
        sql("UPDATE payments_payment SET amount = amount, keep = keep + 1 WHERE id = %s", used.pk)
    with stopped_by("payment_target_immutable"):
        sql("UPDATE payments_payment SET booking_id = NULL WHERE id = %s", used.pk)


@pytest.mark.breaks_rules(UNDECIDED, "a refund that is intended has its call, or is owed on site")
def test_a_payment_and_a_refund_are_never_deleted() -> None:
    payment = moved(pending(), "CAPTURED")
    refund(payment, cause="x", amount=1)
    with stopped_by("refund_never_deleted"):
        sql("DELETE FROM payments_refund")
    with stopped_by("payment_never_deleted"):
        sql("DELETE FROM payments_payment")


@pytest.mark.breaks_rules(UNDECIDED)
def test_refunds_never_exceed_what_was_taken_and_count_while_intended() -> None:
    payment = moved(pending(), "CAPTURED")
    refund(payment, cause="one", amount=600)
    assert Payment.objects.get().refunded == 600
    with stopped_by("payment_refunded_at_most_captured"):
        refund(payment, cause="two", amount=401)
    sql("UPDATE payments_refund SET state = 'REFUSED', finished_at = now()")
    assert Payment.objects.get().refunded == 0


@pytest.mark.breaks_rules(UNDECIDED)
def test_one_refund_per_cause_and_a_final_one_stays() -> None:
    payment = moved(pending(), "CAPTURED")
    refund(payment, cause="cancel", amount=10)
    with stopped_by("refund_once_per_cause"):
        refund(payment, cause="cancel", amount=10)
    sql("UPDATE payments_refund SET state = 'DONE', finished_at = now()")
    with stopped_by("refund_final"):
        sql("UPDATE payments_refund SET state = 'REFUSED'")


def test_a_confirmed_booking_needs_its_money_all_the_time() -> None:
    booking = booked_on_site(offer())
    payment = booking.payments.get()
    with stopped_by("booking_confirmed_is_secured"):
        Refund.objects.create(club=payment.club, payment=payment, cause="staff:1", amount=1)
    with stopped_by("booking_confirmed_is_secured"):
        sql("UPDATE bookings_booking SET price = price + 1")
    with stopped_by("booking_secured_is_its_payments"):
        sql("UPDATE bookings_booking SET secured_amount = secured_amount + 1")
    assert Booking.objects.get().secured_amount == 150_000


def test_a_payment_stays_inside_its_club() -> None:
    account = ProviderAccountFactory()
    stranger = ClientFactory(club=ClubFactory())
    with stopped_by("payment_client_of_same_club"):
        pending(club=account.club, account=account, client=stranger)


def test_ids_and_keys_are_used_once() -> None:
    first = pending(provider_payment_id="p1", checkout_key="k1")
    same = {"club": first.club, "account": first.account, "client": first.client}
    with stopped_by("payment_provider_id_once"):
        pending(**same, provider_payment_id="p1")
    with stopped_by("payment_one_per_checkout"):
        pending(**same, checkout_key="k1")
    with stopped_by("payment_provider_id_immutable"):
        sql("UPDATE payments_payment SET provider_payment_id = 'p2'")


@pytest.mark.breaks_rules(UNDECIDED)
def test_a_refund_of_a_banks_payment_is_not_one_on_site() -> None:
    payment = moved(pending(), "CAPTURED")
    with stopped_by("refund_through_its_payments_account"):
        Refund.objects.create(club_id=payment.club_id, payment=payment, account=None, amount=100, cause="staff:1")
