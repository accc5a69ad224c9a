"""What people say about many slots at once, read into rules. Moments and hours are by the club's clock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from backoffice.season import Band, Season
from clubs.models import Area, Club, Instructor
from palms.money import Money, MoneyError
from slots.models import Slot
from slots.offers import DEAREST, MOST_PLACES

WEEKDAYS = (
    ("1", _("Mon")), ("2", _("Tue")), ("3", _("Wed")), ("4", _("Thu")), ("5", _("Fri")), ("6", _("Sat")), ("7", _("Sun")),
)  # fmt: skip
DAYS = (("", _("no other price")), ("1234567", _("every day")), ("12345", _("Monday to Friday")), ("67", _("weekends")))
BANDS = 3
MOST_DAYS = 731
LONGEST_MINUTES = 24 * 60
RANGE = re.compile(r"(\S+?)\s*[-\u2013\u2014]\s*(\S+)")
LENGTH = re.compile(r"(\d{1,4})(?:\s*(?:min|мин\.?))?\s*[\s=:;\u2013\u2014-]\s*(\d{1,8}(?:[.,]\d{1,2})?)")
EPOCH, LAST_DAY = date(2000, 1, 1), date(2199, 12, 1)


def _time(text: str) -> time:
    if text == "24:00":
        return time()
    return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007  the club's wall clock


def _date(text: str) -> date:
    for pattern in ("%d.%m.%Y", "%Y-%m-%d"):
        try:
            return datetime.strptime(text, pattern).date()  # noqa: DTZ007  a day has no zone
        except ValueError:
            continue
    raise ValueError(text)


class HoursField(forms.TimeField):
    """A wall clock; 24:00 is midnight."""

    widget = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(input_formats=["%H:%M"], **kwargs)

    def to_python(self, value: Any) -> time | None:
        return time() if value == "24:00" else super().to_python(value)


class SpansField(forms.CharField):
    """ "13:00-14:00, 17:00-17:30" as pairs of times."""

    def to_python(self, value: Any) -> Any:
        found = []
        for part in _parts(super().to_python(value)):
            match = RANGE.fullmatch(part)
            try:
                start, end = (_time(text) for text in match.groups()) if match else (time(), time())
            except ValueError:
                start = end = time()
            if start == end:
                raise forms.ValidationError(_("Like this: 13:00-14:00, 17:00-17:30"))
            found.append((start, end))
        return tuple(found)


class DaysField(forms.CharField):
    """ "31.12.2026, 01.01.2027-08.01.2027" as a set of days."""

    def to_python(self, value: Any) -> Any:
        found: set[date] = set()
        for part in _parts(super().to_python(value)):
            match = re.fullmatch(r"(\d{2}\.\d{2}\.\d{4})\s*[-\u2013\u2014]\s*(\d{2}\.\d{2}\.\d{4})", part)
            try:
                first, last = (_date(text) for text in match.groups()) if match else (_date(part), _date(part))
            except ValueError:
                first, last = date.max, date.min
            if not timedelta() <= last - first <= timedelta(days=MOST_DAYS):
                raise forms.ValidationError(_("Like this: 31.12.2026, 01.01.2027-08.01.2027"))
            found |= {first + timedelta(days=number) for number in range((last - first).days + 1)}
        return frozenset(found)


def _parts(text: str | None) -> Iterator[str]:
    return (part.strip() for part in re.split(r"[,;\n]", text or "") if part.strip())


def _day_field(label: Any, **kwargs: Any) -> forms.DateField:
    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    return forms.DateField(label=label, widget=widget, input_formats=["%Y-%m-%d", "%d.%m.%Y"], **kwargs)


def _weekday_field() -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        label=_("weekdays"), choices=WEEKDAYS, initial=list("1234567"), widget=forms.CheckboxSelectMultiple
    )


class OfClub(forms.Form):
    """A form about one club: its areas and people are the choices."""

    first = _day_field(_("first day"))
    last = _day_field(_("last day"))
    weekdays = _weekday_field()

    def __init__(self, *args: Any, club: Club, **kwargs: Any) -> None:
        self.club = club
        super().__init__(*args, **{"label_suffix": ""} | kwargs)
        for field in (self.fields.get("areas"), self.fields.get("instructor")):
            if isinstance(field, forms.ModelChoiceField) and field.queryset is not None:
                field.queryset = field.queryset.filter(club=club)

    def clean(self) -> dict[str, Any]:
        entered = super().clean() or self.cleaned_data
        first, last = entered.get("first"), entered.get("last")
        for name, day in (("first", first), ("last", last)):
            if day and not EPOCH <= day <= LAST_DAY:
                self.add_error(name, _t("This date is too far away."))
        if first and last and not timedelta() <= last - first < timedelta(days=MOST_DAYS):
            self.add_error("last", _t("The last day comes after the first one, within two years."))
        return entered

    def minor(self, name: str, value: Decimal | str | None) -> int | None:
        """Return an amount in minor units; what the currency has not is an error of the field."""
        if value is None:
            return None
        try:
            amount = Money.parse(value, self.club.currency).amount
        except MoneyError:
            self.add_error(name, _t("This currency has no such part."))
            return None
        if amount > DEAREST:
            self.add_error(name, _t("This is too much."))
            return None
        return amount


class SeasonForm(OfClub):
    """The rules of a season. `season()` returns them where the form is valid."""

    areas = forms.ModelMultipleChoiceField(
        label=_("areas"),
        queryset=Area.objects.filter(is_active=True, booked_by=Area.BookedBy.SLOTS),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    instructor = forms.ModelChoiceField(
        label=_("instructor"),
        queryset=Instructor.objects.filter(is_active=True),
        required=False,
        empty_label=_("nobody"),
    )
    opens = HoursField(label=_("opens"), initial=time(8))
    closes = HoursField(label=_("closes"), initial=time(22))
    lengths = forms.CharField(
        label=_("durations and prices"), widget=forms.Textarea(attrs={"rows": 3}), max_length=400, initial="60 1500",
        help_text=_("One in a line: minutes and the price per participant, for example 60 1500"),
    )  # fmt: skip
    step = forms.IntegerField(
        label=_("a new start every, minutes"), required=False, min_value=5, max_value=LONGEST_MINUTES,
        help_text=_("Empty: each begins when the one before has ended."),
    )  # fmt: skip
    breaks = SpansField(label=_("breaks"), required=False, max_length=200, help_text=_("13:00-14:00, 17:00-17:30"))
    holidays = DaysField(
        label=_("closed days"), required=False, max_length=2000, help_text=_("31.12.2026, 01.01.2027-08.01.2027")
    )
    special = DaysField(
        label=_("days at Sunday's price"), required=False, max_length=2000, help_text=_("23.02.2027, 08.03.2027")
    )
    capacity = forms.IntegerField(label=_("places"), min_value=1, max_value=MOST_PLACES, initial=1)
    title = forms.CharField(label=_("title"), max_length=120, required=False)
    sport_type = forms.CharField(label=_("sport"), max_length=40, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for number in range(1, BANDS + 1):
            self.fields[f"band{number}_days"] = forms.ChoiceField(label=_("on"), choices=DAYS, required=False)
            self.fields[f"band{number}_from"] = HoursField(label=_("from"), required=False)
            self.fields[f"band{number}_to"] = HoursField(label=_("to"), required=False)
            self.fields[f"band{number}_price"] = forms.DecimalField(
                label=_("price"), required=False, min_value=0, max_digits=10, decimal_places=2
            )

    def bands(self) -> list[list[forms.BoundField]]:
        """Return the rows of other prices, for the page."""
        parts = ("days", "from", "to", "price")
        return [[self[f"band{number}_{part}"] for part in parts] for number in range(1, BANDS + 1)]

    def clean_lengths(self) -> tuple[tuple[timedelta, int], ...]:
        found: dict[timedelta, int] = {}
        for line in filter(None, (line.strip() for line in self.cleaned_data["lengths"].splitlines())):
            match = LENGTH.fullmatch(line)
            if match is None or not 5 <= int(match[1]) <= LONGEST_MINUTES:
                words = _t("“%(line)s”: minutes (5 to 1440) and a price, for example 60 1500")
                raise forms.ValidationError(words % {"line": line[:60]})
            price = self.minor("lengths", match[2].replace(",", "."))
            found[timedelta(minutes=int(match[1]))] = price or 0
        if not found or len(found) > 6:
            raise forms.ValidationError(_t("From one to six durations."))
        return tuple(found.items())

    def clean(self) -> dict[str, Any]:
        entered = super().clean()
        if not entered.get("areas") and not entered.get("instructor") and "areas" not in self.errors:
            self.add_error("areas", _t("Choose an area, an instructor or both."))
        entered["bands"] = tuple(filter(None, (self._band(number) for number in range(1, BANDS + 1))))
        return entered

    def _band(self, number: int) -> Band | None:
        entered = self.cleaned_data
        days, price = entered.get(f"band{number}_days"), entered.get(f"band{number}_price")
        if not days:
            return None
        if price is None:
            if f"band{number}_price" not in self.errors:
                self.add_error(f"band{number}_price", _t("What does it cost then?"))
            return None
        start, end = entered.get(f"band{number}_from") or time(), entered.get(f"band{number}_to") or None
        amount = self.minor(f"band{number}_price", price)
        return Band(frozenset(map(int, days)), start, end, amount or 0)

    def season(self) -> Season:
        said = self.cleaned_data
        return Season(
            first=said["first"], last=said["last"], weekdays=frozenset(map(int, said["weekdays"])), opens=said["opens"],
            closes=said["closes"], lengths=said["lengths"], step=timedelta(minutes=said["step"]) if said["step"] else None,
            unit=Money.parse(1, self.club.currency).amount, breaks=said["breaks"], holidays=said["holidays"],
            special=said["special"], bands=said["bands"],
        )  # fmt: skip


class ChangeForm(OfClub):
    """Which of the offers that have not begun, and what becomes of them."""

    PRICE, ADD, PERCENT, CLOSE, REOPEN = "price", "add", "percent", "close", "reopen"
    what = forms.ChoiceField(
        label=_("what to do"), widget=forms.RadioSelect, initial=PRICE,
        choices=(
            (PRICE, _("set the price")), (ADD, _("raise or lower the price by an amount")),
            (PERCENT, _("raise or lower the price by per cent")), (CLOSE, _("close: not offered any more")),
            (REOPEN, _("open: offer again")),
        ),
    )  # fmt: skip
    value = forms.DecimalField(
        label=_("price, amount or per cent"), required=False, max_digits=10, decimal_places=2,
        help_text=_("For example 2000, -200 or 10"),
    )  # fmt: skip
    areas = forms.ModelMultipleChoiceField(
        label=_("areas"), queryset=Area.objects.all(), widget=forms.CheckboxSelectMultiple, required=False,
        help_text=_("None chosen: all."),
    )  # fmt: skip
    instructor = forms.ModelChoiceField(
        label=_("instructor"), queryset=Instructor.objects.all(), required=False, empty_label=_("anybody and nobody")
    )
    begins = HoursField(label=_("begins from"), required=False)
    before = HoursField(label=_("begins before"), required=False)

    def clean(self) -> dict[str, Any]:
        entered = super().clean()
        what, value = entered.get("what"), entered.get("value")
        if what in (self.PRICE, self.ADD, self.PERCENT):
            if value is None and "value" not in self.errors:
                self.add_error("value", _t("Say how much."))
            elif what == self.PRICE and value is not None and value < 0:
                self.add_error("value", _t("A price is not below zero."))
            elif what == self.PERCENT and value is not None and not -100 <= value <= 1000:
                self.add_error("value", _t("From -100 to 1000 per cent."))
            elif what != self.PERCENT and value is not None:
                entered["amount"] = self.minor("value", value)
        return entered

    def price_of(self, slot: Slot) -> int:
        """Return the new price of a slot: never below zero nor beyond all bounds; per cents round to whole units."""
        said = self.cleaned_data
        if said["what"] == self.PRICE:
            return int(said["amount"])
        if said["what"] == self.ADD:
            return max(0, min(DEAREST, slot.price + int(said["amount"])))
        unit = Money.parse(1, self.club.currency).amount
        raised = slot.price * (Decimal(100) + said["value"]) / 100
        return max(0, min(DEAREST, int((raised / unit).to_integral_value()) * unit))


class ImportForm(forms.Form):
    file = forms.FileField(label=_("file"), widget=forms.FileInput(attrs={"accept": ".csv,.xlsx"}))


class ExportForm(forms.Form):
    first = _day_field(_("first day"))
    last = _day_field(_("last day"))
    form = forms.ChoiceField(choices=(("xlsx", "Excel"), ("csv", "CSV")), label=_("format"))

    def clean(self) -> dict[str, Any]:
        entered = super().clean() or self.cleaned_data
        first, last = entered.get("first"), entered.get("last")
        if first and last and not (first <= last and first >= EPOCH and last <= LAST_DAY):
            self.add_error("last", _t("The last day comes after the first one, within two years."))
        return entered
