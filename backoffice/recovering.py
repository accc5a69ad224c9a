"""The way back in for whoever has forgotten the password: ask for a letter, and choose a new one by its link."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import logout
from django.contrib.auth.views import INTERNAL_RESET_SESSION_TOKEN, PasswordResetConfirmView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse_lazy
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.generic import FormView

from backoffice.errors import LinkInvalid
from backoffice.services.recovering import ask_for_letter, renew
from palms.clock import now_utc
from palms.middleware import staff_actor
from palms.throttling import Rate, hit
from palms.visitors import address_of_visitor, wait_page

TRIES = Rate(limit=20, seconds=600)  # from one address, whatever is typed


class EmailForm(forms.Form):
    email = forms.EmailField(
        label=_("email"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True})
    )


class _Recovering:
    """The frame of a page for somebody who is not signed in, and how often it may be tried."""

    title: Any
    button: Any

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST" or kwargs:
            verdict = hit(f"forgotten:{address_of_visitor(request)}", TRIES, now=now_utc())
            if not verdict.allowed:
                return wait_page(request, timedelta(seconds=verdict.wait))
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]  # the view's
        response.headers["Cache-Control"] = "no-store"
        return response

    def get_form_kwargs(self) -> dict[str, Any]:
        return {"label_suffix": ""} | super().get_form_kwargs()  # type: ignore[misc]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        frame = admin.site.each_context(self.request)  # type: ignore[attr-defined]
        return {**frame, **super().get_context_data(**kwargs), "title": self.title, "button": self.button}  # type: ignore[misc]


class ForgottenPage(_Recovering, FormView):  # type: ignore[type-arg]
    """Whatever is typed, the answer is the same."""

    template_name = "backoffice/password.html"
    form_class, title, button = EmailForm, _("A new password"), _("Send the letter")

    def form_valid(self, form: EmailForm) -> HttpResponse:
        ask_for_letter(form.cleaned_data["email"])
        return self.render_to_response(self.get_context_data(sent=True))


class PasswordLink(_Recovering, PasswordResetConfirmView):
    """Where the letter's link leads. Whatever is wrong with a link looks the same."""

    template_name = "backoffice/password.html"
    title, button, success_url = _("A new password"), _("Keep this password"), reverse_lazy("admin:login")

    def get_user(self, uidb64: str) -> Any:
        user = super().get_user(uidb64)
        return user if user is not None and user.is_active else None

    def form_valid(self, form: Any) -> HttpResponse:
        user: Any = self.user
        token, password = self.request.session[INTERNAL_RESET_SESSION_TOKEN], form.cleaned_data["new_password1"]
        try:
            renew(user_id=user.pk, token=token, password=password, actor=staff_actor(user))
        except LinkInvalid:
            self.validlink = False
            return self.render_to_response(self.get_context_data(form=None))
        logout(self.request)  # whoever was signed in here: that session may have just ended
        messages.success(self.request, _t("The new password holds. Sign in with it."))
        return HttpResponseRedirect(str(self.success_url))

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        wrong = {} if context.get("validlink") else {"status": 404}
        return super().render_to_response(context, **wrong, **kwargs)
