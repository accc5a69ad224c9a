"""Clients for a club's CRM and its staff."""

from __future__ import annotations

import re
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clients.models import Client
from clients.rules import normal_phone
from clubs.callers import ClubApiView
from palms.errors import ValidationFailed
from palms.filters import StrictFilterSet
from palms.paging import page

LOST_PLUS = re.compile(r"^ (?=[1-9])")  # in an address an unescaped + reads as a space


class UserOut(serializers.Serializer[Any]):
    """A's User."""

    id = serializers.IntegerField()
    name = serializers.CharField(source="full_name")
    phone_number = serializers.CharField(source="phone")


class ClubClientOut(UserOut):
    email = serializers.CharField()


class PhoneField(forms.Field):
    """A phone in any spelling, as E.164."""

    def to_python(self, value: Any) -> Any:
        try:
            return None if value is None else normal_phone(LOST_PLUS.sub("+", value))
        except ValidationFailed as wrong:
            raise ValidationError(wrong.facts["errors"]["phone"]) from wrong


class PhoneFilter(django_filters.Filter):
    field_class = PhoneField


class ClientFilters(StrictFilterSet):
    phone = PhoneFilter()


class ListClients(ClubApiView):
    """The club's clients by id, or the one with `?phone=`."""

    scope = "clients"

    def get(self, request: Request) -> Response:
        rows = ClientFilters.apply(Client.objects.filter(club=self.caller.club), request)
        found = page(rows, request, by="id")
        return Response(found.answer(ClubClientOut(found.rows, many=True).data))


urlpatterns = [path("club/clients", ListClients.as_view(), name="api-club-clients")]
