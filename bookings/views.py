"""Checkout, the wait for the bank, and the booking under its secret link."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views import View

from bookings import rules, selectors, services
from bookings.errors import HoldExpired, TransitionRefused
from bookings.forms import CancelForm, CheckoutForm, carried, carried_from, key_of, new_key
from bookings.models import Booking
from bookings.selectors import CheckoutState
from clubs.models import Area, Club
from clubs.selectors import public_club
from palms.actors import Actor, Kind
from palms.clock import now_utc
from palms.errors import DatabaseUnavailable, DomainError, NotFound, ValidationFailed, is_busy
from payments.errors import ProviderUnavailable
from slots.errors import SlotClosed, SlotInPast, SlotTaken
from slots.selectors import OfferView, nearest_free
from slots.selectors import offer as offer_of

VISITOR, YEAR = "visitor", 31_536_000
ASKS_THE_BANK = ("preparing", "checking")
OPEN = (*ASKS_THE_BANK, "held", "requested", "approved", "refunding")
KEPT = "private, max-age=0"  # "no-cache" would keep going back to a form with errors from finding what was typed
LONGEST_WAIT = 15  # seconds between two looks


class SeeOther(HttpResponseRedirect):
    """A redirect after POST: the browser asks with GET, so going back never sends the form again."""

    status_code = HTTPStatus.SEE_OTHER


class CheckoutPage(View):
    """One offered time: what it is, and the form that holds it."""

    def get(self, request: HttpRequest, slug: str, slot_id: int) -> HttpResponse:
        club = public_club(slug)
        found = offer_of(club=club, slot_id=slot_id, now=now_utc())
        own = _own_hold(request, club, slot_id)
        if own and not found.is_free:  # back from the bank's page: what stands in the way is the visitor's own hold
            return redirect("checkout-status", token=own)
        if not found.is_free:
            return _gone(request, club, found, typed=[], status=200)
        return _form_page(request, club, found, CheckoutForm(places=found.places_left), own_hold=own)

    def post(self, request: HttpRequest, slug: str, slot_id: int) -> HttpResponse:
        club = public_club(slug)
        found = offer_of(club=club, slot_id=slot_id, now=now_utc())
        if "pick" in request.POST and found.is_free:  # another time was chosen: show it with what was typed
            return _form_page(request, club, found, _prefilled(request, found))
        # Bound to the capacity, not to what is left: a repeat of this form must reach the hold that it has made itself.
        form = CheckoutForm(request.POST, places=found.slot.capacity)
        if not form.is_valid():
            return _form_page(request, club, found, form, status=400)
        visitor = _visitor(request)
        try:
            made = services.checkout(
                slot_id=slot_id,
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

    @staticmethod
    def typed_again(request: HttpRequest, slug: str, slot_id: int) -> HttpResponse:
        """Show the form again with what was typed: the browser did not send the cookie that protects it."""
        club = public_club(slug)
        found = offer_of(club=club, slot_id=slot_id, now=now_utc())
        if not found.is_free:
            return _gone(request, club, found, typed=carried(request.POST), status=403)
        return _form_page(request, club, found, _prefilled(request, found), status=403, cookies_missing=True)


class SecretView(View):
    """A page behind an unguessable link: never stored, never indexed, its address never sent to others."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = super().dispatch(request, *args, **kwargs)
        response.headers["Cache-Control"] = "no-store, private"
        response.headers["X-Robots-Tag"] = "noindex, nofollow"
        # Not "no-referrer": browsers would then send "Origin: null" with our own forms, and CSRF would refuse them.
        response.headers["Referrer-Policy"] = "same-origin"
        return response


class CheckoutStatus(SecretView):
    """Where a checkout stands. While something is open the page asks again: by htmx, or by a plain refresh."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        state = selectors.checkout_state(token=token, now=now_utc())
        if state.state in ASKS_THE_BANK and _turn(request):
            services.look_again(token=token)
            state = selectors.checkout_state(token=token, now=now_utc())
        return _status_page(request, token, state)


class CheckoutReturn(SecretView):
    """Where the bank sends people: ask the bank once, then say how it stands."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        services.look_again(token=token)
        return _status_page(request, token, selectors.checkout_state(token=token, now=now_utc()))


class ReleaseHold(SecretView):
    """The customer gives the time back before paying."""

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        state = selectors.checkout_state(token=token, now=now_utc())
        client_id = state.payment.client_id if state.payment else None
        services.release_hold(token=token, actor=Actor(Kind.CLIENT, client_id, through="page"))
        return SeeOther(reverse("checkout-status", kwargs={"token": token}))


class BookingPage(SecretView):
    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        booking, now = selectors.booking_by_token(token), now_utc()
        context = {
            "secret": True,
            "club": booking.club,
            "booking": booking,
            "contact": getattr(booking, "contact", None),
            "payments": selectors.payments_of(booking),
            "cancel": selectors.cancel_offer(booking, now),
            "is_over": booking.date_to <= now,
            "has_expired": rules.has_expired(booking, now),
        }
        return render(request, "bookings/booking.html", context)


class PayForApproved(SecretView):
    """The club has agreed: on to the bank's page."""

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        booking = selectors.booking_by_token(token)
        actor = Actor(Kind.CLIENT, booking.client_id, through="page")
        return SeeOther(services.pay_for_approved(booking_id=booking.pk, actor=actor))


class CancelBooking(SecretView):
    """What comes back first, then the button."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        return self._page(request, selectors.booking_by_token(token), CancelForm())

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        booking, form = selectors.booking_by_token(token), CancelForm(request.POST)
        if not form.is_valid():
            return self._page(request, booking, form, status=400)
        try:
            services.cancel_by_customer(
                booking_id=booking.pk,
                actor=Actor(Kind.CLIENT, booking.client_id, through="page"),
                reason=form.cleaned_data["reason"].strip() or _("The customer gave no reason"),
            )
        except TransitionRefused:
            return self._page(request, selectors.booking_by_token(token), form, status=409)
        return SeeOther(reverse("booking", kwargs={"token": token}))

    def _page(self, request: HttpRequest, booking: Booking, form: CancelForm, status: int = 200) -> HttpResponse:
        context = {
            "secret": True,
            "club": booking.club,
            "booking": booking,
            "form": form,
            "cancel": selectors.cancel_offer(booking, now_utc()),
            "refused": status == HTTPStatus.CONFLICT,
        }
        return render(request, "bookings/cancel.html", context, status=status)


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
        "nearest": nearest_free(club=club, around=found.slot.date_from, now=now),
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
        found = offer_of(club=club, slot_id=found.slot.pk, now=now_utc())
        if not found.is_free:
            return _gone(request, club, found, typed=carried(request.POST), status=409)
        form.leave_only(found.places_left)
        return _form_page(request, club, found, form, status=409)
    if isinstance(refusal, HoldExpired):  # the form was sent again after its hold had died: a new hold, a new key
        return _form_page(request, club, found, _prefilled(request, found), status=409, key=new_key(), ran_out=True)
    busy = isinstance(refusal, OperationalError) and is_busy(refusal)
    if busy or isinstance(refusal, ProviderUnavailable | DatabaseUnavailable):
        return _form_page(request, club, found, form, status=503, try_again=True)
    raise refusal


def _prefilled(request: HttpRequest, found: OfferView) -> CheckoutForm:
    return CheckoutForm(places=found.places_left, initial=dict(carried(request.POST)))


def _status_page(request: HttpRequest, token: str, state: CheckoutState) -> HttpResponse:
    is_poll = "HX-Request" in request.headers
    if state.state == "confirmed" and state.booking:
        target = reverse("booking", kwargs={"token": state.booking.token})
        return HttpResponse(headers={"HX-Redirect": target}) if is_poll else redirect(target)
    if is_poll and request.GET.get("was") != state.state:
        return HttpResponse(headers={"HX-Refresh": "true"})
    context = {"secret": True, "club": state.club, "state": state, "token": token, **_waiting(request, state)}
    if is_poll:
        return render(request, "bookings/_poll.html", context)
    if state.state in ("expired", "failed", "canceled", "refunding", "refunded"):
        context |= _another_try(state)
    return render(request, "bookings/status.html", context)


def _waiting(request: HttpRequest, state: CheckoutState) -> dict[str, object]:
    """Return when to look next: after 1, 2, 4... seconds for the bank's word, evenly for what people decide."""
    turn = _turn(request)
    left = max(0, int((state.hold_until - now_utc()).total_seconds())) if state.hold_until else 0
    wait = min(2**turn, LONGEST_WAIT) if state.state in ASKS_THE_BANK else 5 if state.state == "held" else LONGEST_WAIT
    return {
        "is_open": state.state in OPEN,
        "next_turn": min(turn + 1, 9),
        "wait": wait,
        "plain_wait": min(left + 1, 60) if state.state == "held" else wait,
        "left": left,
    }


def _another_try(state: CheckoutState) -> dict[str, object]:
    """Return what helps after an end without a booking: the same time if it is free, others near it, what was typed."""
    slot, now = state.slot, now_utc()
    if slot is None:
        return {}
    try:
        same = offer_of(club=state.club, slot_id=slot.pk, now=now)
    except NotFound:
        same = None
    nearest = nearest_free(club=state.club, around=slot.date_from, now=now, limit=4)
    return {
        "same": same if same and same.is_free else None,
        "nearest": [each for each in nearest if each.slot.pk != slot.pk][:3],
        "typed": _typed_before(state),
        "key": new_key(),
    }


def _typed_before(state: CheckoutState) -> list[tuple[str, str]]:
    contact = getattr(state.payment, "contact", None) or getattr(state.booking, "contact", None)
    if contact is None:
        return []
    asked = (state.payment.snapshot if state.payment else None) or {}
    count = state.booking.participants_count if state.booking else asked.get("participants_count", 1)
    return carried_from(contact, [row.name for row in contact.participants.all()], count)


def _turn(request: HttpRequest) -> int:
    """Return how many times this page has looked already."""
    text = request.GET.get("n", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 3 else 0


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
