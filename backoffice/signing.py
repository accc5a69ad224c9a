"""Signing in and what belongs to it: the code of the telephone, where one is signed in, the platform's look at a club."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

import segno
from django.contrib import admin, messages
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django_otp import login as verify
from unfold.forms import AuthenticationForm

from backoffice.pages import OwnPage, Page
from clubs import second_factor, signins
from clubs.models import Club, Membership
from clubs.second_factor import Enrolment, TooManyCodes, WrongCode
from palms.admin import roles_of
from palms.clock import now_utc
from palms.errors import DomainError, NotFound
from palms.middleware import staff_actor
from palms.throttling import Rate, hit
from palms.viewing import KEY
from palms.visitors import address_of, address_of_visitor, device_of, wait_page

PENDING = "palms_enrolment"  # of the session: the sealed key that waits for its first code
TRIES = Rate(limit=60, seconds=600)  # passwords from one address, whatever the names
LONGEST_CODE = 40
MOST_CLUBS = 500


class SignIn(LoginView):
    """The door. Wrong passwords are counted by name and address (django-axes), and all of one address together."""

    template_name = "admin/login.html"
    authentication_form = AuthenticationForm
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        verdict = hit(f"signin:{address_of_visitor(request)}", TRIES, now=now_utc())
        if not verdict.allowed:
            return wait_page(request, timedelta(seconds=verdict.wait))
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        answer = super().form_valid(form)
        _open(self.request)
        return answer

    def get_default_redirect_url(self) -> str:
        return reverse("admin:index")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        shown = {
            **admin.site.each_context(self.request),
            "title": _t("Sign in"),
            "app_path": self.request.get_full_path(),
        }
        return super().get_context_data(**shown, **kwargs)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated and not request.user.is_staff:
            self.redirect_authenticated_user = False  # the door would send them back here for ever
        return super().dispatch(request, *args, **kwargs)


def _open(request: HttpRequest) -> None:
    """Write the session down that has just begun, under the key that it has now."""
    key = request.session.session_key
    if key is None:
        request.session.save()
        key = str(request.session.session_key)
    signins.open_session(
        user_id=int(request.user.pk or 0), session_key=key, address=address_of(request),
        agent=request.headers.get("User-Agent", ""), actor=staff_actor(request.user),
    )  # fmt: skip


class _CodePage(OwnPage):
    """A page with a field for a code: a refusal stands beside it."""

    error: str = ""

    def refused(self, refusal: DomainError) -> HttpResponse:
        self.error = str(refusal)
        status = refusal.status if isinstance(refusal, TooManyCodes) else 400
        response = self.render_to_response(self.get_context_data(), status=status)
        if "wait" in refusal.facts:
            response.headers["Retry-After"] = str(refusal.facts["wait"])
        return response

    def typed(self, name: str = "code") -> str:
        return self.request.POST.get(name, "")[:LONGEST_CODE].replace("\0", "")


class SecondFactorPage(_CodePage):
    """After the password: show a code, or set up what makes one. The new codes for paper are shown here, once."""

    path, name = "second-factor/", "second-factor"
    title = _("Second factor")
    template_name = "backoffice/second_factor.html"
    codes: list[str] | None = None

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            return self._show_codes() if self.is_setting_up else self._let_in()
        except (WrongCode, TooManyCodes) as refusal:
            return self.refused(refusal)

    @property
    def is_setting_up(self) -> bool:
        """Somebody without a factor, or one who has shown theirs and asks for another."""
        user: Any = self.request.user
        return not second_factor.has_one(self.user_id) or (user.is_verified() and "renew" in self.request.GET)

    def _let_in(self) -> HttpResponse:
        device = second_factor.check(user_id=self.user_id, code=self.typed())
        self._become_verified(device)
        return HttpResponseRedirect(self.next)

    def _show_codes(self) -> HttpResponse:
        """The first code of a new key; whoever replaces one shows a code of the old key too."""
        user = self.request.user
        if second_factor.has_one(self.user_id):
            second_factor.check(user_id=self.user_id, code=self.typed("current"))
        device, self.codes = second_factor.enrol(
            user_id=self.user_id, enrolment=self.enrolment, code=self.typed(), actor=staff_actor(user)
        )
        self.request.session.pop(PENDING, None)
        self._become_verified(device)
        signins.end_sessions(user_id=self.user_id, but=self.request.session.session_key, actor=staff_actor(user))
        return self.render_to_response(self.get_context_data())

    def _become_verified(self, device: Any) -> None:
        """A session that may do more gets another key."""
        self.request.session.cycle_key()
        verify(self.request, device)
        _open(self.request)

    @property
    def enrolment(self) -> Enrolment:
        kept = self.request.session.get(PENDING)
        made = Enrolment(kept) if kept else second_factor.begin()
        if not kept:
            self.request.session[PENDING] = made.sealed
        return made

    @property
    def next(self) -> str:
        asked = self.request.GET.get("next", "")
        is_ours = url_has_allowed_host_and_scheme(
            asked, {self.request.get_host()}, require_https=self.request.is_secure()
        )
        return asked if is_ours else reverse("admin:index")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        shown: dict[str, Any] = {"error": self.error, "codes": self.codes, "next": self.next}
        if self.codes is None and self.is_setting_up:
            made = self.enrolment
            drawn = segno.make(made.address(str(self.request.user)), error="m").svg_inline(scale=5, light="#fff")
            shown |= {"key": made.words, "drawn": mark_safe(drawn)}  # noqa: S308  made by segno of our own text
            shown["replaces"] = second_factor.has_one(self.user_id)
        return super().get_context_data(**shown, **kwargs)

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> Any:
        response = super().render_to_response(context, **kwargs)
        response.headers["Cache-Control"] = "no-store"
        return response


class AccountPage(_CodePage):
    """The viewer's own sign-ins and second factor."""

    path, name = "account/", "account"
    title = _("My sign-ins and second factor")
    template_name = "backoffice/account.html"
    codes: list[str] | None = None

    def post(self, request: HttpRequest) -> HttpResponse:
        if request.POST.get("step") == "codes":
            try:
                self.codes = second_factor.new_codes(user_id=self.user_id, code=self.typed())
            except (WrongCode, TooManyCodes) as refusal:
                return self.refused(refusal)
            response: HttpResponse = self.render_to_response(self.get_context_data())
            response.headers["Cache-Control"] = "no-store"
            return response
        only = request.POST.get("only", "")
        if only and not (only.isascii() and only.isdecimal() and len(only) < 19):
            raise NotFound
        ended = signins.end_sessions(
            user_id=self.user_id, only=int(only) if only else None, but=request.session.session_key, actor=self.actor
        )
        messages.success(request, _t("Signed out there: %d") % ended)
        return HttpResponseRedirect(reverse("admin:account"))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user_id, key = self.user_id, self.request.session.session_key
        rows = signins.sessions_of(user_id, now=now_utc())[:100]
        places = [(row, device_of(row.agent), row.session_id == key) for row in rows]
        has_one = second_factor.has_one(user_id)
        left = second_factor.codes_left(user_id) if has_one else 0
        clock_of = Club.objects.filter(pk__in=roles_of(self.request)).order_by("name", "pk").first()
        shown = {
            "clock_of": clock_of,
            "places": places,
            "has_one": has_one,
            "left": left,
            "codes": self.codes,
            "error": self.error,
        }
        return super().get_context_data(**shown, **kwargs)


class ViewAsPage(Page):
    """The platform chooses a club and a role, and sees the back office as they do, until it ends that."""

    path, name = "view-as/", "view-as"
    title = _("View as a club")
    readers: ClassVar[frozenset[str]] = frozenset()
    template_name = "backoffice/view_as.html"

    def post(self, request: HttpRequest) -> HttpResponse:
        club = request.POST.get("club", "")
        if not (club.isascii() and club.isdecimal() and len(club) < 19):
            raise NotFound
        eyes = signins.begin_viewing(user=request.user, club_id=int(club), role=request.POST.get("role", ""))
        request.session[KEY] = {
            "id": eyes.id, "club_id": eyes.club_id, "club_name": eyes.club_name, "role": eyes.role,
        }  # fmt: skip
        return HttpResponseRedirect(reverse("admin:index"))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        clubs = Club.objects.order_by("name", "pk")[:MOST_CLUBS]
        return super().get_context_data(clubs_to_see=clubs, roles=Membership.Role.choices, **kwargs)


class EndViewing(OwnPage):
    """The button of the banner."""

    path, name = "view-as/end/", "view-end"
    title = _("View as a club")
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        kept = request.session.pop(KEY, None)
        if kept and request.user.is_superuser:
            signins.end_viewing(kept["id"])
        return HttpResponseRedirect(reverse("admin:index"))
