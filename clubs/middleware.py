"""What stands between a signed-in person of the staff and the back office: the second factor, and looking without touching."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode

from clubs.second_factor import owes_a_code
from clubs.signins import seen
from palms.clock import now_utc
from palms.viewing import looking

ADMIN = "/admin/"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
BEFORE_THE_CODE = ("login", "logout", "second-factor", "jsi18n")
WHILE_LOOKING = ("logout", "view-end")


class StaffMiddleware:
    """Lets nobody past who owes a code; lets nobody change anything who only looks. The API asks in clubs.callers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.looking = None  # type: ignore[attr-defined]
        if not request.path_info.startswith(ADMIN) or not request.user.is_authenticated:
            return self.get_response(request)
        if request.session.session_key:
            seen(session_key=request.session.session_key, now=now_utc())
        if request.user.is_staff and not _is_before_the_code(request) and owes_a_code(request.user):
            return HttpResponseRedirect(_asking(request))
        request.looking = looking(request)  # type: ignore[attr-defined]
        if request.looking and request.method not in SAFE and not _is_one_of(request, WHILE_LOOKING):  # type: ignore[attr-defined]
            return _only_looking(request)
        return self.get_response(request)


def _is_before_the_code(request: HttpRequest) -> bool:
    """The way to a new password too: who has forgotten theirs may be signed in by half."""
    is_recovering = request.path_info.startswith(reverse("admin:admin_password_reset"))
    return is_recovering or _is_one_of(request, BEFORE_THE_CODE)


def _is_one_of(request: HttpRequest, names: tuple[str, ...]) -> bool:
    return request.path_info in {reverse(f"admin:{name}") for name in names}


def _asking(request: HttpRequest) -> str:
    back = urlencode({"next": request.get_full_path()}) if request.method == "GET" else ""
    return f"{reverse('admin:second-factor')}?{back}".rstrip("?")


def _only_looking(request: HttpRequest) -> HttpResponse:
    return render(request, "admin/only_looking.html", admin.site.each_context(request), status=403)
