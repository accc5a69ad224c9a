"""What the back office itself remembers: long work with its progress, and invitations of staff."""

from __future__ import annotations

import secrets

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

MOST_ITEMS = 10_000


class Job(models.Model):
    """Long work of one club: previewed (DRAFT), begun by a person's word, worked in batches, ended once.

    `sealed` is its input, a JSON object under palms.secrets; it goes when the work ends. `done` of `total` items are
    written, each batch in one transaction with this row. `tally` counts outcomes; `errors` are [where, why] of the refused,
    `MOST_ERRORS` at most. `preview` is what was shown before it began. `subject_id` and `fingerprint`: the account that a
    check is about, and the credentials it was made with.
    """

    MOST_ERRORS = 500

    class Kind(models.TextChoices):
        SEASON = "season", _("generating a season")
        IMPORT = "import", _("importing slots")
        PRICE = "price", _("changing prices")
        CLOSE = "close", _("closing slots")
        REOPEN = "reopen", _("reopening slots")
        CHECK_BANK = "check_bank", _("checking the payment account")
        CHECK_LOCKS = "check_locks", _("checking the lock account")

    class State(models.TextChoices):
        DRAFT = "DRAFT", _("preview, nothing is written")
        OPEN = "OPEN", _("at work")
        DONE = "DONE", _("done")
        CANCELED = "CANCELED", _("stopped")
        FAILED = "FAILED", _("failed")

    club = models.ForeignKey("clubs.Club", on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey("clubs.User", on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    state = models.CharField(max_length=8, choices=State.choices, default=State.DRAFT)
    language = models.CharField(max_length=5, default="ru")
    sealed = models.TextField(blank=True, editable=False)
    total = models.PositiveIntegerField()
    done = models.PositiveIntegerField(default=0)
    tally = models.JSONField(default=dict)
    errors = models.JSONField(default=list)
    preview = models.JSONField(default=dict)
    reason = models.CharField(max_length=300, blank=True)
    subject_id = models.BigIntegerField(null=True)
    fingerprint = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name, verbose_name_plural = _("long work"), _("long work")
        indexes = [models.Index(fields=["club", "-id"], name="job_club_latest")]
        constraints = [
            models.CheckConstraint(
                name="job_kind_known",
                condition=Q(kind__in=["season", "import", "price", "close", "reopen", "check_bank", "check_locks"]),
            ),
            models.CheckConstraint(
                name="job_state_known", condition=Q(state__in=["DRAFT", "OPEN", "DONE", "CANCELED", "FAILED"])
            ),
            models.CheckConstraint(
                name="job_does_no_more_than_there_is", condition=Q(done__lte=F("total"), total__lte=MOST_ITEMS)
            ),
            models.CheckConstraint(name="job_done_is_all_of_it", condition=~Q(state="DONE") | Q(done=F("total"))),
            models.CheckConstraint(
                name="job_finished_exactly_when_ended",
                condition=Q(state__in=["DRAFT", "OPEN"], finished_at__isnull=True)
                | Q(state__in=["DONE", "CANCELED", "FAILED"], finished_at__isnull=False),
            ),
            models.CheckConstraint(name="job_forgets_its_input", condition=Q(finished_at__isnull=True) | Q(sealed="")),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"


def new_nonce() -> str:
    """Return 128 random bits that make an invitation's link unlike any other."""
    return secrets.token_hex(16)


class Invitation(models.Model):
    """A person asked by letter to work for a club. Its link holds a signature over `nonce`, and works once."""

    club = models.ForeignKey("clubs.Club", on_delete=models.PROTECT, related_name="+")
    email = models.EmailField(_("email"))
    name = models.CharField(_("name"), max_length=200, blank=True)
    role = models.CharField(_("role"), max_length=20)
    language = models.CharField(max_length=5, default="ru")
    invited_by = models.ForeignKey("clubs.User", on_delete=models.PROTECT, related_name="+")
    nonce = models.CharField(max_length=32, default=new_nonce, editable=False)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(_("expires"))
    accepted_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name, verbose_name_plural = _("invitation"), _("invitations")
        constraints = [
            models.UniqueConstraint(
                "club",
                models.functions.Lower("email"),
                name="invitation_one_open_per_email",
                condition=Q(accepted_at__isnull=True, withdrawn_at__isnull=True),
            ),
            models.CheckConstraint(
                name="invitation_ends_once", condition=Q(accepted_at__isnull=True) | Q(withdrawn_at__isnull=True)
            ),
            models.CheckConstraint(name="invitation_expires_later", condition=Q(expires_at__gt=F("created_at"))),
        ]

    def __str__(self) -> str:
        return self.email
