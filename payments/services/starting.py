"""A payment begins: a committed row with its snapshot, then the provider's page."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _

from palms import intents
from palms.errors import DomainError, refusing
from palms.models import Intent
from palms.seats import seat
from payments.models import Decision, Payment, Provider, ProviderAccount
from payments.services.deciding import WATCH, lane_of

SHORTEST_LOOK = 0.05  # seconds
PATIENCE = 10.0  # of a customer who waits for the bank's page, in seconds
FIRST_LOOK = timedelta(seconds=45)  # a lost notification costs at most a minute


class CheckoutRepeated(DomainError):
    """This form, or this Idempotency-Key, has made its booking or payment already, or is making it now."""

    code, title = "idempotency_in_progress", _("The same request is being handled")


@dataclass(frozen=True, slots=True)
class Start:
    """What a new payment is made of. `amount` in minor units."""

    club_id: int
    client_id: int
    account: ProviderAccount
    amount: int
    currency: str
    two_stage: bool
    description: str
    snapshot: dict[str, Any] | None
    booking_id: int | None = None
    overdue_id: int | None = None  # a fee for staying: then there is neither a booking nor a snapshot
    checkout_key: str | None = None
    visitor: str = ""


def open_payment(start: Start) -> Payment:
    """Write a PENDING payment in the caller's transaction.

    Raises:
        CheckoutRepeated: the checkout's key has its payment already.
    """
    with refusing(CheckoutRepeated, "payment_one_per_checkout"):
        return Payment.objects.create(
            purpose=_purpose(start.overdue_id), overdue_id=start.overdue_id,
            club_id=start.club_id, client_id=start.client_id, account=start.account, provider=start.account.provider,
            amount=start.amount, currency=start.currency, two_stage=start.two_stage, description=start.description[:128],
            snapshot=start.snapshot, booking_id=start.booking_id, checkout_key=start.checkout_key, visitor=start.visitor,
        )  # fmt: skip


def _purpose(overdue_id: int | None) -> str:
    return Payment.Purpose.BOOKING if overdue_id is None else Payment.Purpose.OVERDUE


def plan_page(payment: Payment, *, locale: str, now: datetime) -> intents.Job:
    """Write the intents of a new payment: ask for its page, claimed by this process, and watch it from then on.

    The caller performs the returned job right after its commit; if it dies, a sweep does.
    """
    page = intents.draft(
        club_id=payment.club_id, kind="payments.create", lane=lane_of(payment), subject_id=payment.pk, now=now,
        locale=locale,
    )  # fmt: skip
    intents.take_over(page, now=now, patience=PATIENCE)
    watch = intents.draft(
        club_id=payment.club_id, kind=WATCH, lane=f"watch:{payment.pk}", subject_id=payment.pk, now=now,
        due_at=now + FIRST_LOOK,
    )  # fmt: skip
    Intent.objects.bulk_create([page, watch])
    return intents.job_of(page, patience=PATIENCE, subject=payment)


def with_its_page(payment: Payment, *, patience: float) -> Payment:
    """Return a new payment once its page is there: a repeat waits for the first, so that both are answered alike.

    It waits as the first does: on a seat, holding no connection, no longer than the bank may take. Outside any transaction.
    """
    with seat(payment.club_id) as seated:
        waited, pause = 0.0, SHORTEST_LOOK
        while seated and waited + pause <= patience and intents.is_first_tried(lane_of(payment)):
            intents.let_go()
            time.sleep(pause)
            waited, pause = waited + pause, pause * 1.5
    return Payment.objects.get(pk=payment.pk)


def record_onsite(
    *,
    club_id: int,
    client_id: int,
    amount: int,
    currency: str,
    now: datetime,
    booking_id: int | None = None,
    overdue_id: int | None = None,
    cause: str = "",
) -> Payment:
    """Record money that staff took on site, USED for its booking or its fee, which the caller has locked.

    `cause` says what it is kept for where its booking is over.
    """
    payment = Payment(
        club_id=club_id, client_id=client_id, booking_id=booking_id, overdue_id=overdue_id, purpose=_purpose(overdue_id),
        provider=Provider.ONSITE, amount=amount, currency=currency, decision=Decision.USED, keep=amount,
        payment_method="onsite", decision_reason=cause,
    )  # fmt: skip
    payment.capture(captured=amount, at=now)
    payment.save(force_insert=True)
    return payment
