"""The inbox: what providers tell us is stored first, then the object is re-read. A body is a hint, never a fact."""

from __future__ import annotations

import json
from typing import Any

from django.db import transaction
from django.db.models import F

from palms import intents
from palms.clock import now_utc
from palms.errors import ValidationFailed
from palms.intents import Done, Job, Later, Outcome, Refused, Unknown
from palms.models import Intent
from payments.models import Payment, ProviderEvent
from payments.providers import provider_for
from payments.providers.base import ProviderRefused, ProviderUnknown, Seen
from payments.targets import Sighting, target_of

READ = "payments.read_event"
PATIENCE = 8.0  # of the notifying provider, at least
LONGEST = 64


def receive_yookassa(body: Any) -> ProviderEvent:
    """Store a YooKassa notification once, with the intent to re-read what it speaks of, then try that for a few seconds.

    Stranger's payments are stored and nothing follows. A repeat of one not yet applied tries again.

    Raises:
        ValidationFailed: not a notification at all.
    """
    event, object_id, payment_id, token = _hint(body)
    with transaction.atomic():
        stored, intent_id = _store(event, object_id, payment_id, token, body)
    if intent_id is not None:
        intents.run(intent_id, patience=PATIENCE)
    return stored


def _hint(body: Any) -> tuple[str, str, str, str]:
    """Return (event, object id, payment id, our token) as the body claims them."""
    thing = body.get("object") if isinstance(body, dict) else None
    if not isinstance(thing, dict) or body.get("type") != "notification":
        raise ValidationFailed(errors={"body": ["not a notification"]})
    event, object_id = body.get("event"), thing.get("id")
    payment_id = thing.get("payment_id") if str(event).startswith("refund.") else object_id
    meta = thing.get("metadata")
    token = meta.get("payment_token") if isinstance(meta, dict) else None
    texts = [_text(value) for value in (event, object_id, payment_id)]
    if not all(texts):
        raise ValidationFailed(errors={"object": ["without an id"]})
    return texts[0], texts[1], texts[2], _text(token)


def _text(value: Any) -> str:
    fits = isinstance(value, str) and 0 < len(value) <= LONGEST and value.isprintable()
    return value if fits else ""


def _store(event: str, object_id: str, payment_id: str, token: str, body: Any) -> tuple[ProviderEvent, int | None]:
    payments = Payment.objects.filter(provider="yookassa")
    payment = payments.filter(provider_payment_id=payment_id).first()
    if payment is None and token:  # the page was made, and we died before we could note its id
        payment = payments.filter(token=token, provider_payment_id__isnull=True).first()
    stored, is_new = ProviderEvent.objects.get_or_create(
        provider="yookassa", account_id=payment.account_id if payment else None, event=event, object_id=object_id,
        defaults={"club_id": payment.club_id if payment else None, "payment": payment, "body": json.dumps(body)},
    )  # fmt: skip
    if not is_new:
        ProviderEvent.objects.filter(pk=stored.pk).update(times=F("times") + 1)
    if payment is None or stored.applied_at is not None:
        return stored, None
    lane = f"event:{stored.pk}"
    waiting = Intent.objects.filter(lane=lane, state=Intent.State.OPEN).first()
    if waiting is None:
        waiting = intents.plan(
            club_id=payment.club_id, kind=READ, lane=lane, subject_id=stored.pk, now=now_utc(), object_id=payment_id
        )
    return stored, waiting.pk


def call_read(job: Job) -> Outcome:
    """Read the payment that an event speaks of, with its refunds."""
    stored = ProviderEvent.objects.select_related("payment__account").get(pk=job.subject_id)
    if stored.payment is None or stored.payment.account is None:
        return Refused("an event about nobody's payment")
    intents.let_go()
    payment_id = stored.payment.provider_payment_id or str(job.payload["object_id"])
    try:
        provider = provider_for(stored.payment.account)
        seen = provider.read(payment_id, patience=job.patience)
        refunds = provider.refunds(seen.id, patience=job.patience) if seen.status is Seen.TAKEN else []
    except ProviderUnknown as error:
        return Unknown(str(error))
    except ProviderRefused as no:
        return (
            Unknown(str(no)) if no.code in ("invalid_credentials", "forbidden", "not_configured") else Refused(str(no))
        )
    return Done(Sighting(seen, tuple(refunds)))


def apply_read(job: Job, outcome: Done | Refused | Later) -> None:
    if not isinstance(outcome, Done):
        if isinstance(outcome, Refused):
            intents.finish(job, outcome)
        return
    stored = ProviderEvent.objects.select_related("payment").get(pk=job.subject_id)
    if stored.payment is None:
        raise ValueError(f"event {stored.pk} lost its payment")

    def close(_payment: Payment) -> None:
        ProviderEvent.objects.filter(pk=stored.pk).update(applied_at=now_utc())
        intents.finish(job, outcome)

    target_of(stored.payment).door(payment_id=stored.payment.pk, seen=outcome.answer, close=close)


def register_calls() -> None:
    intents.register(READ, call=call_read, apply=apply_read)
