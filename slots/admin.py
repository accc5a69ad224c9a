"""Slots in the back office: published, closed and opened through services; claims are only looked at."""

from __future__ import annotations

import re
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
    KeepsClub,
    OwnRelated,
    PalmsAdmin,
    ReadOnlyAdmin,
    ReadOnlyInline,
    ServiceForm,
    actor_of,
    day_and_hours,
    is_platform_admin,
    register_history,
)
from palms.clock import now_utc
from palms.days import ComingFilter
from palms.errors import ValidationFailed
from palms.money import Money, MoneyError
from palms.templatetags.palms import money
from slots import services
from slots.models import LONGEST_MINUTES, Claim, Program, Slot
from slots.offers import MOST_PLACES, Draft
from slots.publishing import publish_slot
from slots.rules import SlotStatus
from slots.selectors import looked_at

DEAREST = 10_000_000
STANDING: dict[SlotStatus, Any] = {
    SlotStatus.PAST: _("has begun"), SlotStatus.CLOSED: _("closed"), SlotStatus.BOOKED: _("nothing free"),
    SlotStatus.AVAILABLE: _("free"),
}  # fmt: skip


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
        draft = Draft(
            area_id=area and area.pk, instructor_id=instructor and instructor.pk, date_from=entered["date_from"],
            date_to=entered["date_to"], price=price, capacity=entered["capacity"], title=entered["title"],
            cancelation_time=entered["cancelation_time"],
        )  # fmt: skip
        outcome = publish_slot(club_id=club.pk, draft=draft, actor=self.actor)
        return Slot.objects.get(pk=outcome.slot_id or 0)


def _by_clock_of(club: Club, moment: datetime | None) -> datetime | None:
    """Return what was typed as a moment of the club's own clock, whatever zone the page was read in."""
    return timezone.localtime(moment).replace(tzinfo=ZoneInfo(club.timezone)) if moment else None


class WeeklyField(forms.CharField):
    """Starts in a week, as "1 18:00, 3 19:30" (Monday is 1); kept as minutes from Monday 00:00."""

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return ", ".join(f"{start // 1440 + 1} {start % 1440 // 60:02}:{start % 60:02}" for start in value)

    def to_python(self, value: Any) -> Any:
        starts = set()
        for part in filter(None, (part.strip() for part in (value or "").split(","))):
            found = re.fullmatch(r"([1-7])\s+([01]?[0-9]|2[0-3]):([0-5][0-9])", part)
            if found is None:
                raise forms.ValidationError(_("Weekday and time: 1 18:00, 3 19:30 (Monday is 1)."))
            day, hour, minute = map(int, found.groups())
            starts.add((day - 1) * 1440 + hour * 60 + minute)
        return sorted(starts)


class ProgramForm(KeepsClub):
    """The price is typed as on the pages, and kept in minor units of the club's currency."""

    price = forms.DecimalField(label=_("price per participant"), min_value=0, max_value=DEAREST, decimal_places=2)
    weekly = WeeklyField(
        label=_("weekly times"), required=False, help_text=_("Weekday and time: 1 18:00, 3 19:30 (Monday is 1).")
    )

    class Meta:
        model = Program
        fields = (
            "club", "name", "description", "sport_type", "area", "instructor", "price", "capacity", "duration_minutes",
            "weekly", "is_active",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["price"] = Money(self.instance.price, self.instance.currency).decimal

    def clean(self) -> dict[str, Any]:
        entered = super().clean() or self.cleaned_data
        club: Club | None = entered.get("club") or getattr(self.instance, "club", None)
        if club is None:
            return entered
        for name in ("area", "instructor"):
            if entered.get(name) is not None and entered[name].club_id != club.pk:
                self.add_error(name, _t("This belongs to another club."))
        if not 1 <= entered.get("capacity", 1) <= MOST_PLACES:
            self.add_error("capacity", _t("From 1 to 1000 places."))
        if not 1 <= entered.get("duration_minutes", 1) <= LONGEST_MINUTES:
            self.add_error("duration_minutes", _("At most 31 days."))
        self.instance.currency = club.currency
        try:
            entered["price"] = Money.parse(entered.get("price", 0), club.currency).amount
        except MoneyError:
            self.add_error("price", _t("This currency has no such part."))
        return entered


@admin.register(Program)
class ProgramAdmin(PalmsAdmin):
    form = ProgramForm
    adds = changes = True
    writers = EVERYBODY
    fixed = ("club",)
    list_display = ("name", "club", "area", "instructor", "cost", "capacity", "is_active")
    list_filter = ("is_active", ("club", OwnRelated))
    list_select_related = ("club", "area", "instructor")
    search_fields = ("name",)

    @admin.display(description=_("price"))
    def cost(self, program: Any) -> str:
        return money(program.price, program.currency)


class ClaimInline(ReadOnlyInline):
    model = Claim
    fields = ("place", "booking", "payment", "held_until", "created_at")
    joined = ("booking", "payment")


@admin.register(Slot)
class SlotAdmin(ReadOnlyAdmin):
    form = SlotForm
    adds = True
    writers = EVERYBODY
    list_display = ("when", "area", "instructor", "title", "cost", "standing", "places", "id", "club")
    list_filter = (ComingFilter, ("area", OwnRelated), "closed", "origin", ("club", OwnRelated))
    list_select_related = ("club", "area", "instructor")
    search_fields = ("=id", "title")
    actions = ("close", "reopen")
    inlines = (ClaimInline,)

    def get_queryset(self, request: HttpRequest) -> Any:
        return looked_at(super().get_queryset(request), now_utc())

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return SlotForm.Meta.fields if obj is None else super().get_fields(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else super().get_readonly_fields(request, obj)

    def get_ordering(self, request: HttpRequest) -> Any:
        """By the clock, which has an index in each club; the platform's admin sees the newest."""
        return ("-pk",) if is_platform_admin(request) else ("date_from", "pk")

    @admin.display(description=_("when"))
    def when(self, slot: Any) -> str:
        return day_and_hours(slot, slot.club)

    @admin.display(description=_("price"))
    def cost(self, slot: Any) -> str:
        return money(slot.price, slot.currency)

    @admin.display(description=_("status"))
    def standing(self, slot: Any) -> Any:
        if slot.date_from <= now_utc():
            return STANDING[SlotStatus.PAST]
        if slot.closed or (slot.is_by_interval and not slot.taken):
            return STANDING[SlotStatus.CLOSED]
        is_full = slot.blocked or slot.taken >= slot.capacity
        return STANDING[SlotStatus.BOOKED if is_full else SlotStatus.AVAILABLE]

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
register_history(Program)
