"""How the pages of the theme look and read here: fields of our own forms, columns, and what became of a row."""

from __future__ import annotations

from copy import copy
from typing import Any

from django import forms
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.text import capfirst
from django.utils.translation import gettext as _t
from unfold import widgets

from palms.changes import changes_of, is_tracked

# Fields that a form declares itself come without the theme's looks.
WIDGETS: dict[type[forms.Widget], type[forms.Widget]] = {
    forms.CheckboxSelectMultiple: widgets.UnfoldAdminCheckboxSelectMultipleWidget,
    forms.PasswordInput: widgets.UnfoldAdminPasswordWidget,
    forms.EmailInput: widgets.UnfoldAdminEmailInputWidget,
    forms.NumberInput: widgets.UnfoldAdminDecimalFieldWidget,
    forms.TextInput: widgets.UnfoldAdminTextInputWidget,
    forms.Textarea: widgets.UnfoldAdminTextareaWidget,
    forms.Select: widgets.UnfoldAdminSelectWidget,
}


def dress(form: Any) -> None:
    """Give the fields that a form class declares itself the theme's widgets, and all labels a capital."""
    for name, declared in form.base_fields.items():
        one = form.base_fields[name] = copy(declared)
        made = WIDGETS.get(type(one.widget))
        if made is not None:
            attributes = {key: value for key, value in one.widget.attrs.items() if key != "class"}
            kept = {"choices": one.widget.choices} if hasattr(one.widget, "choices") else {}
            one.widget = made(attrs=attributes, **kept)
            one.widget.is_required = one.required
        one.label = capfirst(one.label)


class Looks:
    """Mixed into PalmsAdmin."""

    change_form_outer_after_template: str | None = "admin/_changes.html"
    list_after_template = "admin/_about.html"
    about: Any = ""  # what the rows and their states mean
    when_empty: Any = ""  # what to do first

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Offer all rows only to who has narrowed them down; how many there are is never counted."""
        page: Any = super().get_changelist_instance(request)  # type: ignore[misc]
        if not page.query and not page.has_active_filters:
            page.full_result_count = page.result_count
        return page

    def told(self: Any, row: Any) -> dict[str, Any]:
        """Return what a page says of a row's history: nothing where none is kept."""
        if not is_tracked(self.model):
            return {"show_history": False}
        return {"changes": changes_of(row), "show_history": True}

    def history_view(self: Any, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """Show what triggers have written, not only what was typed into this admin."""
        with self._clock_of(request, unquote(object_id)):
            row = self.get_object(request, unquote(object_id))
            if not self.has_view_or_change_permission(request, row):
                raise PermissionDenied
            context = {
                **self.admin_site.each_context(request), "title": _t("History"), "subtitle": None, "object": row,
                "opts": self.opts, "module_name": str(capfirst(self.opts.verbose_name_plural)),
                "preserved_filters": self.get_preserved_filters(request), **self.told(row), **(extra_context or {}),
            }  # fmt: skip
            request.current_app = self.admin_site.name
            return TemplateResponse(request, "admin/object_history.html", context).render()
