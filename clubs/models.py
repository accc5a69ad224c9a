"""Whose business this is: clubs, their places, their people, their staff and keys."""

from __future__ import annotations

import pghistory
from django.contrib.auth.models import AbstractBaseUser, PermissionsMixin
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, IntegerRangeField, RangeOperators
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device

from clubs.managers import UserManager

DAY_MINUTES = 24 * 60
MOST_OVERDUE = 10**12  # minor units


@pghistory.track(exclude=["password", "last_login"])
class User(AbstractBaseUser, PermissionsMixin):  # type: ignore[django-manager-missing]  # django-otp has no types
    """A person of the staff, who signs in by email. Customers are `clients.Client` and have no password."""

    email = models.EmailField(_("email"), unique=True)
    name = models.CharField(_("name"), max_length=200, blank=True)
    is_staff = models.BooleanField(_("may sign in to the back office"), default=True)
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = UserManager()
    USERNAME_FIELD = "email"

    class Meta:
        verbose_name, verbose_name_plural = _("staff user"), _("staff users")
        constraints = [models.UniqueConstraint(Lower("email"), name="user_one_per_email")]

    def __str__(self) -> str:
        return self.name or self.email


@pghistory.track()
class Club(models.Model):
    """A tenant: its name, zone, currency and policies (domain section 8). Durations are whole seconds or minutes."""

    class CustomerCancel(models.TextChoices):
        NEVER = "never", _("never")
        UNTIL = "until_cancelation_time", _("until the free cancellation time")
        ALWAYS = "always_with_fee", _("always, late with a fee")

    class Reopen(models.TextChoices):
        AUTO = "auto", _("the place is free at once")
        MANUAL = "manual", _("the slot closes, staff publish a new one")

    class Capture(models.TextChoices):
        AUTO = "auto", _("hold on the card where possible, take at the visit")
        ONE_STAGE = "one_stage", _("take at once")

    name = models.CharField(_("name"), max_length=200)
    slug = models.SlugField(_("address"), unique=True, max_length=60)
    timezone = models.CharField(_("time zone"), max_length=60, default="Europe/Moscow")
    currency = models.CharField(_("currency"), max_length=3, default="RUB")
    is_public = models.BooleanField(_("shown to customers"), default=True)
    address = models.CharField(_("postal address"), max_length=300, blank=True)
    phone = models.CharField(_("phone"), max_length=20, blank=True)
    email = models.EmailField(_("email"), blank=True)
    description = models.TextField(_("description"), blank=True)
    letters_to = ArrayField(  # empty: to the owners
        models.EmailField(), verbose_name=_("letters to the club go to"), default=list, blank=True, size=10
    )
    hold_seconds = models.PositiveIntegerField(
        _("hold while paying, seconds"), default=300, validators=[MinValueValidator(60), MaxValueValidator(3600)]
    )
    request_deadline_minutes = models.PositiveIntegerField(_("time to answer a request, minutes"), default=24 * 60)
    payment_deadline_minutes = models.PositiveIntegerField(_("time to pay after approval, minutes"), default=120)
    free_cancel_lead_minutes = models.PositiveIntegerField(
        _("free cancellation before the start, minutes"), default=24 * 60
    )
    late_cancel_fee_percent = models.PositiveSmallIntegerField(_("late cancellation fee, percent"), default=100)
    customer_cancel = models.CharField(
        _("customer cancels a confirmed booking"),
        max_length=24, choices=CustomerCancel.choices, default=CustomerCancel.NEVER,
    )  # fmt: skip
    reopen = models.CharField(_("after a cancellation"), max_length=8, choices=Reopen.choices, default=Reopen.AUTO)
    capture = models.CharField(_("taking money"), max_length=10, choices=Capture.choices, default=Capture.AUTO)
    notice_minutes = models.PositiveIntegerField(_("booked no later than, minutes before"), default=0)
    horizon_days = models.PositiveIntegerField(_("booked no earlier than, days before"), default=60)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name, verbose_name_plural = _("club"), _("clubs")
        ordering = ["name", "pk"]
        constraints = [
            models.CheckConstraint(name="club_currency_is_iso4217", condition=Q(currency__regex=r"^[A-Z]{3}$")),
            models.CheckConstraint(name="club_fee_is_a_percentage", condition=Q(late_cancel_fee_percent__lte=100)),
            models.CheckConstraint(
                name="club_hold_is_a_minute_to_an_hour", condition=Q(hold_seconds__range=(60, 3600))
            ),
            models.CheckConstraint(
                name="club_customer_cancel_known",
                condition=Q(customer_cancel__in=["never", "until_cancelation_time", "always_with_fee"]),
            ),
            models.CheckConstraint(name="club_reopen_known", condition=Q(reopen__in=["auto", "manual"])),
            models.CheckConstraint(name="club_capture_known", condition=Q(capture__in=["auto", "one_stage"])),
        ]

    def __str__(self) -> str:
        return self.name


@pghistory.track()
class Area(models.Model):
    """A place that is booked. `exclusive`: one party at a time (court, sunbed); a slope is shared.

    `booked_by` slots: at the times that the club offers. By interval: whenever it is open (`Hours`), from any step of
    `step_minutes` after opening, for `min_minutes` to `max_minutes`, both whole steps. `price_per_hour` in minor units.
    """

    class Kind(models.TextChoices):
        COURT = "court", _("court")
        SUNBED = "sunbed", _("sunbed")
        SLOPE = "slope", _("slope")
        HALL = "hall", _("hall")

    class Mode(models.TextChoices):
        INSTANT = "instant", _("paid and booked at once")
        REQUEST = "request", _("by request, the club approves")

    class BookedBy(models.TextChoices):
        SLOTS = "slots", _("at the times that the club offers")
        INTERVAL = "interval", _("by interval: customers choose start and length")

    club = models.ForeignKey(Club, on_delete=models.PROTECT, related_name="areas", verbose_name=_("club"))
    name = models.CharField(_("name"), max_length=120)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices, default=Kind.COURT)
    location = models.CharField(_("location"), max_length=120, blank=True)
    exclusive = models.BooleanField(_("one party at a time"), default=True)
    mode = models.CharField(_("booking mode"), max_length=10, choices=Mode.choices, default=Mode.INSTANT)
    booked_by = models.CharField(_("is booked"), max_length=8, choices=BookedBy.choices, default=BookedBy.SLOTS)
    step_minutes = models.PositiveSmallIntegerField(_("step, minutes"), null=True, blank=True)
    min_minutes = models.PositiveSmallIntegerField(_("shortest, minutes"), null=True, blank=True)
    max_minutes = models.PositiveSmallIntegerField(_("longest, minutes"), null=True, blank=True)
    price_per_hour = models.BigIntegerField(_("price per hour, minor units"), null=True, blank=True)
    is_active = models.BooleanField(_("offered"), default=True)
    position = models.PositiveSmallIntegerField(_("order"), default=0)
    self_service = models.BooleanField(_("nobody on site"), default=False)
    overdue_rate = models.BigIntegerField(_("fee for staying, an hour"), null=True, blank=True)  # minor units
    overdue_grace_minutes = models.PositiveSmallIntegerField(_("free minutes after the end"), default=15)
    overdue_cap = models.BigIntegerField(_("fee for staying, at most"), null=True, blank=True)  # minor units

    class Meta:
        verbose_name, verbose_name_plural = _("area"), _("areas")
        ordering = ["position", "name", "pk"]
        constraints = [
            models.UniqueConstraint(name="area_club_key", fields=["club", "id"]),
            models.UniqueConstraint(name="area_exclusive_key", fields=["id", "exclusive"]),
            models.UniqueConstraint(name="area_one_name_per_club", fields=["club", "name"]),
            models.CheckConstraint(name="area_kind_known", condition=Q(kind__in=["court", "sunbed", "slope", "hall"])),
            models.CheckConstraint(name="area_mode_known", condition=Q(mode__in=["instant", "request"])),
            models.CheckConstraint(name="area_booked_by_known", condition=Q(booked_by__in=["slots", "interval"])),
            models.CheckConstraint(
                name="area_interval_is_one_party_and_complete",
                condition=Q(booked_by="slots")
                | Q(
                    exclusive=True,
                    step_minutes__isnull=False,
                    min_minutes__isnull=False,
                    max_minutes__isnull=False,
                    price_per_hour__isnull=False,
                ),
            ),
            models.CheckConstraint(
                name="area_interval_lasts_whole_steps",
                condition=Q(step_minutes__range=(5, DAY_MINUTES))  # first: nothing is divided by 0
                & Q(min_minutes__gte=F("step_minutes"))
                & Q(max_minutes__range=(F("min_minutes"), DAY_MINUTES))
                & Q(min_minutes=F("min_minutes") / F("step_minutes") * F("step_minutes"))
                & Q(max_minutes=F("max_minutes") / F("step_minutes") * F("step_minutes")),
            ),
            models.CheckConstraint(name="area_price_not_negative", condition=Q(price_per_hour__gte=0)),
            models.CheckConstraint(
                name="area_overdue_rate_has_a_cap",
                condition=Q(overdue_grace_minutes__lte=DAY_MINUTES)
                & (
                    Q(overdue_rate__isnull=True, overdue_cap__isnull=True)
                    | Q(overdue_rate__range=(1, MOST_OVERDUE), overdue_cap__range=(1, MOST_OVERDUE))
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class Hours(models.Model):
    """A stretch of each week on an area: open, or at a peak price. Weekday 1 is Monday.

    [`starts`, `ends`) are minutes from midnight by the club's clock, 1440 is the next midnight. `price_per_hour`, minor
    units, is a peak's only. What crosses midnight is two rows; rows that touch are one stretch.
    """

    class Kind(models.TextChoices):
        OPEN = "open", _("open")
        PEAK = "peak", _("peak price")

    club = models.ForeignKey(Club, on_delete=models.PROTECT, related_name="+", verbose_name=_("club"))
    area = models.ForeignKey(Area, on_delete=models.PROTECT, related_name="hours", verbose_name=_("area"))
    kind = models.CharField(_("kind"), max_length=4, choices=Kind.choices)
    weekday = models.PositiveSmallIntegerField(_("weekday"))
    starts = models.PositiveSmallIntegerField(_("from, minutes"))
    ends = models.PositiveSmallIntegerField(_("to, minutes"))
    price_per_hour = models.BigIntegerField(_("price per hour, minor units"), null=True)

    class Meta:
        verbose_name, verbose_name_plural = _("hours of an area"), _("hours of areas")
        ordering = ["kind", "weekday", "starts", "pk"]
        constraints = [
            models.CheckConstraint(name="hours_kind_known", condition=Q(kind__in=["open", "peak"])),
            models.CheckConstraint(name="hours_weekday_known", condition=Q(weekday__range=(1, 7))),
            models.CheckConstraint(
                name="hours_within_the_day", condition=Q(starts__gte=0, starts__lt=F("ends"), ends__lte=DAY_MINUTES)
            ),
            models.CheckConstraint(
                name="hours_price_of_a_peak_only",
                condition=Q(kind="open", price_per_hour__isnull=True)
                | Q(kind="peak", price_per_hour__isnull=False, price_per_hour__gte=0),
            ),
            ExclusionConstraint(
                name="hours_no_overlap",
                expressions=[
                    ("area", RangeOperators.EQUAL),
                    ("kind", RangeOperators.EQUAL),
                    ("weekday", RangeOperators.EQUAL),
                    (
                        Func("starts", "ends", function="int4range", output_field=IntegerRangeField()),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.weekday} {self.starts // 60:02}:{self.starts % 60:02}-{self.ends // 60:02}:{self.ends % 60:02}"


@pghistory.track()
class Instructor(models.Model):
    """A person who is booked; one party (or one group) at a time."""

    club = models.ForeignKey(Club, on_delete=models.PROTECT, related_name="instructors", verbose_name=_("club"))
    name = models.CharField(_("name"), max_length=200)
    telegram_id = models.BigIntegerField(null=True, blank=True)
    is_active = models.BooleanField(_("offered"), default=True)

    class Meta:
        verbose_name, verbose_name_plural = _("instructor"), _("instructors")
        ordering = ["name", "pk"]
        constraints = [models.UniqueConstraint(name="instructor_club_key", fields=["club", "id"])]

    def __str__(self) -> str:
        return self.name


@pghistory.track()
class Membership(models.Model):
    """A user's role in a club."""

    class Role(models.TextChoices):
        OWNER = "OWNER", _("owner")
        STAFF = "STAFF", _("staff")

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships", verbose_name=_("user"))
    club = models.ForeignKey(Club, on_delete=models.CASCADE, related_name="memberships", verbose_name=_("club"))
    role = models.CharField(_("role"), max_length=5, choices=Role.choices)

    class Meta:
        verbose_name, verbose_name_plural = _("membership"), _("memberships")
        constraints = [
            models.UniqueConstraint(name="membership_one_role_per_club", fields=["club", "user"]),
            models.CheckConstraint(name="membership_role_known", condition=Q(role__in=["OWNER", "STAFF"])),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_role_display()}"


@pghistory.track(exclude=["digest", "last_used_at"])
class ApiKey(models.Model):
    """A CRM's credential for one club. Only its SHA-256 digest is kept: the key is random, 256 bits, shown once."""

    club = models.ForeignKey(Club, on_delete=models.CASCADE, related_name="api_keys", verbose_name=_("club"))
    name = models.CharField(_("name"), max_length=120)
    prefix = models.CharField(_("begins with"), max_length=16)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=40), default=list, verbose_name=_("scopes"))
    is_test = models.BooleanField(_("test"), default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("API key"), _("API keys")
        constraints = [
            models.CheckConstraint(name="apikey_digest_is_sha256", condition=Q(digest__regex=r"^[0-9a-f]{64}$"))
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


@pghistory.track(
    pghistory.InsertEvent(),
    pghistory.UpdateEvent(),
    pghistory.DeleteEvent(),
    exclude=["sealed", "last_step", "used_at"],
)
class Authenticator(Device):
    """A person's second factor: the application that shows a new code of six digits every half minute (RFC 6238).

    `sealed` is its key, encrypted; `last_step` the half minute whose code was used last: none is taken twice.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="authenticators", verbose_name=_("user"))
    sealed = models.TextField(editable=False)
    last_step = models.BigIntegerField(default=-1, editable=False)
    created_at = models.DateTimeField(_("set up"), auto_now_add=True)
    used_at = models.DateTimeField(_("last used"), null=True)

    class Meta:
        verbose_name, verbose_name_plural = _("second factor"), _("second factors")
        constraints = [models.UniqueConstraint(name="authenticator_one_per_person", fields=["user"])]

    def __str__(self) -> str:
        return str(self.user)


class RecoveryCode(models.Model):
    """A code on paper that stands in for the telephone, once. Only its keyed digest is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="recovery_codes")
    digest = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="recoverycode_one_of_a_kind", fields=["user", "digest"]),
            models.CheckConstraint(name="recoverycode_digest_is_sha256", condition=Q(digest__regex=r"^[0-9a-f]{64}$")),
        ]


@pghistory.track(pghistory.InsertEvent(), pghistory.DeleteEvent(), exclude=["session", "address", "agent", "seen_at"])
class StaffSession(models.Model):
    """Where a person of the staff is signed in. It goes with its session."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="staff_sessions")
    session = models.OneToOneField("sessions.Session", on_delete=models.CASCADE, related_name="+")
    address = models.GenericIPAddressField(null=True)
    agent = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(_("signed in"))
    seen_at = models.DateTimeField(_("last seen"))

    class Meta:
        verbose_name, verbose_name_plural = _("sign-in"), _("sign-ins")
        indexes = [models.Index(name="staffsession_of_person", fields=["user", "-seen_at"])]


class Viewing(models.Model):
    """The platform looked at a club with the eyes of one of its roles, from `started_at` to `ended_at`; it changed nothing."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", verbose_name=_("user"))
    club = models.ForeignKey(Club, on_delete=models.CASCADE, related_name="+", verbose_name=_("club"))
    role = models.CharField(_("role"), max_length=5, choices=Membership.Role.choices)
    started_at = models.DateTimeField(_("from"))
    ended_at = models.DateTimeField(_("to"), null=True)

    class Meta:
        verbose_name, verbose_name_plural = _("view as the club"), _("views as the club")
        constraints = [
            models.CheckConstraint(name="viewing_role_known", condition=Q(role__in=["OWNER", "STAFF"])),
            models.CheckConstraint(
                name="viewing_ends_after_its_start", condition=Q(ended_at=None) | Q(ended_at__gte=F("started_at"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.club}, {self.get_role_display()}"
