"""What a club's list of bookings can be asked for. Each filter agrees with what the rows then show."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError as FieldError
from django.db.models import F, Q, QuerySet

from bookings.models import BookingContact
from bookings.states import CANCELLED, COMPLETED, WAITING, S
from clients.models import Client
from clients.rules import normal_phone
from palms.errors import ValidationFailed
from palms.filters import MomentFilter, StrictFilterSet, WholeFilter

PHASES: dict[str, tuple[S, ...]] = {  # document C's words
    "pending": WAITING,
    "confirmed": (S.CONFIRMED,),
    "completed": COMPLETED,
    "cancelled": CANCELLED,
}
Rows = QuerySet[Any]  # of Booking, annotated


def phase_of(status: str) -> str:
    return next(phase for phase, statuses in PHASES.items() if status in statuses)


class PhoneField(forms.CharField):
    """A phone in any spelling, read as E.164."""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        try:
            return normal_phone(text) if text else None
        except ValidationFailed as wrong:
            raise FieldError(wrong.facts["errors"]["phone"]) from wrong


class PhoneFilter(django_filters.Filter):
    field_class = PhoneField


class ClubBookingFilters(StrictFilterSet):
    """Over rows of `selectors.bookings_of_club`. Dates are of the start: from `date_from`, before `date_to`."""

    status = django_filters.ChoiceFilter(field_name="shown_status", choices=S.choices)
    phase = django_filters.ChoiceFilter(choices=[(phase, phase) for phase in PHASES], method="in_phase")
    area_id = WholeFilter()
    phone = PhoneFilter(method="of_phone")
    date_from = MomentFilter(field_name="date_from", lookup_expr="gte")
    date_to = MomentFilter(field_name="date_from", lookup_expr="lt")
    reference_id = WholeFilter()
    paid = django_filters.ChoiceFilter(choices=[("true", "true"), ("false", "false")], method="when_paid")
    updated_since = MomentFilter(method="updated_from")

    def in_phase(self, rows: Rows, name: str, phase: str) -> Rows:
        return rows.filter(shown_status__in=PHASES[phase])

    def of_phone(self, rows: Rows, name: str, phone: str) -> Rows:
        """Keep bookings of the client with this phone, and those at whose checkout it was typed."""
        clients = Client.objects.filter(club=self.request.club, phone=phone)
        contacts = BookingContact.objects.filter(club=self.request.club, phone=phone, booking__isnull=False)
        return rows.filter(Q(client__in=clients.values("pk")) | Q(pk__in=contacts.values("booking")))

    def when_paid(self, rows: Rows, name: str, word: str) -> Rows:
        return rows.filter(stands__gte=F("price")) if word == "true" else rows.filter(stands__lt=F("price"))

    def updated_from(self, rows: Rows, name: str, moment: datetime) -> Rows:
        """Keep what has changed since, also by the clock alone. The second condition says the first for the indexes."""
        known = Q(updated_at__gte=moment) | Q(expires_at__gte=moment)
        return rows.filter(known, shown_updated_at__gte=moment)
