"""What became of one row, as people read it: when, who, and each column from what to what. Read from append-only history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from palms.templatetags.palms import money
from palms.who import THROUGH, name_of, names_of, told_by

MOST = 200  # the latest
LABELS: dict[str, Any] = {"insert": _("created"), "update": _("changed"), "delete": _("deleted")}
QUIET = frozenset({"id", "club", "created_at", "updated_at", "version", "period", "area_key", "instructor_key"})
MONEY = frozenset(
    {
        "price", "raised_price", "secured_amount", "amount", "captured", "refunded", "keep", "rate", "cap", "price_per_hour",
        "overdue_rate", "overdue_cap",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One column; empty is a dash."""

    what: str
    before: str
    after: str


@dataclass(slots=True)
class Moment:
    """One event of a row's history, UTC."""

    at: datetime
    who: Any
    through: Any
    what: Any
    changes: list[Change] = field(default_factory=list)


def is_tracked(model: type[models.Model]) -> bool:
    return bool(getattr(model, "pgh_event_models", None))


def changes_of(row: models.Model) -> list[Moment]:
    """Return the latest of a tracked row's history, newest first: a few queries, however long it is."""
    events = _events_of(row)
    told = [told_by(event) for event in events]
    names, reader = names_of(told), _Reader(row, events)
    moments = []
    for before, after in pairwise([*events, None]):  # newest first: what follows an event was before it
        about = told_by(before)
        changes = list(reader.between(after, before)) if before.pgh_label == "update" and after is not None else []
        moments.append(
            Moment(
                before.pgh_created_at, name_of(about, names), THROUGH.get(about.get("through", ""), ""),
                LABELS.get(before.pgh_label, before.pgh_label), changes,
            )
        )  # fmt: skip
    return moments[:MOST]


def _events_of(row: models.Model) -> list[Any]:
    model: Any = next(iter(row.pgh_event_models.values()))  # type: ignore[attr-defined]  # pghistory's
    rows = model.objects.filter(pgh_obj_id=row.pk).select_related("pgh_context")
    return list(rows.order_by("-pgh_id")[: MOST + 1])


class _Reader:
    """Compares two events and says values in words; names of related rows are read once for all events."""

    def __init__(self, row: models.Model, events: list[Any]) -> None:
        own, club = getattr(row, "currency", None), getattr(row, "club", None)
        self.currency = str(own or getattr(club, "currency", "RUB"))
        columns = events[0]._meta.fields if events else []
        self.fields: list[Any] = [one for one in columns if not one.name.startswith("pgh_") and one.name not in QUIET]
        self.related = {
            one.name: one.remote_field.model._base_manager.in_bulk(
                {getattr(event, one.attname) for event in events} - {None}
            )
            for one in self.fields
            if one.is_relation
        }

    def between(self, before: Any, after: Any) -> Iterator[Change]:
        for one in self.fields:
            was, now = getattr(before, one.attname), getattr(after, one.attname)
            if was != now:
                yield Change(str(capfirst(str(one.verbose_name))), self._said(one, was), self._said(one, now))

    def _said(self, one: Any, value: Any) -> str:
        if value is None or value in ("", []):
            return "–"
        if one.is_relation:
            return str(self.related[one.name].get(value, value))
        if isinstance(value, bool):
            return str(_("yes") if value else _("no"))
        if isinstance(value, datetime):
            return f"{timezone.localtime(value):%d.%m.%Y %H:%M}"
        if one.name in MONEY and isinstance(value, int):
            return money(value, self.currency)
        if isinstance(value, list):
            return ", ".join(str(each) for each in value)
        return str(dict(one.flatchoices).get(value, value))
