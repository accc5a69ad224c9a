"""Clubs, their places, people and keys in the back office: policies by owners, keys and roles through services."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from clubs import services
from clubs.models import ApiKey, Area, Club, Instructor, Membership, User
from palms.admin import (
    EVERYBODY,
    OWNER,
    KeepsClub,
    OwnRelated,
    PalmsAdmin,
    ReadOnlyAdmin,
    ReadOnlyInline,
    ServiceForm,
    actor_of,
    history_inline,
    is_platform_admin,
    register_history,
    roles_of,
)
from palms.errors import DomainError

admin.site.unregister(Group)  # rights come from memberships


class ClubForm(forms.ModelForm):
    class Meta:
        model = Club
        exclude = ("created_at",)

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


@admin.register(Club)
class ClubAdmin(PalmsAdmin):
    form = ClubForm
    club_id_field = "pk"
    adds = changes = True
    list_display = ("name", "slug", "timezone", "currency", "is_public")
    search_fields = ("name", "=slug")
    ordering = ("name", "pk")
    inlines = (history_inline(Club),)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_platform_admin(request)


class AreaForm(KeepsClub):
    class Meta:
        model = Area
        fields = ("club", "name", "kind", "location", "exclusive", "mode", "is_active", "position")

    def clean_exclusive(self) -> bool:
        wanted: bool = self.cleaned_data["exclusive"]
        if self.instance.pk and wanted:
            try:
                services.check_exclusive(area_id=self.instance.pk, exclusive=wanted)
            except DomainError as refusal:
                raise forms.ValidationError(str(refusal)) from refusal
        return wanted


@admin.register(Area)
class AreaAdmin(PalmsAdmin):
    form = AreaForm
    adds = changes = True
    fixed = ("club",)
    list_display = ("name", "club", "kind", "location", "exclusive", "mode", "is_active", "position")
    list_filter = ("is_active", ("club", OwnRelated))
    list_select_related = ("club",)
    search_fields = ("name",)
    inlines = (history_inline(Area, "name", "exclusive", "mode", "is_active"),)


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


class MembershipAddForm(ServiceForm):
    email = forms.EmailField(label=_("email"))
    name = forms.CharField(label=_("name"), max_length=200, required=False, help_text=_("For somebody new to Palms."))
    password: str | None = None

    class Meta:
        model = Membership
        fields = ("club", "role")

    def act(self) -> Membership:
        entered = self.cleaned_data
        membership, self.password = services.add_member(
            club_id=entered["club"].pk, email=entered["email"], name=entered["name"], role=entered["role"],
            actor=self.actor,
        )  # fmt: skip
        return membership


class MembershipForm(ServiceForm):
    class Meta:
        model = Membership
        fields = ("role",)

    def act(self) -> Membership:
        return services.set_role(membership_id=self.instance.pk, role=self.cleaned_data["role"], actor=self.actor)


@admin.register(Membership)
class MembershipAdmin(PalmsAdmin):
    form = MembershipForm
    adds = changes = deletes = True
    fixed = ("club", "user")
    list_display = ("user", "club", "role")
    list_filter = ("role", ("club", OwnRelated))
    list_select_related = ("user", "club")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = MembershipAddForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("club", "email", "name", "role") if obj is None else ("user", "club", "role")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change and form.password:
            words = _t("The password of %(user)s, shown only once: %(password)s")
            self.message_user(request, words % {"user": obj.user.email, "password": form.password}, messages.WARNING)

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
        mine = queryset if is_platform_admin(request) else queryset.filter(club_id__in=_owned(request))
        actor = actor_of(request)
        self.each(request, mine, lambda pk: services.revoke_api_key(key_id=pk, actor=actor), _t("Revoked"))


def _owned(request: Any) -> list[int]:
    return [club_id for club_id, role in roles_of(request).items() if role == OWNER]


class UserAddForm(AdminUserCreationForm):
    class Meta:
        model = User
        fields = ("email", "name")


class UserForm(UserChangeForm):
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

    form, add_form = UserForm, UserAddForm
    adds = changes = True
    list_display = ("email", "name", "is_active", "is_superuser", "last_login")
    list_filter = ()
    filter_horizontal = ()
    search_fields = ("email", "name")
    ordering = ("email",)
    fieldsets = (
        (None, {"fields": ("email", "password", "name", "is_active")}),
        (_("For the platform"), {"fields": ("is_staff", "is_superuser", "last_login", "created_at")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "name", "usable_password", "password1", "password2")}),)
    inlines = (MembershipInline,)

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
        always = ("last_login", "created_at")
        return always if is_platform_admin(request) else ("email", "is_staff", "is_superuser", *always)


for model in (Area, Instructor, Membership, ApiKey):
    register_history(model)
register_history(Club, club_id_field="id")
register_history(User, club_id_field=None)
