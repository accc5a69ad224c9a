"""The form of a place in the back office: hours and prices as people write them, and what must go together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from clubs import hours, services
from clubs.models import DAY_MINUTES, Area, Club, Hours
from palms.admin import KeepsClub
from palms.errors import DomainError, ValidationFailed
from palms.money import Money, MoneyError

PRICES = ("price_per_hour", "overdue_rate", "overdue_cap")
HOURS_HELP = _("One line for each: weekdays (Monday is 1) and hours by the club's clock, such as 1-5 08:00-22:00.")
PEAKS_HELP = _("The same with a price per hour at the end: 6-7 12:00-17:00 800. Other hours cost the usual price.")


class AreaForm(KeepsClub):
    """Hours and peak prices are typed in lines; prices as on the pages, kept in minor units of the club's currency."""

    price_per_hour = forms.DecimalField(
        label=_("price per hour"), min_value=0, max_value=10_000_000, decimal_places=2, required=False
    )
    overdue_rate = forms.DecimalField(
        label=_("fee for staying, an hour"), min_value=0, max_value=10_000_000, decimal_places=2, required=False,
        help_text=_("Empty: staying past the end costs nothing."),
    )  # fmt: skip
    overdue_cap = forms.DecimalField(
        label=_("fee for staying, at most"), min_value=0, max_value=10_000_000, decimal_places=2, required=False
    )
    open = forms.CharField(
        label=_("opening hours"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 4}),
        help_text=HOURS_HELP,
    )  # fmt: skip
    peak = forms.CharField(
        label=_("peak prices"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 4}),
        help_text=PEAKS_HELP,
    )  # fmt: skip
    stretches: list[hours.Stretch]

    class Meta:
        model = Area
        fields = (
            "club", "name", "kind", "location", "exclusive", "mode", "is_active", "position", "booked_by", "step_minutes",
            "min_minutes", "max_minutes", "price_per_hour", "self_service", "overdue_rate", "overdue_grace_minutes",
            "overdue_cap",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            rows, currency = list(self.instance.hours.all()), self.instance.club.currency
            for kind in Hours.Kind:
                self.initial[str(kind)] = hours.written((row for row in rows if row.kind == kind), currency)
            for name in PRICES:
                if (amount := getattr(self.instance, name)) is not None:
                    self.initial[name] = Money(amount, currency).decimal

    def clean_exclusive(self) -> bool:
        wanted: bool = self.cleaned_data["exclusive"]
        if self.instance.pk and wanted:
            try:
                services.check_exclusive(area_id=self.instance.pk, exclusive=wanted)
            except DomainError as refusal:
                raise forms.ValidationError(str(refusal)) from refusal
        return wanted

    def clean(self) -> dict[str, Any]:
        entered = super().clean() or self.cleaned_data
        club: Club | None = entered.get("club") or getattr(self.instance, "club", None)
        if club is not None:
            self._read_prices(entered, club.currency)
        by_interval = entered.get("booked_by") == Area.BookedBy.INTERVAL
        for name, words in (*_wrong_interval(entered, by_interval=by_interval), *_wrong_overdue(entered)):
            if name not in self.errors:
                self.add_error(name, words)
        return entered

    def _read_prices(self, entered: dict[str, Any], currency: str) -> None:
        self.stretches = []
        for kind in Hours.Kind:
            try:
                self.stretches += hours.read(entered.get(str(kind)) or "", kind=kind, currency=currency)
            except ValidationFailed as refusal:
                self.add_error(str(kind), refusal.facts["errors"][kind])
        for name in PRICES:
            if entered.get(name) is not None:
                try:
                    entered[name] = Money.parse(entered[name], currency).amount
                except MoneyError:
                    self.add_error(name, _t("This currency has no such part."))


def _wrong_interval(entered: dict[str, Any], *, by_interval: bool) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with steps and lengths, and what an area booked by interval lacks."""
    if by_interval:
        due = ("step_minutes", "min_minutes", "max_minutes", "price_per_hour", "open")
        yield from (
            (name, _t("An area booked by interval needs it.")) for name in due if entered.get(name) in (None, "")
        )
        if not entered.get("exclusive"):
            yield "exclusive", _t("An area booked by interval is for one party at a time.")
    step, shortest, longest = (entered.get(name) for name in ("step_minutes", "min_minutes", "max_minutes"))
    if step is not None and not 5 <= step <= DAY_MINUTES:
        yield "step_minutes", _t("From 5 minutes to a day.")
        return
    for name, length in (("min_minutes", shortest), ("max_minutes", longest)):
        if length is not None and not (step or 1) <= length <= DAY_MINUTES:
            yield name, _t("From one step to a day.")
        elif length is not None and step and length % step:
            yield name, _t("A whole number of steps.")
    if shortest is not None and longest is not None and longest < shortest:
        yield "max_minutes", _t("Not less than the shortest.")


def _wrong_overdue(entered: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the fee for staying: both its parts or none, and nothing of nothing."""
    given = {name: entered.get(name) for name in ("overdue_rate", "overdue_cap")}
    for name, amount in given.items():
        if amount is None and any(each is not None for each in given.values()):
            yield name, _t("A rate and the most that it can come to go together.")
        elif amount == 0:
            yield name, _t("More than nothing; empty where staying is free.")
