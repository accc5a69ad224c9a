"""Locks, the accounts that reach them, and who may open which door from when to when."""

from __future__ import annotations

import pghistory
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


@pghistory.track(exclude=["credentials", "tokens", "leased_until", "calls", "counted_from"])
class LockAccount(models.Model):
    """A club's account at the lock provider. `credentials` and `tokens` are sealed JSON (palms.secrets), never shown.

    `leased_until`: somebody is renewing the tokens. `calls` counts what the quota of the month (from `counted_from`) has lost.
    """

    club = models.ForeignKey(
        "clubs.Club", on_delete=models.PROTECT, related_name="lock_accounts", verbose_name=_("club")
    )
    name = models.CharField(_("name"), max_length=120)
    username = models.CharField(_("account at TTLock"), max_length=120)
    credentials = models.TextField(blank=True, editable=False)
    tokens = models.TextField(blank=True, editable=False)
    tokens_expire_at = models.DateTimeField(null=True, editable=False)
    leased_until = models.DateTimeField(null=True, editable=False)
    quota = models.PositiveIntegerField(_("calls a month"), default=30_000)
    calls = models.PositiveIntegerField(_("calls this month"), default=0, editable=False)
    counted_from = models.DateField(null=True, editable=False)
    trouble = models.CharField(_("trouble"), max_length=200, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name, verbose_name_plural = _("lock account"), _("lock accounts")
        constraints = [
            models.UniqueConstraint(name="lockaccount_once_per_club", fields=["club", "username"]),
            models.UniqueConstraint(name="lockaccount_club_key", fields=["club", "id"]),
        ]

    def __str__(self) -> str:
        return self.name


@pghistory.track(exclude=["battery", "gateway_online", "signal", "seen_at", "trouble", "trouble_at"])
class Lock(models.Model):
    """A lock on an area. Calls to locks of one `gateway` go one at a time (`Turn`)."""

    club = models.ForeignKey("clubs.Club", on_delete=models.PROTECT, related_name="locks", verbose_name=_("club"))
    account = models.ForeignKey(
        LockAccount, on_delete=models.PROTECT, related_name="locks", verbose_name=_("lock account")
    )
    area = models.OneToOneField("clubs.Area", on_delete=models.PROTECT, related_name="lock", verbose_name=_("area"))
    provider_lock_id = models.BigIntegerField(_("lock id at TTLock"))
    gateway = models.CharField(
        _("gateway"), max_length=60, default="1",
        help_text=_("Locks behind one gateway share its name: their calls wait for each other."),
    )  # fmt: skip
    digits = models.CharField(
        _("digits of codes"), max_length=10, default="0123456789",
        validators=[RegexValidator(r"^(?!.*(.).*\1)[0-9]{5,10}$", _("Five to ten different digits"))],
        help_text=_("Some keypads lack digits: name those that are there."),
    )  # fmt: skip
    code_length = models.PositiveSmallIntegerField(_("length of codes"), default=6)
    is_active = models.BooleanField(_("in use"), default=True)
    battery = models.PositiveSmallIntegerField(_("battery, %"), null=True, editable=False)
    gateway_online = models.BooleanField(_("gateway is online"), null=True, editable=False)
    signal = models.SmallIntegerField(_("signal, dBm"), null=True, editable=False)
    seen_at = models.DateTimeField(_("answered last"), null=True, editable=False)
    trouble = models.CharField(_("trouble"), max_length=200, blank=True, editable=False)
    trouble_at = models.DateTimeField(_("trouble since"), null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name, verbose_name_plural = _("lock"), _("locks")
        constraints = [
            models.UniqueConstraint(name="lock_once_per_account", fields=["account", "provider_lock_id"]),
            models.UniqueConstraint(name="lock_club_key", fields=["club", "id"]),
            models.CheckConstraint(name="lock_code_has_4_to_9_digits", condition=Q(code_length__range=(4, 9))),
            models.CheckConstraint(name="lock_digits_are_digits", condition=Q(digits__regex=r"^[0-9]{5,10}$")),
        ]

    def __str__(self) -> str:
        return f"{self.area} ({self.provider_lock_id})"


class Turn(models.Model):
    """Whose turn it is at a gateway, until `leased_until`: calls go one at a time."""

    account = models.ForeignKey(LockAccount, on_delete=models.CASCADE, related_name="+")
    gateway = models.CharField(max_length=60)
    leased_until = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(name="turn_one_per_gateway", fields=["account", "gateway"])]

    def __str__(self) -> str:
        return self.gateway


class State(models.TextChoices):
    PLANNED = "planned", _("planned")
    INSTALLING = "installing", _("being installed")
    INSTALLED = "installed", _("installed")
    REMOVING = "removing", _("being removed")
    REMOVED = "removed", _("removed")
    FAILED = "failed", _("failed")


LIVING = (State.PLANNED, State.INSTALLING, State.INSTALLED, State.FAILED)
WITH_DIGITS = (State.INSTALLING, State.INSTALLED, State.REMOVING, State.FAILED)


@pghistory.track(exclude=["code", "digest", "sent_at", "attempts", "looked_at"])
class AccessGrant(models.Model):
    """One booking's right to a door code over [valid_from, valid_to], UTC: planned, installed in its time, removed.

    `code` is sealed, and forgotten with the code; `digest` keeps two living equal codes off one lock. `sent_at`: when the
    digits were last sent without a clear answer, so that they may be on the lock more than once. A living grant belongs
    to a CONFIRMED, secured booking of the same times and area: the database holds it (migration 0002).
    """

    club = models.ForeignKey("clubs.Club", on_delete=models.PROTECT, related_name="+", verbose_name=_("club"))
    booking = models.ForeignKey(
        "bookings.Booking", on_delete=models.PROTECT, related_name="grants", verbose_name=_("booking")
    )
    lock = models.ForeignKey(Lock, on_delete=models.PROTECT, related_name="grants", verbose_name=_("lock"))
    valid_from = models.DateTimeField(_("from"))
    valid_to = models.DateTimeField(_("to"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.PLANNED)
    reason = models.CharField(_("why"), max_length=200, blank=True)
    code = models.TextField(blank=True, editable=False)
    digest = models.CharField(max_length=64, null=True, editable=False)
    provider_code_id = models.BigIntegerField(null=True, editable=False)
    sent_at = models.DateTimeField(_("sent without an answer"), null=True, editable=False)
    attempts = models.PositiveIntegerField(_("tries"), default=0, editable=False)
    error = models.CharField(_("last error"), max_length=200, blank=True, editable=False)
    looked_at = models.DateTimeField(_("asked for"), null=True, editable=False)
    used_at = models.DateTimeField(_("used first"), null=True, editable=False)
    installed_at = models.DateTimeField(_("installed"), null=True, editable=False)
    removed_at = models.DateTimeField(_("removed"), null=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name, verbose_name_plural = _("door access"), _("door accesses")
        indexes = [models.Index(fields=["club", "-created_at", "-id"], name="accessgrant_club_created")]
        constraints = [
            models.CheckConstraint(name="accessgrant_state_known", condition=Q(state__in=State)),
            models.CheckConstraint(name="accessgrant_dates_in_order", condition=Q(valid_from__lt=F("valid_to"))),
            models.CheckConstraint(
                name="accessgrant_installed_is_on_the_lock",
                condition=~Q(state=State.INSTALLED)
                | Q(provider_code_id__isnull=False, digest__isnull=False, installed_at__isnull=False) & ~Q(code=""),
            ),
            models.CheckConstraint(
                name="accessgrant_digits_are_forgotten",
                condition=Q(state__in=WITH_DIGITS) | Q(code="", digest__isnull=True),
            ),
            models.CheckConstraint(
                name="accessgrant_removed_at_its_end",
                condition=Q(state=State.REMOVED, removed_at__isnull=False)
                | ~Q(state=State.REMOVED) & Q(removed_at__isnull=True),
            ),
            models.UniqueConstraint(
                name="accessgrant_one_living_per_booking", fields=["booking"], condition=Q(state__in=LIVING)
            ),
            models.UniqueConstraint(name="accessgrant_no_equal_codes_on_a_lock", fields=["lock", "digest"]),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.get_state_display()}"


class LockRecord(models.Model):
    """What a lock says happened at it: a hint, never a fact, since nobody signs it. No digits are kept.

    `kind` is TTLock's recordType (4: a code was typed). `digest` tells repeats apart. `is_unbooked`: somebody opened while
    nobody was booked in.
    """

    club = models.ForeignKey("clubs.Club", on_delete=models.PROTECT, related_name="+", verbose_name=_("club"))
    lock = models.ForeignKey(Lock, on_delete=models.PROTECT, related_name="records", verbose_name=_("lock"))
    grant = models.ForeignKey(
        AccessGrant, null=True, on_delete=models.PROTECT, related_name="records", verbose_name=_("door access")
    )
    kind = models.PositiveSmallIntegerField(_("kind"))
    opened = models.BooleanField(_("opened the door"))
    at = models.DateTimeField(_("by the lock's clock"))
    digest = models.CharField(max_length=64, blank=True, editable=False)
    is_unbooked = models.BooleanField(_("opened without a booking"), default=False)
    received_at = models.DateTimeField(_("received"), auto_now_add=True)

    class Meta:
        verbose_name, verbose_name_plural = _("lock record"), _("lock records")
        indexes = [
            models.Index(fields=["club", "-at", "-id"], name="lockrecord_club_at"),
            models.Index(fields=["received_at"], name="lockrecord_received"),
        ]
        constraints = [
            models.UniqueConstraint(name="lockrecord_once", fields=["lock", "kind", "at", "digest"]),
            models.CheckConstraint(name="lockrecord_unbooked_opened", condition=Q(is_unbooked=False) | Q(opened=True)),
        ]

    def __str__(self) -> str:
        return f"{self.lock_id}: {self.kind}"
