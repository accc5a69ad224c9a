"""What a club does with one booking. Each call looks at the booking under its lock, and says what could be done instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from bookings import rules, services
from bookings.api.club import ClubBookingsView
from bookings.api.inputs import ClubCloseIn, ClubDateIn, ClubEditIn, ClubStatusIn
from bookings.api.shapes import ClosingOut, seen_by_club, show_to_club
from bookings.errors import PaymentRequired, StatusNotSettable, TestMoneyOnly
from bookings.models import Booking
from bookings.services import Closing, Locked
from bookings.states import S
from bookings.stay import after_its_end
from palms.clock import now_utc
from palms.errors import DomainError, ValidationFailed
from palms.preconditions import etag_of, require_version, required_version


class ClubBookingView(ClubBookingsView):
    """A call about one booking."""

    def take(self, request: Request, booking_id: int, step: Callable[..., Any], **asked: Any) -> Any:
        """Call a service about a booking of the caller's. A conflict is answered with what the caller may do now."""
        version = required_version(request)
        self.booking(booking_id)

        def provided(locked: Locked) -> None:
            require_version(locked.booking.version, version)
            if self.caller.is_test:
                self.booking(booking_id)  # again, under its lock: live money may have come

        try:
            return step(booking_id=booking_id, actor=self.caller.actor, provided=provided, **asked)
        except DomainError as refusal:
            if refusal.status == 409:
                refusal.facts |= self._instead(booking_id, isinstance(refusal, PaymentRequired))
            raise

    def _instead(self, booking_id: int, is_about_money: bool) -> dict[str, Any]:
        booking = self.booking(booking_id)
        (shown,) = show_to_club([booking], self.eyes)
        facts = {"current_status": shown["status"], "allowed_events": shown["allowed_events"]}
        if is_about_money:
            names = ("price", "raised_price", "currency", "payment_url")
            facts |= {name: shown[name] for name in names}
            facts["due"] = rules.owed(booking)
        return facts


class ClubBooking(ClubBookingView):
    """One booking, and what the club may edit of it."""

    def get(self, request: Request, booking_id: int) -> Response:
        booking = self.booking(booking_id)
        return self.shown(self.booking(booking_id) if after_its_end(booking, now_utc()) else booking)

    def patch(self, request: Request, booking_id: int) -> Response:
        """Change area, price or CRM id. A raised price of a CONFIRMED booking waits for its payment: 409 until then."""
        data = ClubEditIn(data=request.data)
        data.is_valid(raise_exception=True)
        asked = data.validated_data
        edited = self.take(request, booking_id, services.edit, **asked)
        if edited.due and "price" in asked:
            raise PaymentRequired(**self._instead(booking_id, True))
        return self.shown(self.booking(booking_id))


class ClubBookingStatus(ClubBookingView):
    """The club approves, confirms, cancels, or ends a booking for another reason."""

    def post(self, request: Request, booking_id: int) -> Response:
        data = ClubStatusIn(data=request.data)
        data.is_valid(raise_exception=True)
        step, asked = self._step(data.validated_data)
        self.take(request, booking_id, step, **asked)
        return self.shown(self.booking(booking_id))

    def _step(self, asked: dict[str, Any]) -> tuple[Callable[..., Booking], dict[str, Any]]:
        """Return the service that a status asks for, and what it is told."""
        status, payment, reason = asked["status"], asked.get("payment"), {"reason": asked["reason"]}
        if payment is not None and status != S.CONFIRMED:
            raise ValidationFailed(errors={"payment": [_("Money on site comes with CONFIRMED only")]})
        if payment is not None and self.caller.is_test:
            raise TestMoneyOnly
        steps: dict[str, tuple[Callable[..., Booking], dict[str, Any]]] = {
            S.APPROVED: (services.approve, {}),
            S.CONFIRMED: (services.record_payment_on_site, {"amount": payment.get("amount") if payment else 0}),
            S.CANCELED_BY_CLUB: (services.cancel_by_club, reason),
            S.OTHER: (services.end_otherwise, reason),
        }
        if status not in steps:
            raise StatusNotSettable(settable=list(steps))
        return steps[status]


class ClubBookingDate(ClubBookingView):
    """The club moves a booking to another time; the price stays."""

    def post(self, request: Request, booking_id: int) -> Response:
        data = ClubDateIn(data=request.data)
        data.is_valid(raise_exception=True)
        self.take(request, booking_id, services.move, **data.validated_data)
        return self.shown(self.booking(booking_id))


class CloseClubBooking(ClubBookingView):
    """The visit is over: how it ended, and what is charged. The bank is asked after the answer."""

    def post(self, request: Request, booking_id: int) -> Response:
        data = ClubCloseIn(data=request.data)
        data.is_valid(raise_exception=True)
        closing: Closing = self.take(request, booking_id, services.close, **data.validated_data)
        booking = self.booking(booking_id)
        (seen,) = seen_by_club([booking], self.eyes)
        found = {"booking": seen, "payments": seen["payments"], "overdue": seen["overdue"]}
        found |= {"charged": closing.charged, "returned": closing.returned}
        return Response(ClosingOut(found, context=self.eyes.context).data, headers={"ETag": etag_of(booking.version)})
