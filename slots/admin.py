"""Slots in the back office: published, closed and opened through services; claims are only looked at."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from clubs.models import Club
from palms.admin import (
    EVERYBODY,
    OwnRelated,
    ReadOnlyAdmin,
    ReadOnlyInline,
    ServiceForm,
    actor_of,
    history_inline,
    local,
    register_history,
)
from palms.clock import now_utc
from palms.errors import ValidationFailed
from palms.money import Money, MoneyError
from palms.templatetags.palms import money
from slots import services
from slots.models import Claim, Slot
from slots.rules import SlotStatus
from slots.selectors import looked_at

DEAREST = 10_000_000


class SlotForm(ServiceForm):
    """Publish one slot; moments are typed by the club's clock, the price in roubles (or whatever the club takes)."""

    price = forms.DecimalField(label=_("price per participant"), min_value=0, max_value=DEAREST, decimal_places=2)

    class Meta:
        model = Slot
        fields = (
            "club",
            "area",
            "instructor",
            "title",
            "date_from",
            "date_to",
            "capacity",
            "price",
            "cancelation_time",
        )

    def clean(self) -> dict[str, Any]:
        entered = super().clean() or self.cleaned_data
        club: Club | None = entered.get("club")
        if club is None:
            return entered
        for name in ("date_from", "date_to", "cancelation_time"):
            entered[name] = _by_clock_of(club, entered.get(name))
        for name, wrong in self._problems(club, entered):
            self.add_error(name, wrong)
        return entered

    def _problems(self, club: Club, entered: dict[str, Any]) -> list[tuple[str, str]]:
        start, end, free_until = (entered.get(name) for name in ("date_from", "date_to", "cancelation_time"))
        wrong: list[tuple[str, str]] = []
        for name in ("area", "instructor"):
            if entered.get(name) is not None and entered[name].club_id != club.pk:
                wrong.append((name, _t("This belongs to another club.")))
        if entered.get("area") is None and entered.get("instructor") is None and not self.errors:
            wrong.append(("area", _t("Choose an area, an instructor or both.")))
        if start and end and not start < end:
            wrong.append(("date_to", _t("The end must be after the beginning.")))
        if any(moment and not 1971 <= moment.year <= 2198 for moment in (start, end)):
            wrong.append(("date_from", _t("This date is too far away.")))
        if free_until and start and free_until > start:
            wrong.append(("cancelation_time", _t("Free cancellation cannot last longer than the beginning.")))
        if not 1 <= entered.get("capacity", 1) <= 1000:
            wrong.append(("capacity", _t("From 1 to 1000 places.")))
        return wrong

    def act(self) -> Slot:
        entered = self.cleaned_data
        club, area, instructor = entered["club"], entered["area"], entered["instructor"]
        try:
            price = Money.parse(entered["price"], club.currency).amount
        except MoneyError:
            raise ValidationFailed(errors={"price": [_t("This currency has no such part.")]}) from None
        return services.publish_slot(
            club_id=club.pk, area_id=area and area.pk, instructor_id=instructor and instructor.pk,
            date_from=entered["date_from"], date_to=entered["date_to"], price=price, currency=club.currency,
            actor=self.actor, capacity=entered["capacity"], title=entered["title"],
            cancelation_time=entered["cancelation_time"],
        )  # fmt: skip


def _by_clock_of(club: Club, moment: datetime | None) -> datetime | None:
    """Return what was typed as a moment of the club's own clock, whatever zone the page was read in."""
    return timezone.localtime(moment).replace(tzinfo=ZoneInfo(club.timezone)) if moment else None


class ClaimInline(ReadOnlyInline):
    model = Claim
    fields = ("place", "booking", "payment", "held_until", "created_at")
    joined = ("booking", "payment")


@admin.register(Slot)
class SlotAdmin(ReadOnlyAdmin):
    form = SlotForm
    adds = True
    writers = EVERYBODY
    list_display = ("id", "starts", "ends", "area", "instructor", "title", "cost", "standing", "places", "club")
    list_filter = ("closed", "origin", ("area", OwnRelated), ("club", OwnRelated))
    list_select_related = ("club", "area", "instructor")
    search_fields = ("=id", "title")
    actions = ("close", "reopen")
    inlines = (ClaimInline, history_inline(Slot, "closed", "price", "capacity", "date_from", "date_to"))

    def get_queryset(self, request: HttpRequest) -> Any:
        return looked_at(super().get_queryset(request), now_utc())

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return SlotForm.Meta.fields if obj is None else super().get_fields(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else super().get_readonly_fields(request, obj)

    @admin.display(description=_("from"))
    def starts(self, slot: Any) -> str:
        return local(slot.date_from, slot.club)

    @admin.display(description=_("to"))
    def ends(self, slot: Any) -> str:
        return local(slot.date_to, slot.club)

    @admin.display(description=_("price"))
    def cost(self, slot: Any) -> str:
        return money(slot.price, slot.currency)

    @admin.display(description=_("status"))
    def standing(self, slot: Any) -> str:
        if slot.date_from <= now_utc():
            return SlotStatus.PAST
        if slot.closed:
            return SlotStatus.CLOSED
        return SlotStatus.BOOKED if slot.blocked or slot.taken >= slot.capacity else SlotStatus.AVAILABLE

    @admin.display(description=_("taken"))
    def places(self, slot: Any) -> str:
        return f"{slot.taken} / {slot.capacity}"

    @admin.action(description=_("Close: not offered any more"), permissions=["serve"])
    def close(self, request: HttpRequest, queryset: Any) -> None:
        self._set_closed(request, queryset, closed=True)

    @admin.action(description=_("Open: offer again"), permissions=["serve"])
    def reopen(self, request: HttpRequest, queryset: Any) -> None:
        self._set_closed(request, queryset, closed=False)

    def _set_closed(self, request: HttpRequest, queryset: Any, *, closed: bool) -> None:
        actor = actor_of(request)
        done = _t("Closed") if closed else _t("Opened")
        self.each(request, queryset, lambda pk: services.set_closed(slot_id=pk, closed=closed, actor=actor), done)


@admin.register(Claim)
class ClaimAdmin(ReadOnlyAdmin):
    list_display = ("id", "slot", "place", "area", "held_until", "booking_id", "payment_id")
    list_select_related = ("slot", "area")


register_history(Slot)
