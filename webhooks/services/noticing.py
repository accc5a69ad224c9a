"""The letter to a club's owners when their endpoint has been turned off: a durable intent."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.urls import reverse

from clubs.selectors import letters_to
from palms import intents, letters
from palms.intents import Job, Outcome
from webhooks.models import Endpoint

NOTICE = "webhooks.notice"


def tell_owners(endpoint: Endpoint, *, now: datetime) -> None:
    """Plan the letter, in the transaction that turned the endpoint off."""
    lane = f"webhook-off:{endpoint.pk}"
    if not intents.is_open(lane):
        intents.plan(club_id=endpoint.club_id, kind=NOTICE, lane=lane, subject_id=endpoint.pk, now=now)


def call_notice(job: Job) -> Outcome:
    """Write to the owners, in the platform's language."""
    endpoint = Endpoint.objects.select_related("club").get(pk=job.subject_id)
    link = settings.BASE_URL + reverse("admin:webhooks_endpoint_change", args=[endpoint.pk])
    facts: dict[str, object] = {"endpoint": endpoint, "club": endpoint.club, "link": link}
    words = letters.rendered("webhooks/mail/endpoint_off.txt", facts, language=settings.LANGUAGE_CODE)
    return letters.send(job, letters.Letter(letters_to(endpoint.club_id), *words))


def register_calls() -> None:
    intents.register(NOTICE, call=call_notice, apply=letters.close)
