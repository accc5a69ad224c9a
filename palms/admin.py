"""The back office: what every admin class shares. Rights come from memberships, rows from the clubs of the viewer.

Nobody, a superuser included, edits a stateful row by hand: those classes are ReadOnlyAdmin and act through services.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from contextlib import nullcontext
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django import forms
from django.apps import apps
from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db import IntegrityError, OperationalError, models
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from palms.actors import Actor, Kind, acting
from palms.clock import to_zone
from palms.errors import DatabaseUnavailable, DomainError, ValidationFailed, is_busy
from palms.models import Intent

log = logging.getLogger(__name__)
OWNER, STAFF = "OWNER", "STAFF"  # clubs.Membership.Role; this room does not import it
OWNERS, EVERYBODY = frozenset({OWNER}), frozenset({OWNER, STAFF})
SECRET = frozenset({"token", "digest", "credentials", "password", "visitor", "checkout_key", "confirmation_url"})
TECHNICAL = frozenset({"period", "area_key", "instructor_key", "live_slot"})
PAGES_AHEAD, FARTHEST_PAGE, MOST_AT_ONCE = 4, 2000, 100

admin.site.site_header = admin.site.site_title = "Palms"
admin.site.index_title = _("Back office")


def roles_of(request: HttpRequest) -> dict[int, str]:
    """Return the viewer's role in each club, read once per request. A superuser needs none."""
    known: dict[int, str] | None = getattr(request, "palms_roles", None)
    if known is None:
        user: Any = request.user
        may_come_in = user.is_active and user.is_staff
        known = dict(user.memberships.values_list("club_id", "role")) if may_come_in else {}
        request.palms_roles = known  # type: ignore[attr-defined]
    return known


def is_platform_admin(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser)


def actor_of(request: HttpRequest) -> Actor:
    """Return the viewer as the actor of a service."""
    return Actor(
        Kind.STAFF, request.user.pk, frozenset(roles_of(request)), "admin", is_platform_admin=is_platform_admin(request)
    )


def local(moment: datetime | None, club: Any) -> str:
    """Return a moment by the club's clock, for lists."""
    return f"{to_zone(moment, ZoneInfo(club.timezone)):%d.%m.%Y %H:%M}" if moment else "-"


class AtLeast(int):
    """A number of rows that was not counted to the end: "251+"."""

    def __str__(self) -> str:
        return f"{int(self)}+"


class Window(Paginator):
    """Looks a few pages ahead of the one that is shown and never counts a table."""

    start = 1
    object_list: Any

    @cached_property
    def count(self) -> int:
        before = (self.start - 1) * self.per_page
        if self.start > FARTHEST_PAGE:
            return before
        most = PAGES_AHEAD * self.per_page + 1
        found = len(self.object_list.values_list("pk")[before : before + most])
        return AtLeast(before + found) if found == most else before + found


class OwnRelated(admin.RelatedFieldListFilter):
    """A filter by a related row that offers only what the viewer's clubs have."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        remote = admin.site.get_model_admin(field.remote_field.model)
        return [(row.pk, str(row)) for row in remote.get_queryset(request).order_by("pk")[:200]]


class PalmsAdmin(admin.ModelAdmin):
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
        return self.may(request, None, OWNERS)

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        if is_platform_admin(request):
            return rows
        return self.of_clubs(rows, roles_of(request)) if self.club_id_field else rows.none()

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
        return made

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """Tables below a row are for looking: a POST brings nothing for them, and a new row has none."""
        return () if obj is None or request.method == "POST" else super().get_inlines(request, obj)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        if any("\0" in text for name, texts in request.GET.lists() for text in (name, *texts)):
            return HttpResponseRedirect(request.path)
        return super().changelist_view(request, extra_context)

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        """Show and read moments by the clock of the row's club; a refusal is a message on the same page."""
        with self._clock_of(request, object_id):
            try:
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

    def each(self, request: HttpRequest, rows: models.QuerySet[Any], step: Callable[[int], object], done: str) -> None:
        """Take a step of a service on every chosen row, one by one; a refusal is a message and stops nobody else."""
        ids = list(rows.order_by("pk").values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
        if len(ids) > MOST_AT_ONCE:
            self.message_user(request, _t("Choose at most %d rows at once.") % MOST_AT_ONCE, messages.ERROR)
            return
        taken = 0
        for pk in ids:
            try:
                step(pk)
                taken += 1
            except DomainError as refusal:
                self.message_user(request, f"{pk}: {words_of(refusal)}", messages.ERROR)
            except OperationalError as error:
                if not is_busy(error):
                    raise
                self.message_user(request, f"{pk}: {DatabaseUnavailable.title}", messages.ERROR)
        if taken:
            self.message_user(request, f"{done}: {taken}", messages.SUCCESS)


def words_of(refusal: DomainError) -> str:
    """Return a refusal with the messages of its fields, where it has any."""
    fields = refusal.facts.get("errors", {}) if isinstance(refusal, ValidationFailed) else {}
    return " ".join([str(refusal), *(str(text) for texts in fields.values() for text in texts)])


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


class ReadOnlyInline(admin.TabularInline):
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


class EventLooks:
    """How a row of history names who did it."""

    @admin.display(description=_("who"))
    def who(self, event: Any) -> str:
        told = event.pgh_context.metadata if event.pgh_context else {}
        return " ".join(str(told[name]) for name in ("actor", "actor_id", "through") if told.get(name)) or "-"


class EventAdmin(EventLooks, ReadOnlyAdmin):
    """History: appended by triggers, read by people."""

    list_display = ("pgh_created_at", "pgh_label", "id", "who")
    list_select_related = ("pgh_context",)
    ordering = ("-pgh_id",)
    computed = ("who",)


def history_inline(model: type[models.Model], *fields: str) -> type[ReadOnlyInline]:
    """Return the inline that shows a row's history: when, what, who, and these fields as they became."""
    attributes: dict[str, Any] = {
        "model": apps.get_model(model._meta.app_label, f"{model.__name__}Event"),
        "fk_name": "pgh_obj",
        "fields": ("pgh_created_at", "pgh_label", "who", *fields),
        "joined": ("pgh_context",),
        "ordering": ("pgh_id",),
        "verbose_name_plural": _("history"),
    }
    return type(f"{model.__name__}History", (EventLooks, ReadOnlyInline), attributes)


def register_history(model: type[models.Model], *, club_id_field: str | None = "club_id") -> None:
    """Show a table's history, to the clubs whose rows it is about."""
    events = apps.get_model(model._meta.app_label, f"{model.__name__}Event")
    admin.site.register(events, type(f"{model.__name__}EventAdmin", (EventAdmin,), {"club_id_field": club_id_field}))


@admin.register(Intent)
class IntentAdmin(ReadOnlyAdmin):
    """Calls to the outside: what is due, what was tried, how it ended."""

    list_display = ("id", "club", "kind", "subject_id", "state", "attempts", "due_at", "last_error")
    list_filter = ("state", ("club", OwnRelated))
    list_select_related = ("club",)
