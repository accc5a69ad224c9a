"""Closing the evening: all visits that are over and that nobody has closed, on one page, by one button."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from backoffice.pages import ClubPage
from bookings import services
from bookings.models import Booking
from palms.clock import now_utc
from palms.errors import DomainError

S = Booking.Status
MOST, BACK = 100, timedelta(days=31)
ENDS: dict[str, tuple[Any, str, str]] = {  # a choice: its words, the outcome, the charge
    "came": (_("came"), S.SHOWN, "full"),
    "missed": (_("did not come, charged in full"), S.NOT_SHOWN, "full"),
    "forgiven": (_("did not come, not charged"), S.NOT_SHOWN, "none"),
}


class CloseDayPage(ClubPage):
    """Nobody is closed twice: a repeat answers what is true, another outcome is refused and said."""

    path, name, title = "close-day/", "close-day", _("Close the visits")
    template_name = "backoffice/close_day.html"

    def rows(self) -> list[Booking]:
        now = now_utc()
        found = Booking.objects.filter(
            club=self.club, status=S.CONFIRMED, date_to__lte=now, date_from__gte=now - BACK
        ).select_related("club", "area", "instructor", "client")
        return list(found.order_by("date_from", "pk")[: MOST + 1])

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        closed = 0
        for booking in self.rows()[:MOST]:
            chosen = ENDS.get(request.POST.get(f"end-{booking.pk}", ""))
            if chosen is None:
                continue
            try:
                services.close(booking_id=booking.pk, actor=self.actor, outcome=chosen[1], charge=chosen[2])
                closed += 1
            except DomainError as refusal:
                messages.error(request, f"{booking.pk}: {refusal}")
        if closed:
            messages.success(request, f"{_t('Closed')}: {closed}")
        return HttpResponseRedirect(f"{reverse('admin:close-day')}?club={self.club.pk}")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = self.rows()
        ends = [(key, words) for key, (words, _outcome, _charge) in ENDS.items()]
        return super().get_context_data(bookings=rows[:MOST], more=len(rows) > MOST, ends=ends, **kwargs)
