"""The letter to a club's owners and staff when a lock cannot be reached: before its guest stands at the door."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.urls import reverse
from django.utils.functional import lazy

from access.models import Lock
from access.words import in_words
from clubs.selectors import letters_to
from palms import intents, letters
from palms.intents import Job, Outcome

ALARM = "access.alarm"


def ring(lock: Lock, now: datetime) -> None:
    """Plan the letter, in the transaction that notes the trouble; one is enough until it is sent."""
    lane = f"lock-alarm:{lock.pk}"
    if not intents.is_open(lane):
        intents.plan(club_id=lock.club_id, kind=ALARM, lane=lane, subject_id=lock.pk, now=now)


def call_alarm(job: Job) -> Outcome:
    """Write to whom the club has named, or to everybody who works there, in the platform's language."""
    lock = Lock.objects.select_related("club", "area").get(pk=job.subject_id)
    link = settings.BASE_URL + reverse("admin:access_lock_change", args=[lock.pk])
    facts: dict[str, object] = {
        "lock": lock,
        "club": lock.club,
        "link": link,
        "trouble": lazy(in_words, str)(lock.trouble),
    }
    words = letters.rendered("access/mail/lock_trouble.txt", facts, language=settings.LANGUAGE_CODE)
    return letters.send(job, letters.Letter(letters_to(lock.club_id, everybody=True), *words))


def register_calls() -> None:
    intents.register(ALARM, call=call_alarm, apply=letters.close)
