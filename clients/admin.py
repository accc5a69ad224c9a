"""Clients in the back office: what a person is called may be corrected; wallets are only looked at."""

from typing import Any

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from clients.models import Client, Wallet, WalletEntry
from clients.rules import normal_phone
from palms.admin import (
    EVERYBODY,
    KeepsClub,
    OwnRelated,
    PalmsAdmin,
    ReadOnlyAdmin,
    ReadOnlyInline,
    history_inline,
    register_history,
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
    list_display = ("full_name", "phone", "email", "club")
    list_filter = (("club", OwnRelated),)
    list_select_related = ("club",)
    search_fields = ("full_name", "phone", "email")
    fields = ("club", "full_name", "phone", "email", "birth_date", "referral_code", "created_at")
    inlines = (WalletInline, history_inline(Client))


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


register_history(Client)
