"""What became of an area's opening hours and peaks: rows come and go, people read which hours gave way to which."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from clubs.hours import written
from clubs.models import Area, Hours
from palms.changes import Change, Moment
from palms.who import THROUGH, name_of, names_of, told_by

MOST_EVENTS = 500  # the latest: each save writes up to a few for every weekday
LABELS = {Hours.Kind.OPEN: _("opening hours"), Hours.Kind.PEAK: _("peak prices")}


def hours_history(area: Area) -> list[Moment]:
    """Return each save of an area's hours, newest first: a few queries, however many there were."""
    model: Any = next(iter(Hours.pgh_event_models.values()))  # type: ignore[attr-defined]  # pghistory's
    rows = model.objects.filter(area_id=area.pk).select_related("pgh_context").order_by("-pgh_id")[:MOST_EVENTS]
    saves = [list(events) for _save, events in groupby(rows, key=_save_of)]
    if len(rows) == MOST_EVENTS:
        saves.pop()  # it may lack what came before in the same save
    names = names_of([told_by(events[0]) for events in saves])
    moments = []
    for events in saves:
        about = told_by(events[0])
        who, through = name_of(about, names), THROUGH.get(about.get("through", ""), "")
        changes = list(_changes(events, area.club.currency))
        moments.append(Moment(events[0].pgh_created_at, who, through, _("changed"), changes))
    return moments


def _save_of(event: Any) -> Any:
    return event.pgh_context_id or event.pgh_created_at


def _changes(events: list[Any], currency: str) -> Iterable[Change]:
    for kind, words in LABELS.items():
        gone = [one for one in events if one.kind == kind and one.pgh_label == "delete"]
        new = [one for one in events if one.kind == kind and one.pgh_label == "insert"]
        if gone or new:
            yield Change(str(capfirst(str(words))), _said(gone, currency), _said(new, currency))


def _said(rows: list[Any], currency: str) -> str:
    return written(rows, currency).replace("\n", ", ") or "–"
