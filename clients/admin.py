"""Clients in the back office: what a person is called may be corrected; wallets are only looked at."""

from typing import Any

from django import forms
from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from clients.models import Client, ClientBlock, ClientNote, Wallet, WalletEntry
from clients.rules import normal_phone
from clients.selectors import clients_matching
from palms.admin import (
    EVERYBODY,
    KeepsClub,
    OwnRelated,
    PalmsAdmin,
    ReadOnlyAdmin,
    ReadOnlyInline,
    is_platform_admin,
    register_history,
    roles_of,
)
from palms.errors import ValidationFailed
from palms.templatetags.palms import money


class ClientForm(KeepsClub):
    phone = forms.CharField(label=_("phone"), max_length=40)  # in any spelling

    class Meta:
        model = Client
        fields = ("full_name", "phone", "email", "birth_date")

    def clean_phone(self) -> str:
        try:
            return normal_phone(self.cleaned_data["phone"])
        except ValidationFailed as wrong:
            raise forms.ValidationError(wrong.facts["errors"]["phone"]) from wrong


class WalletInline(ReadOnlyInline):
    model = Wallet
    fields = ("number", "balance", "currency")


class EntryInline(ReadOnlyInline):
    model = WalletEntry
    fields = ("created_at", "amount", "cause")


@admin.register(Client)
class ClientAdmin(PalmsAdmin):
    form = ClientForm
    changes = True
    writers = EVERYBODY
    fixed = ("club", "referral_code", "created_at")
    list_display = ("desk", "phone", "email", "club")
    list_display_links = None
    list_filter = (("club", OwnRelated),)
    list_select_related = ("club",)
    search_fields = ("full_name",)  # so that the box is there; phones and words of names are looked for
    search_help_text = _("Phone in any spelling or its last digits, or the beginning of a name")
    fields = ("club", "full_name", "phone", "email", "birth_date", "referral_code", "created_at")
    inlines = (WalletInline,)

    @admin.display(description=_("full name"))
    def desk(self, client: Any) -> str:
        return format_html('<a href="{}">{}</a>', reverse("admin:client-desk", args=[client.pk]), client.full_name)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> Any:
        if request.path.endswith("/autocomplete/") or not search_term.strip():
            return super().get_search_results(request, queryset, search_term)
        clubs = apps.get_model("clubs", "Club").objects.values_list("pk", flat=True)
        mine = list(clubs) if is_platform_admin(request) else list(roles_of(request))
        found = clients_matching(search_term.strip()[:200], club_ids=mine).order_by("pk").values("pk")
        return queryset.filter(pk__in=found), False


@admin.register(Wallet)
class WalletAdmin(ReadOnlyAdmin):
    list_display = ("number", "client", "sum", "club")
    list_filter = (("club", OwnRelated),)
    list_select_related = ("client", "club")
    search_fields = ("=number",)
    inlines = (EntryInline,)

    @admin.display(description=_("balance"))
    def sum(self, wallet: Any) -> str:
        return money(wallet.balance, wallet.currency)


@admin.register(WalletEntry)
class WalletEntryAdmin(ReadOnlyAdmin):
    list_display = ("id", "wallet", "amount", "cause", "created_at")
    list_select_related = ("wallet",)


@admin.register(ClientNote)
class ClientNoteAdmin(ReadOnlyAdmin):
    list_display = ("id", "client", "text", "author", "created_at", "removed_at", "club")
    list_select_related = ("client", "author", "club")
    list_filter = (("club", OwnRelated),)


@admin.register(ClientBlock)
class ClientBlockAdmin(ReadOnlyAdmin):
    list_display = ("id", "client", "reason", "created_at", "ended_at", "club")
    list_select_related = ("client", "club")
    list_filter = (("club", OwnRelated),)


for model in (Client, ClientNote, ClientBlock):
    register_history(model)
