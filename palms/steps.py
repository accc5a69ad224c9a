"""Steps of the back office that ask something first: a reason, a sum. A page of their own, then the service, row by row.

A step taken from a row's own page sends the `version` that was seen there, and what it is refused stands on the form.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from palms.actors import Actor
from palms.admin import actor_of
from palms.errors import DatabaseUnavailable, DomainError, ValidationFailed, is_busy
from palms.preconditions import require_version
from palms.taking import MOST_AT_ONCE


class StepForm(forms.Form):
    """What a step asks for before it is taken. `version`: what the viewer has seen of the one row, if it was one."""

    version: int | None = None
    note: Any = ""  # what the step does, for who is about to take it

    def prepare(self, rows: list[Any]) -> None:
        """Fit the form to the chosen rows, before it is read or shown."""

    def take(self, row: Any, actor: Actor) -> None:
        """Call the service for one row. Raises DomainError."""
        raise NotImplementedError

    def provided(self, locked: Any) -> None:
        """Refuse, under the lock, what has changed since it was seen. Raises StaleVersion."""
        require_version(locked.booking.version, self.version)

    def refuse(self, refusal: DomainError) -> None:
        """Put a refusal beside the fields it speaks of."""
        errors = refusal.facts.get("errors", {}) if isinstance(refusal, ValidationFailed) else {}
        for name, texts in errors.items():
            self.add_error(name if name in self.fields else None, texts)
        if not errors:
            self.add_error(None, str(refusal))


class ReasonForm(StepForm):
    reason = forms.CharField(label=_("reason"), max_length=200)


def seen_version(request: HttpRequest) -> int | None:
    """Return the version that a row's own page sent along, or None for steps on many rows."""
    given = request.POST.get("version", "")
    if not given:
        return None
    if not (given.isascii() and given.isdecimal() and len(given) < 19):
        raise Http404
    return int(given)


class AsksFirst:
    """Mixed into a PalmsAdmin whose actions ask. `line` says how a chosen row is named on the page that asks."""

    def line(self, row: Any) -> str:
        return str(row)

    def facts(self, row: Any) -> list[tuple[Any, str]]:
        """Return what to know of the one row before a step is taken."""
        return []

    def back(self: Any, request: HttpRequest, pk: Any) -> HttpResponseRedirect | None:
        """Return to the row's own page, where the step came from there; else None: to the list."""
        if seen_version(request) is None:
            return None
        return HttpResponseRedirect(
            reverse(
                f"admin:{self.opts.app_label}_{self.opts.model_name}_change",
                args=[pk],
                current_app=self.admin_site.name,
            )
        )

    def at_once(
        self: Any, request: HttpRequest, queryset: Any, step: Callable[[int, Callable[[Any], None]], object], done: str
    ) -> Any:
        """Take a step that asks nothing: a service given a row's id and what looks at its version under the lock."""
        form = StepForm()
        form.version = seen_version(request)
        first = queryset.order_by("pk").values_list("pk", flat=True).first()
        rows = queryset.filter(pk=first) if form.version is not None else queryset
        self.each(request, rows, lambda pk: step(pk, form.provided), done)
        return self.back(request, first) if first is not None else None

    def ask(self: Any, request: HttpRequest, queryset: Any, form_class: type[StepForm], action: str) -> Any:
        """Ask what the step needs on a page of its own, then take it on every chosen row."""
        title = str(self.get_actions(request)[action][2])
        chosen = list(queryset.order_by("pk").select_related(*self.list_select_related)[:MOST_AT_ONCE])
        form = form_class(request.POST if "apply" in request.POST else None)
        form.version = seen_version(request)
        zone = ZoneInfo(chosen[0].club.timezone) if chosen and hasattr(chosen[0], "club") else None
        with timezone.override(zone):
            form.prepare(chosen)
            if form.is_valid():
                if form.version is None:
                    actor = actor_of(request)
                    take = lambda pk: form.take(self.model._default_manager.get(pk=pk), actor)  # noqa: E731
                    self.each(request, queryset, take, title)
                    return None
                if chosen and self._take_one(request, form, chosen[0], title):
                    return self.back(request, chosen[0].pk)
            return self._page(request, form, chosen, title, action)

    def _take_one(self: Any, request: HttpRequest, form: StepForm, row: Any, title: str) -> bool:
        try:
            form.take(row, actor_of(request))
        except DomainError as refusal:
            form.refuse(refusal)
            return False
        except OperationalError as error:
            if not is_busy(error):
                raise
            form.add_error(None, str(DatabaseUnavailable.title))
            return False
        self.message_user(request, f"{title}: {self.line(self.model._default_manager.get(pk=row.pk))}")
        return True

    def _page(self: Any, request: HttpRequest, form: StepForm, chosen: list[Any], title: str, action: str) -> Any:
        alone = len(chosen) == 1
        context = {
            **self.admin_site.each_context(request), "title": title, "opts": self.opts, "form": form, "action": action,
            "lines": [self.line(row) for row in chosen], "ids": [row.pk for row in chosen],
            "facts": self.facts(chosen[0]) if alone else [], "version": form.version,
            "one": chosen[0].pk if alone and form.version is not None else None,
        }  # fmt: skip
        return TemplateResponse(
            request, "admin/step.html", context, status=409 if form.non_field_errors() else 200
        ).render()
