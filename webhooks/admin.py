"""Webhooks in the back office: owners make them and see what arrived; secrets are shown once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from palms.admin import (
    OWNERS,
    OwnRelated,
    PalmsAdmin,
    ReadOnlyAdmin,
    ReadOnlyInline,
    ServiceForm,
    actor_of,
    local,
    register_history,
)
from webhooks import services
from webhooks.models import Delivery, Endpoint, Event
from webhooks.rules import TYPES, message_id

LOG = ("event", "state", "tries", "last_status", "last_error", "tried_at", "next_at")


class EndpointForm(ServiceForm):
    types = forms.MultipleChoiceField(
        label=_("events"), choices=[(name, name) for name in TYPES], required=False,
        widget=forms.CheckboxSelectMultiple, help_text=_("None chosen: all of them."),
    )  # fmt: skip
    secret = ""

    class Meta:
        model = Endpoint
        fields = ("club", "url", "description", "types")

    def act(self) -> Endpoint:
        entered = self.cleaned_data
        wanted = {name: entered[name] for name in ("url", "description", "types")}
        if self.instance.pk:
            return services.change_endpoint(endpoint_id=self.instance.pk, actor=self.actor, **wanted)
        endpoint, self.secret = services.make_endpoint(club_id=entered["club"].pk, actor=self.actor, **wanted)
        return endpoint


class DeliveryInline(ReadOnlyInline):
    """The latest of an endpoint's log."""

    model = Delivery
    fields = LOG
    joined = ("event",)
    ordering = ("-event_id",)
    per_page = 50

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        latest = Delivery.objects.order_by("-event_id").values("pk")
        asked = request.resolver_match.kwargs.get("object_id", "") if request.resolver_match else ""
        if not asked.isdecimal() or len(asked) > 18:
            return rows.none()
        return rows.filter(pk__in=[row["pk"] for row in latest.filter(endpoint_id=int(asked))[: self.per_page]])


@admin.register(Endpoint)
class EndpointAdmin(PalmsAdmin):
    form = EndpointForm
    readers = OWNERS
    adds = changes = True
    fixed = ("club",)
    standing = ("is_active", "off_because", "failures", "failing_since", "previous_until", "created_by", "created_at")
    list_display = ("__str__", "club", "url", "is_active", "off_because", "failures", "failing_since")
    list_filter = ("is_active", ("club", OwnRelated))
    list_select_related = ("club",)
    actions = ("test", "rotate", "turn_on", "turn_off", "remove")
    inlines = (DeliveryInline,)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return EndpointForm.Meta.fields if obj is None else (*EndpointForm.Meta.fields, *self.standing)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fixed = super().get_readonly_fields(request, obj)
        return fixed if obj is None else (*fixed, *self.standing)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if form.secret:
            self._show(request, obj.pk, form.secret)

    def _show(self, request: HttpRequest, endpoint_id: int, secret: str) -> None:
        words = _t("The signing secret of webhook %(id)s, shown only once: %(secret)s")
        self.message_user(request, words % {"id": endpoint_id, "secret": secret}, messages.WARNING)

    def _each_own(self, request: HttpRequest, rows: Any, step: Callable[..., object], done: str) -> None:
        actor = actor_of(request)
        self.each(request, self.owned(request, rows), lambda pk: step(endpoint_id=pk, actor=actor), done)

    @admin.action(description=_("Send a test event"), permissions=["own"])
    def test(self, request: HttpRequest, queryset: Any) -> None:
        self._each_own(request, queryset, services.send_test, _t("Sent; the log says what came of it"))

    @admin.action(description=_("New signing secret (the old one signs too for a day)"), permissions=["own"])
    def rotate(self, request: HttpRequest, queryset: Any) -> None:
        def step(**asked: Any) -> None:
            endpoint, secret = services.rotate_secret(**asked)
            self._show(request, endpoint.pk, secret)

        self._each_own(request, queryset, step, _t("New secrets"))

    @admin.action(description=_("Turn on, and send what waits"), permissions=["own"])
    def turn_on(self, request: HttpRequest, queryset: Any) -> None:
        self._each_own(request, queryset, services.turn_on, _t("Turned on"))

    @admin.action(description=_("Turn off"), permissions=["own"])
    def turn_off(self, request: HttpRequest, queryset: Any) -> None:
        self._each_own(request, queryset, services.turn_off, _t("Turned off"))

    @admin.action(description=_("Remove for good"), permissions=["own"])
    def remove(self, request: HttpRequest, queryset: Any) -> None:
        self._each_own(request, queryset, services.remove_endpoint, _t("Removed"))


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    readers = OWNERS
    list_display = ("message", "club", "type", "object_id", "version", "created_at")
    list_filter = ("type", ("club", OwnRelated))
    list_select_related = ("club",)

    @admin.display(description="webhook-id")
    def message(self, event: Any) -> str:
        return message_id(event.pk)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    readers = OWNERS
    list_display = ("id", "club", "endpoint", *LOG[:-2], "tried", "due")
    list_filter = ("state", ("endpoint", OwnRelated), ("club", OwnRelated))
    list_select_related = ("club", "endpoint", "event")
    actions = ("replay",)

    @admin.display(description=_("last try"))
    def tried(self, delivery: Any) -> str:
        return local(delivery.tried_at, delivery.club)

    @admin.display(description=_("next try"))
    def due(self, delivery: Any) -> str:
        return local(delivery.next_at, delivery.club)

    @admin.action(description=_("Send again"), permissions=["own"])
    def replay(self, request: HttpRequest, queryset: Any) -> None:
        actor, mine = actor_of(request), self.owned(request, queryset)
        self.each(request, mine, lambda pk: services.replay(delivery_id=pk, actor=actor), _t("Sent again"))


register_history(Endpoint, readers=OWNERS)
