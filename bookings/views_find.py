"""Find my booking: a form, and one answer for everybody. Links are sent by email and never shown."""

from __future__ import annotations

from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.views import View

from bookings import services
from bookings.forms import FindForm
from bookings.services.finding import TooManyTries
from bookings.views_checkout import KEPT, SeeOther
from clubs.models import Club
from clubs.selectors import public_club
from palms.visitors import address_of_visitor

FIELDS = ("email", "phone")


class FindBookings(View):
    """Whose bookings: of one club where the address names it, of all otherwise."""

    def get(self, request: HttpRequest, slug: str = "") -> HttpResponse:
        return _page(request, _club(slug), FindForm())

    def post(self, request: HttpRequest, slug: str = "") -> HttpResponse:
        club, form = _club(slug), FindForm(request.POST)
        if not form.is_valid():
            return _page(request, club, form, status=400)
        asked = services.Asked(**form.cleaned_data, language=get_language() or settings.LANGUAGE_CODE)
        try:
            services.ask_for_links(asked, club_id=club.pk if club else None, visitor=address_of_visitor(request))
        except TooManyTries as refusal:
            return _page(request, club, form, status=429, wait=refusal.facts["wait"])
        return SeeOther(reverse("club-find-sent", args=[club.slug]) if club else reverse("find-sent"))

    @staticmethod
    def typed_again(request: HttpRequest, slug: str = "") -> HttpResponse:
        """Show the form again with what was typed: the browser did not send the cookie that protects it."""
        typed = {name: request.POST.get(name, "") for name in FIELDS}
        return _page(request, _club(slug), FindForm(initial=typed), status=403)


class LinksSent(View):
    """The one answer: it knows nothing of who asked."""

    def get(self, request: HttpRequest, slug: str = "") -> HttpResponse:
        response = render(request, "bookings/find_sent.html", {"club": _club(slug)})
        response.headers["X-Robots-Tag"] = "noindex, nofollow"
        return response


def _club(slug: str) -> Club | None:
    return public_club(slug) if slug else None


def _page(request: HttpRequest, club: Club | None, form: FindForm, *, status: int = 200, wait: int = 0) -> HttpResponse:
    context = {
        "club": club,
        "form": form,
        "wait": wait,
        "cookies_missing": status == HTTPStatus.FORBIDDEN,
    }
    response = render(request, "bookings/find.html", context, status=status)
    response.headers["Cache-Control"] = KEPT
    if wait:
        response.headers["Retry-After"] = str(wait)
    return response
