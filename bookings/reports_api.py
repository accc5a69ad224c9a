"""Reports for a club's CRM and its staff."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.urls import path
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from bookings.reports import summary
from clubs.callers import ClubApiView
from clubs.selectors import zone_of
from palms.api import Day
from palms.clock import local_day, now_utc, to_zone
from palms.errors import ValidationFailed
from palms.filters import OF_EVERY_LIST

MOST_DAYS = 400
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 30)


class SummaryIn(serializers.Serializer[Any]):
    """Days by the club's clock, `date_to` not included."""

    date_from = Day(first=FIRST_DAY, last=LAST_DAY)
    date_to = Day(first=FIRST_DAY, last=LAST_DAY)


class OutcomeOut(serializers.Serializer[Any]):
    bookings = serializers.IntegerField()
    participants = serializers.IntegerField()


class TakingsOut(serializers.Serializer[Any]):
    """Of the bookings in the span, in minor units."""

    currency = serializers.CharField()
    held = serializers.IntegerField()
    captured = serializers.IntegerField()
    returned = serializers.IntegerField()
    owed = serializers.IntegerField()
    kept = serializers.IntegerField()


class OccupancyOut(serializers.Serializer[Any]):
    area_id = serializers.IntegerField()
    name = serializers.CharField()
    booked_minutes = serializers.IntegerField()
    offered_minutes = serializers.IntegerField()


class SummaryOut(serializers.Serializer[Any]):
    by_status = serializers.DictField(child=OutcomeOut())
    by_phase = serializers.DictField(child=OutcomeOut())
    money = TakingsOut(many=True)
    occupancy = OccupancyOut(many=True)


class ShowSummary(ClubApiView):
    """What became of the visits that begin in a span of days, of their money, and of the areas' time."""

    scope = "payments"

    def get(self, request: Request) -> Response:
        first, last = _span(request)
        club, now = self.caller.club, now_utc()
        zone = zone_of(club)
        start, end = local_day(first, zone)[0], local_day(last, zone)[0]
        found = summary(club_id=club.pk, start=start, end=end, now=now)
        ends = {"date_from": start, "date_to": end, "as_of": now}
        meta = {name: to_zone(moment, zone).isoformat() for name, moment in ends.items()}
        return Response({"meta": meta, "data": SummaryOut(found).data})


def _span(request: Request) -> tuple[date, date]:
    """Return [first, last). Raises ValidationFailed."""
    asked = SummaryIn(data=request.query_params)
    unknown = [name for name in request.query_params if name not in {*asked.fields, *OF_EVERY_LIST}]
    if unknown:
        raise ValidationFailed(errors={name: [_("There is no such filter")] for name in unknown})
    asked.is_valid(raise_exception=True)
    first, last = asked.validated_data["date_from"], asked.validated_data["date_to"]
    if not 1 <= (last - first).days <= MOST_DAYS:
        words = _("From 1 to %(most)s days after date_from") % {"most": MOST_DAYS}
        raise ValidationFailed(errors={"date_to": [words]})
    return first, last


urlpatterns = [path("club/reports/summary", ShowSummary.as_view(), name="api-club-summary")]
