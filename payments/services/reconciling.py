"""Our books beside the provider's: apply what is true through the one door, list what still differs."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from palms import intents, points
from palms.actors import Actor
from palms.clock import now_utc
from palms.errors import NotFound, NotPermitted, refusing
from palms.intents import Done, Job, Later, Outcome, Refused, Unknown
from palms.models import Intent
from payments.errors import ComparedAlready
from payments.models import Payment, ProviderAccount, Reconciliation, Refund
from payments.providers import provider_for
from payments.providers.base import PaymentSeen, Provider, ProviderRefused, ProviderUnknown, Seen
from payments.targets import Sighting, nothing, target_of

log = logging.getLogger(__name__)
COMPARE = "payments.compare"
EVERY = timedelta(hours=1)
ASKED = points.commit("payments.ask_to_compare")
MOST_ROWS = 500  # kept of one comparison
AHEAD = timedelta(minutes=5)  # how far the provider's clock may be before ours
AGREES = {
    Seen.PENDING: ("PENDING",),
    Seen.HELD: ("AUTHORIZED",),
    Seen.TAKEN: ("CAPTURED",),
    Seen.CANCELED: ("VOIDED", "FAILED"),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not the same on both sides. `ours` is None for a payment that we never heard of; amounts in minor units."""

    provider_payment_id: str
    ours: int | None
    what: str


@dataclass(frozen=True, slots=True)
class Compared:
    """One payment on both sides; each {"status", "amount", "refunded", "currency"}, or None where it is not there.

    `kind`: "same", or how it differs: "stranger", "missing", "unread", "differs"; `what` says it in full.
    """

    there: str
    ours: int | None
    kind: str
    what: str
    here: dict[str, Any] | None
    theirs: dict[str, Any] | None


def reconcile(*, account_id: int, since: datetime, until: datetime, patience: float = 35.0) -> list[Difference]:
    """Compare as `compare` and return what differs afterwards."""
    rows = compare(account_id=account_id, since=since, until=until, patience=patience)
    return [Difference(row.there, row.ours, row.what) for row in rows if row.what]


def compare(*, account_id: int, since: datetime, until: datetime, patience: float = 35.0) -> list[Compared]:
    """Compare payments and refunds created in [since, until] with the provider's, by its lists and by id; differing first.

    A refund counts by its own day, whenever its payment was made. What the provider knows better is applied as if it had
    been told by a notification. What differs afterwards: strangers' payments, ours that the provider neither lists nor
    knows by id, and answers that were not believed. Source: domain section 5.

    Raises:
        ProviderUnknown: the provider did not answer; nothing is proven, try again.
    """
    account = ProviderAccount.objects.get(pk=account_id)
    intents.let_go()
    provider = provider_for(account)
    shown = {seen.id: seen for seen in provider.listed(since=since, until=until, patience=patience)}
    returned = {refund.payment_id for refund in provider.returned(since=since, until=until, patience=patience)}
    rows = (_compare(account, provider, seen, patience) for seen in shown.values())
    found = [row for row in rows if row is not None]
    ours = Payment.objects.filter(account=account).exclude(provider_payment_id__in=list(shown))
    not_shown = ours.filter(Q(created_at__range=(since, until)) | Q(provider_payment_id__in=returned))
    for payment in not_shown.filter(provider_payment_id__isnull=False).order_by("pk"):
        found.append(_compare_by_id(payment, provider, patience))
    return sorted(found, key=lambda row: not row.what)


def _here(payment: Payment) -> dict[str, Any]:
    return {
        "status": str(payment.status), "amount": payment.captured or payment.amount, "refunded": payment.refunded,
        "currency": payment.currency,
    }  # fmt: skip


def _theirs(seen: PaymentSeen) -> dict[str, Any]:
    return {
        "status": seen.provider_status, "amount": seen.taken or seen.amount.amount, "refunded": seen.refunded,
        "currency": seen.amount.currency,
    }  # fmt: skip


def _ours(account: ProviderAccount, seen: PaymentSeen) -> Payment | None:
    """Return the payment that was seen, of any club: several may take money through one shop."""
    by_token = Q(token=seen.token, provider_payment_id__isnull=True) if seen.token else Q(pk__in=[])
    shop = Payment.objects.filter(account__provider=account.provider, account__account_id=account.account_id)
    return shop.filter(Q(provider_payment_id=seen.id) | by_token).first()


def _compare(account: ProviderAccount, provider: Provider, seen: PaymentSeen, patience: float) -> Compared | None:
    """Return None for another club's payment through the same shop: it is compared with its own account."""
    payment = _ours(account, seen)
    if payment is not None and payment.account_id != account.pk:
        return None
    if payment is None:
        what = f"unknown to Palms: {seen.provider_status} {seen.amount.amount} {seen.amount.currency}"
        return Compared(seen.id, None, "stranger", what, None, _theirs(seen))
    if not _differs(payment, seen):
        return Compared(seen.id, payment.pk, "same", "", _here(payment), _theirs(seen))
    return _compare_by_id(payment, provider, patience, seen=seen)


def _compare_by_id(
    payment: Payment, provider: Provider, patience: float, *, seen: PaymentSeen | None = None
) -> Compared:
    """Read a payment and apply what is true; `seen` is what the list shows of it, if it does."""
    there, listed = seen.id if seen else str(payment.provider_payment_id), _theirs(seen) if seen else None
    intents.let_go()
    try:
        fresh = provider.read(there, patience=patience)
        refunds = provider.refunds(there, patience=patience) if fresh.status is Seen.TAKEN else []
    except (ProviderRefused, ProviderUnknown) as error:
        if seen is None and isinstance(error, ProviderRefused):
            return Compared(there, payment.pk, "missing", "not known to the provider", _here(payment), None)
        return Compared(there, payment.pk, "unread", f"cannot be read: {error}", _here(payment), listed)
    target_of(payment).door(payment_id=payment.pk, seen=Sighting(fresh, tuple(refunds)), close=nothing)
    payment = Payment.objects.get(pk=payment.pk)
    what = payment.trouble or _differs(payment, fresh)
    return Compared(there, payment.pk, "differs" if what else "same", what, _here(payment), _theirs(fresh))


def _differs(payment: Payment, seen: PaymentSeen) -> str:
    if payment.status not in AGREES[seen.status]:
        return f"status {payment.status}, there {seen.provider_status}"
    if seen.status is Seen.TAKEN and payment.refunded != seen.refunded != _arrived(payment):
        return f"returned {payment.refunded}, there {seen.refunded}"
    return ""


def _arrived(payment: Payment) -> int:
    """Return how much has gone back; what is on its way has its own call, and is no difference."""
    done = Refund.objects.filter(payment=payment, state=Refund.State.DONE)
    return sum(done.values_list("amount", flat=True))


def keep(*, account_id: int, since: datetime, until: datetime, rows: list[Compared]) -> Reconciliation:
    """Write down how a comparison came out, for people to read."""
    account = ProviderAccount.objects.get(pk=account_id)
    return Reconciliation.objects.create(
        club_id=account.club_id, account=account, since=since, until=until, compared_at=now_utc(), compared=len(rows),
        differing=sum(bool(row.what) for row in rows), rows=[asdict(row) for row in rows[:MOST_ROWS]],
    )  # fmt: skip


def ask_to_compare(*, account_id: int, actor: Actor, days: int = 2) -> Intent:
    """Have an account compared over the last days, by a job. Moves nothing by itself: what is true is applied once.

    Raises:
        ComparedAlready: the last one asked for is not done. NotFound; NotPermitted: the actor does not serve its club.
    """
    account = ProviderAccount.objects.filter(pk=account_id).first()
    if account is None:
        raise NotFound
    if not actor.serves(account.club_id):
        raise NotPermitted
    return _plan(account, days)


def plan_comparisons() -> int:
    """Have every account compared for which that was not asked within an hour. Housekeeping; returns how many."""
    recent = Q(state=Intent.State.OPEN) | Q(created_at__gt=now_utc() - EVERY)
    asked = Intent.objects.filter(recent, kind=COMPARE).values("subject_id")
    planned = 0
    for account in ProviderAccount.objects.exclude(provider="onsite").exclude(pk__in=asked).order_by("pk"):
        with suppress(ComparedAlready):  # somebody was faster
            _plan(account)
            planned += 1
    return planned


def _plan(account: ProviderAccount, days: int = 2) -> Intent:
    now = now_utc()
    since, until = now - timedelta(days=days), now + AHEAD
    with ASKED, refusing(ComparedAlready, "intent_one_open_per_lane"):
        return intents.plan(
            club_id=account.club_id, kind=COMPARE, lane=lane_of(account.pk), subject_id=account.pk, now=now,
            since=since.isoformat(), until=until.isoformat(),
        )  # fmt: skip


def lane_of(account_id: int) -> str:
    return f"compare:{account_id}"


def _range(job: Job) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(job.payload["since"]), datetime.fromisoformat(job.payload["until"])


def call_compare(job: Job) -> Outcome:
    since, until = _range(job)
    try:
        return Done(compare(account_id=job.subject_id, since=since, until=until, patience=job.patience))
    except ProviderUnknown as error:
        return Unknown(str(error))
    except ProviderRefused as no:
        return Refused(str(no))


def apply_compare(job: Job, outcome: Done | Refused | Later) -> None:
    if isinstance(outcome, Done):
        since, until = _range(job)
        keep(account_id=job.subject_id, since=since, until=until, rows=outcome.answer)
        for row in outcome.answer:
            if row.what:
                log.error("account %s: payment %s differs: %s", job.subject_id, row.ours, row.what)
    intents.finish(job, outcome)  # type: ignore[arg-type]  # a comparison is never Later


def register_calls() -> None:
    intents.register(COMPARE, call=call_compare, apply=apply_compare)
