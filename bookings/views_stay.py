"""Staying past the end, on the booking's page: it runs, they leave, they pay."""

from __future__ import annotations

from contextlib import suppress

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language

from bookings import selectors, services
from bookings.errors import TooEarlyToClose, TransitionRefused
from bookings.stay import stay_context
from bookings.views import SecretView
from bookings.views_checkout import SeeOther
from palms.actors import Actor, Kind
from palms.clock import now_utc


class Stay(SecretView):
    """The part of the booking page about staying past the end, for a page that asks again."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        booking = selectors.booking_by_token(token)
        return render(request, "bookings/_stay.html", stay_context(booking, now_utc()))


class Leave(SecretView):
    """The guest says that they have left."""

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        booking = selectors.booking_by_token(token)
        with suppress(TransitionRefused, TooEarlyToClose):  # the page says how it stands
            services.leave(booking_id=booking.pk, actor=Actor(Kind.CLIENT, booking.client_id, through="page"))
        return SeeOther(reverse("booking", kwargs={"token": token}) + "#stay")


class PayForStaying(SecretView):
    """On to the bank's page for the fee; back to the booking where there is none."""

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        booking = selectors.booking_by_token(token)
        actor = Actor(Kind.CLIENT, booking.client_id, through="page")
        page = services.pay_fee(booking_id=booking.pk, actor=actor, locale=get_language() or settings.LANGUAGE_CODE)
        return SeeOther(page or reverse("booking", kwargs={"token": token}) + "#stay")


class OverdueReturn(SecretView):
    """Where the bank sends who paid for staying: ask the bank, then the booking's page says how it stands."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        booking, heard = services.look_again_at_fee(token=token)
        return redirect(reverse("booking", kwargs={"token": booking}) + ("" if heard else "?checking=1") + "#stay")
