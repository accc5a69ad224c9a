"""Clubs for customers' applications."""

from __future__ import annotations

from typing import Any

from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clubs import selectors
from palms.api import ApiView, cacheable


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
        rows = ClubOut(selectors.public_clubs(), many=True).data
        return cacheable({"meta": {"limit": None, "next": None, "previous": None}, "data": rows})


urlpatterns = [path("clubs", ListClubs.as_view(), name="api-clubs")]
