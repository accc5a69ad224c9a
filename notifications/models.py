"""What was said to whom, and whether it arrived. The address lives with the booking's contact, not here.

Who asks for links has typed an address and a phone: they are kept sealed, and only until the answer is sent.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Notification(models.Model):
    """One message to one recipient over one channel. Written in the transaction that caused it, sent by an intent."""

    class Channel(models.TextChoices):
        EMAIL = "email", _("email")

    class Recipient(models.TextChoices):
        CUSTOMER = "customer", _("customer")

    class State(models.TextChoices):
        QUEUED = "QUEUED", _("queued")
        SENT = "SENT", _("sent")
        FAILED = "FAILED", _("not delivered")

    club = models.ForeignKey(  # NULL: of all clubs
        "clubs.Club", null=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("club")
    )
    booking = models.ForeignKey("bookings.Booking", null=True, on_delete=models.PROTECT, related_name="notifications")
    payment = models.ForeignKey("payments.Payment", null=True, on_delete=models.PROTECT, related_name="+")
    request = models.TextField(blank=True, editable=False)  # what was asked for, sealed; forgotten once answered
    event = models.CharField(_("event"), max_length=40)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel.choices, default=Channel.EMAIL)
    recipient = models.CharField(_("recipient"), max_length=10, choices=Recipient.choices, default=Recipient.CUSTOMER)
    state = models.CharField(_("state"), max_length=6, choices=State.choices, default=State.QUEUED)
    error = models.CharField(_("error"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    sent_at = models.DateTimeField(_("sent at"), null=True)

    class Meta:
        verbose_name, verbose_name_plural = _("notification"), _("notifications")
        constraints = [
            models.UniqueConstraint(
                name="notification_once",
                fields=["booking", "payment", "event", "channel", "recipient"],
                nulls_distinct=False,
                condition=Q(booking__isnull=False) | Q(payment__isnull=False),
            ),
            models.CheckConstraint(
                name="notification_about_something",
                condition=Q(booking__isnull=False) | Q(payment__isnull=False) | ~Q(state="QUEUED") | ~Q(request=""),
            ),
            models.CheckConstraint(
                name="notification_club_unless_asked_of_all",
                condition=Q(club__isnull=False) | Q(booking__isnull=True, payment__isnull=True),
            ),
            models.CheckConstraint(
                name="notification_request_forgotten_once_answered", condition=Q(request="") | Q(state="QUEUED")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} → {self.recipient}"
