"""The audit in the back office: every rule green, or with the rows that break it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from backoffice.pages import Page
from bookings.audit_view import MOST, Asked, ask_all
from clubs.models import Club
from palms.admin import OWNERS, is_platform_admin, roles_of
from palms.clock import now_utc
from palms.templatetags.palms import in_zone


class AuditPage(Page):
    """The platform sees the rows of all clubs, an owner those of their own."""

    path, name, title = "audit/", "audit", _("Audit")
    template_name = "backoffice/audit.html"
    readers = OWNERS

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        everything = is_platform_admin(self.request)
        mine = [pk for pk, role in roles_of(self.request).items() if role in OWNERS]
        asked = list(ask_all(club_ids=None if everything else mine))
        lines = [(one, _links(one)) for one in sorted(asked, key=lambda one: one.is_green)]
        broken = sum(bool(one.rows) for one in asked)
        late = sum(one.unfinished for one in asked)
        return super().get_context_data(
            lines=lines, broken=broken, late=late, most=MOST, asked_at=_clock_of(mine, now_utc()), everything=everything,
            seconds=round(sum(one.seconds for one in asked), 1), **kwargs,
        )  # fmt: skip


def _clock_of(club_ids: list[int], now: datetime) -> datetime:
    """Return the moment by the clock of the viewer's first club; of Greenwich where there is none."""
    club = Club.objects.filter(pk__in=club_ids).order_by("name", "pk").first()
    return (in_zone(now, club) if club else None) or now


def _links(asked: Asked) -> list[tuple[Any, str, str]]:
    """Return (id, the rest in words, the address of the row's page or nothing) for a rule's rows."""
    models = {model._meta.db_table: model._meta for model in admin.site._registry}
    meta = models.get(asked.table)
    return [
        (pk, words, reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[pk]) if meta and pk else "")
        for pk, words in asked.rows[:MOST]
    ]
