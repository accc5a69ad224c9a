"""Pages that belong to no room: errors in words for people, health, the choice of a language."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from http import HTTPStatus

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from palms.errors import DatabaseUnavailable, DomainError, is_busy

Words = str | Promise
CODES = frozenset(code for code, _name in settings.LANGUAGES)
YEAR = 31_536_000  # seconds


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a page of refusal says: what happened, whether money moved, what to do now."""

    title: Words
    happened: Words
    now: Words


NOTHING_MOVED = _("No money was taken by this step.")
PERHAPS_PAID = _(
    "No money was taken by this step. If you have just paid at the bank, the payment is not lost: either your booking "
    "comes by email, or the money goes back by itself."
)
TROUBLES = {
    400: Trouble(
        _("We could not read this request"),
        _("Something in the address or in the form is not as expected."),
        _("Go back, check what was entered and try again, or start from the list of clubs."),
    ),
    403: Trouble(
        _("This is not open to you"),
        _("The page exists, but it is for other people."),
        _("If you followed a link from a message, open it again from there."),
    ),
    404: Trouble(
        _("There is no such page"),
        _("The link may be old or incomplete, or the time was withdrawn by the club."),
        _(
            "Check the link, or choose a time again from the list of clubs. A booking is opened by the link from its message."
        ),
    ),
    405: Trouble(
        _("This page cannot be opened that way"),
        _("It only answers to a button on another page."),
        _("Go back and use the button there."),
    ),
    409: Trouble(
        _("This cannot be done now"),
        _("Something has changed since you opened the page."),
        _("Go back and reload the page to see how things stand."),
    ),
    413: Trouble(
        _("That is too much to send"),
        _("The form holds more than we accept."),
        _("Go back, shorten what was entered and send it again."),
    ),
    429: Trouble(
        _("Too many tries"),
        _("There were too many requests from you in a short time."),
        _("Wait a minute and try again."),
    ),
    503: Trouble(
        _("Too busy right now"),
        _("The site did not manage to answer in time, and nothing was changed."),
        _("Wait a few seconds and try again: the same button is safe to press twice."),
    ),
}


def trouble(request: HttpRequest, status: int, *, title: Words = "", happened: Words = "") -> HttpResponse:
    """Return the page of a refusal. htmx is sent to the same address in full, where it can be read."""
    known = TROUBLES.get(status, TROUBLES[409])
    context = {
        "status": status,
        "title": title or known.title,
        "happened": happened or known.happened,
        "now": known.now,
        "money": PERHAPS_PAID if status == HTTPStatus.SERVICE_UNAVAILABLE else NOTHING_MOVED,
        "again": request.get_full_path() if status in (429, 503) and request.method == "GET" else "",
        "stands": _where_it_stands(request),
    }
    response = HttpResponse(render_to_string("errors/trouble.html", context, request), status=status)
    response.headers["Cache-Control"] = "no-store"
    if status in (429, 503):
        response.headers["Retry-After"] = "5"
    if request.headers.get("HX-Request") and request.method == "GET" and "was" not in request.GET:
        response.headers["HX-Redirect"] = request.get_full_path()
    return response


def _where_it_stands(request: HttpRequest) -> str:
    """Return the page that a refused button behind a secret link belongs to, or an empty string."""
    match = request.resolver_match
    if match is None or "token" not in match.kwargs:
        return ""
    page = "booking" if request.path_info.startswith("/booking/") else "checkout-status"
    address = reverse(page, kwargs={"token": match.kwargs["token"]})
    return "" if address == request.path else address


def refused(request: HttpRequest, refusal: DomainError) -> HttpResponse:
    """Return the page of a refusal of the domain that its view had no better page for."""
    if refusal.status in (400, 403, 404) or isinstance(refusal, DatabaseUnavailable):
        return trouble(request, refusal.status)
    if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return trouble(request, refusal.status, title=refusal.title, happened=_("No answer came in time."))
    return trouble(request, refusal.status, title=refusal.title)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return trouble(request, 413 if isinstance(exception, RequestDataTooBig) else 400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return trouble(request, 403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return trouble(request, 404)


def method_not_allowed(request: HttpRequest, *, allow: str) -> HttpResponse:
    response = trouble(request, 405)
    response.headers["Allow"] = allow
    return response


def unavailable(request: HttpRequest) -> HttpResponse:
    return trouble(request, 503)


def server_error(request: HttpRequest) -> HttpResponse:
    """Return a page that needs nothing that could fail again: no database, no request, no hashed names.

    Where a middleware met a dead database (who is signed in? is the session kept?) it is no defect: come again.
    """
    error = sys.exc_info()[1]
    if isinstance(error, DatabaseError) and is_busy(error):
        return unavailable(request)
    return HttpResponse(render_to_string("500.html", {"language": get_language()}), status=500)


@csrf_exempt  # changes nothing but the words on the page, so it sets no cookie on the others
@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Remember the language and go back to the page it was chosen on."""
    target = request.POST.get("next", "/")
    if not url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        target = "/"
    response = HttpResponseRedirect(target)
    chosen = request.POST.get("lang", "")
    if chosen in CODES:
        remember_language(response, chosen)
    return response


def remember_language(response: HttpResponseBase, chosen: str) -> None:
    """Keep the choice of a language for a year."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        chosen,
        max_age=YEAR,
        httponly=True,
        samesite="Lax",
        secure=settings.LANGUAGE_COOKIE_SECURE,
    )


@never_cache
@require_GET
def live(request: HttpRequest) -> HttpResponse:
    """Whether the process answers at all."""
    return HttpResponse("ok", content_type="text/plain")


@never_cache
@require_GET
def ready(request: HttpRequest) -> HttpResponse:
    """Whether customers can be served: PostgreSQL answers."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return HttpResponse("no database", content_type="text/plain", status=HTTPStatus.SERVICE_UNAVAILABLE)
    return HttpResponse("ok", content_type="text/plain")


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Say kindly that the form's secret did not arrive. Checkout gives back what was typed (bookings.views)."""
    match = request.resolver_match
    view = getattr(match.func, "view_class", None) if match else None
    if match and hasattr(view, "typed_again"):
        response: HttpResponse = view.typed_again(request, **match.kwargs)  # type: ignore[union-attr]
        return response
    return trouble(
        request,
        403,
        title=_("The form could not be checked"),
        happened=_(
            "Your browser did not send back the cookie that protects forms, or the page stood open for too long."
        ),
    )
