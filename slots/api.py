"""What is free at a club on a day, for customers' applications."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clubs.selectors import public_club, zone_of
from palms.api import BIGGEST_ID, ApiView, AreaOut, Day, Moment, SlotOut, StrictIn, cacheable
from palms.clock import now_utc, to_zone
from slots.rules import SlotStatus
from slots.selectors import AreaDay, DayView, OfferView, day_of_club

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 30)


class AvailabilityIn(StrictIn):
    """`duration` in minutes."""

    date = Day(first=FIRST_DAY, last=LAST_DAY)
    area_id = serializers.IntegerField(min_value=1, max_value=BIGGEST_ID, required=False)
    duration = serializers.IntegerField(min_value=1, max_value=366 * 24 * 60, required=False)


class OpeningOut(serializers.Serializer[Any]):
    """A start: the lengths that are free from it are `min_duration`, one step more and so on; `prices` go with them."""

    date_from = Moment(source="start")
    date_to = Moment(source="until")
    is_now = serializers.BooleanField()
    prices = serializers.ListField(child=serializers.IntegerField())


class AreaDayOut(serializers.Serializer[Any]):
    """An area whose customers choose start and length: its rules in minutes, and the free starts of the day."""

    area = AreaOut()
    step = serializers.IntegerField(source="table.step")
    min_duration = serializers.IntegerField(source="table.shortest")
    max_duration = serializers.IntegerField(source="table.longest")
    currency = serializers.SerializerMethodField()
    starts = serializers.SerializerMethodField()

    def get_currency(self, _day: AreaDay) -> str:
        return str(self.context["club"].currency)

    def get_starts(self, day: AreaDay) -> list[dict[str, Any]]:
        minutes = self.context["minutes"]
        free = [one for one in day.openings if minutes in one.lengths or (minutes is None and one.lengths)]
        return list(OpeningOut(free, many=True, context=self.context).data)


class ShowAvailability(ApiView):
    """A local day of a club: what it offers, what is left. What the club withdrew is not shown."""

    def get(self, request: Request, slug: str) -> Response:
        asked = AvailabilityIn(data=request.query_params)
        asked.is_valid(raise_exception=True)
        club = public_club(slug)
        shown = day_of_club(club=club, day=asked.validated_data["date"], now=now_utc())
        offers = [offer for offer in shown.offers if _is_asked_for(offer, asked.validated_data)]
        context = {"zone": zone_of(club), "club": club}
        rows = SlotOut(offers, many=True, context=context).data
        area_id = asked.validated_data.get("area_id")
        chosen = [one for one in shown.by_interval if area_id in (None, one.area.pk)]
        context["minutes"] = asked.validated_data.get("duration")
        intervals = AreaDayOut(chosen, many=True, context=context).data
        return cacheable({"meta": _meta(shown), "data": rows, "intervals": intervals})


def _is_asked_for(offer: OfferView, asked: dict[str, Any]) -> bool:
    slot, area_id, minutes = offer.slot, asked.get("area_id"), asked.get("duration")
    fits = minutes is None or slot.date_to - slot.date_from == timedelta(minutes=minutes)
    return fits and area_id in (None, slot.area_id) and offer.status is not SlotStatus.CLOSED


def _meta(shown: DayView) -> dict[str, Any]:
    """Return the day as it was read: its span, and the next free start where nothing is free on it."""
    zone = zone_of(shown.club)
    free = shown.next_free
    return {
        "club": shown.club.slug,
        "timezone": shown.club.timezone,
        "date": shown.day.isoformat(),
        "date_from": to_zone(shown.start, zone).isoformat(),
        "date_to": to_zone(shown.end, zone).isoformat(),
        "next_free": to_zone(free.slot.date_from, zone).isoformat() if free else None,
    }


urlpatterns = [path("clubs/<slug:slug>/availability", ShowAvailability.as_view(), name="api-availability")]
