"""The back office: what every admin class shares. Rights come from memberships, rows from the clubs of the viewer.

Nobody, a superuser included, edits a stateful row by hand: those classes are ReadOnlyAdmin and act through services.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from contextlib import nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

from django import forms
from django.apps import apps
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db import IntegrityError, models
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from palms.actors import Actor, acting, staff_member
from palms.changes import LABELS
from palms.clock import now_utc, to_zone
from palms.errors import DomainError, ValidationFailed
from palms.looks import Looks, dress
from palms.taking import TakesSteps
from palms.viewing import looking
from palms.who import THROUGH, name_of, names_of, told_by
from palms.windows import Window

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin, TabularInline
else:
    from unfold.admin import ModelAdmin, TabularInline  # untyped; the same but for their looks

log = logging.getLogger(__name__)
OWNER, STAFF = "OWNER", "STAFF"  # clubs.Membership.Role; this room does not import it
OWNERS, EVERYBODY = frozenset({OWNER}), frozenset({OWNER, STAFF})
SECRET = frozenset({"token", "digest", "credentials", "password", "visitor", "checkout_key", "confirmation_url"})
TECHNICAL = frozenset({"period", "area_key", "instructor_key", "live_slot"})

admin.site.index_title = _("Back office")


def roles_of(request: HttpRequest) -> dict[int, str]:
    """Return the viewer's role in each club, read once per request. A superuser needs none, but to look as one."""
    known: dict[int, str] | None = getattr(request, "palms_roles", None)
    if known is None:
        user: Any = request.user
        eyes = looking(request)
        if eyes is not None:
            known = {eyes.club_id: eyes.role}
        else:
            may_come_in = user.is_active and user.is_staff
            known = dict(user.memberships.values_list("club_id", "role")) if may_come_in else {}
        request.palms_roles = known  # type: ignore[attr-defined]
    return known


def is_platform_admin(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser) and looking(request) is None


def actor_of(request: HttpRequest) -> Actor:
    """Return the viewer as the actor of a service."""
    is_admin = is_platform_admin(request)
    return staff_member(request.user.pk, roles_of(request), through="admin", is_platform_admin=is_admin)


def local(moment: datetime | None, club: Any) -> str:
    """Return a moment by the club's clock, for lists."""
    return f"{to_zone(moment, ZoneInfo(club.timezone)):%d.%m.%Y %H:%M}" if moment else "-"


def day_and_hours(row: Any, club: Any) -> str:
    """Return when a row with `date_from` and `date_to` is, by the club's clock, for lists; the year where it is another."""
    zone = ZoneInfo(club.timezone)
    start, end = to_zone(row.date_from, zone), to_zone(row.date_to, zone)
    day = date_format(start, "D, j E" if start.year == to_zone(now_utc(), zone).year else "D, j E Y")
    return format_html('<span class="desk-when"><b>{}</b> {}–{}</span>', day, f"{start:%H:%M}", f"{end:%H:%M}")


class OwnRelated(admin.RelatedFieldListFilter):
    """A filter by a related row that offers only what the viewer's clubs have."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        remote = admin.site.get_model_admin(field.remote_field.model)
        return [(row.pk, str(row)) for row in remote.get_queryset(request).order_by("pk")[:200]]


class PalmsAdmin(TakesSteps, Looks, ModelAdmin):
    """Rows of the viewer's clubs only; rights by role. `club_id_field`: where a row keeps its club, None: superusers'."""

    club_id_field: str | None = "club_id"
    readers: frozenset[str] = EVERYBODY
    writers: frozenset[str] = OWNERS
    adds = changes = deletes = False
    fixed: tuple[str, ...] = ()  # fields that can be chosen once, when a row is made
    paginator = Window
    show_full_result_count = False
    list_per_page, list_max_show_all = 50, 100
    ordering: ClassVar[tuple[str, ...]] = ("-pk",)
    sortable_by = ()  # only by what an index has

    def may(self, request: HttpRequest, row: Any, roles: Collection[str]) -> bool:
        """Whether the viewer has one of these roles in the club of the row; in any club where no row is given."""
        if is_platform_admin(request):
            return True
        mine = {} if self.club_id_field is None else roles_of(request) if request.user.is_authenticated else {}
        if row is None:
            return any(role in roles for role in mine.values())
        return any(mine.get(club_id) in roles for club_id in self.clubs_of(row))

    def clubs_of(self, row: Any) -> Iterable[int]:
        return [getattr(row, self.club_id_field)] if self.club_id_field else []

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.may(request, None, self.readers)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, obj, self.readers)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.adds and self.may(request, None, self.writers)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.changes and self.may(request, obj, self.writers)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.deletes and self.may(request, obj, self.writers)

    def has_serve_permission(self, request: HttpRequest) -> bool:
        """Act on rows of one's clubs through services."""
        return self.may(request, None, EVERYBODY)

    def has_own_permission(self, request: HttpRequest) -> bool:
        """Act as an owner. Such an action takes `owned` rows only: who owns one club may serve another."""
        return self.may(request, None, OWNERS)

    def owned(self, request: HttpRequest, rows: Any) -> Any:
        mine = [club_id for club_id, role in roles_of(request).items() if role == OWNER]
        return rows if is_platform_admin(request) else self.of_clubs(rows, mine)

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        if is_platform_admin(request):
            return rows
        mine = [club_id for club_id, role in roles_of(request).items() if role in self.readers]
        return self.of_clubs(rows, mine) if self.club_id_field else rows.none()

    def of_clubs(self, rows: models.QuerySet[Any], club_ids: Iterable[int]) -> models.QuerySet[Any]:
        return rows.filter(**{f"{self.club_id_field}__in": list(club_ids)})

    def get_object(self, request: HttpRequest, object_id: Any, from_field: Any = None) -> Any:
        """Another club's row and no row at all look the same: 404, whatever was going to be done with it."""
        row = super().get_object(request, object_id, from_field)
        if row is None:
            raise Http404
        return row

    def get_paginator(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        pages: Any = super().get_paginator(request, *args, **kwargs)
        asked = request.GET.get("p") or request.GET.get("page") or ""
        pages.start = int(asked) if asked.isdecimal() and len(asked) < 20 and int(asked) else 1
        return pages

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Filter by what the page offers, not by any column: secrets could be guessed letter by letter."""
        offered = [one[0] if isinstance(one, tuple | list) else one for one in self.list_filter]
        offered = [getattr(one, "parameter_name", one) for one in offered]
        is_offered = any(lookup == name or lookup.startswith(f"{name}__") for name in offered)
        return is_offered and super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fixed = self.fixed if obj is not None else ()
        return (*super().get_readonly_fields(request, obj), *fixed)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer only rows of clubs in which the viewer may write."""
        remote = admin.site.get_model_admin(db_field.remote_field.model)
        rows = remote.get_queryset(request)
        if not is_platform_admin(request) and isinstance(remote, PalmsAdmin) and remote.club_id_field:
            rows = remote.of_clubs(rows, [club for club, role in roles_of(request).items() if role in self.writers])
        field = super().formfield_for_foreignkey(db_field, request, queryset=rows, **kwargs)
        if db_field.name == "club" and field is not None:
            field.initial = next(iter(roles_of(request)), None)
        return field

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        made: Any = super().get_form(request, obj, change=change, **kwargs)
        made.actor = actor_of(request)
        dress(made)
        return made

    def get_list_display(self, request: HttpRequest) -> Any:
        """Leave out the club where the viewer has only one."""
        columns = super().get_list_display(request)
        alone = not is_platform_admin(request) and len(roles_of(request)) == 1
        return [name for name in columns if name != "club"] if alone else columns

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """Tables below a row are for looking: a POST brings nothing for them, and a new row has none."""
        return () if obj is None or request.method == "POST" else super().get_inlines(request, obj)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        if any("\0" in text for name, texts in request.GET.lists() for text in (name, *texts)):
            return HttpResponseRedirect(request.path)
        with self._clock_of(request, None):
            response = super().changelist_view(request, extra_context)
            return response.render() if hasattr(response, "render") else response

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        """Show and read moments by the clock of the row's club; a refusal is a message on the same page."""
        with self._clock_of(request, object_id):
            try:
                if request.method == "GET" and object_id and self.change_form_outer_after_template:
                    row = self.get_object(request, unquote(object_id))
                    extra_context = {**self.told(row), **(extra_context or {})}
                response = super().changeform_view(request, object_id, form_url, extra_context)
            except DomainError as refusal:
                return self.refused(request, str(refusal))
            except IntegrityError:
                log.exception("refused by the database")
                return self.refused(request, _t("Somebody has changed this at the same moment; please try again."))
            if hasattr(response, "render"):
                response.render()
            return response

    def delete_view(self, request: HttpRequest, object_id: Any, extra_context: Any = None) -> Any:
        try:
            return super().delete_view(request, object_id, extra_context)
        except DomainError as refusal:
            return self.refused(request, str(refusal))

    def refused(self, request: HttpRequest, words: str) -> HttpResponseRedirect:
        self.message_user(request, words, messages.ERROR)
        return HttpResponseRedirect(request.path)

    def _clock_of(self, request: HttpRequest, object_id: str | None) -> Any:
        """Return the zone of the row's club, or of the viewer's first club, to be in force while a page is made."""
        clubs = apps.get_model("clubs", "Club").objects.order_by("pk")
        row = super().get_object(request, object_id) if object_id else None
        ids = list(self.clubs_of(row)) if row is not None else list(roles_of(request))
        zone = clubs.filter(pk__in=ids).values_list("timezone", flat=True).first()
        return timezone.override(ZoneInfo(zone)) if zone else nullcontext()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not isinstance(form, ServiceForm):
            with acting(actor_of(request)):
                super().save_model(request, obj, form, change)


class KeepsClub(forms.ModelForm):
    """A form of a row whose club is chosen once, and still counts when rows are compared."""

    chosen_once: frozenset[str] = frozenset({"club"})

    def _get_validation_exclusions(self) -> set[str]:
        """Keep them in sight, or a second row of the same name would be met only by the database."""
        hidden: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return hidden - self.chosen_once


class ReadOnlyAdmin(PalmsAdmin):
    """Everything is shown but secrets; nothing is added, changed or deleted by anybody. `computed`: methods shown too."""

    computed: tuple[str, ...] = ()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        shown = [field.name for field in self.model._meta.fields if field.name not in SECRET | TECHNICAL]
        return [*shown, *self.computed]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj)


class ReadOnlyInline(TabularInline):
    """Rows of a detail page that are looked at. `joined`: relations shown in a row."""

    extra = max_num = 0
    can_delete = False
    show_change_link = True
    joined: tuple[str, ...] = ()
    ordering = ("pk",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_platform_admin(request) or bool(roles_of(request))

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request).select_related(*self.joined)
        has_club = any(field.name == "club" for field in self.model._meta.fields)
        return rows.filter(club_id__in=list(roles_of(request))) if has_club and not is_platform_admin(request) else rows

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields or ()


class ServiceForm(forms.ModelForm):
    """A form whose write is a service: what the service refuses is an error of the form, beside its field."""

    actor: Actor

    def act(self) -> models.Model:
        """Call the service with what was entered. Raises DomainError."""
        raise NotImplementedError

    def _post_clean(self) -> None:
        if self.errors:
            return
        try:
            self.instance = self.act()
        except ValidationFailed as refusal:
            for name, texts in refusal.facts.get("errors", {}).items():
                self.add_error(name if name in self.fields else None, texts)
        except DomainError as refusal:
            self.add_error(None, str(refusal))

    def save(self, commit: bool = True) -> Any:
        return self.instance

    def save_m2m(self) -> None:
        """Nothing is left to save."""


class EventAdmin(ReadOnlyAdmin):
    """History: appended by triggers, read by people."""

    list_display = ("pgh_created_at", "what", "row", "who")
    list_select_related = ("pgh_context",)
    ordering = ("-pgh_id",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        shown = [name for name in super().get_fields(request, obj) if not name.startswith("pgh_")]
        return [*self.list_display, *shown]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Read the names of all who acted at once."""
        page: Any = super().get_changelist_instance(request)
        names = names_of([told_by(event) for event in page.result_list])
        for event in page.result_list:
            event.palms_who = name_of(told_by(event), names)
        return page

    @admin.display(description=_("what happened"))
    def what(self, event: Any) -> Any:
        return LABELS.get(event.pgh_label, event.pgh_label)

    @admin.display(description=_("row"))
    def row(self, event: Any) -> Any:
        return event.pgh_obj_id

    @admin.display(description=_("who"))
    def who(self, event: Any) -> str:
        told = told_by(event)
        who = getattr(event, "palms_who", None) or name_of(told, names_of([told]))
        return ", ".join(str(part) for part in (who, THROUGH.get(told.get("through", ""), "")) if part)


def register_history(
    model: type[models.Model], *, club_id_field: str | None = "club_id", readers: frozenset[str] = EVERYBODY
) -> None:
    """Show a table's history, to the clubs whose rows it is about."""
    events = apps.get_model(model._meta.app_label, f"{model.__name__}Event")
    said = {"club_id_field": club_id_field, "readers": readers}
    admin.site.register(events, type(f"{model.__name__}EventAdmin", (EventAdmin,), said))
