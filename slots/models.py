"""What can be taken, when, and by which claim it is taken. Claims are the only source of occupancy."""

from __future__ import annotations

import pghistory
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.contrib.postgres.indexes import GistIndex
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _


def period_of(start: str, end: str) -> Func:
    """Return the database expression of the half-open span between two columns."""
    return Func(F(start), F(end), Value("[)"), function="tstzrange", output_field=DateTimeRangeField())


@pghistory.track(exclude=["period", "area_key", "instructor_key"])
class Slot(models.Model):
    """An offer of an area, an instructor or both over [date_from, date_to), UTC. It never stores "held" or "booked".

    `price` is per participant, in minor units. `closed` is the club's intention. Its status is computed from claims.
    """

    class Origin(models.TextChoices):
        PUBLISHED = "published", _("published")
        PROGRAM = "program", _("program")
        INTERVAL = "interval", _("interval")
        MOVE = "move", _("made by a move")

    club = models.ForeignKey("clubs.Club", on_delete=models.PROTECT, related_name="slots", verbose_name=_("club"))
    area = models.ForeignKey(
        "clubs.Area", null=True, blank=True, on_delete=models.PROTECT, related_name="slots", verbose_name=_("area")
    )
    instructor = models.ForeignKey(
        "clubs.Instructor",
        null=True, blank=True, on_delete=models.PROTECT, related_name="slots", verbose_name=_("instructor"),
    )  # fmt: skip
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
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name, verbose_name_plural = _("slot"), _("slots")
        indexes = [models.Index(fields=["club", "date_from", "id"], name="slot_club_start")]
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
                name="slot_origin_known", condition=Q(origin__in=["published", "program", "interval", "move"])
            ),
            models.CheckConstraint(
                name="slot_cancelation_before_start",
                condition=Q(cancelation_time__isnull=True) | Q(cancelation_time__lte=F("date_from")),
            ),
            models.UniqueConstraint(name="slot_reference_once", fields=["club", "reference_id"]),
            models.UniqueConstraint(
                name="slot_offered_once",
                fields=["area_key", "instructor_key", "date_from", "date_to"],
                condition=Q(closed=False) & ~Q(origin="move"),
            ),
            models.UniqueConstraint(name="slot_club_key", fields=["club", "id"]),
            models.UniqueConstraint(name="slot_place_key", fields=["id", "area_key", "instructor_key", "period"]),
            models.UniqueConstraint(name="slot_capacity_key", fields=["id", "exclusive", "capacity"]),
        ]

    def __str__(self) -> str:
        return f"{self.date_from:%Y-%m-%d %H:%M}"


class Claim(models.Model):
    """One place of one slot, taken: for good, or until `held_until`. `period` is the slot's [start, end) in UTC.

    Area, instructor, period, exclusive and capacity are copies of the slot's, held true by composite foreign keys
    (migration 0002). It belongs to exactly one owner: a payment before there is a booking, or a booking.
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
                condition=Q(payment__isnull=False, booking__isnull=True)
                | Q(payment__isnull=True, booking__isnull=False),
            ),
            models.CheckConstraint(
                name="claim_of_a_payment_is_held", condition=Q(payment__isnull=True) | Q(held_until__isnull=False)
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
            ),
        ]

    def __str__(self) -> str:
        return f"{self.slot_id}/{self.place}"
