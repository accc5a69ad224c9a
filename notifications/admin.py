"""Messages in the back office: what was said to whom, and whether it arrived."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from notifications.models import Notification
from notifications.selectors import words_of
from palms.admin import OwnRelated, ReadOnlyAdmin


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "club",
        "letter",
        "channel",
        "recipient",
        "state",
        "created_at",
        "sent_at",
        "booking",
        "payment",
    )
    list_filter = ("state", ("club", OwnRelated))
    list_select_related = ("club", "booking", "payment")

    @admin.display(description=_("message"))
    def letter(self, row: Notification) -> Any:
        return capfirst(words_of(row.event))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave out what was asked for: it is sealed, and nobody's to read."""
        shown = [name for name in super().get_fields(request, obj) if name != "request"]
        return ["letter" if name == "event" else name for name in shown]
