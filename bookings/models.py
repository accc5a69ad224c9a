"""Who asked for what, and where that request stands. Transitions here, guards in migrations/0002, services decide."""

from __future__ import annotations

from datetime import datetime

import pghistory
from django.contrib.postgres.fields import DateTimeRangeField
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _
from django_fsm import ConcurrentTransitionMixin, FSMField, transition

from bookings import rules
from bookings.states import ACTIVE, TERMINAL, WAITING, S
from payments.models import new_token
from slots.models import period_of


@pghistory.track(
    exclude=["period", "area_key", "instructor_key", "live_slot", "contact", "visitor", "checkout_key", "token"]
)
class Booking(ConcurrentTransitionMixin, models.Model):
    """A party's right to a slot. Dates are UTC, half-open; `price` is for the whole party, in minor units.

    While it is not finished the database keeps dates and places equal to its slot's; from then on they are its memory.
    `secured_amount` is the money that stands for it, kept by a trigger on payments, frozen when it ends. `raised_price` is a
    higher price of a CONFIRMED booking that waits for its own payment; until then `price` stays.
    """

    class Type(models.TextChoices):
        INDIVIDUAL = "individual", _("individual")
        GROUP = "group", _("group")
        PROGRAM = "program", _("program")

    Status = S

    club = models.ForeignKey("clubs.Club", on_delete=models.PROTECT, related_name="bookings", verbose_name=_("club"))
    token = models.CharField(max_length=32, default=new_token, unique=True, editable=False)
    client = models.ForeignKey(
        "clients.Client", on_delete=models.PROTECT, related_name="bookings", verbose_name=_("client")
    )
    booking_type = models.CharField(_("type"), max_length=10, choices=Type.choices, default=Type.INDIVIDUAL)
    slot = models.ForeignKey("slots.Slot", on_delete=models.PROTECT, related_name="bookings", verbose_name=_("slot"))
    area = models.ForeignKey(
        "clubs.Area", null=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("area")
    )
    instructor = models.ForeignKey(
        "clubs.Instructor", null=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("instructor")
    )
    date_from = models.DateTimeField(_("from"))
    date_to = models.DateTimeField(_("to"))
    period = models.GeneratedField(
        expression=period_of("date_from", "date_to"), output_field=DateTimeRangeField(), db_persist=True
    )
    area_key = models.GeneratedField(
        expression=Coalesce(F("area"), Value(0)), output_field=models.BigIntegerField(), db_persist=True
    )
    instructor_key = models.GeneratedField(
        expression=Coalesce(F("instructor"), Value(0)), output_field=models.BigIntegerField(), db_persist=True
    )
    live_slot = models.GeneratedField(  # what the composite foreign key to the slot's place watches
        expression=Case(When(status__in=ACTIVE, then=F("slot")), default=None),
        output_field=models.BigIntegerField(null=True),
        db_persist=True,
    )
    participants_count = models.PositiveSmallIntegerField(_("participants"), default=1)
    price = models.BigIntegerField(_("price"))
    is_test = models.BooleanField(_("test"), default=False, editable=False)  # by a test key, for test money only
    raised_price = models.BigIntegerField(_("raised price, not paid yet"), null=True, editable=False)
    currency = models.CharField(_("currency"), max_length=3)
    secured_amount = models.BigIntegerField(_("secured"), default=0, editable=False)
    policy = models.JSONField(default=dict, editable=False)
    cancelation_time = models.DateTimeField(_("free cancellation until"), null=True)

    status = FSMField(_("status"), choices=S.choices, default=S.REQUESTED, protected=True, max_length=24)
    expires_at = models.DateTimeField(_("waits until"), null=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    left_at = models.DateTimeField(_("left"), null=True, editable=False)
    is_forced = models.BooleanField(_("closed by force"), default=False, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True)
    reference_id = models.BigIntegerField(_("id in the club's CRM"), null=True)
    checkout_key = models.CharField(max_length=255, null=True, editable=False)
    visitor = models.CharField(max_length=64, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now_add=True, editable=False)  # by trigger
    version = models.PositiveIntegerField(default=1, editable=False)  # by trigger

    class Meta:
        verbose_name, verbose_name_plural = _("booking"), _("bookings")
        indexes = [
            models.Index(fields=["club", "date_from", "id"], name="booking_club_start"),
            models.Index(fields=["club", "-created_at", "-id"], name="booking_club_created"),
            models.Index(fields=["club", "updated_at", "id"], name="booking_club_updated"),
            models.Index(fields=["expires_at"], name="booking_expiry", condition=Q(expires_at__isnull=False)),
            models.Index(fields=["date_to"], name="booking_awaits_close", condition=Q(status=S.CONFIRMED)),
        ]
        constraints = [
            models.CheckConstraint(name="booking_status_known", condition=Q(status__in=S)),
            models.CheckConstraint(name="booking_dates_in_order", condition=Q(date_from__lt=F("date_to"))),
            models.CheckConstraint(name="booking_price_not_negative", condition=Q(price__gte=0)),
            models.CheckConstraint(name="booking_currency_is_iso4217", condition=Q(currency__regex=r"^[A-Z]{3}$")),
            models.CheckConstraint(name="booking_has_participants", condition=Q(participants_count__range=(1, 1000))),
            models.CheckConstraint(
                name="booking_finished_exactly_when_terminal",
                condition=Q(status__in=TERMINAL, finished_at__isnull=False)
                | ~Q(status__in=TERMINAL) & Q(finished_at__isnull=True),
            ),
            models.CheckConstraint(
                name="booking_reason_when_not_held",
                condition=~Q(status__in=[S.CANCELED_BY_CUSTOMER, S.CANCELED_BY_CLUB, S.OTHER]) | ~Q(reason=""),
            ),
            models.CheckConstraint(
                name="booking_waits_until_a_deadline",
                condition=Q(status__in=WAITING, expires_at__isnull=False, expires_at__lte=F("date_from"))
                | ~Q(status__in=WAITING) & Q(expires_at__isnull=True),
            ),
            models.CheckConstraint(
                name="booking_raise_waits_above_the_price",
                condition=Q(raised_price__isnull=True) | Q(status=S.CONFIRMED, raised_price__gt=F("price")),
            ),
            models.CheckConstraint(
                name="booking_forced_says_why",
                condition=Q(is_forced=False) | Q(status__in=[S.SHOWN, S.NOT_SHOWN]) & ~Q(reason=""),
            ),
            models.CheckConstraint(
                name="booking_left_after_it_began",
                condition=Q(left_at__isnull=True) | Q(left_at__gte=F("date_from")),
            ),
            models.UniqueConstraint(name="booking_reference_once", fields=["club", "reference_id"]),
            models.UniqueConstraint(name="booking_one_per_checkout", fields=["club", "checkout_key"]),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.get_status_display()}"

    @transition(field=status, source=S.REQUESTED, target=S.APPROVED)
    def approve(self, *, expires_at: datetime) -> None:
        """The club agrees; the place is held until the payment deadline."""
        self.expires_at = expires_at

    @transition(field=status, source=[S.REQUESTED, S.APPROVED], target=S.CONFIRMED, conditions=[rules.is_secured])
    def confirm(self) -> None:
        """Money is secured; from here on the claims are firm."""
        self.expires_at = None

    @transition(field=status, source=WAITING, target=S.CANCELED_BY_CUSTOMER, permission=rules.is_customer_of)
    def cancel_by_customer(self, *, reason: str, at: datetime) -> None:
        self.reason, self.finished_at, self.expires_at = reason, at, None

    @transition(
        field=status,
        source=S.CONFIRMED,
        target=S.CANCELED_BY_CUSTOMER,
        conditions=[rules.policy_lets_the_customer_cancel],
        permission=rules.is_customer_of,
    )
    def cancel_confirmed_by_customer(self, *, reason: str, at: datetime) -> None:
        """Only where the policy stored with the booking allows it."""
        self.reason, self.finished_at, self.raised_price = reason, at, None

    @transition(field=status, source=ACTIVE, target=S.CANCELED_BY_CLUB, permission=rules.serves_its_club)
    def cancel_by_club(self, *, reason: str, at: datetime) -> None:
        self.reason, self.finished_at, self.expires_at, self.raised_price = reason, at, None, None

    @transition(field=status, source=ACTIVE, target=S.OTHER, permission=rules.serves_its_club)
    def end_otherwise(self, *, reason: str, at: datetime) -> None:
        """Expired, its money left from outside, or any other cause, always named."""
        self.reason, self.finished_at, self.expires_at, self.raised_price = reason, at, None, None

    @transition(field=status, source=S.CONFIRMED, target=S.SHOWN, permission=rules.serves_its_club)
    def close_as_shown(self, *, at: datetime) -> None:
        self.finished_at, self.raised_price = at, None

    @transition(field=status, source=S.CONFIRMED, target=S.NOT_SHOWN, permission=rules.serves_its_club)
    def close_as_not_shown(self, *, at: datetime) -> None:
        self.finished_at, self.raised_price = at, None


@pghistory.track()
class Overdue(models.Model):
    """A fee for staying past the end: one per booking, paid at most once. Amounts in minor units.

    RUNNING: the guest is still there; it grows by `rate` an hour from `counts_from` (UTC), up to `cap`. DUE: they have left,
    and this is what it came to. The terms are those that the booking was made with. A waived fee that nobody had waived by
    hand may run again (the visit was moved on, or the guest had not left after all).
    """

    class State(models.TextChoices):
        RUNNING = "RUNNING", _("running")
        DUE = "DUE", _("to be paid")
        PAID = "PAID", _("paid")
        WAIVED = "WAIVED", _("waived")

    booking = models.OneToOneField(
        Booking, primary_key=True, on_delete=models.PROTECT, related_name="overdue", verbose_name=_("booking")
    )
    club = models.ForeignKey("clubs.Club", on_delete=models.PROTECT, related_name="+", verbose_name=_("club"))
    counts_from = models.DateTimeField(_("counts from"))
    rate = models.BigIntegerField(_("rate, an hour"))
    cap = models.BigIntegerField(_("at most"))
    currency = models.CharField(_("currency"), max_length=3)
    state = models.CharField(_("state"), max_length=7, choices=State.choices, default=State.RUNNING)
    amount = models.BigIntegerField(_("amount"), null=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    settled_at = models.DateTimeField(_("settled"), null=True)

    class Meta:
        verbose_name, verbose_name_plural = _("fee for staying"), _("fees for staying")
        indexes = [models.Index(fields=["club", "-created_at"], name="overdue_club_created")]
        constraints = [
            models.CheckConstraint(
                name="overdue_state_known", condition=Q(state__in=["RUNNING", "DUE", "PAID", "WAIVED"])
            ),
            models.CheckConstraint(name="overdue_has_its_terms", condition=Q(rate__gt=0, cap__gt=0)),
            models.CheckConstraint(
                name="overdue_amount_once_they_have_left",
                condition=Q(state="RUNNING", amount__isnull=True)
                | Q(state__in=["DUE", "PAID"], amount__isnull=False, amount__range=(1, F("cap")))
                | Q(state="WAIVED"),
            ),
            models.CheckConstraint(name="overdue_waived_says_why", condition=~Q(state="WAIVED", reason="")),
            models.CheckConstraint(
                name="overdue_settled_exactly_when_over",
                condition=Q(state__in=["PAID", "WAIVED"], settled_at__isnull=False)
                | Q(state__in=["RUNNING", "DUE"], settled_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.get_state_display()}"


class BookingContact(models.Model):
    """What was typed at checkout: how to reach the party. Made with the hold, before there is a booking."""

    club = models.ForeignKey("clubs.Club", on_delete=models.PROTECT, related_name="+")
    payment = models.OneToOneField("payments.Payment", null=True, on_delete=models.PROTECT, related_name="contact")
    booking = models.OneToOneField(Booking, null=True, on_delete=models.PROTECT, related_name="contact")
    full_name = models.CharField(_("full name"), max_length=200)
    phone = models.CharField(_("phone"), max_length=16)
    email = models.EmailField(_("email"), blank=True)
    birth_date = models.DateField(_("birth date"), null=True)
    language = models.CharField(_("language"), max_length=5, default="ru")

    class Meta:
        verbose_name, verbose_name_plural = _("booking contact"), _("booking contacts")
        indexes = [models.Index(fields=["club", "phone"], name="bookingcontact_club_phone")]
        constraints = [
            models.CheckConstraint(
                name="bookingcontact_of_something", condition=Q(payment__isnull=False) | Q(booking__isnull=False)
            )
        ]

    def __str__(self) -> str:
        return self.full_name


class BookingParticipant(models.Model):
    """A named participant. `position` counts from 0."""

    club = models.ForeignKey("clubs.Club", on_delete=models.PROTECT, related_name="+")
    contact = models.ForeignKey(BookingContact, on_delete=models.CASCADE, related_name="participants")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(_("name"), max_length=200)

    class Meta:
        verbose_name, verbose_name_plural = _("participant"), _("participants")
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(name="bookingparticipant_one_per_position", fields=["contact", "position"])
        ]

    def __str__(self) -> str:
        return self.name
