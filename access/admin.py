"""Locks and door codes in the back office: owners set them up, everybody sees whether doors answer, nobody sees digits."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from access import services
from access.models import AccessGrant, Lock, LockAccount, LockRecord
from access.words import in_words
from palms.actors import Actor
from palms.admin import (
    OWNERS,
    KeepsClub,
    OwnRelated,
    PalmsAdmin,
    ReadOnlyAdmin,
    ServiceForm,
    actor_of,
    local,
    register_history,
)
from palms.steps import AsksFirst, ReasonForm


class AccountForm(KeepsClub, ServiceForm):
    password = forms.CharField(
        label=_("password"), required=False, widget=forms.PasswordInput,
        help_text=_("Kept encrypted and never shown. Leave it empty to keep the one that is stored."),
    )  # fmt: skip

    class Meta:
        model = LockAccount
        fields = ("club", "name", "username", "quota")

    def act(self) -> LockAccount:
        return services.save_account(account=self.instance, password=self.cleaned_data["password"], actor=self.actor)


@admin.register(LockAccount)
class LockAccountAdmin(PalmsAdmin):
    form = AccountForm
    readers = OWNERS
    adds = changes = True
    fixed = ("club",)
    list_display = ("name", "club", "username", "calls", "quota", "troubled")
    list_filter = (("club", OwnRelated),)
    list_select_related = ("club",)

    @admin.display(description=_("trouble"))
    def troubled(self, account: Any) -> str:
        return in_words(account.trouble)


class LockForm(KeepsClub, ServiceForm):
    class Meta:
        model = Lock
        fields = ("club", "account", "area", "provider_lock_id", "gateway", "digits", "code_length")

    def act(self) -> Lock:
        return services.fit_lock(lock=self.instance, actor=self.actor)


@admin.register(Lock)
class LockAdmin(PalmsAdmin):
    form = LockForm
    adds = changes = True
    fixed = ("club",)
    standing = ("is_active", "seen", "troubled", "since", "battery", "gateway_online", "signal")
    list_display = ("__str__", "club", "is_active", "seen", "troubled", "since", "battery", "gateway_online", "signal")
    list_filter = ("is_active", ("club", OwnRelated))
    list_select_related = ("club", "area")
    actions = ("look", "use", "rest")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return LockForm.Meta.fields if obj is None else (*LockForm.Meta.fields, *self.standing)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fixed = super().get_readonly_fields(request, obj)
        return fixed if obj is None else (*fixed, *self.standing)

    @admin.display(description=_("trouble"))
    def troubled(self, lock: Any) -> str:
        return in_words(lock.trouble)

    @admin.display(description=_("answered last"))
    def seen(self, lock: Any) -> str:
        return local(lock.seen_at, lock.club)

    @admin.display(description=_("trouble since"))
    def since(self, lock: Any) -> str:
        return local(lock.trouble_at, lock.club)

    @admin.action(description=_("Check the lock now"), permissions=["serve"])
    def look(self, request: HttpRequest, queryset: Any) -> None:
        actor = actor_of(request)
        done = _t("Being checked; reload the page in half a minute")
        self.each(request, queryset, lambda pk: services.check_lock(lock_id=pk, actor=actor), done)

    @admin.action(description=_("Take into use"), permissions=["own"])
    def use(self, request: HttpRequest, queryset: Any) -> None:
        actor = actor_of(request)
        locks = self.owned(request, queryset)
        self.each(request, locks, lambda pk: services.set_in_use(lock_id=pk, in_use=True, actor=actor), _t("In use"))

    @admin.action(description=_("Take out of use"), permissions=["own"])
    def rest(self, request: HttpRequest, queryset: Any) -> None:
        actor = actor_of(request)
        locks, done = self.owned(request, queryset), _t("Out of use")
        self.each(request, locks, lambda pk: services.set_in_use(lock_id=pk, in_use=False, actor=actor), done)


class RevokeForm(ReasonForm):
    def take(self, row: AccessGrant, actor: Actor) -> None:
        services.revoke(grant_id=row.pk, actor=actor, reason=self.cleaned_data["reason"])


class ReissueForm(ReasonForm):
    def take(self, row: AccessGrant, actor: Actor) -> None:
        services.issue(booking_id=row.booking_id, actor=actor, reason=self.cleaned_data["reason"])


@admin.register(AccessGrant)
class AccessGrantAdmin(AsksFirst, ReadOnlyAdmin):
    list_display = ("id", "club", "lock", "booking_id", "starts", "ends", "state", "reason", "failing")
    list_filter = ("state", ("club", OwnRelated))
    list_select_related = ("club", "lock__area")
    actions = ("revoke", "reissue")

    @admin.display(description=_("from"))
    def starts(self, grant: Any) -> str:
        return local(grant.valid_from, grant.club)

    @admin.display(description=_("last error"))
    def failing(self, grant: Any) -> str:
        return in_words(grant.error)

    @admin.display(description=_("to"))
    def ends(self, grant: Any) -> str:
        return local(grant.valid_to, grant.club)

    def line(self, row: Any) -> str:
        return f"{row.pk}: {row.lock}, {self.starts(row)}, {row.get_state_display()}"

    @admin.action(description=_("Take the code back"), permissions=["serve"])
    def revoke(self, request: HttpRequest, queryset: Any) -> Any:
        return self.ask(request, queryset, RevokeForm, "revoke")

    @admin.action(description=_("Give another code"), permissions=["serve"])
    def reissue(self, request: HttpRequest, queryset: Any) -> Any:
        return self.ask(request, queryset, ReissueForm, "reissue")


@admin.register(LockRecord)
class LockRecordAdmin(ReadOnlyAdmin):
    list_display = ("at_lock", "lock", "club", "kind", "opened", "is_unbooked", "grant_id")
    list_filter = ("is_unbooked", "opened", ("club", OwnRelated))
    list_select_related = ("club", "lock__area")

    @admin.display(description=_("by the lock's clock"))
    def at_lock(self, record: Any) -> str:
        return local(record.at, record.club)


register_history(LockAccount, readers=OWNERS)
register_history(Lock)
register_history(AccessGrant)
