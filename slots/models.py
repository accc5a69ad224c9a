"""What can be taken, when, and by which claim it is taken. Claims are the only source of occupancy."""

from __future__ import annotations

import pghistory
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, RangeOperators
from django.contrib.postgres.indexes import GistIndex
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

LONGEST_MINUTES = 31 * 24 * 60
MADE = ("interval", "move")  # origins of slots that are made for somebody and offered to nobody


def period_of(start: str, end: str) -> Func:
    """Return the database expression of the half-open span between two columns."""
    return Func(F(start), F(end), Value("[)"), function="tstzrange", output_field=DateTimeRangeField())


@pghistory.track()
class Program(models.Model):
    """A template of a training, from which group slots are made; what a slot says itself counts before it.

    `price` is per participant, in minor units. `weekly` are the starts in a week, in minutes from Monday 00:00 by the
    club's clock.
    """

    club = models.ForeignKey("clubs.Club", on_delete=models.PROTECT, related_name="programs", verbose_name=_("club"))
    name = models.CharField(_("name"), max_length=120)
    description = models.TextField(_("description"), blank=True)
    sport_type = models.CharField(_("sport"), max_length=40, blank=True)
    area = models.ForeignKey(
        "clubs.Area", null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("area")
    )
    instructor = models.ForeignKey(
        "clubs.Instructor",
        null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("instructor"),
    )  # fmt: skip
    price = models.BigIntegerField(_("price per participant, minor units"))
    currency = models.CharField(_("currency"), max_length=3, default="RUB")
    capacity = models.PositiveSmallIntegerField(_("places"), default=1)
    duration_minutes = models.PositiveIntegerField(_("lasts, minutes"))
    weekly = ArrayField(models.PositiveSmallIntegerField(), default=list, blank=True, verbose_name=_("weekly times"))
    is_active = models.BooleanField(_("offered"), default=True)

    class Meta:
        verbose_name, verbose_name_plural = _("program"), _("programs")
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(name="program_club_key", fields=["club", "id"]),
            models.UniqueConstraint(name="program_one_name_per_club", fields=["club", "name"]),
            models.CheckConstraint(name="program_has_places", condition=Q(capacity__range=(1, 1000))),
            models.CheckConstraint(name="program_price_not_negative", condition=Q(price__gte=0)),
            models.CheckConstraint(name="program_currency_is_iso4217", condition=Q(currency__regex=r"^[A-Z]{3}$")),
            models.CheckConstraint(
                name="program_lasts_a_month_at_most", condition=Q(duration_minutes__range=(1, LONGEST_MINUTES))
            ),
        ]

    def __str__(self) -> str:
        return self.name


@pghistory.track(exclude=["period", "area_key", "instructor_key", "version"])
class Slot(models.Model):
    """An offer of an area, an instructor or both over [date_from, date_to), UTC. It never stores "held" or "booked".

    `price` is per participant, in minor units. `closed` is the club's intention. Its status is computed from claims.
    One of an interval is made with its first claim and used again for the same interval.
    """

    class Origin(models.TextChoices):
        PUBLISHED = "published", _("published")
        PROGRAM = "program", _("program")
        INTERVAL = "interval", _("interval")
        MOVE = "move", _("made by a move")
        BLOCK = "block", _("blocked by the club")

    club = models.ForeignKey("clubs.Club", on_delete=models.PROTECT, related_name="slots", verbose_name=_("club"))
    area = models.ForeignKey(
        "clubs.Area", null=True, blank=True, on_delete=models.PROTECT, related_name="slots", verbose_name=_("area")
    )
    instructor = models.ForeignKey(
        "clubs.Instructor",
        null=True, blank=True, on_delete=models.PROTECT, related_name="slots", verbose_name=_("instructor"),
    )  # fmt: skip
    program = models.ForeignKey(
        Program, null=True, blank=True, on_delete=models.PROTECT, related_name="slots", verbose_name=_("program")
    )
    title = models.CharField(_("title"), max_length=120, blank=True)
    sport_type = models.CharField(_("sport"), max_length=40, blank=True)
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
    exclusive = models.BooleanField(_("one party at a time"), default=True, editable=False)
    capacity = models.PositiveSmallIntegerField(_("places"), default=1)
    price = models.BigIntegerField(_("price per participant, minor units"))
    currency = models.CharField(_("currency"), max_length=3, default="RUB")
    cancelation_time = models.DateTimeField(_("free cancellation until"), null=True, blank=True)
    closed = models.BooleanField(_("closed"), default=False)
    origin = models.CharField(_("origin"), max_length=10, choices=Origin.choices, default=Origin.PUBLISHED)
    reference_id = models.BigIntegerField(_("id in the club's CRM"), null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now_add=True, editable=False)  # by trigger
    version = models.PositiveIntegerField(default=1, editable=False)  # by trigger

    class Meta:
        verbose_name, verbose_name_plural = _("slot"), _("slots")
        indexes = [
            models.Index(fields=["club", "date_from", "id"], name="slot_club_start"),
            models.Index(fields=["club", "updated_at", "id"], name="slot_club_changed"),
        ]
        constraints = [
            models.CheckConstraint(
                name="slot_dates_in_order",
                condition=Q(
                    date_from__lt=F("date_to"), date_from__gt="1970-01-01T00:00Z", date_to__lt="2200-01-01T00:00Z"
                ),
            ),
            models.CheckConstraint(
                name="slot_has_area_or_instructor", condition=Q(area__isnull=False) | Q(instructor__isnull=False)
            ),
            models.CheckConstraint(
                name="slot_exclusive_only_with_area", condition=Q(area__isnull=False) | Q(exclusive=False)
            ),
            models.CheckConstraint(name="slot_has_places", condition=Q(capacity__range=(1, 1000))),
            models.CheckConstraint(name="slot_price_not_negative", condition=Q(price__gte=0)),
            models.CheckConstraint(name="slot_currency_is_iso4217", condition=Q(currency__regex=r"^[A-Z]{3}$")),
            models.CheckConstraint(
                name="slot_origin_known", condition=Q(origin__in=["published", "program", "interval", "move", "block"])
            ),
            models.CheckConstraint(name="slot_block_is_not_offered", condition=~Q(origin="block") | Q(closed=True)),
            models.CheckConstraint(
                name="slot_cancelation_before_start",
                condition=Q(cancelation_time__isnull=True) | Q(cancelation_time__lte=F("date_from")),
            ),
            models.UniqueConstraint(name="slot_reference_once", fields=["club", "reference_id"]),
            models.UniqueConstraint(
                name="slot_offered_once",
                fields=["area_key", "instructor_key", "date_from", "date_to"],
                condition=Q(closed=False) & ~Q(origin__in=MADE),
            ),
            models.UniqueConstraint(
                name="slot_made_once", fields=["area", "date_from", "date_to"], condition=Q(origin="interval")
            ),
            models.CheckConstraint(
                name="slot_by_interval_is_one_party",
                condition=~Q(origin="interval")
                | Q(area__isnull=False, instructor__isnull=True, program__isnull=True, capacity=1, closed=False),
            ),
            models.UniqueConstraint(name="slot_club_key", fields=["club", "id"]),
            models.UniqueConstraint(name="slot_place_key", fields=["id", "area_key", "instructor_key", "period"]),
            models.UniqueConstraint(name="slot_capacity_key", fields=["id", "exclusive", "capacity"]),
        ]

    def __str__(self) -> str:
        return f"{self.date_from:%Y-%m-%d %H:%M}"

    @property
    def is_by_interval(self) -> bool:
        """Made for a party that chose its start and length: nobody else is offered it."""
        return self.origin == self.Origin.INTERVAL


class Claim(models.Model):
    """One place of one slot, taken: for good, or until `held_until`. `period` is the slot's [start, end) in UTC.

    Area, instructor, period, exclusive and capacity are copies of the slot's, held true by composite foreign keys
    (migration 0002). It belongs to exactly one owner: a payment before there is a booking, a booking, or the club itself.
    """

    club = models.ForeignKey("clubs.Club", on_delete=models.PROTECT, related_name="+")
    slot = models.ForeignKey(Slot, on_delete=models.PROTECT, related_name="claims")
    place = models.PositiveSmallIntegerField()
    area = models.ForeignKey("clubs.Area", null=True, on_delete=models.PROTECT, related_name="+")
    instructor = models.ForeignKey("clubs.Instructor", null=True, on_delete=models.PROTECT, related_name="+")
    area_key = models.GeneratedField(
        expression=Coalesce(F("area"), Value(0)), output_field=models.BigIntegerField(), db_persist=True
    )
    instructor_key = models.GeneratedField(
        expression=Coalesce(F("instructor"), Value(0)), output_field=models.BigIntegerField(), db_persist=True
    )
    exclusive = models.BooleanField()
    capacity = models.PositiveSmallIntegerField()
    period = DateTimeRangeField()
    held_until = models.DateTimeField(null=True)  # NULL: firm
    payment = models.ForeignKey("payments.Payment", null=True, on_delete=models.PROTECT, related_name="claims")
    booking = models.ForeignKey("bookings.Booking", null=True, on_delete=models.PROTECT, related_name="claims")
    is_block = models.BooleanField(default=False)  # the club keeps the place for itself
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name, verbose_name_plural = _("claim"), _("claims")
        indexes = [
            GistIndex(fields=["club", "period"], name="claim_club_period"),
            models.Index(fields=["held_until"], name="claim_held_until", condition=Q(held_until__isnull=False)),
        ]
        constraints = [
            models.UniqueConstraint(name="claim_one_party_per_place", fields=["slot", "place"]),
            models.CheckConstraint(
                name="claim_place_within_capacity", condition=Q(place__gte=0, place__lt=F("capacity"))
            ),
            models.CheckConstraint(
                name="claim_one_owner",
                condition=Q(payment__isnull=False, booking__isnull=True, is_block=False)
                | Q(payment__isnull=True, booking__isnull=False, is_block=False)
                | Q(payment__isnull=True, booking__isnull=True, is_block=True),
            ),
            models.CheckConstraint(
                name="claim_of_a_payment_is_held", condition=Q(payment__isnull=True) | Q(held_until__isnull=False)
            ),
            models.CheckConstraint(
                name="claim_of_a_block_is_firm", condition=Q(is_block=False) | Q(held_until__isnull=True)
            ),
            models.CheckConstraint(
                name="claim_period_is_a_span",
                condition=Q(
                    period__isempty=False,
                    period__lower_inc=True,
                    period__upper_inc=False,
                    period__lower_inf=False,
                    period__upper_inf=False,
                ),
            ),
            ExclusionConstraint(
                name="claim_no_overlap_on_area",
                expressions=[
                    ("area", RangeOperators.EQUAL),
                    ("period", RangeOperators.OVERLAPS),
                    ("slot", RangeOperators.NOT_EQUAL),
                ],
                condition=Q(exclusive=True),
            ),
            ExclusionConstraint(
                name="claim_no_overlap_on_instructor",
                expressions=[
                    ("instructor", RangeOperators.EQUAL),
                    ("period", RangeOperators.OVERLAPS),
                    ("slot", RangeOperators.NOT_EQUAL),
                ],
                condition=Q(instructor__isnull=False),  # or its index is taken for counting the claims of a slot
            ),
        ]

    def __str__(self) -> str:
        return f"{self.slot_id}/{self.place}"
