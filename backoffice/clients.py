"""A client as the staff meet them: how to reach them, what they booked and paid, what to know, and whether they may book."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin, messages
from django.db.models import Count, Q, Sum
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from backoffice.money import number
from backoffice.pages import Page
from bookings.models import Booking
from clients import services
from clients.models import Client, ClientBlock, ClientNote
from palms.errors import DomainError
from palms.taking import words_of
from payments.models import Payment

MOST = 50


class ClientPage(Page):
    path, name, title = "client/<int:client_id>/", "client-desk", _("Client")
    template_name = "backoffice/client.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.request, self.kwargs = request, kwargs
        with timezone.override(ZoneInfo(self.client.club.timezone)):
            response: Any = super().dispatch(request, *args, **kwargs)
            return response.render() if hasattr(response, "render") else response

    @cached_property
    def client(self) -> Client:
        if self.kwargs["client_id"] >= 2**63:
            raise Http404
        seen = admin.site.get_model_admin(Client).get_queryset(self.request)
        found: Client | None = seen.select_related("club", "wallet").filter(pk=self.kwargs["client_id"]).first()
        if found is None:
            raise Http404
        return found

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        steps = {"note": self._note, "forget": self._forget, "block": self._block, "unblock": self._unblock}
        step = steps.get(request.POST.get("step", ""))
        if step is None:
            raise Http404
        try:
            messages.success(request, step())
        except DomainError as refusal:
            messages.error(request, words_of(refusal))
        return HttpResponseRedirect(reverse("admin:client-desk", args=[self.client.pk]))

    def _note(self) -> str:
        services.add_note(client_id=self.client.pk, text=self.request.POST.get("text", ""), actor=self.actor)
        return _t("The note is kept.")

    def _forget(self) -> str:
        note_id = number(self.request.POST.get("note"))
        if not ClientNote.objects.filter(pk=note_id, client=self.client).exists():
            raise Http404
        services.remove_note(note_id=note_id, actor=self.actor)
        return _t("The note is gone.")

    def _block(self) -> str:
        services.block(client_id=self.client.pk, reason=self.request.POST.get("reason", ""), actor=self.actor)
        return _t("The client does not book online any more.")

    def _unblock(self) -> str:
        services.unblock(client_id=self.client.pk, actor=self.actor)
        return _t("The client can book online again.")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        client, self.title = self.client, self.client.full_name  # type: ignore[misc, assignment]
        bookings = Booking.objects.filter(club_id=client.club_id, client=client)
        rows = bookings.select_related("club", "area", "instructor").order_by("-date_from", "-pk")[:MOST]
        counts = bookings.aggregate(
            visited=Count("pk", filter=Q(status=Booking.Status.SHOWN)),
            missed=Count("pk", filter=Q(status=Booking.Status.NOT_SHOWN)),
            gone=Count("pk", filter=Q(finished_at__isnull=False) & ~Q(status__in=["SHOWN", "NOT_SHOWN"])),
        )  # fmt: skip
        sums = Payment.objects.filter(club_id=client.club_id, client=client).aggregate(
            taken=Sum("captured"), returned=Sum("refunded")
        )
        notes = ClientNote.objects.filter(client=client, removed_at__isnull=True).select_related("author")
        return super().get_context_data(
            client=client, club=client.club, bookings=rows, counts=counts,
            taken=sums["taken"] or 0, returned=sums["returned"] or 0,
            notes=notes.order_by("-pk")[:MOST], blocks=ClientBlock.objects.filter(client=client).order_by("-pk")[:MOST],
            blocked=ClientBlock.objects.filter(client=client, ended_at__isnull=True).first(),
            **kwargs,
        )  # fmt: skip
