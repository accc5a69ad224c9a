"""Bookings in the back office: everything is seen, nothing is edited, every step is a service's."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models.fields import BLANK_CHOICE_DASH
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from access.selectors import last_grant, last_opening, trouble_of
from bookings import services, steps
from bookings.desk import DANGEROUS, chip, refunds_of, steps_open, sums_of, word_of
from bookings.filters import ClientFilter, MoneyFilter, PhaseFilter, found_by
from bookings.history import history_of
from bookings.models import Booking, BookingContact, BookingParticipant, Overdue
from bookings.rules import fee_now
from clients.selectors import is_blocked
from notifications.models import Notification
from palms.admin import (
    OwnRelated,
    ReadOnlyAdmin,
    ReadOnlyInline,
    actor_of,
    day_and_hours,
    is_platform_admin,
    local,
    register_history,
)
from palms.clock import now_utc
from palms.days import WhenFilter, clubs_seen
from palms.steps import AsksFirst
from palms.templatetags.palms import money
from payments.models import Payment
from slots.models import Claim

FOR_MANY = frozenset({"", "approve", "cancel_by_club", "close_shown", "close_not_shown"})


class OverdueInline(ReadOnlyInline):
    model = Overdue
    fields = ("state", "amount", "counts_from", "rate", "cap", "reason", "settled_at")


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
class BookingAdmin(AsksFirst, ReadOnlyAdmin):
    change_form_outer_after_template = None  # its page tells more: the money, the letters and the door codes too
    list_display = ("when", "where", "who", "state", "cost", "number")
    list_filter = (
        WhenFilter, PhaseFilter, "status", ("area", OwnRelated), MoneyFilter, ClientFilter, ("club", OwnRelated),
    )  # fmt: skip
    list_select_related = ("club", "area", "instructor", "client")
    search_fields = ("pk",)  # so that the theme shows the box; `found_by` searches
    search_help_text = _("Phone in any spelling or its last digits, name, number of the booking, id in the CRM")
    actions = (
        "approve", "record_on_site", "close_shown", "close_not_shown", "move", "edit", "refund_part", "hand_back",
        "give_code", "take_code", "guest_left", "fee_on_site", "waive_fee", "complete", "force_complete", "cancel_by_club",
        "end_otherwise",
    )  # fmt: skip
    inlines = (
        PaymentInline, OverdueInline, ClaimInline, ContactInline, NotificationInline,
    )  # fmt: skip

    def get_ordering(self, request: HttpRequest) -> Any:
        """By the visit where days are asked for; else newest first, by the index each viewer has."""
        if request.GET.get("when") or request.GET.get("phase") == "late":
            return ("date_from", "pk")
        return ("-pk",) if is_platform_admin(request) else ("-created_at", "-pk")

    def get_list_display(self, request: HttpRequest) -> Any:
        """Name the club where the viewer has several."""
        columns = super().get_list_display(request)
        return (*columns, "club") if len(clubs_seen(request)) > 1 else columns

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> Any:
        if request.path.endswith("/autocomplete/"):
            return super().get_search_results(request, queryset, search_term)
        return found_by(request, queryset, search_term), False

    def get_action_choices(self, request: HttpRequest, default_choices: Any = BLANK_CHOICE_DASH) -> Any:
        """Offer for many at once what makes sense for many; a booking's own page offers the rest."""
        choices = super().get_action_choices(request, default_choices)
        return choices if request.method == "POST" else [one for one in choices if one[0] in FOR_MANY]

    def change_view(self, request: HttpRequest, object_id: Any, form_url: str = "", extra_context: Any = None) -> Any:
        booking = self.get_object(request, unquote(object_id))
        return super().change_view(
            request, object_id, form_url, {**(extra_context or {}), **self._sheet(request, booking)}
        )

    def _sheet(self, request: HttpRequest, booking: Any) -> dict[str, Any]:
        now, payments = now_utc(), list(booking.payments.order_by("pk"))
        refunds, grant = refunds_of(booking), last_grant(booking.pk)
        sums = sums_of(booking, payments, refunds, now)
        open_now = steps_open(booking, payments, sums.owed, now)
        steps = [
            (name, words, name in DANGEROUS)
            for _step, name, words in self.get_actions(request).values()
            if name in open_now
        ]
        return {
            "steps": steps, "sums": sums, "chip": chip(word_of(booking, now)), "moments": history_of(booking),
            "booking": booking, "contact": BookingContact.objects.filter(booking=booking).first(),
            "door": grant, "door_trouble": trouble_of(grant),
            "is_blocked": is_blocked(booking.client_id), "title": _t("Booking %(id)d") % {"id": booking.pk},
            "subtitle": None,
        }  # fmt: skip

    def line(self, row: Any) -> str:
        place = row.area or row.instructor
        return f"{row.pk}: {local(row.date_from, row.club)}, {place}, {row.client}, {self.cost(row)}, {row.get_status_display()}"

    def facts(self, row: Any) -> list[tuple[Any, str]]:
        payments = list(row.payments.order_by("pk"))
        sums = sums_of(row, payments, refunds_of(row), now_utc())
        shown: list[tuple[Any, int]] = [
            (_("price"), sums.price), (_("secured"), sum(p.standing for p in payments)), (_("to be paid"), sums.due),
            (_("to be handed back on site"), sums.owed),
        ]  # fmt: skip
        facts = [(words, money(amount, row.currency)) for words, amount in shown if amount]
        opened = last_opening(row.pk)  # a hint to when the guest was there
        return facts if opened is None else [*facts, (_("code opened last"), local(opened, row.club))]

    @admin.display(description=_("when"))
    def when(self, booking: Any) -> str:
        return day_and_hours(booking, booking.club)

    @admin.display(description=_("where"))
    def where(self, booking: Any) -> str:
        return str(booking.area or booking.instructor)

    @admin.display(description=_("client"))
    def who(self, booking: Any) -> str:
        return format_html('{}<br><span class="desk-quiet">{}</span>', booking.client.full_name, booking.client.phone)

    @admin.display(description=_("status"))
    def state(self, booking: Any) -> str:
        return chip(word_of(booking, now_utc()))

    @admin.display(description=_("price"))
    def cost(self, booking: Any) -> str:
        return money(booking.price, booking.currency)

    @admin.display(description=_("number"))
    def number(self, booking: Any) -> str:
        return f"{booking.pk} / {booking.reference_id}" if booking.reference_id is not None else str(booking.pk)

    @admin.action(description=_("Approve"), permissions=["serve"])
    def approve(self, request: HttpRequest, queryset: Any) -> Any:
        actor = actor_of(request)

        def step(pk: int, provided: Any) -> None:
            services.approve(booking_id=pk, actor=actor, provided=provided)

        return self.at_once(request, queryset, step, _t("Approved"))

    @admin.action(description=_("Cancel on behalf of the club"), permissions=["serve"])
    def cancel_by_club(self, request: HttpRequest, queryset: Any) -> Any:
        return self.ask(request, queryset, steps.CancelForm, "cancel_by_club")

    @admin.action(description=_("Close: they came"), permissions=["serve"])
    def close_shown(self, request: HttpRequest, queryset: Any) -> Any:
        return self.ask(request, queryset, steps.ShownForm, "close_shown")

    @admin.action(description=_("Close: they did not come"), permissions=["serve"])
    def close_not_shown(self, request: HttpRequest, queryset: Any) -> Any:
        return self.ask(request, queryset, steps.NotShownForm, "close_not_shown")

    @admin.action(description=_("Record a payment on site"), permissions=["serve"])
    def record_on_site(self, request: HttpRequest, queryset: Any) -> Any:
        return self.ask(request, queryset, steps.OnSiteForm, "record_on_site")

    @admin.action(description=_("Move"), permissions=["serve"])
    def move(self, request: HttpRequest, queryset: Any) -> Any:
        return self.ask(request, queryset, steps.MoveForm, "move")

    @admin.action(description=_("Change area or price"), permissions=["serve"])
    def edit(self, request: HttpRequest, queryset: Any) -> Any:
        return self.ask(request, queryset, steps.EditForm, "edit")

    @admin.action(description=_("Send part of the money back"), permissions=["serve"])
    def refund_part(self, request: HttpRequest, queryset: Any) -> Any:
        return self.ask(request, queryset, steps.RefundPartForm, "refund_part")

    @admin.action(description=_("Money was handed back on site"), permissions=["serve"])
    def hand_back(self, request: HttpRequest, queryset: Any) -> Any:
        return self.ask(request, queryset, steps.HandBackForm, "hand_back")

    @admin.action(description=_("Give a door code"), permissions=["serve"])
    def give_code(self, request: HttpRequest, queryset: Any) -> Any:
        return self.ask(request, queryset, steps.GiveCodeForm, "give_code")

    @admin.action(description=_("Take the door code back"), permissions=["serve"])
    def take_code(self, request: HttpRequest, queryset: Any) -> Any:
        return self.ask(request, queryset, steps.TakeCodeForm, "take_code")

    @admin.action(description=_("The guest has left"), permissions=["serve"])
    def guest_left(self, request: HttpRequest, queryset: Any) -> Any:
        return self.ask(request, queryset, steps.LeftForm, "guest_left")

    @admin.action(description=_("The fee for staying was paid on site"), permissions=["serve"])
    def fee_on_site(self, request: HttpRequest, queryset: Any) -> Any:
        actor = actor_of(request)

        def step(pk: int, provided: Any) -> None:
            services.record_fee_on_site(booking_id=pk, actor=actor, provided=provided)

        return self.at_once(request, queryset, step, _t("Recorded"))

    @admin.action(description=_("Waive the fee for staying"), permissions=["serve"])
    def waive_fee(self, request: HttpRequest, queryset: Any) -> Any:
        return self.ask(request, queryset, steps.WaiveForm, "waive_fee")

    @admin.action(description=_("Complete the visit"), permissions=["serve"])
    def complete(self, request: HttpRequest, queryset: Any) -> Any:
        actor = actor_of(request)

        def step(pk: int, provided: Any) -> None:
            services.try_complete_booking(booking_id=pk, actor=actor)

        return self.at_once(request, queryset, step, _t("Completed"))

    @admin.action(description=_("Complete the visit by force"), permissions=["serve"])
    def force_complete(self, request: HttpRequest, queryset: Any) -> Any:
        return self.ask(request, queryset, steps.ForceForm, "force_complete")

    @admin.action(description=_("End for another reason"), permissions=["serve"])
    def end_otherwise(self, request: HttpRequest, queryset: Any) -> Any:
        return self.ask(request, queryset, steps.EndForm, "end_otherwise")


@admin.register(Overdue)
class OverdueAdmin(ReadOnlyAdmin):
    list_display = ("pk", "club", "state", "sum", "since", "reason")
    list_filter = ("state", ("club", OwnRelated))
    list_select_related = ("club",)

    @admin.display(description=_("amount"))
    def sum(self, fee: Any) -> str:
        return money(fee_now(fee, now_utc()), fee.currency)

    @admin.display(description=_("counts from"))
    def since(self, fee: Any) -> str:
        return local(fee.counts_from, fee.club)


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
register_history(Overdue)
