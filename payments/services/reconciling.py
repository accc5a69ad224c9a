"""Our books beside the provider's: apply what is true through the one door, list what still differs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from palms import intents
from payments.models import Payment, ProviderAccount
from payments.providers import provider_for
from payments.providers.base import PaymentSeen, Provider, ProviderRefused, ProviderUnknown, Seen
from payments.targets import Sighting, nothing, target_of

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


def reconcile(*, account_id: int, since: datetime, until: datetime, patience: float = 35.0) -> list[Difference]:
    """Compare payments and refunds created in [since, until] with the provider's, by its list and by id.

    What the provider knows better is applied as if it had been told by a notification. Returns what differs afterwards:
    strangers' payments, ours that the provider does not list, and answers that were not believed. Source: domain section 5.

    Raises:
        ProviderUnknown: the provider did not answer; nothing is proven, try again.
    """
    account = ProviderAccount.objects.get(pk=account_id)
    intents.let_go()
    provider = provider_for(account)
    shown = {seen.id: seen for seen in provider.listed(since=since, until=until, patience=patience)}
    found = [_compare(account, provider, seen, patience) for seen in shown.values()]
    missing = (
        Payment.objects.filter(account=account, created_at__range=(since, until), provider_payment_id__isnull=False)
        .exclude(provider_payment_id__in=list(shown))
        .values_list("provider_payment_id", "pk")
    )
    found += [Difference(str(there), ours, "not in the provider's list") for there, ours in missing]
    return [difference for difference in found if difference is not None]


def _ours(account: ProviderAccount, seen: PaymentSeen) -> Payment | None:
    by_token = Q(token=seen.token, provider_payment_id__isnull=True) if seen.token else Q(pk__in=[])
    return Payment.objects.filter(Q(provider_payment_id=seen.id) | by_token, account=account).first()


def _compare(account: ProviderAccount, provider: Provider, seen: PaymentSeen, patience: float) -> Difference | None:
    payment = _ours(account, seen)
    if payment is None:
        return Difference(
            seen.id, None, f"unknown to Palms: {seen.provider_status} {seen.amount.amount} {seen.amount.currency}"
        )
    if not _differs(payment, seen):
        return None
    intents.let_go()
    try:
        fresh = provider.read(seen.id, patience=patience)
        refunds = provider.refunds(seen.id, patience=patience) if fresh.status is Seen.TAKEN else []
    except (ProviderRefused, ProviderUnknown) as error:
        return Difference(seen.id, payment.pk, f"cannot be read: {error}")
    target_of(payment).door(payment_id=payment.pk, seen=Sighting(fresh, tuple(refunds)), close=nothing)
    payment = Payment.objects.get(pk=payment.pk)
    what = payment.trouble or _differs(payment, fresh)
    return Difference(seen.id, payment.pk, what) if what else None


def _differs(payment: Payment, seen: PaymentSeen) -> str:
    if payment.status not in AGREES[seen.status]:
        return f"status {payment.status}, there {seen.provider_status}"
    if seen.status is Seen.TAKEN and payment.refunded != seen.refunded:
        return f"returned {payment.refunded}, there {seen.refunded}"
    return ""
