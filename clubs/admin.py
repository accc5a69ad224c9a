"""Clubs, their places, people and keys in the back office: policies by owners, keys and roles through services."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.forms import AdminPasswordChangeForm, UserCreationForm

from clubs import hours, second_factor, services
from clubs.area_form import AreaForm
from clubs.hours_history import hours_history
from clubs.models import ApiKey, Area, Club, Hours, Instructor, Membership, User
from palms.actors import acting
from palms.admin import (
    EVERYBODY,
    OWNER,
    OWNERS,
    KeepsClub,
    OwnRelated,
    PalmsAdmin,
    ReadOnlyAdmin,
    ReadOnlyInline,
    ServiceForm,
    actor_of,
    is_platform_admin,
    register_history,
    roles_of,
)
from palms.changes import MOST

admin.site.unregister(Group)  # rights come from memberships


class ClubForm(forms.ModelForm):
    class Meta:
        model = Club
        exclude = ("created_at",)
        widgets = {"letters_to": forms.TextInput, "description": forms.Textarea(attrs={"rows": 4})}
        help_texts = {
            "letters_to": _(
                "About requests, locks and webhooks in trouble. Addresses by commas; empty: to the owners."
            ),
        }

    def clean(self) -> dict[str, Any]:
        entered = super().clean() or self.cleaned_data
        spans = {name: value for name, value in entered.items() if name.endswith("_minutes") and value is not None}
        wrong = services.problems_of_club(
            slug=entered.get("slug") or "", timezone=entered.get("timezone") or "",
            currency=entered.get("currency") or "", minutes=spans, horizon_days=entered.get("horizon_days") or 0,
        )  # fmt: skip
        for name, words in wrong.items():
            if name not in self.errors:
                self.add_error(name, words)
        return entered


SECTIONS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (
        None,
        ("name", "slug", "is_public", "timezone", "currency", "address", "phone", "email", "description", "letters_to"),
    ),
    (
        _("Booking"),
        ("notice_minutes", "horizon_days", "hold_seconds", "request_deadline_minutes", "payment_deadline_minutes"),
    ),
    (_("Cancelling"), ("customer_cancel", "free_cancel_lead_minutes", "late_cancel_fee_percent", "reopen")),
    (_("Taking money"), ("capture",)),
)


@admin.register(Club)
class ClubAdmin(PalmsAdmin):
    form = ClubForm
    club_id_field = "pk"
    adds = changes = True
    list_display = ("name", "slug", "timezone", "currency", "is_public")
    search_fields = ("name", "=slug")
    ordering = ("name", "pk")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the policies by what they are about; one that no section names stands at the end."""
        fields = [str(name) for name in self.get_fields(request, obj)]
        named = [(title, [name for name in names if name in fields]) for title, names in SECTIONS]
        others = [name for name in fields if not any(name in names for _title, names in named)]
        sections = [*named, (_("Further rules"), others)]
        return [(title, {"fields": names}) for title, names in sections if names]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_platform_admin(request)


@admin.register(Area)
class AreaAdmin(PalmsAdmin):
    form = AreaForm
    adds = changes = True
    fixed = ("club",)
    list_display = ("name", "club", "kind", "location", "exclusive", "mode", "booked_by", "is_active", "position")
    list_filter = ("is_active", "booked_by", ("club", OwnRelated))
    list_select_related = ("club",)
    search_fields = ("name",)
    fieldsets = (
        (None, {"fields": ("club", "name", "kind", "location", "exclusive", "mode", "is_active", "position")}),
        (
            _("Booking by interval"),
            {
                "description": _("Times that the club has offered here are not shown to customers meanwhile."),
                "fields": (
                    "booked_by", "step_minutes", "min_minutes", "max_minutes", "price_per_hour", "open", "peak",
                ),
            },
        ),
        (
            _("The end of a visit"),
            {"fields": ("self_service", "overdue_rate", "overdue_grace_minutes", "overdue_cap")},
        ),
    )  # fmt: skip

    def told(self, row: Any) -> dict[str, Any]:
        said = super().told(row)
        both = [*said["changes"], *hours_history(row)]
        return {**said, "changes": sorted(both, key=lambda moment: moment.at, reverse=True)[:MOST]}

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        with acting(actor_of(request)):
            hours.set_hours(area=obj, stretches=form.stretches)


@admin.register(Hours)
class HoursAdmin(ReadOnlyAdmin):
    list_display = ("area", "club", "kind", "weekday", "starts", "ends", "price_per_hour")
    list_filter = ("kind", ("area", OwnRelated), ("club", OwnRelated))
    list_select_related = ("area", "club")


class InstructorForm(KeepsClub):
    class Meta:
        model = Instructor
        fields = ("club", "name", "telegram_id", "is_active")


@admin.register(Instructor)
class InstructorAdmin(PalmsAdmin):
    form = InstructorForm
    adds = changes = True
    writers = EVERYBODY
    fixed = ("club",)
    list_display = ("name", "club", "is_active")
    list_filter = ("is_active", ("club", OwnRelated))
    list_select_related = ("club",)
    search_fields = ("name",)


class MembershipForm(ServiceForm):
    class Meta:
        model = Membership
        fields = ("role",)

    def act(self) -> Membership:
        return services.set_role(membership_id=self.instance.pk, role=self.cleaned_data["role"], actor=self.actor)


@admin.register(Membership)
class MembershipAdmin(PalmsAdmin):
    """Nobody is added here: who shall work for a club is invited, and says yes."""

    form = MembershipForm
    readers = OWNERS
    changes = deletes = True
    fixed = ("club", "user")
    fields = ("user", "club", "role")
    list_display = ("user", "club", "role")
    list_filter = ("role", ("club", OwnRelated))
    list_select_related = ("user", "club")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """The form has written it already."""

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        services.remove_member(membership_id=obj.pk, actor=actor_of(request))


class ApiKeyForm(ServiceForm):
    scopes = forms.MultipleChoiceField(
        label=_("scopes"), choices=[(scope, scope) for scope in services.SCOPES], initial=services.SCOPES,
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    secret = ""

    class Meta:
        model = ApiKey
        fields = ("club", "name", "scopes", "is_test", "expires_at")

    def act(self) -> ApiKey:
        entered = self.cleaned_data
        key, self.secret = services.make_api_key(
            club_id=entered["club"].pk, name=entered["name"], scopes=entered["scopes"], is_test=entered["is_test"],
            expires_at=entered["expires_at"], actor=self.actor,
        )  # fmt: skip
        return key


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    form = ApiKeyForm
    readers = OWNERS
    adds = True
    list_display = ("name", "club", "prefix", "is_test", "created_at", "expires_at", "revoked_at", "last_used_at")
    list_filter = (("club", OwnRelated),)
    list_select_related = ("club",)
    actions = ("revoke",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ApiKeyForm.Meta.fields if obj is None else super().get_fields(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else super().get_readonly_fields(request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        self.message_user(request, _t("The key, shown only once: %s") % form.secret, messages.WARNING)

    @admin.action(description=_("Revoke"), permissions=["own"])
    def revoke(self, request: HttpRequest, queryset: Any) -> None:
        actor = actor_of(request)
        self.each(
            request,
            self.owned(request, queryset),
            lambda pk: services.revoke_api_key(key_id=pk, actor=actor),
            _t("Revoked"),
        )


def _owned(request: Any) -> list[int]:
    return [club_id for club_id, role in roles_of(request).items() if role == OWNER]


class UserAddForm(UserCreationForm):
    class Meta:
        model = User
        fields = ("email", "name")


class UserForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ("email", "name", "is_active")


class MembershipInline(ReadOnlyInline):
    model = Membership
    fields = ("club", "role")
    joined = ("club",)


@admin.register(User)
class StaffUserAdmin(PalmsAdmin, UserAdmin):
    """People who sign in. An owner sees the people of their clubs and helps those who work nowhere else."""

    readers = OWNERS
    form, add_form, change_password_form = UserForm, UserAddForm, AdminPasswordChangeForm
    adds = changes = True
    list_display = ("email", "name", "is_active", "is_superuser", "last_login")
    list_filter = ()
    filter_horizontal = ()
    search_fields = ("email", "name")
    ordering = ("email",)
    fieldsets = (
        (None, {"fields": ("email", "name", "is_active", "secret")}),
        (_("For the platform"), {"fields": ("is_staff", "is_superuser", "last_login", "created_at")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "name", "password1", "password2")}),)
    inlines = (MembershipInline,)
    actions = ("reset_second_factor",)

    @admin.action(description=_("Reset the second factor"), permissions=["own"])
    def reset_second_factor(self, request: HttpRequest, queryset: Any) -> None:
        actor = actor_of(request)
        self.each(request, queryset, lambda pk: second_factor.reset(user_id=pk, actor=actor), _t("Reset"))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        shown = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return shown
        return [(title, {"fields": [name for name in said["fields"] if name != "secret"]}) for title, said in shown]

    @admin.display(description=_("password"))
    def secret(self, user: User) -> Any:
        link = reverse("admin:auth_user_password_change", args=[user.pk])
        return format_html('<a class="desk-link" href="{}">{}</a>', link, _t("Set another password"))

    def clubs_of(self, row: Any) -> Any:
        return list(row.memberships.values_list("club_id", flat=True))

    def of_clubs(self, rows: Any, club_ids: Any) -> Any:
        return rows.filter(pk__in=Membership.objects.filter(club_id__in=list(club_ids)).values("user_id"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_platform_admin(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever also works for a club of somebody else, or for the platform, is not changed by one club's owner."""
        if obj is None or is_platform_admin(request):
            return super().has_change_permission(request, obj)
        clubs = self.clubs_of(obj)
        return not obj.is_superuser and bool(clubs) and set(clubs) <= set(_owned(request))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        always = ("last_login", "created_at", "secret")
        return always if is_platform_admin(request) else ("email", "is_staff", "is_superuser", *always)


for model in (Area, Hours, Instructor):
    register_history(model)
for people in (Membership, ApiKey):
    register_history(people, readers=OWNERS)
register_history(Club, club_id_field="id")
register_history(User, club_id_field=None)
