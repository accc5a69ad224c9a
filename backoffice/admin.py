"""Tables of no other room: calls to the outside, and about signing in, for the platform wrong passwords too (django-axes)."""

from __future__ import annotations

from typing import Any

from axes.models import AccessAttempt
from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from backoffice.calls import words_of
from clubs.models import Authenticator, Membership, Viewing
from palms.admin import OWNERS, EventAdmin, OwnRelated, ReadOnlyAdmin, is_platform_admin
from palms.models import Intent


@admin.register(Intent)
class IntentAdmin(ReadOnlyAdmin):
    """Calls to the outside: what is due, what was tried, how it ended."""

    list_display = ("id", "club", "call", "subject_id", "state", "attempts", "due_at", "last_error")
    list_filter = ("state", ("club", OwnRelated))
    list_select_related = ("club",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        shown: list[str] = super().get_fields(request, obj)
        return ["call" if name == "kind" else name for name in shown]

    @admin.display(description=_("call"))
    def call(self, intent: Intent) -> Any:
        return capfirst(words_of(intent.kind))


@admin.register(AccessAttempt)
class AccessAttemptAdmin(ReadOnlyAdmin):
    """Who tried which name from where; what was typed is not kept."""

    club_id_field = None
    list_display = ("username", "ip_address", "failures_since_start", "attempt_time")
    search_fields = ("=username", "=ip_address")
    actions = ("let_in",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("username", "ip_address", "user_agent", "failures_since_start", "attempt_time")

    def has_platform_permission(self, request: HttpRequest) -> bool:
        return is_platform_admin(request)

    @admin.action(description=_("Let them try again"), permissions=["platform"])
    def let_in(self, request: HttpRequest, queryset: Any) -> None:
        self.message_user(request, _t("May try again: %d") % queryset.delete()[0])


class OfPerson:
    """Rows of a person: seen by the owners of the clubs that the person works for."""

    club_id_field: str | None = "user_id"
    readers = OWNERS

    def clubs_of(self, row: Any) -> Any:
        return list(Membership.objects.filter(user_id=row.user_id).values_list("club_id", flat=True))

    def of_clubs(self, rows: Any, club_ids: Any) -> Any:
        return rows.filter(user_id__in=Membership.objects.filter(club_id__in=list(club_ids)).values("user_id"))


@admin.register(Authenticator)
class AuthenticatorAdmin(OfPerson, ReadOnlyAdmin):
    list_display = ("user", "created_at", "used_at")
    list_select_related = ("user",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.list_display


@admin.register(Viewing)
class ViewingAdmin(ReadOnlyAdmin):
    """Who of the platform looked at the club, as whom and when."""

    readers = OWNERS
    list_display = ("started_at", "ended_at", "user", "club", "role")
    list_filter = (("club", OwnRelated),)
    list_select_related = ("user", "club")


for name in ("AuthenticatorEvent", "StaffSessionEvent"):
    events = apps.get_model("clubs", name)
    admin.site.register(events, type(f"{name}Admin", (OfPerson, EventAdmin), {}))
