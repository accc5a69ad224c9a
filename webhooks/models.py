"""Who outside is told of what. Events and deliveries are written by triggers (migration 0002), never by hand."""

from __future__ import annotations

import pghistory
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from webhooks.rules import TEST, TYPES


@pghistory.track(exclude=["credentials", "failures", "failing_since", "rests_until", "leased_until"])
class Endpoint(models.Model):
    """An address of a club's CRM. `types` names the events it wants; none: all.

    `credentials` holds the signing secrets, sealed; the previous one signs too until `previous_until`. `failing_since`: the
    first failure after the last success. `rests_until`: it did not answer, nobody asks before. `leased_until`: somebody
    is sending to it; in the past: when it was last served.
    """

    class Off(models.TextChoices):
        BY_HAND = "by_hand", _("turned off by people")
        GONE = "gone", _("answered 410 Gone")
        FAILING = "failing", _("nothing arrived for three days")
        REMOVED = "removed", _("removed")

    club = models.ForeignKey("clubs.Club", on_delete=models.PROTECT, related_name="+", verbose_name=_("club"))
    url = models.CharField(_("address"), max_length=500)
    description = models.CharField(_("description"), max_length=200, blank=True)
    types = ArrayField(models.CharField(max_length=40), default=list, blank=True, verbose_name=_("events"))
    credentials = models.TextField(editable=False)
    previous_until = models.DateTimeField(_("the previous secret signs until"), null=True, editable=False)
    is_active = models.BooleanField(_("active"), default=True)
    off_because = models.CharField(_("why it is off"), max_length=8, choices=Off.choices, blank=True)
    created_by = models.CharField(_("made by"), max_length=40, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    failing_since = models.DateTimeField(_("failing since"), null=True)
    rests_until = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)

    class Meta:
        verbose_name, verbose_name_plural = _("webhook"), _("webhooks")
        constraints = [
            models.UniqueConstraint(name="endpoint_club_key", fields=["club", "id"]),
            models.CheckConstraint(name="endpoint_types_known", condition=Q(types__contained_by=list(TYPES))),
            models.CheckConstraint(
                name="endpoint_off_for_a_reason",
                condition=Q(is_active=True, off_because="")
                | Q(is_active=False, off_because__in=["by_hand", "gone", "failing", "removed"]),
            ),
            models.CheckConstraint(
                name="endpoint_signs_until_removed", condition=~Q(credentials="") | Q(off_because="removed")
            ),
        ]
        indexes = [models.Index(fields=["club"], name="endpoint_active", condition=Q(is_active=True))]

    def __str__(self) -> str:
        return self.description or self.url


class Event(models.Model):
    """Something that happened to a booking or a slot. Of one object, a greater id is a later event.

    `version` is what the object's was then. `xact` is the transaction that made it.
    """

    club = models.ForeignKey("clubs.Club", on_delete=models.PROTECT, related_name="+", verbose_name=_("club"))
    type = models.CharField(_("event"), max_length=40)
    object_id = models.BigIntegerField(_("about"))
    version = models.PositiveIntegerField(null=True)
    xact = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name, verbose_name_plural = _("webhook event"), _("webhook events")
        constraints = [
            models.UniqueConstraint(name="event_club_key", fields=["club", "id"]),
            models.CheckConstraint(name="event_type_known", condition=Q(type__in=[*TYPES, TEST])),
        ]
        indexes = [
            models.Index(fields=["xact"], name="event_xact"),
            models.Index(fields=["created_at"], name="event_created"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.object_id}"


class Delivery(models.Model):
    """One event on its way to one endpoint. `next_at` is when it is due, and the lease of whoever tries it."""

    class State(models.TextChoices):
        OPEN = "OPEN", _("on its way")
        DONE = "DONE", _("delivered")
        FAILED = "FAILED", _("not delivered")

    club = models.ForeignKey(
        "clubs.Club", on_delete=models.PROTECT, related_name="+", verbose_name=_("club"), db_constraint=False
    )  # the pairs with its endpoint and its event say that there is one
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.PROTECT, related_name="deliveries", verbose_name=_("webhook"), db_constraint=False
    )
    event = models.ForeignKey(
        Event, on_delete=models.PROTECT, related_name="deliveries", verbose_name=_("event"), db_constraint=False
    )
    state = models.CharField(_("state"), max_length=6, choices=State.choices, default=State.OPEN)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    next_at = models.DateTimeField(_("next try"), null=True)
    tried_at = models.DateTimeField(_("last try"), null=True)
    last_status = models.PositiveSmallIntegerField(_("answer"), null=True)
    last_error = models.CharField(_("error"), max_length=40, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("webhook delivery"), _("webhook deliveries")
        constraints = [
            models.UniqueConstraint(name="delivery_once", fields=["endpoint", "event"]),
            models.CheckConstraint(name="delivery_state_known", condition=Q(state__in=["OPEN", "DONE", "FAILED"])),
            models.CheckConstraint(
                name="delivery_due_exactly_while_open",
                condition=Q(state="OPEN", next_at__isnull=False) | ~Q(state="OPEN") & Q(next_at__isnull=True),
            ),
        ]
        indexes = [
            models.Index(fields=["endpoint", "next_at", "event"], name="delivery_due", condition=Q(state="OPEN")),
            models.Index(fields=["event"], name="delivery_event"),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} → {self.endpoint_id}"
