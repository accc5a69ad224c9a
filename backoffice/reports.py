"""The report of a span of days, for owners: charts, tables beside them, and the same tables as CSV and XLSX."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, ClassVar

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.dates import WEEKDAYS, WEEKDAYS_ABBR
from django.utils.functional import cached_property
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from backoffice.charts import heat_map, money_bars
from backoffice.pages import ClubPage
from backoffice.selectors_reports import PHASE_NAMES, Filled, Report, report
from backoffice.tables import Cell, Table, as_csv, as_xlsx
from bookings.models import Booking
from palms.admin import OWNERS
from palms.clock import local_day, now_utc, to_zone
from palms.money import Money

MOST_DAYS, USUAL_DAYS = 366, 30
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 30)
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PHASE_WORDS = {
    "pending": _("waiting"), "confirmed": _("confirmed, ahead"), "completed": _("visited or missed"),
    "cancelled": _("cancelled"), "none": _("without a booking"),
}  # fmt: skip


class SpanForm(forms.Form):
    """Local days, both included."""

    first = forms.DateField(label=_("from"), widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"))
    last = forms.DateField(label=_("to, included"), widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"))

    def clean(self) -> dict[str, Any]:
        entered = super().clean() or self.cleaned_data
        first, last = entered.get("first"), entered.get("last")
        if first and last and not (FIRST_DAY <= first <= last <= LAST_DAY and (last - first).days < MOST_DAYS):
            raise forms.ValidationError(_t("From one day to a year, the earlier day first."))
        return entered


class ReportPage(ClubPage):
    path, name = "reports/", "reports"
    title = _("Report")
    readers = OWNERS
    template_name = "backoffice/report.html"
    formats: ClassVar[tuple[str, ...]] = ("xlsx", "csv")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        export = request.GET.get("export")
        if export is not None:
            return self._export(export)
        return self.render_to_response(self.get_context_data(), status=200 if self.form.is_valid() else 400)

    @cached_property
    def today(self) -> date:
        return to_zone(now_utc(), self.zone).date()

    @cached_property
    def form(self) -> SpanForm:
        usual = {"first": self.today - timedelta(days=USUAL_DAYS - 1), "last": self.today}
        asked = {name: self.request.GET[name] for name in usual if name in self.request.GET}
        return SpanForm(usual | asked)

    @cached_property
    def span(self) -> tuple[date, date]:
        if self.form.is_valid():
            return self.form.cleaned_data["first"], self.form.cleaned_data["last"]
        return self.today - timedelta(days=USUAL_DAYS - 1), self.today

    @cached_property
    def found(self) -> Report:
        first, last = self.span
        start, end = local_day(first, self.zone)[0], local_day(last, self.zone)[1]
        return report(club=self.club, start=start, end=end, now=now_utc())

    @cached_property
    def tables(self) -> list[Table]:
        return [self._courts(), self._week(), self._hours(), self._outcomes(), self._money(), self._numbers()]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        first, last = self.span
        ours = {day: moved for (day, currency), moved in self.found.money.items() if currency == self.club.currency}
        tables = {table.key: table for table in self.tables}
        shown = {
            "form": self.form, "first": first, "last": last, "tables": tables, "presets": self._presets(),
            "heat": heat_map(self.found.hours, [str(WEEKDAYS_ABBR[day]) for day in range(7)]),
            "bars": money_bars(ours, first, last),
            "bars_net": sum(moved.net for moved in ours.values()),
            "phases": [(phase, PHASE_WORDS[phase]) for phase in PHASE_NAMES],
        }  # fmt: skip
        return super().get_context_data(**shown, **kwargs)

    def _presets(self) -> list[tuple[Any, date, date]]:
        month = self.today.replace(day=1)
        before = month - timedelta(days=1)
        yesterday = self.today - timedelta(days=1)
        return [
            (_t("today"), self.today, self.today),
            (_t("yesterday"), yesterday, yesterday),
            (_t("7 days"), self.today - timedelta(days=6), self.today),
            (_t("this month"), month, self.today),
            (_t("last month"), before.replace(day=1), before),
            (_t("next 7 days"), self.today, self.today + timedelta(days=6)),
            (_t("a year"), self.today - timedelta(days=364), self.today),
        ]

    def _export(self, export: str) -> HttpResponse:
        """XLSX of everything, or CSV of `table`. An unknown format, table or span is 404: links of the page have none."""
        asked = self.request.GET.get("table", "")
        chosen = next((table for table in self.tables if table.key == asked), None) if self.form.is_valid() else None
        if not self.form.is_valid() or export not in self.formats or (export == "csv" and chosen is None):
            raise Http404
        name = f"palms-{self.club.slug}-{self.span[0]}-{self.span[1]}"
        if chosen is not None and export == "csv":
            response = HttpResponse(as_csv(chosen), content_type="text/csv; charset=utf-8")
            name = f"{name}-{chosen.key}"
        else:
            response = HttpResponse(as_xlsx(self.tables), content_type=XLSX)
        response.headers["Content-Disposition"] = f'attachment; filename="{name}.{export}"'
        response.headers["Cache-Control"] = "private, no-store"
        return response

    def _courts(self) -> Table:
        rows = [
            (area.name, *_filled(Filled(area.booked_minutes, area.offered_minutes)))
            for area in self.found.summary.occupancy
        ]
        return Table("courts", _("Occupancy by area"), (_("area"), *FILLED), rows)

    def _week(self) -> Table:
        days = [
            sum((filled for (day, _hour), filled in self.found.hours.items() if day == one), Filled())
            for one in range(1, 8)
        ]
        rows = [(str(WEEKDAYS[place]), *_filled(filled)) for place, filled in enumerate(days)]
        return Table("weekdays", _("Occupancy by weekday"), (_("weekday"), *FILLED), rows)

    def _hours(self) -> Table:
        hours = sorted({hour for (_day, hour), filled in self.found.hours.items() if filled.offered})
        rows: list[tuple[Cell, ...]] = []
        for hour in hours:
            week = [self.found.hours.get((day, hour), Filled()) for day in range(1, 8)]
            rows.append((f"{hour:02d}:00", *(filled.percent for filled in week), sum(week, Filled()).percent))
        columns = (_("hour"), *(WEEKDAYS_ABBR[day] for day in range(7)), _("all, percent"))
        return Table("hours", _("Occupancy by hour and weekday, percent"), columns, rows)

    def _outcomes(self) -> Table:
        counted = self.found.summary.by_status
        every = sum(outcome.bookings for outcome in counted.values())
        status: Any = Booking._meta.get_field("status")
        states = dict(status.flatchoices)
        rows = [
            (str(states[state]), outcome.bookings, outcome.participants, _share(outcome.bookings, every))
            for state, outcome in counted.items()
        ]
        return Table("states", _("What became of bookings"), (_("state"), _("bookings"), _("participants"), "%"), rows)

    def _money(self) -> Table:
        rows: list[tuple[Cell, ...]] = []
        for (day, currency), moved in self.found.money.items():
            parts = [moved.by_phase[phase] for phase in PHASE_NAMES]
            rows.append((day, *(Money(each, currency) for each in (moved.taken, moved.returned, moved.net, *parts))))
        columns = (_("day"), _("taken"), _("returned"), _("net"), *(PHASE_WORDS[phase] for phase in PHASE_NAMES))
        return Table("money", _("Money that moved, by day and by the state of its booking"), columns, rows)

    def _numbers(self) -> Table:
        found, currency = self.found, self.club.currency
        counted = {state: outcome.bookings for state, outcome in found.summary.by_status.items()}
        came = counted["SHOWN"] + counted["NOT_SHOWN"]
        fell = sum(counted[state] for state in ("CANCELED_BY_CUSTOMER", "CANCELED_BY_CLUB", "OTHER"))
        rows: list[tuple[Cell, ...]] = [
            (_t("Cancelled, percent of all"), _share(fell, sum(counted.values()))),
            (_t("Not shown, percent of those that ended"), _share(counted["NOT_SHOWN"], came)),
            (_t("Hold their time and wait for an answer or a payment"), found.waiting[0]),
            (_t("missing with them"), Money(found.waiting[1], currency)),
            (_t("Confirmed or visited, not fully paid"), found.unpaid[0]),
            (_t("missing with those"), Money(found.unpaid[1], currency)),
            (_t("Booked ahead on average, hours"), _hours(found.lead_mean)),
            (_t("Half of them book later than, hours before"), _hours(found.lead_median)),
        ]
        return Table("numbers", _("In short"), (_("what"), _("how much")), rows)


FILLED = (_("booked, hours"), _("offered, hours"), "%")


def _filled(filled: Filled) -> tuple[Cell, Cell, Cell]:
    return round(filled.booked / 60), round(filled.offered / 60), filled.percent


def _share(part: int, whole: int) -> int | None:
    return round(100 * part / whole) if whole else None


def _hours(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds / 3600)
