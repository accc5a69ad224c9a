"""The wait for the bank, and the booking under its secret link."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import View

from bookings import rules, selectors, services
from bookings.calendar import calendar_of, file_name
from bookings.door import door_context
from bookings.errors import TransitionRefused
from bookings.forms import CancelForm, carried_from, new_key
from bookings.messages import address_of
from bookings.models import Booking
from bookings.selectors import CheckoutState
from bookings.stay import after_its_end, stay_context
from bookings.views_checkout import SeeOther, again, nearest_to
from palms.actors import Actor, Kind
from palms.clock import now_utc
from palms.errors import NotFound, ValidationFailed

ASKS_THE_BANK = ("preparing", "checking")
OPEN = (*ASKS_THE_BANK, "held", "requested", "approved", "refunding")
LONGEST_WAIT = 15  # seconds between two looks


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
    """Where the bank sends people: ask the bank, then say how it stands. Who comes from there may have paid.

    So while the bank is silent, the page neither says that nothing was charged nor asks to pay.
    """

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        heard = services.look_again(token=token)
        state = selectors.checkout_state(token=token, now=now_utc())
        if not heard and state.state in ("held", "expired"):
            state = replace(state, state="checking")
        return _status_page(request, token, state)


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
        if after_its_end(booking, now):
            booking = selectors.booking_by_token(token)
        context = {
            "secret": True,
            "club": booking.club,
            "booking": booking,
            "contact": getattr(booking, "contact", None),
            "payments": selectors.payments_of(booking),
            "cancel": selectors.cancel_offer(booking, now),
            "due": rules.owed(booking),
            "is_over": booking.date_to <= now,
            "has_expired": rules.has_expired(booking, now),
        }
        checking = "checking" in request.GET
        context |= door_context(booking, now) | stay_context(booking, now, checking=checking)
        return render(request, "bookings/booking.html", context)


class Door(SecretView):
    """The door's part of the booking page, for a page that asks again."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        booking = selectors.booking_by_token(token)
        return render(request, "bookings/_door.html", door_context(booking, now_utc()))


class BookingCalendar(SecretView):
    """The booking as a file for the customer's calendar, whatever its state."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        booking = selectors.booking_by_token(token)
        content = calendar_of(booking, link=address_of("booking", token), now=now_utc())
        response = HttpResponse(content, content_type="text/calendar; charset=utf-8")
        response.headers["Content-Disposition"] = f'attachment; filename="{file_name(booking)}"'
        return response


class PayForApproved(SecretView):
    """The club has agreed, or has raised the price: on to the bank's page; back to the booking where there is none."""

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        booking = selectors.booking_by_token(token)
        actor = Actor(Kind.CLIENT, booking.client_id, through="page")
        page = services.pay_for_approved(booking_id=booking.pk, actor=actor)
        return SeeOther(page or reverse("booking", kwargs={"token": token}))


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
        same = again(state.club, slot)
    except (NotFound, ValidationFailed):
        same = None
    nearest = nearest_to(state.club, slot, now, limit=4)
    own = (slot.area_id, slot.instructor_id, slot.date_from, slot.date_to)
    others = [
        each
        for each in nearest
        if (each.slot.area_id, each.slot.instructor_id, each.slot.date_from, each.slot.date_to) != own
    ]
    return {
        "same": same if same and same.is_free else None,
        "nearest": others[:3],
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
