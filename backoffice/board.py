"""The schedule board: a day or a week of a club, places by time. Everything that is done here is a service's."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.utils.functional import cached_property
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from backoffice import board_steps as steps
from backoffice.board_desk import Desk, client_with, places_of
from backoffice.board_panels import panel_of
from backoffice.pages import ClubPage
from backoffice.selectors_board import ICONS, Board, Column, State, board
from palms.clock import now_utc, to_zone

FIRST_DAY, LAST_DAY = date(1971, 1, 8), date(2198, 12, 1)
WEEK = 7
DAY_VIEW, WEEK_VIEW = "day", "week"
PART = "X-Board"  # of a request by the board's own script: "grid" or "panel", the part that is wanted
PANEL = ("booking", "slot", "new", "at", "until", "move", "to", "to_place", "to_day", "to_at")


class BoardPage(ClubPage):
    path, name, title = "board/", "board", _("Schedule")
    template_name = "backoffice/board.html"
    http_method_names = ("get", "head", "post")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.headers.get(PART) == "grid":
            return self._grid_alone()
        return self._answer({}, 400 if self.day is None else 200)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.POST.get("do") == "find":
            found = client_with(self.club, request.POST.get("phone", ""))
            return JsonResponse({"name": found.full_name if found else ""})
        try:
            done = steps.take(self.desk, request.POST, request.GET)
        except steps.Refused as refused:
            return self._answer({refused.name: refused.form}, refused.status, refused.panel)
        messages.success(request, done.words)
        return HttpResponseRedirect(f"{reverse('admin:board')}?{self.address(done.panel)}")

    @cached_property
    def day(self) -> date | None:
        """The day asked for, today where none is, None where it cannot be understood."""
        asked = self.request.GET.get("day")
        if not asked:
            return self.today
        try:
            day = date.fromisoformat(asked) if len(asked) == len("2026-01-01") else None
        except ValueError:
            return None
        return day if day and FIRST_DAY <= day <= LAST_DAY else None

    @cached_property
    def today(self) -> date:
        return to_zone(now_utc(), self.zone).date()

    @cached_property
    def desk(self) -> Desk:
        return Desk(self.club, self.actor, self.day or self.today, self.zone, now_utc())

    @cached_property
    def is_week(self) -> bool:
        return self.request.GET.get("view") == WEEK_VIEW

    @cached_property
    def place(self) -> str:
        """The one place that a week is shown of. Raises Http404."""
        asked = self.request.GET.get("place", "")
        if asked and asked not in dict(places_of(self.club)):
            raise Http404
        return asked if self.is_week else ""

    @property
    def monday(self) -> date:
        return self.desk.day - timedelta(days=self.desk.day.weekday())

    def address(self, panel: Mapping[str, Any] | None = None, **changes: Any) -> str:
        """Return the query of this page with another day, view or panel."""
        said: dict[str, Any] = {"day": self.desk.day.isoformat()}
        if len(self.clubs) > 1:
            said["club"] = self.club.pk
        if self.is_week:
            said["view"] = WEEK_VIEW
        if self.place:
            said["place"] = self.place
        query = QueryDict(mutable=True)
        query.update({name: str(value) for name, value in {**said, **(panel or {}), **changes}.items() if value != ""})
        return query.urlencode()

    def _shown(self) -> dict[str, Any]:
        days = [self.monday + timedelta(days=number) for number in range(WEEK)] if self.is_week else [self.desk.day]
        found = board(club=self.club, days=days, now=self.desk.now, place=self.place)
        facts: dict[str, Any] = {"board": found, "base": self.address(), "today": self.today, "is_week": self.is_week}
        if self.is_week and not self.place:
            facts |= {"days": days, "rows": _by_place(found), "is_summary": True}
        return facts

    def _grid_alone(self) -> HttpResponse:
        """Answer with the board alone, or that it is as it was."""
        body = render_to_string("backoffice/board/grid.html", self._shown(), self.request)
        etag = f'"{hashlib.sha256(f"{get_language()}{body}".encode()).hexdigest()[:32]}"'
        response = HttpResponse(body, headers={"ETag": etag})
        return get_conditional_response(self.request, etag=etag, response=response) or response

    def _answer(
        self, given: Mapping[str, forms.Form], status: int, panel: Mapping[str, Any] | None = None
    ) -> HttpResponse:
        asked = panel or {name: self.request.GET[name] for name in PANEL if name in self.request.GET}
        shown = panel_of(self.desk, asked, given)
        facts: dict[str, Any] = {"panel": shown, "desk": self.desk, "base": self.address(), "here": self.address(asked)}
        if self.request.headers.get(PART) == "panel":
            facts |= {"club": self.club, "clubs": self.clubs}
            return HttpResponse(render_to_string("backoffice/board/panel.html", facts, self.request), status=status)
        return self.render_to_response(
            self.get_context_data(**{**facts, **self._shown(), **self._frame()}), status=status
        )

    def _frame(self) -> dict[str, Any]:
        step = timedelta(days=WEEK if self.is_week else 1)
        return {
            "not_understood": self.day is None,
            "earlier": self.address(day=self.desk.day - step),
            "later": self.address(day=self.desk.day + step),
            "to_today": self.address(day=self.today),
            "by_day": self.address(view="", place=""),
            "by_week": self.address(view=WEEK_VIEW),
            "places": places_of(self.club),
            "place": self.place,
            "monday": self.monday,
            "sunday": self.monday + timedelta(days=WEEK - 1),
            "legend": [(state, ICONS[state], state.label) for state in State],
        }


def _by_place(found: Board) -> list[tuple[str, str, list[Column]]]:
    """Return the columns of a week place by place."""
    rows: dict[str, list[Column]] = {}
    for column in found.columns:
        rows.setdefault(column.place, []).append(column)
    return [(place, columns[0].name, columns) for place, columns in rows.items()]
