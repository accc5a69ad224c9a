"""How the staff narrow the list of bookings, and find one by whatever they have heard on the phone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Exists, F, OuterRef, Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from bookings.models import BookingContact
from bookings.states import CANCELLED, COMPLETED, WAITING, S
from clients.selectors import clients_matching, number_in, phone_in
from palms.clock import now_utc
from palms.days import Choice, Rows, clubs_seen
from payments.models import Payment, Refund

MOST_FOUND = 500  # clients that one search goes through
PHASES: dict[str, Any] = {
    "pending": _("pending"), "confirmed": _("confirmed"), "late": _("to be closed"), "completed": _("completed"),
    "cancelled": _("cancelled"),
}  # fmt: skip


class PhaseFilter(Choice):
    title, parameter_name = _("phase"), "phase"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return PHASES.items()

    def apply(self, request: HttpRequest, rows: Rows, value: str) -> Rows:
        now = now_utc()
        found = {
            "pending": Q(status__in=WAITING, expires_at__gt=now),
            "confirmed": Q(status=S.CONFIRMED),
            "late": Q(status=S.CONFIRMED, date_to__lte=now),
            "completed": Q(status__in=COMPLETED),
            "cancelled": Q(status__in=CANCELLED) | Q(expires_at__lte=now),
        }.get(value)
        return rows if found is None else rows.filter(found)


class MoneyFilter(Choice):
    title, parameter_name = _("payment"), "money"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return (
            ("paid", _("paid")), ("due", _("to be paid")), ("raised", _("raised price is not paid")),
            ("held", _("held on the card")), ("returning", _("goes back")), ("owed", _("to be handed back on site")),
            ("trouble", _("trouble")),
        )  # fmt: skip

    def apply(self, request: HttpRequest, rows: Rows, value: str) -> Rows:
        payments = Payment.objects.filter(booking=OuterRef("pk"))
        refunds = Refund.objects.filter(payment__booking=OuterRef("pk"), state=Refund.State.INTENDED)
        found = {
            "paid": Q(secured_amount__gte=F("price"), price__gt=0),
            "due": Q(status__in=WAITING, expires_at__gt=now_utc(), secured_amount__lt=F("price")),
            "raised": Q(raised_price__isnull=False),
            "held": Exists(payments.filter(status=Payment.Status.AUTHORIZED)),
            "returning": Exists(refunds.filter(account__isnull=False)),
            "owed": Exists(refunds.filter(account__isnull=True)),
            "trouble": Exists(payments.exclude(trouble="")),
        }.get(value)
        return rows if found is None else rows.filter(found)


class ClientFilter(Choice):
    """All bookings of one client: offered by links only."""

    title, parameter_name = _("client"), "client"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        asked = request.GET.get("client", "")
        return [(asked, _("chosen client"))] if number_in(asked) is not None else []

    def has_output(self) -> bool:
        return bool(self.lookup_choices)

    def apply(self, request: HttpRequest, rows: Rows, value: str) -> Rows:
        client_id = number_in(value)
        return rows.none() if client_id is None else rows.filter(client_id=client_id)


def found_by(request: HttpRequest, rows: Rows, text: str) -> Rows:
    """Return the bookings that a search means: a phone in any spelling, an id or the CRM's id, words of the name."""
    text, club_ids = text.strip()[:200], list(clubs_seen(request))
    if not text:
        return rows
    number, phone = number_in(text), phone_in(text)
    if number is not None and phone is None:
        found = Q(pk=number) | Q(reference_id=number, club_id__in=club_ids)
        if len(text) < 4:  # too short for the end of a phone
            return rows.filter(found)
    else:
        found = Q(pk__in=[])
    clients = clients_matching(text, club_ids=club_ids).order_by("pk").values_list("pk", flat=True)[:MOST_FOUND]
    found |= Q(client_id__in=list(clients))
    if phone is not None:
        contacts = BookingContact.objects.filter(club_id__in=club_ids, phone=phone, booking__isnull=False)
        found |= Q(pk__in=contacts.values("booking"))
    return rows.filter(found)
