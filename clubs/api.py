"""Clubs for customers' applications."""

from __future__ import annotations

from typing import Any

from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clubs import selectors
from clubs.callers import ClubApiView
from clubs.models import Area, Instructor
from palms.api import ApiView, AreaOut, InstructorOut, cacheable
from palms.filters import StrictFilterSet
from palms.paging import page


class ClubOut(serializers.Serializer[Any]):
    slug = serializers.CharField()
    name = serializers.CharField()
    timezone = serializers.CharField()
    currency = serializers.CharField()
    address = serializers.CharField()
    phone = serializers.CharField()
    email = serializers.CharField()
    description = serializers.CharField()


class ListClubs(ApiView):
    """The clubs that customers may see, by name; all on one page."""

    def get(self, request: Request) -> Response:
        rows = ClubOut(StrictFilterSet.apply(selectors.public_clubs(), request), many=True).data
        return cacheable({"meta": {"limit": None, "next": None, "previous": None}, "data": rows})


class ClubAreaOut(AreaOut):
    """An area with what a CRM needs to offer it; step and durations, in minutes, of those that are booked by interval."""

    exclusive = serializers.BooleanField()
    mode = serializers.CharField()
    is_active = serializers.BooleanField()
    booked_by = serializers.CharField()
    step = serializers.IntegerField(source="step_minutes")
    min_duration = serializers.IntegerField(source="min_minutes")
    max_duration = serializers.IntegerField(source="max_minutes")
    price_per_hour = serializers.IntegerField()


class ListAreas(ClubApiView):
    """The club's places: what `area_id` may be."""

    scope = "slots"

    def get(self, request: Request) -> Response:
        rows = StrictFilterSet.apply(Area.objects.filter(club=self.caller.club), request)
        found = page(rows, request, by="position")
        return Response(found.answer(ClubAreaOut(found.rows, many=True).data))


class ListInstructors(ClubApiView):
    """The club's instructors: what `instructor_id` may be."""

    scope = "slots"

    def get(self, request: Request) -> Response:
        rows = StrictFilterSet.apply(Instructor.objects.filter(club=self.caller.club), request)
        found = page(rows, request, by="id")
        return Response(found.answer(InstructorOut(found.rows, many=True).data))


urlpatterns = [
    path("clubs", ListClubs.as_view(), name="api-clubs"),
    path("club/areas", ListAreas.as_view(), name="api-club-areas"),
    path("club/instructors", ListInstructors.as_view(), name="api-club-instructors"),
]
