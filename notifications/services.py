"""Messages: written in the transaction that caused them, sent by a durable intent, at least once."""

from __future__ import annotations

import smtplib
from contextlib import suppress
from datetime import datetime

from django.conf import settings
from django.core.mail import BadHeaderError, EmailMessage

from notifications.composers import compose
from notifications.models import Notification
from palms import intents
from palms.clock import now_utc
from palms.errors import DomainError, refusing
from palms.intents import Done, Job, Later, Outcome, Refused, Unknown


class _ToldAlready(DomainError):
    """The same event of the same thing."""


SEND = "notifications.send"
MOST_TRIES = 30  # about a day


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


def call_send(job: Job) -> Outcome:
    """Send one letter. A lost answer may send it twice: both carry one Message-ID."""
    notification = Notification.objects.get(pk=job.subject_id)
    message = compose(notification)
    intents.let_go()
    if not message.to:
        return Refused("nobody to write to")
    domain = settings.BASE_URL.split("//")[-1].split(":")[0] or "palms"
    letter = EmailMessage(
        message.subject, message.text, to=[message.to], headers={"Message-ID": f"<{job.key}@{domain}>"}
    )
    try:
        letter.send(fail_silently=False)
    except (smtplib.SMTPRecipientsRefused, BadHeaderError) as no:
        return Refused(type(no).__name__)
    except (smtplib.SMTPException, OSError) as error:
        return Refused("gave up") if job.attempts >= MOST_TRIES else Unknown(type(error).__name__)
    return Done()


def apply_send(job: Job, outcome: Done | Refused | Later) -> None:
    if isinstance(outcome, Later):
        intents.postpone(job, outcome.at)
        return
    state = Notification.State.SENT if isinstance(outcome, Done) else Notification.State.FAILED
    error = outcome.error[:500] if isinstance(outcome, Refused) else ""
    sent_at = now_utc() if isinstance(outcome, Done) else None
    Notification.objects.filter(pk=job.subject_id).update(state=state, error=error, sent_at=sent_at)
    intents.finish(job, outcome)


def register_calls() -> None:
    intents.register(SEND, call=call_send, apply=apply_send)
