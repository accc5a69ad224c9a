"""Messages in the back office: what was said to whom, and whether it arrived."""

from django.contrib import admin

from notifications.models import Notification
from palms.admin import OwnRelated, ReadOnlyAdmin


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "club",
        "event",
        "channel",
        "recipient",
        "state",
        "created_at",
        "sent_at",
        "booking_id",
        "payment_id",
    )
    list_filter = ("state", ("club", OwnRelated))
    list_select_related = ("club",)
