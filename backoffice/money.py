"""Money of one club: what waits for people, our books beside the bank's, what came and went by day.

Nothing here moves money by itself: a retry is the same call with the same key, a comparison only learns what is true.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from backoffice import selectors_money as read
from backoffice.calls import words_of
from backoffice.pages import ClubPage
from palms import intents
from palms.clock import now_utc
from palms.errors import DomainError
from palms.models import Intent
from payments import services as money
from payments.models import Payment, ProviderAccount

KINDS: dict[str, Any] = {
    "same": _("the same"), "stranger": _("the bank has it, Palms does not"), "missing": _("Palms has it, the bank does not"),
    "unread": _("the bank does not show it"), "differs": _("differs"),
}  # fmt: skip


AT_THE_BANK: dict[str, Any] = {
    "pending": _("waiting for the payer"), "waiting_for_capture": _("held on the card"), "succeeded": _("taken"),
    "canceled": _("canceled"),
}  # fmt: skip


def _in_words(row: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """Return a compared payment with both states in words, and what came of the comparison."""
    ours, theirs = row.get("here"), row.get("theirs")
    here = ours and ours | {"status": dict(Payment.Status.choices).get(ours["status"], ours["status"])}
    there = theirs and theirs | {"status": AT_THE_BANK.get(theirs["status"], theirs["status"])}
    return row | {"here": here, "theirs": there}, KINDS.get(row["kind"], row["kind"])


def number(text: str | None) -> int:
    """Return an id that a form sent. Raises Http404."""
    if not (text and text.isascii() and text.isdecimal() and len(text) < 19):
        raise Http404
    return int(text)


class MoneyPage(ClubPage):
    path, name, title = "money/", "money", _("Money")
    template_name = "backoffice/money.html"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if "retry" in request.POST:
            self._retry(number(request.POST["retry"]))
        else:
            self._compare(number(request.POST.get("compare")))
        return HttpResponseRedirect(f"{reverse('admin:money')}?club={self.club.pk}")

    def _retry(self, intent_id: int) -> None:
        if not Intent.objects.filter(pk=intent_id, club=self.club).exists():
            raise Http404
        if intents.retry(intent_id, now=now_utc()):
            messages.success(self.request, _t("It is tried again now, with the same key."))
        else:
            messages.info(self.request, _t("This call is done already."))

    def _compare(self, account_id: int) -> None:
        if not ProviderAccount.objects.filter(pk=account_id, club=self.club).exists():
            raise Http404
        try:
            money.ask_to_compare(account_id=account_id, actor=self.actor)
            messages.success(self.request, _t("Asked: the result appears here in a moment."))
        except DomainError as refusal:
            messages.error(self.request, str(refusal))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        now = now_utc()
        beside = [
            (one, [_in_words(row) for row in one.latest.rows] if one.latest else [])
            for one in read.beside_the_providers(self.club)
        ]
        calls = [(one, words_of(one.kind)) for one in read.stuck_calls(self.club, now)]
        return super().get_context_data(
            days=read.by_day(self.club, now), calls=calls, owed=read.owed_on_site(self.club),
            trouble=read.in_trouble(self.club), beside=beside, **kwargs,
        )  # fmt: skip
