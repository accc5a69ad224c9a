"""Bookings for their club: what its CRM and its people see, and how they book for a client."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from django.conf import settings
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from bookings import selectors, services
from bookings.api.filters import ClubBookingFilters
from bookings.api.inputs import PLACE, ClubBookingIn
from bookings.api.shapes import Eyes, show_to_club
from bookings.errors import TestMoneyOnly
from bookings.models import Booking
from bookings.services import Typed
from clubs.callers import ClubApiView
from clubs.selectors import zone_of
from palms import repeats
from palms.clock import now_utc, to_zone
from palms.errors import ValidationFailed
from palms.feeds import as_of
from palms.paging import page
from palms.preconditions import etag_of
from slots.intervals import Interval, areas_by_interval


class ClubBookingsView(ClubApiView):
    """What the calls about a club's bookings share: whose they are, and who looks."""

    scope = "bookings"

    @property
    def eyes(self) -> Eyes:
        scopes = self.caller.scopes
        return Eyes(self.caller.club, "payments:read" in scopes, "bookings:write" in scopes, self.caller.is_test)

    def rows(self) -> Any:
        return selectors.bookings_of_club(club_id=self.caller.club.pk, now=now_utc(), test_only=self.caller.is_test)

    def booking(self, booking_id: int) -> Booking:
        """Return a booking that the caller may see. Raises BookingNotFound."""
        return selectors.booking_of_club(
            club_id=self.caller.club.pk, booking_id=booking_id, now=now_utc(), test_only=self.caller.is_test
        )

    def shown(self, booking: Booking, status: int = 200) -> Response:
        (body,) = show_to_club([booking], self.eyes)
        return Response(body, status, headers={"ETag": etag_of(booking.version)})


class ClubBookings(ClubBookingsView):
    """The club's bookings by start, or by their last change where `updated_since` asks for changes; and new ones."""

    def get(self, request: Request) -> Response:
        moment = to_zone(as_of(), zone_of(self.caller.club)).isoformat()
        request.club = self.caller.club  # type: ignore[attr-defined]  # for the filters
        rows = ClubBookingFilters.apply(self.rows(), request)
        found = page(rows, request, by="updated_at" if "updated_since" in request.query_params else "date_from")
        return Response(found.answer(show_to_club(found.rows, self.eyes), as_of=moment))

    def post(self, request: Request) -> Response:
        """Book for a client: APPROVED with a page to pay on, or CONFIRMED where it is paid on site or free."""
        data = ClubBookingIn(data=request.data)
        data.is_valid(raise_exception=True)
        asked, key = data.validated_data, self._key(request)
        made = Booking.objects.filter(club=self.caller.club, checkout_key=key).first()  # by a first run that died
        try:
            made = made or self._book(asked, key)
        except ValidationFailed as refusal:
            errors = refusal.facts.get("errors", {})
            raise ValidationFailed(errors={data.WORDS.get(name, name): errors[name] for name in errors}) from refusal
        response = self.shown(self.booking(made.pk), 201)
        response["Location"] = settings.BASE_URL + reverse("api-club-booking", args=[made.pk])
        return response

    def _book(self, asked: dict[str, Any], key: str) -> Booking:
        club, who, payment = self.caller.club, asked["client"], asked.get("payment")
        if payment is not None and self.caller.is_test:
            raise TestMoneyOnly
        names = tuple(asked.get("participants_names", ()))
        return services.book_for_client(
            **self._place(asked),
            club_id=club.pk,
            typed=Typed(who["full_name"], who["phone"], who["email"], who.get("birth_date"), names, who["language"]),
            participants_count=asked["participants_count"],
            actor=self.caller.actor,
            key=key,
            onsite_amount=payment.get("amount", "full") if payment else None,
            reference_id=asked["reference_id"],
            is_test=self.caller.is_test,
        )

    def _place(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return the slot that is meant, or the interval where customers choose their own."""
        if "slot_id" in asked:
            return {"slot_id": int(asked["slot_id"])}
        club_id, place = self.caller.club.pk, {name: asked[name] for name in PLACE}
        if areas_by_interval(club_id).filter(pk=asked["area_id"]).exists():
            return {"interval": Interval(**place)}
        return {"slot_id": selectors.offered_slot(club_id=club_id, **place).pk}

    def _key(self, request: Request) -> str:
        """Return the key under which the booking is made at most once: the caller's own, together with what it asks."""
        given = request.headers.get("Idempotency-Key")
        if given is None:
            return f"club:{uuid.uuid4()}"
        asked = repeats.fingerprint(self.caller.holder, given, request.data)
        return f"club:{hashlib.sha256(asked.encode()).hexdigest()}"
