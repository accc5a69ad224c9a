"""What happens around every view: the visitor's language, refusals as pages, and who acts in the back office."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.cache import patch_vary_headers

from palms import views
from palms.actors import Actor, acting, staff_member
from palms.errors import DomainError, is_busy
from palms.problems import PROBLEM_JSON

GetResponse = Callable[[HttpRequest], HttpResponseBase]
API, ADMIN, HEALTH = "/api/", "/admin/", "/health/live"
FEATURES = ", ".join(
    f"{name}=()" for name in ("accelerometer", "camera", "geolocation", "gyroscope", "microphone", "payment", "usb")
)


class HealthMiddleware:
    """Answer /health/live before anything looks at the host, the database or the session. It stands first."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info == HEALTH:
            return views.live(request)
        return self.get_response(request)


class FeaturesMiddleware:
    """Tell browsers that no page of ours uses what a planted script would like to."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers["Permissions-Policy"] = FEATURES
        return response


class LanguageMiddleware:
    """Pages speak Russian until the visitor chose English (a cookie, or ?lang=en); the API follows Accept-Language."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        is_api = request.path_info.startswith(API)
        chosen = "" if is_api else _known(request.GET.get("lang"))
        language = translation.get_language_from_request(request) if is_api else chosen or _chosen_before(request)
        request.LANGUAGE_CODE = language
        with translation.override(language):
            response = self.get_response(request)
        patch_vary_headers(response, ("Accept-Language",) if is_api else ("Cookie",))
        response.headers.setdefault("Content-Language", language)
        if chosen and chosen != request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME):
            views.remember_language(response, chosen)
        return response


class BackOfficeMiddleware:
    """The back office's theme works by Alpine, which evaluates expressions and sets styles. No other page may."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.path_info.startswith(ADMIN):
            response._csp_replace = {  # type: ignore[attr-defined]
                "script-src": ["'self'", "'unsafe-eval'"],
                "style-src": ["'self'", "'unsafe-inline'"],
            }
        return response


class RefusalMiddleware:
    """Give a refusal of the domain, and a database that is too busy, a page with the right status.

    Nothing is refused twice: a busy database has changed nothing, and a DomainError has rolled back what it began.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        is_page = not request.path_info.startswith((API, ADMIN)) and response.get("Content-Type") != PROBLEM_JSON
        if response.status_code == 405 and is_page:
            return views.method_not_allowed(request, allow=response.get("Allow", ""))
        if response.status_code == 503:  # also where a view has a better page for it
            response.headers.setdefault("Retry-After", "5")
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if request.path_info.startswith(API):
            return None  # palms.problems answers there
        if isinstance(exception, DomainError):
            return views.refused(request, exception)
        if isinstance(exception, OperationalError) and is_busy(exception):
            return views.unavailable(request)
        return None


class StaffHistoryMiddleware:
    """Write the signed-in person of the staff beside everything that a POST to the back office changes."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method != "POST" or not request.path_info.startswith(ADMIN) or not request.user.is_staff:
            return self.get_response(request)
        with acting(staff_actor(request.user)):
            return self.get_response(request)


def staff_actor(user: object) -> Actor:
    """Return the Actor of a signed-in person of the staff, with the clubs of their memberships."""
    roles = dict(user.memberships.values_list("club_id", "role"))  # type: ignore[attr-defined]
    return staff_member(user.pk, roles, through="admin", is_platform_admin=bool(user.is_superuser))  # type: ignore[attr-defined]


def _known(language: str | None) -> str:
    return language if language in views.CODES else ""


def _chosen_before(request: HttpRequest) -> str:
    return _known(request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME)) or settings.LANGUAGE_CODE
