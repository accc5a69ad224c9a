"""Many slots at once: a season, a change, a file; and the page of long work, which any reload finds where it is."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from typing import Any

from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.http import urlencode
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from backoffice import previews, sheets
from backoffice.errors import FileRefused
from backoffice.forms_slots import DAYS, ChangeForm, ExportForm, ImportForm, OfClub, SeasonForm
from backoffice.importing import COLUMNS, NEEDED, header_of, row_of
from backoffice.models import Job
from backoffice.pages import ClubPage
from backoffice.selectors_slots import latest_jobs, published
from backoffice.services.jobs import cancel_job, start_job
from clubs.models import Area, Club, Instructor
from palms.clock import now_utc, to_zone
from palms.errors import DomainError, ValidationFailed

MOST_EXPORTED = 50_000
ALL_WEEK, MONTH = "1234567", timedelta(days=30)
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def job_page(job: Job) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:job", args=[job.pk]))


class SlotTools(ClubPage):
    """What can be done with many slots, and what was done lately."""

    path, name, title = "desk/slots/", "slot-tools", _("Season and prices")
    template_name = "backoffice/slots.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        today = to_zone(now_utc(), self.zone).date()
        export = ExportForm(initial={"first": today, "last": today + MONTH}, label_suffix="")
        return super().get_context_data(
            jobs=latest_jobs(self.club), export=export,
            is_empty=not Area.objects.filter(club=self.club).exists()
            and not Instructor.objects.filter(club=self.club).exists(), **kwargs,
        )  # fmt: skip


class RulesPage(ClubPage):
    """A form whose answer is the preview of a job. `draft` keeps the job."""

    form_class: type[OfClub]
    form: Form | None = None

    def draft(self, form: Any) -> Job:
        raise NotImplementedError

    def post(self, request: HttpRequest) -> HttpResponse:
        form = self.form = self.form_class(request.POST, club=self.club)
        if form.is_valid():
            try:
                return job_page(self.draft(form))
            except ValidationFailed as refusal:
                for name, texts in refusal.facts["errors"].items():
                    form.add_error(name if name in form.fields else None, texts)
        return self.render_to_response(self.get_context_data())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = self.form or self.form_class(self._typed_before(), club=self.club, initial=self._initial())
        return super().get_context_data(form=form, **kwargs)

    def _initial(self) -> dict[str, Any]:
        today = to_zone(now_utc(), self.zone).date()
        return {"first": today, "last": today, "weekdays": list(ALL_WEEK)}

    def _typed_before(self) -> QueryDict | None:
        """Return what a preview was made from (`?from=`), to be corrected."""
        asked = self.request.GET.get("from", "")
        job = job_of(self.clubs, asked)
        if job is None or job.club_id != self.club.pk or "form" not in job.preview:
            return None
        typed = QueryDict(mutable=True)
        for name, values in job.preview["form"].items():
            typed.setlist(name, values)
        return typed


class SeasonPage(RulesPage):
    path, name, title = "desk/slots/season/", "slot-season", _("Generate a season")
    template_name, form_class = "backoffice/season.html", SeasonForm

    def draft(self, form: SeasonForm) -> Job:
        return previews.draft_season(self.club, form, self.actor)

    def _initial(self) -> dict[str, Any]:
        areas = Area.objects.filter(club=self.club, is_active=True, booked_by=Area.BookedBy.SLOTS)
        return super()._initial() | {"areas": list(areas.values_list("pk", flat=True)[:100])}


class ChangePage(RulesPage):
    path, name, title = "desk/slots/change/", "slot-change", _("Change prices, close or open many slots")
    template_name, form_class = "backoffice/change.html", ChangeForm

    def draft(self, form: ChangeForm) -> Job:
        return previews.draft_change(self.club, form, self.actor)

    def _initial(self) -> dict[str, Any]:
        """A month from today; `?weekdays=67` chooses some days of it."""
        first = super()._initial()
        asked = [day for day in self.request.GET.get("weekdays", "") if day in ALL_WEEK]
        return first | {"last": first["first"] + MONTH, "weekdays": asked or list(ALL_WEEK)}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(presets=[(days, words) for days, words in DAYS if days], **kwargs)


class ImportPage(ClubPage):
    path, name, title = "desk/slots/import/", "slot-import", _("Import slots from a file")
    template_name = "backoffice/import.html"
    form: ImportForm | None = None
    preview: dict[str, Any] | None = None

    def post(self, request: HttpRequest) -> HttpResponse:
        form = self.form = ImportForm(request.POST, request.FILES, label_suffix="")
        if form.is_valid():
            file = form.cleaned_data["file"]
            try:
                content = file.read(sheets.MOST_BYTES + 1)
                return job_page(previews.draft_import(self.club, file.name, content, self.actor))
            except FileRefused as refusal:
                self.preview = getattr(refusal, "preview", None)
                form.add_error("file", refusal.words)
        return self.render_to_response(self.get_context_data())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        columns = [{"label": _t(label), "needed": name in NEEDED} for name, (label, _others) in COLUMNS.items()]
        limits = {"rows": sheets.MOST_ROWS, "megabytes": sheets.MOST_BYTES // 1_000_000}
        form = self.form or ImportForm(label_suffix="")
        return super().get_context_data(form=form, preview=self.preview, columns=columns, limits=limits, **kwargs)


class ExportPage(ClubPage):
    """The offers of some days as a file: what is exported can be imported."""

    path, name, title = "desk/slots/export/", "slot-export", _("Export slots")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form = ExportForm(request.GET)
        if not form.is_valid():
            return HttpResponseRedirect(reverse("admin:slot-tools"))
        said, header = form.cleaned_data, header_of()
        slots = published(self.club, said["first"], said["last"]).iterator(chunk_size=2000)
        rows = (row_of(slot, self.zone) for slot in islice(slots, MOST_EXPORTED))
        name = f"slots-{self.club.slug}-{said['first']:%Y%m%d}-{said['last']:%Y%m%d}.{said['form']}"
        response: HttpResponseBase
        if said["form"] == "xlsx":
            response = HttpResponse(sheets.xlsx(header, rows, title=_t("Slots")), content_type=XLSX)
        else:
            response = StreamingHttpResponse(sheets.csv_lines(header, rows), content_type="text/csv; charset=utf-8")
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


class TemplateFile(ClubPage):
    """An empty table with the right columns, to begin with."""

    path, name, title = "desk/slots/import/template.xlsx", "slot-template", _("Template")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = HttpResponse(sheets.xlsx(header_of(), [], title=_t("Slots")), content_type=XLSX)
        response.headers["Content-Disposition"] = 'attachment; filename="slots.xlsx"'
        return response


def job_of(clubs: list[Club], asked: object) -> Job | None:
    """Return a job of one of these clubs by what an address says."""
    text = str(asked)
    if not text.isdecimal() or len(text) > 18:
        return None
    rows = Job.objects.select_related("user").defer("sealed")
    return rows.filter(pk=int(text), club_id__in=[club.pk for club in clubs]).first()


class JobPage(ClubPage):
    """Long work: its preview, then its progress, then what came of it. `?part=1` is the part that moves."""

    path, name, title = "desk/jobs/<int:pk>/", "job", _("Work")
    template_name = "backoffice/job.html"

    @cached_property
    def job(self) -> Job:
        job = job_of(self.clubs, self.kwargs["pk"])
        if job is None:
            raise Http404
        return job

    @cached_property
    def club(self) -> Club:
        return next(club for club in self.clubs if club.pk == self.job.club_id)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.GET.get("part"):
            return render(request, "backoffice/_job.html", self._told())
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        step = {"start": start_job, "cancel": cancel_job}.get(request.POST.get("step", ""))
        if step is None:
            return job_page(self.job)
        try:
            step(job_id=self.job.pk, actor=self.actor)
        except DomainError as refusal:
            return self.render_to_response(self.get_context_data(refusal=str(refusal)), status=refusal.status)
        return job_page(self.job)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        told = super().get_context_data(**kwargs) | self._told()
        return told | {"clubs": [], "title": self.job.get_kind_display()}

    def _told(self) -> dict[str, Any]:
        job = self.job
        pages = {Job.Kind.SEASON: SeasonPage, Job.Kind.IMPORT: ImportPage}
        back = reverse(f"admin:{pages.get(Job.Kind(job.kind), ChangePage).name}")
        back += "?" + urlencode({"club": job.club_id, **({"from": job.pk} if "form" in job.preview else {})})
        tally = [(words, job.tally[name]) for name, words in TALLY.items() if job.tally.get(name)]
        is_check = job.kind in (Job.Kind.CHECK_BANK, Job.Kind.CHECK_LOCKS)
        return {"job": job, "club": self.club, "back": back, "tally": tally, "is_check": is_check}


TALLY = {
    "created": _("made"),
    "changed": _("changed"),
    "unchanged": _("were so already"),
    "refused": _("left out"),
}
