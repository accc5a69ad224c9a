"""The inbox: what providers tell us is stored first, then the object is re-read. A body is a hint, never a fact."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.db.models import F

from palms import intents, points
from palms.clock import now_utc
from palms.errors import DomainError, ValidationFailed, refusing
from palms.intents import Done, Job, Later, Outcome, Refused, Unknown
from palms.models import Intent
from payments.models import Payment, ProviderEvent
from payments.providers import provider_for
from payments.providers.base import ProviderRefused, ProviderUnknown, Seen, SeenRefund
from payments.services.recording import lock_payments
from payments.targets import Sighting, target_of

READ = "payments.read_event"
STORED = points.commit("payments.receive")
PATIENCE = 8.0  # of the notifying provider, at least
LONGEST = 64
MOST_WAITING = 10
REDELIVERY = timedelta(days=1)
EVENTS: dict[str, tuple[Seen, ...]] = {  # what each event may be followed by
    "payment.waiting_for_capture": (Seen.HELD, Seen.TAKEN, Seen.CANCELED),
    "payment.succeeded": (Seen.TAKEN,),
    "payment.canceled": (Seen.CANCELED,),
    "refund.succeeded": (Seen.TAKEN,),
}


class _PlannedAlready(DomainError):
    """Somebody plans the same read at this moment."""


def receive_yookassa(body: Any) -> ProviderEvent:
    """Store a YooKassa notification once, with the intent to re-read what it speaks of, then try that for a few seconds.

    Stranger's payments are stored and nothing follows. A repeat of one not yet applied tries again.

    Raises:
        ValidationFailed: not a notification at all.
    """
    event, object_id, payment_id, token = _hint(body)
    with STORED:
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
    if payment is not None:
        lock_payments(
            ids=[payment.pk]
        )  # an event that points at it is checked at COMMIT, when the door may want our intent
    stored, is_new = ProviderEvent.objects.get_or_create(
        provider="yookassa", account_id=payment.account_id if payment else None, event=event, object_id=object_id,
        defaults={
            "club_id": payment.club_id if payment else None,
            "payment": payment,
            "body": json.dumps(body) if payment else "",
        },
    )  # fmt: skip
    if not is_new:
        ProviderEvent.objects.filter(pk=stored.pk).update(times=F("times") + 1)
    if payment is None or event not in EVENTS or stored.applied_at is not None:
        return stored, None
    return stored, _read_soon(payment, payment_id)


def _read_soon(payment: Payment, object_id: str) -> int:
    """Plan one read for all that is told about a payment, or bring the planned one forward. Two at once are made one.

    Whoever invents events about a payment cannot hurry us more than a few times.
    """
    lane = f"events:{payment.pk}"
    with suppress(_PlannedAlready), refusing(_PlannedAlready, "intent_one_open_per_lane"):
        return intents.plan(
            club_id=payment.club_id, kind=READ, lane=lane, subject_id=payment.pk, now=now_utc(), object_id=object_id
        ).pk
    planned = Intent.objects.filter(lane=lane).order_by("-pk").values_list("pk", flat=True)[0]
    if ProviderEvent.objects.filter(payment=payment, applied_at__isnull=True)[:MOST_WAITING].count() < MOST_WAITING:
        intents.bring_forward(planned, now=now_utc())
    return planned


def call_read(job: Job) -> Outcome:
    """Read the payment that somebody told us about, with its refunds."""
    payment = Payment.objects.select_related("account").get(pk=job.subject_id)
    if payment.account is None:
        return Refused("told about a payment that no provider made")
    intents.let_go()
    payment_id = payment.provider_payment_id or str(job.payload["object_id"])
    try:
        provider = provider_for(payment.account)
        seen = provider.read(payment_id, patience=job.patience)
        refunds = provider.refunds(seen.id, patience=job.patience) if seen.status is Seen.TAKEN else []
    except ProviderUnknown as error:
        return Unknown(str(error))
    except ProviderRefused as no:
        return Refused(str(no)) if no.code == "not_found" else Unknown(str(no))
    return Done(Sighting(seen, tuple(refunds)))


def apply_read(job: Job, outcome: Done | Refused | Later) -> None:
    """Apply what was read. An event that is not in it yet stays unapplied, and is read for again, for a day."""
    if isinstance(outcome, Refused):
        intents.finish(job, outcome)
        return
    seen: Sighting = outcome.answer

    def close(payment: Payment, *, believed: bool) -> None:
        now = now_utc()
        waiting = list(ProviderEvent.objects.filter(payment=payment, applied_at__isnull=True, event__in=EVENTS))
        done = [event.pk for event in waiting if believed and _shows(seen, event)]
        ProviderEvent.objects.filter(pk__in=done).update(applied_at=now)
        if len(done) < len(waiting) and now - job.first_sent_at < REDELIVERY:
            intents.postpone(job, now + intents.pause(job.attempts + 1), error="not shown yet")
        else:
            intents.finish(job, Done())

    target_of(Payment.objects.get(pk=job.subject_id)).door(payment_id=job.subject_id, seen=seen, close=close)


def _shows(seen: Sighting, told: ProviderEvent) -> bool:
    """Whether what was read has what the event spoke of: a hint that came before its fact is kept."""
    if told.event == "refund.succeeded":
        return told.object_id in {refund.id for refund in seen.refunds if refund.status is SeenRefund.DONE}
    return seen.payment.status in EVENTS[told.event]


def register_calls() -> None:
    intents.register(READ, call=call_read, apply=apply_read)
