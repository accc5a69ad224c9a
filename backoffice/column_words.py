"""Words of columns that only the back office shows: those that their models leave bare, and those of history."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

COLUMNS: dict[str, Any] = {
    "account": _("payment account"), "amount": _("amount"), "area": _("area"), "attempts": _("tries"), "body": _("text"),
    "booking": _("booking"), "capacity": _("places"), "cause": _("cause"), "checkout_key": _("key of the checkout"),
    "client": _("client"), "club": _("club"), "code": _("code"), "confirmed": _("confirmed"), "contact": _("contact"),
    "counted_from": _("counted from"), "created_at": _("created"), "due_at": _("due"), "exclusive": _("one party at a time"),
    "finished_at": _("finished"), "first_sent_at": _("first sent"), "held_until": _("held until"), "instructor": _("instructor"),
    "is_block": _("kept by the club"), "key": _("key"), "kind": _("kind"), "lane": _("one at a time"),
    "last_error": _("last error"), "leased_until": _("taken until"), "name": _("name"), "order_id": _("order number"),
    "payload": _("data"), "payment": _("payment"), "place": _("place"), "policy": _("rules at the time of booking"),
    "position": _("order"), "provider_code_id": _("code's id at the lock"), "provider_data": _("data of the bank"),
    "provider_payment_id": _("payment's id at the bank"), "provider_refund_id": _("refund's id at the bank"),
    "request": _("what was asked"), "rests_until": _("rests until"), "slot": _("slot"), "snapshot": _("what was ordered"),
    "standing": _("standing"), "state": _("state"), "subject_id": _("of number"), "telegram_id": _("number at Telegram"),
    "tokens_expire_at": _("access ends"), "updated_at": _("last changed"), "user": _("person"), "version": _("version"),
    "wallet": _("wallet"), "xact": _("transaction"),
    "pgh_created_at": _("when"), "pgh_id": _("number in history"), "pgh_label": _("what happened"), "pgh_obj": _("row"),
    "pgh_context": _("who"),
}  # fmt: skip
TABLES: dict[str, tuple[Any, Any]] = {
    "palms.Intent": (_("call to the outside"), _("calls to the outside")),
    "clients.WalletEntry": (_("entry of a wallet"), _("entries of wallets")),
}
OF_PEOPLE = frozenset({"clubs.User", "clubs.UserEvent", "clubs.Instructor", "clubs.InstructorEvent"})
PERSON = pgettext_lazy("of a person", "name")


def name_columns() -> None:
    """Give every shown column its words. It leaves migrations alone: those know only what a model says itself."""
    for model in admin.site._registry:
        for field in model._meta.fields:
            if not isinstance(field.verbose_name, Promise) and field.name in COLUMNS:
                field.verbose_name = COLUMNS[field.name]
            if field.name == "name" and model._meta.label in OF_PEOPLE:
                field.verbose_name = PERSON
        if model._meta.label in TABLES:
            model._meta.verbose_name, model._meta.verbose_name_plural = TABLES[model._meta.label]
        tracked = getattr(model, "pgh_tracked_model", None)
        if tracked is not None:
            _name_history(model, tracked)


def _name_history(events: type[models.Model], tracked: type[models.Model]) -> None:
    for name in ("verbose_name", "verbose_name_plural"):
        words = format_lazy("{}: {}", _("history"), tracked._meta.verbose_name_plural)
        setattr(events._meta, name, words)
    events.__str__ = lambda self: f"{tracked._meta.verbose_name} {self.pgh_obj_id}"  # type: ignore[attr-defined,method-assign]
