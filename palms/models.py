"""Tables that every room shares: durable intents, rate limits, answers kept for repeats. The mechanisms are modules of
the same names beside this one."""

import uuid

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


def new_key() -> str:
    """Return a key that fits every provider's idempotency header (1 to 64 of latin letters, digits and hyphens)."""
    return str(uuid.uuid4())


class Intent(models.Model):
    """One call to the outside, to be made once even if we crash. Committed before the call, closed with its outcome.

    `lane` keeps calls about one thing in single file: at most one open intent per lane. `due_at` is also the lease:
    whoever claims the intent moves it forward, so a dead runner's intent comes back by itself.
    """

    class State(models.TextChoices):
        OPEN = "OPEN", _("open")
        DONE = "DONE", _("done")
        REFUSED = "REFUSED", _("refused")

    club = models.ForeignKey("clubs.Club", on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=40)
    lane = models.CharField(max_length=80)
    subject_id = models.BigIntegerField()
    key = models.CharField(max_length=64, default=new_key, editable=False)
    payload = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    due_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    first_sent_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="intent_key_once", fields=["key"]),
            models.UniqueConstraint(name="intent_one_open_per_lane", fields=["lane"], condition=Q(state="OPEN")),
            models.CheckConstraint(name="intent_state_known", condition=Q(state__in=["OPEN", "DONE", "REFUSED"])),
            models.CheckConstraint(
                name="intent_finished_exactly_when_closed",
                condition=Q(state="OPEN", finished_at__isnull=True) | ~Q(state="OPEN") & Q(finished_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(F("due_at"), F("id"), name="intent_due", condition=Q(state="OPEN")),
            models.Index(fields=["club", "kind", "subject_id"], name="intent_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_id}"


class Throttle(models.Model):
    """How much of a rate limit has been used: the moment at which its bucket is empty again (palms/throttling.py)."""

    key = models.CharField(max_length=80, primary_key=True)
    empty_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["empty_at"], name="throttle_empty_at")]

    def __str__(self) -> str:
        return self.key


class StoredAnswer(models.Model):
    """What a write with an Idempotency-Key answered, for its repeats (palms/repeats.py).

    `http_status` is NULL while the first one runs. `answer` is sealed (palms.secrets): it may hold personal data.
    """

    holder = models.CharField(max_length=40)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    started_at = models.DateTimeField()
    http_status = models.PositiveSmallIntegerField(null=True)
    answer = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(name="storedanswer_once_per_holder", fields=["holder", "key"])]
        indexes = [models.Index(fields=["started_at"], name="storedanswer_started")]

    def __str__(self) -> str:
        return f"{self.holder} {self.key}"
