"""Messages: written in the transaction that caused them, sent by a durable intent, at least once."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

from django.db import transaction

from notifications.composers import compose
from notifications.models import Notification
from palms import intents, letters
from palms.clock import now_utc
from palms.errors import DomainError, refusing
from palms.intents import Done, Job, Later, Outcome, Refused
from palms.secrets import seal


class _ToldAlready(DomainError):
    """The same event of the same thing."""


SEND = "notifications.send"


def tell(
    *, club_id: int, event: str, now: datetime, booking_id: int | None = None, payment_id: int | None = None
) -> None:
    """Queue one message to the customer about a booking or a payment; the same event of the same thing is told once."""
    notification = Notification(club_id=club_id, booking_id=booking_id, payment_id=payment_id, event=event)
    with suppress(_ToldAlready), refusing(_ToldAlready, "notification_once"):
        notification.save(force_insert=True)
        intents.plan(
            club_id=club_id, kind=SEND, lane=f"notification:{notification.pk}", subject_id=notification.pk, now=now
        )


@transaction.atomic
def answer(*, club_id: int | None, event: str, request: dict[str, Any], lane_club_id: int, now: datetime) -> None:
    """Queue the answer to somebody who asked about no booking in particular, of one club or of all (None).

    `request` may hold personal data: it is sealed here and forgotten with the answer. Calls belong to some club, so
    `lane_club_id` names one even where all are meant.
    """
    notification = Notification.objects.create(club_id=club_id, event=event, request=seal(request))
    intents.plan(
        club_id=lane_club_id, kind=SEND, lane=f"notification:{notification.pk}", subject_id=notification.pk, now=now
    )


def call_send(job: Job) -> Outcome:
    """Write and send one letter."""
    message = compose(Notification.objects.get(pk=job.subject_id))
    to = (message.to,) if message.to else ()
    return letters.send(job, letters.Letter(to, message.subject, message.text, message.attachments))


def apply_send(job: Job, outcome: Done | Refused | Later) -> None:
    if isinstance(outcome, Later):
        intents.postpone(job, outcome.at)
        return
    state = Notification.State.SENT if isinstance(outcome, Done) else Notification.State.FAILED
    error = outcome.error[:500] if isinstance(outcome, Refused) else ""
    sent_at = now_utc() if isinstance(outcome, Done) else None
    Notification.objects.filter(pk=job.subject_id).update(state=state, error=error, sent_at=sent_at, request="")
    intents.finish(job, outcome)


def register_calls() -> None:
    intents.register(SEND, call=call_send, apply=apply_send)
