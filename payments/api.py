"""Where providers send their notifications. Bodies are never logged: they name people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from palms.api import AnyAccept, ApiView, StrictJson
from palms.errors import NotFound
from payments.services import inbox

RECEIVERS: Mapping[str, Callable[[Any], object]] = {"yookassa": inbox.receive_yookassa}


class NotificationBody(StrictJson):
    """JSON under any name: a notification refused for its Content-Type would be a lost one."""

    media_type = "*/*"
    largest = 64 * 1024


class ReceiveNotification(ApiView):
    """Store a notification and act on it. 200 with an empty body, also for a repeat and for strangers' payments.

    A database that is too busy answers 503, so that the provider sends it again.
    """

    parser_classes = [NotificationBody]
    content_negotiation_class = AnyAccept

    def post(self, request: Request, provider: str) -> Response:
        receive = RECEIVERS.get(provider)
        if receive is None:
            raise NotFound
        receive(request.data)
        return Response()


receive_notification = ReceiveNotification.as_view()
urlpatterns = [
    path("api/v1/payments/<str:provider>/webhook", receive_notification, name="api-webhook"),
    path("payments/<str:provider>/webhook", receive_notification, name="webhook"),
    # The address that banks were given before Palms: whoever still calls it is of the one provider there is.
    path("api/kuliga/payment/callback", receive_notification, {"provider": "yookassa"}, name="kuliga-webhook"),
]
