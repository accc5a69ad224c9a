"""A club's way to its first booking: the checklist, its staff, and for the platform a new club with its owner."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.generic import TemplateView

from backoffice.errors import InvitationInvalid, SignInFirst
from backoffice.models import Invitation, Job
from backoffice.pages import ClubPage, Page
from backoffice.pages_slots import job_page
from backoffice.selectors_checklist import steps
from backoffice.services.checking import ask_to_check
from backoffice.services.inviting import accept, account_of, invite, open_of, read_invitation, withdraw
from clubs.models import Membership, User
from clubs.services import open_club, show_club
from palms.admin import OWNERS, is_platform_admin
from palms.clock import now_utc
from palms.errors import DomainError, NotFound, ValidationFailed
from palms.money import EXPONENTS
from palms.templatetags.palms import ZONES
from palms.throttling import Rate, hit
from palms.visitors import address_of_visitor

INVITING = Rate(limit=30, seconds=3600)  # letters of one person
OPENING = Rate(limit=60, seconds=600)  # tries of links and passwords from one address
MOST_MEMBERS = 500


def add_errors(form: forms.Form, refusal: DomainError) -> None:
    """Put what a service refused beside its fields."""
    told = refusal.facts.get("errors") if isinstance(refusal, ValidationFailed) else None
    for name, texts in (told or {"": [str(refusal)]}).items():
        form.add_error(name if name in form.fields else None, texts)


class ChecklistPage(ClubPage):
    path, name, title = "desk/checklist/", "checklist", _("From nothing to the first booking")
    template_name, readers = "backoffice/checklist.html", OWNERS

    def post(self, request: HttpRequest) -> HttpResponse:
        if request.POST.get("step") == "show":
            show_club(club_id=self.club.pk, actor=self.actor)
            return HttpResponseRedirect(f"{request.path}?{urlencode({'club': self.club.pk})}")
        asked, kind = request.POST.get("account", ""), request.POST.get("check", "")
        if not asked.isdecimal() or len(asked) > 18 or kind not in (Job.Kind.CHECK_BANK, Job.Kind.CHECK_LOCKS):
            raise NotFound
        return job_page(ask_to_check(club_id=self.club.pk, kind=kind, account_id=int(asked), actor=self.actor))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = steps(self.club, now=now_utc())
        due = [step for step in found if not step.is_optional]
        count = sum(step.is_done for step in due)
        following = next((step.key for step in due if not step.is_done), "")
        return super().get_context_data(steps=found, count=count, total=len(due), following=following, **kwargs)


class InviteForm(forms.Form):
    email = forms.EmailField(label=_("email"), max_length=254)
    name = forms.CharField(label=_("Name"), max_length=200, required=False)
    role = forms.ChoiceField(label=_("role"), choices=Membership.Role.choices, initial=Membership.Role.STAFF)


class StaffPage(ClubPage):
    """Who works here, who was asked to, and a form to ask another."""

    path, name, title = "desk/staff/", "staff", _("Staff")
    template_name, readers = "backoffice/staff.html", OWNERS
    form: InviteForm | None = None

    def post(self, request: HttpRequest) -> HttpResponse:
        asked = request.POST.get("withdraw")
        if asked is not None:
            if not asked.isdecimal() or len(asked) > 18:
                raise NotFound
            withdraw(club_id=self.club.pk, invitation_id=int(asked), actor=self.actor)
            return self._again(_t("The invitation is withdrawn: its link works no more."))
        form = self.form = InviteForm(request.POST, label_suffix="")
        if form.is_valid() and self._may_write(form):
            try:
                invite(club_id=self.club.pk, actor=self.actor, **form.cleaned_data)
                return self._again(_t("The letter to %(email)s is on its way.") % form.cleaned_data)
            except DomainError as refusal:
                add_errors(form, refusal)
        return self.render_to_response(self.get_context_data())

    def _may_write(self, form: forms.Form) -> bool:
        allowed = hit(f"invite:{self.request.user.pk}", INVITING, now=now_utc()).allowed
        if not allowed:
            form.add_error(None, _t("Too many letters at once. Try again later."))
        return allowed

    def _again(self, words: str) -> HttpResponse:
        messages.success(self.request, words)
        return HttpResponseRedirect(f"{self.request.path}?{urlencode({'club': self.club.pk})}")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        members = Membership.objects.filter(club=self.club).select_related("user").order_by("role", "pk")
        return super().get_context_data(
            form=self.form or InviteForm(label_suffix=""), members=members[:MOST_MEMBERS], now=now_utc(),
            invitations=open_of(self.club.pk).order_by("-pk"), roles=dict(Membership.Role.choices), **kwargs,
        )  # fmt: skip


class NewClubForm(forms.Form):
    name = forms.CharField(label=_("name"), max_length=200)
    slug = forms.SlugField(
        label=_("address"), max_length=60, help_text=_("Small latin letters, digits and hyphens: the club's own page.")
    )
    timezone = forms.ChoiceField(label=_("time zone"), choices=[(zone, _(words)) for zone, words in ZONES.items()])
    currency = forms.ChoiceField(label=_("currency"), choices=[(one, one) for one in EXPONENTS])
    email = forms.EmailField(label=_("the owner's email"), max_length=254)
    owner = forms.CharField(label=_("the owner's name"), max_length=200, required=False)


class NewClubPage(Page):
    """The platform opens a club and writes to its owner."""

    path, name, title = "desk/new-club/", "club-new", _("A new club")
    template_name, readers = "backoffice/new_club.html", frozenset()
    form: NewClubForm | None = None

    @classmethod
    def is_open_to(cls, request: HttpRequest) -> bool:
        return is_platform_admin(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        form = self.form = NewClubForm(request.POST, label_suffix="", initial={"timezone": "Europe/Moscow"})
        if form.is_valid():
            said = form.cleaned_data
            about = {name: said[name] for name in ("name", "slug", "timezone", "currency")}
            try:
                club = open_club(actor=self.actor, **about)
            except DomainError as refusal:
                add_errors(form, refusal)
            else:
                owner = Membership.Role.OWNER
                invite(club_id=club.pk, email=said["email"], name=said["owner"], role=owner, actor=self.actor)
                messages.success(request, _t("The letter to %(email)s is on its way.") % said)
                return HttpResponseRedirect(f"{reverse('admin:checklist')}?{urlencode({'club': club.pk})}")
        return self.render_to_response(self.get_context_data())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = self.form or NewClubForm(label_suffix="", initial={"timezone": "Europe/Moscow"})
        return super().get_context_data(form=form, **kwargs)


class PasswordForm(forms.Form):
    """The first password of somebody new."""

    name = forms.CharField(label=_("your name"), max_length=200)
    password = forms.CharField(
        label=_("password"),
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label=_("password once more"), max_length=200, strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )  # fmt: skip

    def __init__(self, *args: Any, invitation: Invitation, **kwargs: Any) -> None:
        self.invitation = invitation
        super().__init__(*args, **{"label_suffix": "", "initial": {"name": invitation.name}} | kwargs)

    def clean(self) -> dict[str, Any]:
        entered = super().clean() or self.cleaned_data
        password, again = entered.get("password"), entered.get("again")
        if password and again and password != again:
            self.add_error("again", _t("The two passwords differ."))
        if password:
            try:
                validate_password(password, User(email=self.invitation.email, name=entered.get("name", "")))
            except ValidationError as wrong:
                self.add_error("password", wrong)
        return entered


class InvitationPage(TemplateView):
    """Where the letter's link leads, signed in or not. Whatever is wrong with a link looks the same."""

    template_name = "backoffice/invitation.html"
    form: PasswordForm | None = None
    refusal = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        verdict = hit(f"invitation:{address_of_visitor(request)}", OPENING, now=now_utc())
        if not verdict.allowed:
            return HttpResponse(
                _t("Too many tries. Try again later."), status=429, headers={"Retry-After": str(verdict.wait)}
            )
        try:
            self.invitation = read_invitation(kwargs["token"])
        except InvitationInvalid as refusal:
            told = {**admin.site.each_context(request), "refusal": str(refusal), "title": _t("Invitation")}
            return self.render_to_response(told, status=404)
        response = super().dispatch(request, *args, **kwargs)
        response.headers["Cache-Control"] = "private, no-store"
        return response

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        said: dict[str, str] = {}
        if account_of(self.invitation) is None:
            form = self.form = PasswordForm(request.POST, invitation=self.invitation)
            if not form.is_valid():
                return self.render_to_response(self.get_context_data())
            said = {name: form.cleaned_data[name] for name in ("name", "password")}
        try:
            accept(token=token, user_id=request.user.pk, **said)
        except SignInFirst as refusal:
            self.refusal = str(refusal)
            return self.render_to_response(self.get_context_data(), status=refusal.status)
        messages.success(request, _t("Welcome to %(club)s.") % {"club": self.invitation.club})
        return HttpResponseRedirect(reverse("admin:index"))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        account = account_of(self.invitation)
        is_theirs = account is not None and account.pk == self.request.user.pk
        form = None if account else self.form or PasswordForm(invitation=self.invitation)
        sign_in = f"{reverse('admin:login')}?{urlencode({'next': self.request.path})}"
        frame = admin.site.each_context(self.request)
        return frame | super().get_context_data(
            invitation=self.invitation, role=dict(Membership.Role.choices).get(self.invitation.role, ""), form=form,
            is_theirs=is_theirs, sign_in=sign_in, refusal=self.refusal, title=_t("Invitation"), **kwargs,
        )  # fmt: skip
