"""Filters of lists: django-filter, with unknown names refused and moments that name their offset."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, TypeVar

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from rest_framework.request import Request

from palms.errors import TimezoneRequired, ValidationFailed

OF_EVERY_LIST = frozenset({"limit", "cursor", "club"})
LOST_PLUS = re.compile(r" (?=[0-9]{2}:?[0-9]{2}$)")  # in an address an unescaped + reads as a space
M = TypeVar("M", bound=Model)


def aware(text: str) -> datetime:
    """Return the moment that ISO 8601 text names. Raises TimezoneRequired, ValueError."""
    moment = parse_datetime(text)
    if moment is None or not 1970 <= moment.year < 2200:
        raise ValueError(text)
    if moment.tzinfo is None:
        raise TimezoneRequired
    return moment


class MomentField(forms.CharField):
    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        try:
            return aware(LOST_PLUS.sub("+", text)) if text else None
        except ValueError as wrong:
            raise ValidationError(_("Not a moment in ISO 8601, for example 2026-11-21T18:00:00+03:00")) from wrong


class MomentFilter(django_filters.Filter):
    """A moment in ISO 8601 with its offset."""

    field_class = MomentField


class WholeField(forms.CharField):
    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return None
        if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) >= 2**63:
            raise ValidationError(_("A whole number"))
        return int(text)


class WholeFilter(django_filters.Filter):
    """An id or a number that is not negative."""

    field_class = WholeField


class StrictFilterSet(django_filters.FilterSet):
    """Filters by the declared names only, each given once. `request.club` is there for choices."""

    @classmethod
    def apply(cls, rows: QuerySet[M], request: Request) -> QuerySet[M]:
        """Return the rows that the query string asks for. Raises ValidationFailed, TimezoneRequired."""
        asked = request.query_params
        filters = cls(data=asked, queryset=rows, request=request)
        errors = {
            name: [_("There is no such filter")] for name in asked if name not in {*filters.filters, *OF_EVERY_LIST}
        }
        errors |= {name: [_("Give it once")] for name in asked if len(asked.getlist(name)) > 1}
        if not filters.is_valid():
            errors |= {name: list(messages) for name, messages in filters.errors.items()}
        if errors:
            raise ValidationFailed(errors=errors)
        return filters.qs
