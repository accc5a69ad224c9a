"""Bookings in the back office: everything is seen, nothing is edited, every step is a service's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from bookings import services
from bookings.models import Booking, BookingContact, BookingParticipant
from bookings.states import S
from notifications.models import Notification
from palms.actors import Actor
from palms.admin import (
    MOST_AT_ONCE,
    OwnRelated,
    ReadOnlyAdmin,
    ReadOnlyInline,
    actor_of,
    history_inline,
    is_platform_admin,
    local,
    register_history,
)
from palms.errors import ValidationFailed
from palms.money import Money, MoneyError
from palms.templatetags.palms import money
from payments.models import Payment, Refund
from slots.models import Claim

MOST = 10_000_000


class StepForm(forms.Form):
    """What a step asks for before it is taken."""

    def take(self, booking: Booking, actor: Actor) -> None:
        raise NotImplementedError


def _minor(entered: Any, booking: Booking) -> int:
    try:
        return Money.parse(entered, booking.currency).amount
    except MoneyError:
        raise ValidationFailed(errors={"amount": [_t("This currency has no such part.")]}) from None


class ReasonForm(StepForm):
    reason = forms.CharField(label=_("reason"), max_length=500, help_text=_("The customer may read it."))

    def take(self, booking: Booking, actor: Actor) -> None:
        services.cancel_by_club(booking_id=booking.pk, actor=actor, reason=self.cleaned_data["reason"])


class ChargeForm(StepForm):
    outcome = ""
    charge = forms.ChoiceField(
        label=_("charge"), widget=forms.RadioSelect,
        choices=[("full", _("in full")), ("none", _("nothing")), ("amount", _("this amount"))],
    )  # fmt: skip
    amount = forms.DecimalField(label=_("amount"), required=False, min_value=0, max_value=MOST, decimal_places=2)

    def clean(self) -> dict[str, Any]:
        entered = super().clean() or self.cleaned_data
        if entered.get("charge") == "amount" and entered.get("amount") is None and not self.errors:
            self.add_error("amount", _t("Enter how much to charge."))
        return entered

    def take(self, booking: Booking, actor: Actor) -> None:
        charge = self.cleaned_data["charge"]
        wanted: str | int = _minor(self.cleaned_data["amount"], booking) if charge == "amount" else charge
        services.close(booking_id=booking.pk, actor=actor, outcome=self.outcome, charge=wanted)


class ShownForm(ChargeForm):
    outcome = S.SHOWN

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("charge", "full")


class NotShownForm(ChargeForm):
    outcome = S.NOT_SHOWN


class OnSiteForm(StepForm):
    amount = forms.DecimalField(
        label=_("amount"), required=False, min_value=0, max_value=MOST, decimal_places=2,
        help_text=_("Empty: what is still to be paid."),
    )  # fmt: skip

    def take(self, booking: Booking, actor: Actor) -> None:
        entered = self.cleaned_data["amount"]
        amount = None if entered is None else _minor(entered, booking)
        services.record_payment_on_site(booking_id=booking.pk, actor=actor, amount=amount)


class PaymentInline(ReadOnlyInline):
    model = Payment
    fields = ("created_at", "provider", "amount", "captured", "refunded", "status", "decision", "keep", "trouble")


class ClaimInline(ReadOnlyInline):
    model = Claim
    fields = ("slot", "place", "area", "instructor", "held_until")
    joined = ("slot", "area", "instructor")


class NotificationInline(ReadOnlyInline):
    model = Notification
    fields = ("created_at", "event", "channel", "recipient", "state", "sent_at", "error")


class ContactInline(ReadOnlyInline):
    model = BookingContact
    fields = ("full_name", "phone", "email", "birth_date", "language")


class ParticipantInline(ReadOnlyInline):
    model = BookingParticipant
    fields = ("position", "name")


@admin.register(Booking)
class BookingAdmin(ReadOnlyAdmin):
    list_display = ("id", "starts", "club", "area", "instructor", "client", "cost", "status", "expires", "reason")
    list_filter = ("status", ("area", OwnRelated), ("club", OwnRelated))
    list_select_related = ("club", "area", "instructor", "client")
    search_fields = ("=id", "client__full_name", "client__phone", "=reference_id")
    actions = ("approve", "cancel_by_club", "close_shown", "close_not_shown", "record_on_site")
    computed = ("refunds",)
    inlines = (
        PaymentInline, ClaimInline, ContactInline, NotificationInline,
        history_inline(Booking, "status", "price", "secured_amount", "date_from", "reason"),
    )  # fmt: skip

    def get_ordering(self, request: HttpRequest) -> Any:
        """Newest first, by the index each viewer has: all of the table, or a club's part of it."""
        return ("-pk",) if is_platform_admin(request) else ("-created_at", "-pk")

    def change_view(self, request: HttpRequest, object_id: Any, form_url: str = "", extra_context: Any = None) -> Any:
        steps = [(name, words) for _step, name, words in self.get_actions(request).values()]
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "steps": steps})

    @admin.display(description=_("from"))
    def starts(self, booking: Any) -> str:
        return local(booking.date_from, booking.club)

    @admin.display(description=_("waits until"))
    def expires(self, booking: Any) -> str:
        return local(booking.expires_at, booking.club)

    @admin.display(description=_("price"))
    def cost(self, booking: Any) -> str:
        return money(booking.price, booking.currency)

    @admin.display(description=_("refunds"))
    def refunds(self, booking: Any) -> str:
        rows = Refund.objects.filter(payment__booking=booking).order_by("pk")
        shown = [
            (local(r.created_at, booking.club), money(r.amount, booking.currency), r.cause, r.get_state_display())
            for r in rows
        ]
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{} · {} · {} · {}</li>", shown)) if shown else "-"

    @admin.action(description=_("Approve"), permissions=["serve"])
    def approve(self, request: HttpRequest, queryset: Any) -> None:
        actor = actor_of(request)
        self.each(request, queryset, lambda pk: services.approve(booking_id=pk, actor=actor), _t("Approved"))

    @admin.action(description=_("Cancel on behalf of the club"), permissions=["serve"])
    def cancel_by_club(self, request: HttpRequest, queryset: Any) -> Any:
        return self._ask(request, queryset, ReasonForm, "cancel_by_club")

    @admin.action(description=_("Close: they came"), permissions=["serve"])
    def close_shown(self, request: HttpRequest, queryset: Any) -> Any:
        return self._ask(request, queryset, ShownForm, "close_shown")

    @admin.action(description=_("Close: they did not come"), permissions=["serve"])
    def close_not_shown(self, request: HttpRequest, queryset: Any) -> Any:
        return self._ask(request, queryset, NotShownForm, "close_not_shown")

    @admin.action(description=_("Record a payment on site"), permissions=["serve"])
    def record_on_site(self, request: HttpRequest, queryset: Any) -> Any:
        return self._ask(request, queryset, OnSiteForm, "record_on_site")

    def _ask(self, request: HttpRequest, queryset: Any, form_class: type[StepForm], action: str) -> Any:
        """Ask what the step needs on a page of its own, then take it on every chosen booking."""
        title = str(self.get_actions(request)[action][2])
        form = form_class(request.POST if "apply" in request.POST else None)
        if form.is_valid():
            actor = actor_of(request)
            self.each(request, queryset, self._step(form, actor), title)
            return None
        chosen = list(queryset.order_by("pk").select_related(*self.list_select_related)[:MOST_AT_ONCE])
        lines = [f"{b.pk}: {self.starts(b)}, {b.client}, {self.cost(b)}, {b.get_status_display()}" for b in chosen]
        context = {
            **self.admin_site.each_context(request), "title": title, "opts": self.opts, "form": form, "lines": lines,
            "ids": [b.pk for b in chosen], "action": action,
        }  # fmt: skip
        return TemplateResponse(request, "admin/step.html", context)

    def _step(self, form: StepForm, actor: Actor) -> Callable[[int], None]:
        return lambda pk: form.take(Booking.objects.get(pk=pk), actor)


@admin.register(BookingContact)
class BookingContactAdmin(ReadOnlyAdmin):
    list_display = ("id", "full_name", "phone", "email", "booking_id", "payment_id", "club")
    list_select_related = ("club",)
    list_filter = (("club", OwnRelated),)
    inlines = (ParticipantInline,)


@admin.register(BookingParticipant)
class BookingParticipantAdmin(ReadOnlyAdmin):
    list_display = ("id", "name", "position", "contact")
    list_select_related = ("contact",)


register_history(Booking)
