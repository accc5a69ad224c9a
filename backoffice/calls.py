"""Calls to the outside, as people name them."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

CALLS: dict[str, Any] = {
    "payments.create": _("ask for a page"), "payments.capture": _("take money"), "payments.void": _("let a hold go"),
    "payments.refund": _("send money back"), "payments.watch": _("look at a payment"),
    "payments.read_event": _("read a notification"), "payments.compare": _("compare the books"),
    "notifications.send": _("send a letter"), "access.grant": _("write or remove a door code"),
    "access.lock": _("look at a lock"), "access.alarm": _("write to the owners of a lock in trouble"),
    "bookings.ask_club": _("write to the club about a request"),
    "backoffice.job": _("long work"), "backoffice.invitation": _("send an invitation"),
    "backoffice.password": _("send a link for a new password"),
    "backoffice.check": _("check a connection"), "webhooks.notice": _("write to the owners of a webhook in trouble"),
}  # fmt: skip


def words_of(kind: str) -> Any:
    return CALLS.get(kind, kind)
