"""A booking under its secret token: whoever has the link is the customer."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from access import services as access
from bookings import selectors, services
from bookings.api.shapes import show
from bookings.stay import after_its_end
from clubs.selectors import zone_of
from palms.actors import Actor, Kind
from palms.api import Moment, SecretApiView, Text
from palms.clock import now_utc
from palms.errors import DomainError
from palms.repeating import RepeatableView


class CancelIn(serializers.Serializer[Any]):
    reason = Text(max_length=500, allow_blank=True, default="")


class ShowBooking(SecretApiView):
    def get(self, request: Request, token: str) -> Response:
        booking = selectors.booking_by_token(token)
        return Response(show(selectors.booking_by_token(token) if after_its_end(booking, now_utc()) else booking))


class CancelBooking(RepeatableView, SecretApiView):
    """The customer cancels: by the policy that the booking was made with."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.once(request, f"booking:{selectors.booking_by_token(kwargs['token']).pk}")

    def post(self, request: Request, token: str) -> Response:
        data = CancelIn(data=request.data)
        data.is_valid(raise_exception=True)
        booking = selectors.booking_by_token(token)
        actor = Actor(Kind.CLIENT, booking.client_id, through="api")
        try:
            services.cancel_by_customer(booking_id=booking.pk, actor=actor, **data.validated_data)
        except DomainError as refusal:
            if refusal.status == 409:
                refusal.facts |= _instead(token)
            raise
        return Response(show(selectors.booking_by_token(token)))


def _instead(token: str) -> dict[str, Any]:
    """Return where a booking stands, and what its customer may do with it now."""
    shown = show(selectors.booking_by_token(token))
    events = ["cancel_by_customer"] if shown["cancel"]["allowed"] else []
    return {"current_status": shown["status"], "allowed_events": events}


class AccessOut(serializers.Serializer[Any]):
    """A door code and when it opens the door."""

    code = serializers.CharField()
    valid_from = Moment()
    valid_to = Moment()


class ShowAccess(SecretApiView):
    """The door code, inside the booking's time and never outside it. Looking for it has one made, where it is missing."""

    def get(self, request: Request, token: str) -> Response:
        booking, now = selectors.booking_by_token(token), now_utc()
        access.ask_for_code(booking, now)
        code = access.get_access_code(booking, now)
        return Response(AccessOut(code, context={"zone": zone_of(booking.club)}).data)
