"""The table of durable intents; palms/intents.py is the mechanism."""

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
