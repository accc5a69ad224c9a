"""Checkout: one offered time or a chosen interval, and the form that holds it."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.views import View

from bookings import selectors, services
from bookings.forms import CheckoutForm, carried, key_of, new_key
from bookings.models import Booking
from clients.errors import ClientBlocked
from clubs.models import Area, Club
from clubs.selectors import public_club
from palms.actors import Actor, Kind
from palms.clock import now_utc
from palms.errors import DatabaseUnavailable, DomainError, ValidationFailed, is_busy
from payments.errors import ProviderUnavailable
from slots.errors import SlotClosed, SlotInPast, SlotNotFound, SlotTaken
from slots.intervals import Interval
from slots.models import Slot
from slots.selectors import OfferView, interval_offer, nearest_free, nearest_intervals
from slots.selectors import offer as offer_of

VISITOR, YEAR = "visitor", 31_536_000
KEPT = "private, max-age=0"  # "no-cache" would keep going back to a form with errors from finding what was typed
LONGEST_STAY = 32 * 24 * 60  # minutes in an address; more is as wrong


class SeeOther(HttpResponseRedirect):
    """A redirect after POST: the browser asks with GET, so going back never sends the form again."""

    status_code = HTTPStatus.SEE_OTHER


class CheckoutPage(View):
    """One offered time: what it is, and the form that holds it."""

    @staticmethod
    def found(club: Club, slot_id: int) -> OfferView:
        """Return what the address names. Raises NotFound."""
        return offer_of(club=club, slot_id=slot_id, now=now_utc())

    def get(self, request: HttpRequest, slug: str, **place: Any) -> HttpResponse:
        club = public_club(slug)
        found = self.found(club, **place)
        own = _own_hold(request, club, found.slot.pk or 0)
        if own and not found.is_free:  # back from the bank's page: what stands in the way is the visitor's own hold
            return redirect("checkout-status", token=own)
        if not found.is_free:
            return _gone(request, club, found, typed=[], status=200)
        return _form_page(request, club, found, CheckoutForm(places=found.places_left), own_hold=own)

    def post(self, request: HttpRequest, slug: str, **place: Any) -> HttpResponse:
        club = public_club(slug)
        found = self.found(club, **place)
        if "pick" in request.POST and found.is_free:  # another time was chosen: show it with what was typed
            return _form_page(request, club, found, _prefilled(request, found))
        # Bound to the capacity, not to what is left: a repeat of this form must reach the hold that it has made itself.
        form = CheckoutForm(request.POST, places=found.slot.capacity)
        if not form.is_valid():
            return _form_page(request, club, found, form, status=400)
        visitor = _visitor(request)
        try:
            made = services.checkout(
                slot_id=None if found.slot.is_by_interval else found.slot.pk,
                interval=_interval_of(found.slot),
                club_id=club.pk,
                typed=form.typed(get_language() or settings.LANGUAGE_CODE),
                participants_count=form.count(),
                key=key_of(request.POST),
                visitor=visitor,
                actor=Actor(Kind.CLIENT, through="page"),
                booking_type=Booking.Type.GROUP if found.slot.capacity > 1 else Booking.Type.INDIVIDUAL,
            )
        except (DomainError, OperationalError) as refusal:
            return _refuse(request, club, form, found, refusal)
        target = made.payment_url or reverse("checkout-status", kwargs={"token": made.token})
        return _remember_visitor(SeeOther(target), visitor)

    @classmethod
    def typed_again(cls, request: HttpRequest, slug: str, **place: Any) -> HttpResponse:
        """Show the form again with what was typed: the browser did not send the cookie that protects it."""
        club = public_club(slug)
        found = cls.found(club, **place)
        if not found.is_free:
            return _gone(request, club, found, typed=carried(request.POST), status=403)
        return _form_page(request, club, found, _prefilled(request, found), status=403, cookies_missing=True)


class IntervalPage(CheckoutPage):
    """The same for a stay whose start and length the customer has chosen."""

    @staticmethod
    def found(club: Club, area_id: int, start: datetime, minutes: int) -> OfferView:  # type: ignore[override]
        interval = Interval(area_id, start, start + timedelta(minutes=min(minutes, LONGEST_STAY)))
        try:
            return interval_offer(club=club, interval=interval, now=now_utc())
        except ValidationFailed as refusal:  # an address that no page of ours has, or not any more
            raise SlotNotFound from refusal


def _form_page(
    request: HttpRequest, club: Club, found: OfferView, form: CheckoutForm, *, status: int = 200, **extra: Any
) -> HttpResponse:
    """Return the checkout page. It may be kept by the browser, so that going back finds what was typed."""
    slot, free_until = found.slot, selectors.free_until(found.slot, club)
    context = {
        "club": club,
        "slot": slot,
        "places_left": found.places_left,
        "form": form,
        "key": new_key() if request.method == "GET" or "pick" in request.POST else key_of(request.POST),
        "free_until": free_until,
        "is_too_late": free_until <= now_utc(),
        "by_request": slot.area is not None and slot.area.mode == Area.Mode.REQUEST,
        **extra,
    }
    response = render(request, "bookings/checkout.html", context, status=status)
    response.headers["Cache-Control"] = KEPT
    return _remember_visitor(response, _visitor(request))


def _gone(
    request: HttpRequest, club: Club, found: OfferView, *, typed: list[tuple[str, str]], status: int
) -> HttpResponse:
    """Say that this time cannot be taken, and offer the nearest free ones with what was typed."""
    now = now_utc()
    context = {
        "club": club,
        "slot": found.slot,
        "status": str(found.status),
        "typed": typed,
        "nearest": nearest_to(club, found.slot, now),
        "just_now": status == HTTPStatus.CONFLICT,
    }
    response = render(request, "bookings/taken.html", context, status=status)
    response.headers["Cache-Control"] = KEPT
    return response


def _refuse(
    request: HttpRequest, club: Club, form: CheckoutForm, found: OfferView, refusal: DomainError | OperationalError
) -> HttpResponse:
    """Turn a refusal of checkout into the page that helps most. What was typed stays in every one of them."""
    if isinstance(refusal, ValidationFailed):
        form.refuse(refusal)
        return _form_page(request, club, found, form, status=400)
    if isinstance(refusal, SlotTaken | SlotClosed | SlotInPast):
        found = again(club, found.slot)
        if not found.is_free:
            return _gone(request, club, found, typed=carried(request.POST), status=409)
        form.leave_only(found.places_left)
        return _form_page(request, club, found, form, status=409)
    if isinstance(refusal, ClientBlocked):
        form.add_error(None, str(refusal))
        return _form_page(request, club, found, form, status=409)
    busy = isinstance(refusal, OperationalError) and is_busy(refusal)
    bank_is_silent = isinstance(refusal, ProviderUnavailable)
    if busy or bank_is_silent or isinstance(refusal, DatabaseUnavailable):
        return _form_page(request, club, found, form, status=503, try_again=True, bank_is_silent=bank_is_silent)
    raise refusal


def _interval_of(slot: Slot) -> Interval | None:
    return Interval(slot.area_id or 0, slot.date_from, slot.date_to) if slot.is_by_interval else None


def again(club: Club, slot: Slot) -> OfferView:
    """Return how a time stands now. Raises NotFound; ValidationFailed: nobody may choose such an interval any more."""
    interval = _interval_of(slot)
    if interval is not None:
        return interval_offer(club=club, interval=interval, now=now_utc())
    return offer_of(club=club, slot_id=slot.pk, now=now_utc())


def nearest_to(club: Club, slot: Slot, now: datetime, limit: int = 3) -> list[OfferView]:
    """Return the nearest free times; beside an interval others as long, or as long as there are."""
    if not slot.is_by_interval:
        return nearest_free(club=club, around=slot.date_from, now=now, limit=limit)
    minutes = (slot.date_to - slot.date_from) // timedelta(minutes=1)
    alike = nearest_intervals(club=club, around=slot.date_from, now=now, limit=limit, minutes=minutes)
    return alike or nearest_intervals(club=club, around=slot.date_from, now=now, limit=limit)


def _prefilled(request: HttpRequest, found: OfferView) -> CheckoutForm:
    return CheckoutForm(places=found.places_left, initial=dict(carried(request.POST)))


def _visitor(request: HttpRequest) -> str:
    """Return the visitor's own random id, or a new one: it says which browser a repeated form came from."""
    known: str | None = request.get_signed_cookie(VISITOR, default=None, salt=VISITOR)
    return known or secrets.token_urlsafe(16)


def _own_hold(request: HttpRequest, club: Club, slot_id: int) -> str:
    """Return the token of this visitor's living hold or request on the slot, or an empty string."""
    visitor = request.get_signed_cookie(VISITOR, default="", salt=VISITOR)
    own = (
        selectors.repeated(club_id=club.pk, slot_id=slot_id, key="", visitor=visitor, now=now_utc())
        if visitor
        else None
    )
    return own.token if own else ""


def _remember_visitor(response: HttpResponse, visitor: str) -> HttpResponse:
    response.set_signed_cookie(
        VISITOR,
        visitor,
        salt=VISITOR,
        max_age=YEAR,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )
    return response
