"""Money in the back office: looked at, never edited. A provider's credentials go in and are never shown again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from palms.admin import (
    OWNERS,
    KeepsClub,
    OwnRelated,
    PalmsAdmin,
    ReadOnlyAdmin,
    ReadOnlyInline,
    local,
    register_history,
)
from palms.secrets import seal
from palms.templatetags.palms import money
from payments.models import Payment, Provider, ProviderAccount, ProviderEvent, Reconciliation, Refund


class AccountForm(KeepsClub):
    chosen_once = frozenset({"club", "provider", "account_id"})
    secret_key = forms.CharField(
        label=_("secret key"), max_length=200, required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("Never shown again. Leave it empty to keep the one that is stored."),
    )  # fmt: skip

    class Meta:
        model = ProviderAccount
        labels = {"account_id": _("shop id")}
        fields = ("club", "provider", "account_id", "is_test", "is_default", "vat_code", "tax_system", "receipt_mode")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "provider" in self.fields:
            choices = [choice for choice in Provider.choices if choice[0] != Provider.ONSITE]  # needs no account
            self.fields["provider"].choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        entered = super().clean() or self.cleaned_data
        if not self.instance.pk and not entered.get("secret_key") and "secret_key" not in self.errors:
            self.add_error("secret_key", _t("A new account needs its credentials."))
        if entered.get("tax_system") and not entered.get("vat_code"):
            self.add_error("vat_code", _t("Choose the VAT too, or leave both empty."))
        club = entered.get("club") or getattr(self.instance, "club", None)
        others = ProviderAccount.objects.filter(club=club, is_default=True).exclude(pk=self.instance.pk)
        if club and entered.get("is_default") and others.exists():
            self.add_error("is_default", _t("Another account is used at checkout; untick it there first."))
        return entered

    def save(self, commit: bool = True) -> ProviderAccount:
        if self.cleaned_data.get("secret_key"):
            shop_id, key = self.instance.account_id, self.cleaned_data["secret_key"]
            self.instance.credentials = seal({"shop_id": shop_id, "secret_key": key})
        account: ProviderAccount = super().save(commit)
        return account


@admin.register(ProviderAccount)
class ProviderAccountAdmin(PalmsAdmin):
    """Which account it is never changes: payments were made with it."""

    form = AccountForm
    readers = OWNERS
    adds = changes = True
    fixed = ("club", "provider", "account_id", "is_test")
    list_display = ("id", "club", "provider", "account_id", "is_test", "is_default")
    list_filter = (("club", OwnRelated),)
    list_select_related = ("club",)
    keys = ("secret_key",)
    fieldsets = (
        (None, {"fields": ("club", "provider", "account_id", "is_test", "is_default")}),
        (_("Access to the shop"), {"fields": keys}),
        (
            _("Receipts (54-FZ)"),
            {
                "description": _(
                    "With a VAT chosen, each payment, capture and refund carries the data of a receipt to the bank's"
                    " register; ask your accountant what to choose. A prepayment needs a second receipt at the visit:"
                    " Palms does not send that one."
                ),
                "fields": ("vat_code", "tax_system", "receipt_mode"),
            },
        ),
    )  # fmt: skip

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """What is typed and never shown belongs to the form only."""
        is_form = obj is None or self.has_change_permission(request, obj)
        return [one for one in self.fieldsets if is_form or one[1]["fields"] != self.keys]


class RefundInline(ReadOnlyInline):
    model = Refund
    fields = ("created_at", "amount", "cause", "state", "reason", "finished_at")


class NoticeInline(ReadOnlyInline):
    model = ProviderEvent
    fields = ("received_at", "event", "object_id", "times", "applied_at")


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    list_display = ("id", "created", "club", "client", "sum", "status", "decision", "provider", "trouble")
    list_filter = ("status", "decision", "provider", ("club", OwnRelated))
    list_select_related = ("club", "client")
    search_fields = ("=id", "=provider_payment_id", "=order_id")
    inlines = (
        RefundInline,
        NoticeInline,
    )

    @admin.display(description=_("created"))
    def created(self, payment: Any) -> str:
        return local(payment.created_at, payment.club)

    @admin.display(description=_("amount"))
    def sum(self, payment: Any) -> str:
        return money(payment.amount, payment.currency)


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    list_display = ("id", "club", "payment_id", "sum", "cause", "state", "created_at", "finished_at")
    list_filter = ("state", ("club", OwnRelated))
    list_select_related = ("club", "payment")

    @admin.display(description=_("amount"))
    def sum(self, refund: Any) -> str:
        return money(refund.amount, refund.payment.currency)


@admin.register(ProviderEvent)
class ProviderEventAdmin(ReadOnlyAdmin):
    list_display = ("id", "club", "provider", "event", "object_id", "times", "received_at", "applied_at")
    list_filter = ("provider", ("club", OwnRelated))
    list_select_related = ("club",)
    search_fields = ("=object_id",)


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnlyAdmin):
    list_display = ("id", "club", "account", "compared_at", "compared", "differing")
    list_filter = (("club", OwnRelated),)
    list_select_related = ("club", "account")


for model in (Payment, Refund):
    register_history(model)
register_history(ProviderAccount, readers=OWNERS)
