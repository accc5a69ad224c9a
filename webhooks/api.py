"""Webhooks for a club's CRM: endpoints, their secrets (shown once), their log, and sending again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import django_filters
from django.urls import path
from django.utils.translation import gettext as _t
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clubs.callers import ClubApiView
from clubs.selectors import zone_of
from palms.api import Flag, Moment, MomentIn, StrictIn, Text, Whole
from palms.clock import now_utc
from palms.errors import ValidationFailed
from palms.filters import StrictFilterSet
from palms.paging import page
from webhooks import selectors, services
from webhooks.models import Delivery, Endpoint
from webhooks.rules import message_id

REPLAYED = timedelta(days=30)  # as long as the log is kept


class EndpointIn(StrictIn):
    """`types`: the events wanted; none: all of them."""

    url = Text(max_length=500)
    description = Text(max_length=200, required=False, allow_blank=True)
    types: Any = serializers.ListField(child=Text(max_length=40), required=False, max_length=40)


class EndpointChangeIn(EndpointIn):
    url = Text(max_length=500, required=False)
    is_active: Any = Flag(required=False)


class RotateIn(StrictIn):
    overlap_hours = Whole(min_value=0, max_value=168, required=False)


class SinceIn(StrictIn):
    since = MomentIn()


class EmptyIn(StrictIn):
    """Nothing is asked."""


class EndpointOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    url = serializers.CharField()
    description = serializers.CharField()
    types: Any = serializers.ListField()
    is_active = serializers.BooleanField()
    off_because = serializers.CharField()
    failing_since = Moment()
    previous_until = Moment()
    created_at = Moment()


class DeliveryOut(serializers.Serializer[Any]):
    """`webhook_id` is what the receiver saw. `status` is its last answer, `error` why there was none."""

    id = serializers.IntegerField()
    webhook_id = serializers.SerializerMethodField()
    type = serializers.CharField(source="event.type")
    object_id = serializers.IntegerField(source="event.object_id")
    state = serializers.CharField()
    tries = serializers.IntegerField()
    status = serializers.IntegerField(source="last_status")
    error = serializers.CharField(source="last_error")
    created_at = Moment(source="event.created_at")
    tried_at = Moment()
    next_at = Moment()

    def get_webhook_id(self, delivery: Delivery) -> str:
        return message_id(delivery.event_id)


class DeliveryFilters(StrictFilterSet):
    state = django_filters.ChoiceFilter(choices=Delivery.State.choices)
    type = django_filters.CharFilter(field_name="event__type", max_length=40)


class _WebhookView(ClubApiView):
    scope = "webhooks"
    owners_only = True

    def asked(self, serializer: type[StrictIn], request: Request) -> dict[str, Any]:
        """Return what the body asks for. Raises ValidationFailed."""
        read = serializer(data={} if request.data is None else request.data)
        read.is_valid(raise_exception=True)
        entered: dict[str, Any] = read.validated_data
        return entered

    def endpoint(self, endpoint_id: int) -> Endpoint:
        return selectors.endpoint_of(club_id=self.caller.club.pk, endpoint_id=endpoint_id)

    def shown(self, endpoint: Endpoint | list[Endpoint], **more: Any) -> Any:
        many = isinstance(endpoint, list)
        data = EndpointOut(endpoint, many=many, context={"zone": zone_of(self.caller.club)}).data
        return data if many else data | more

    def log(self, delivery: Delivery | list[Delivery]) -> Any:
        many = isinstance(delivery, list)
        return DeliveryOut(delivery, many=many, context={"zone": zone_of(self.caller.club)}).data


class Endpoints(_WebhookView):
    def get(self, request: Request) -> Response:
        rows = StrictFilterSet.apply(selectors.endpoints_of(self.caller.club.pk), request)
        found = page(rows, request, by="id")
        return Response(found.answer(self.shown(found.rows)))

    def post(self, request: Request) -> Response:
        entered = self.asked(EndpointIn, request)
        endpoint, secret = services.make_endpoint(club_id=self.caller.club.pk, actor=self.caller.actor, **entered)
        return Response(self.shown(endpoint, secret=secret), 201)


class OneEndpoint(_WebhookView):
    def get(self, request: Request, endpoint_id: int) -> Response:
        return Response(self.shown(self.endpoint(endpoint_id)))

    def patch(self, request: Request, endpoint_id: int) -> Response:
        """Change what is named; `is_active` turns it off and on."""
        entered, endpoint = self.asked(EndpointChangeIn, request), self.endpoint(endpoint_id)
        is_active, actor = entered.pop("is_active", None), self.caller.actor
        if entered:
            stands: dict[str, Any] = {name: getattr(endpoint, name) for name in ("url", "description", "types")}
            endpoint = services.change_endpoint(endpoint_id=endpoint_id, actor=actor, **(stands | entered))
        if is_active is not None and is_active != endpoint.is_active:
            turn = services.turn_on if is_active else services.turn_off
            endpoint = turn(endpoint_id=endpoint_id, actor=actor)
        return Response(self.shown(endpoint))

    def delete(self, request: Request, endpoint_id: int) -> Response:
        self.endpoint(endpoint_id)
        services.remove_endpoint(endpoint_id=endpoint_id, actor=self.caller.actor)
        return Response(status=204)


class Rotate(_WebhookView):
    def post(self, request: Request, endpoint_id: int) -> Response:
        self.endpoint(endpoint_id)
        hours = self.asked(RotateIn, request).get("overlap_hours", 24)
        endpoint, secret = services.rotate_secret(
            endpoint_id=endpoint_id, actor=self.caller.actor, overlap=timedelta(hours=hours)
        )
        return Response(self.shown(endpoint, secret=secret))


class Test(_WebhookView):
    def post(self, request: Request, endpoint_id: int) -> Response:
        self.endpoint(endpoint_id)
        self.asked(EmptyIn, request)
        return Response(self.log(services.send_test(endpoint_id=endpoint_id, actor=self.caller.actor)), 201)


class Deliveries(_WebhookView):
    def get(self, request: Request, endpoint_id: int) -> Response:
        """The log of a month, newest events first."""
        rows = DeliveryFilters.apply(selectors.deliveries_of(self.endpoint(endpoint_id)), request)
        found = page(rows, request, by="-event_id")
        return Response(found.answer(self.log(found.rows)))


class ReplayOne(_WebhookView):
    def post(self, request: Request, endpoint_id: int, delivery_id: int) -> Response:
        selectors.delivery_of(endpoint=self.endpoint(endpoint_id), delivery_id=delivery_id)
        self.asked(EmptyIn, request)
        services.replay(delivery_id=delivery_id, actor=self.caller.actor)
        return Response(self.log(selectors.deliveries_of(self.endpoint(endpoint_id)).get(pk=delivery_id)))


class ReplaySince(_WebhookView):
    def post(self, request: Request, endpoint_id: int) -> Response:
        """Send again every event since a moment that this endpoint wants."""
        self.endpoint(endpoint_id)
        since = self.asked(SinceIn, request)["since"]
        if since < now_utc() - REPLAYED:
            raise ValidationFailed(errors={"since": [_t("Events are kept for 30 days")]})
        count = services.replay_since(endpoint_id=endpoint_id, since=since, actor=self.caller.actor)
        return Response({"replayed": count})


ONE = "club/webhooks/<int:endpoint_id>"
urlpatterns = [
    path("club/webhooks", Endpoints.as_view(), name="api-club-webhooks"),
    path(ONE, OneEndpoint.as_view(), name="api-club-webhook"),
    path(f"{ONE}/rotate", Rotate.as_view(), name="api-club-webhook-rotate"),
    path(f"{ONE}/test", Test.as_view(), name="api-club-webhook-test"),
    path(f"{ONE}/replay", ReplaySince.as_view(), name="api-club-webhook-replay"),
    path(f"{ONE}/deliveries", Deliveries.as_view(), name="api-club-webhook-deliveries"),
    path(f"{ONE}/deliveries/<int:delivery_id>/replay", ReplayOne.as_view(), name="api-club-webhook-delivery-replay"),
]
