"""How those who act are called: from what history keeps beside every change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.apps import apps
from django.utils.translation import gettext_lazy as _

Told = Mapping[str, Any]  # the metadata of one context of history
THROUGH: dict[str, Any] = {
    "page": _("on the site"), "api": _("by the API"), "admin": _("in the back office"), "webhook": _("the bank's notification"),
    "poll": _("a look at the bank"), "sweep": _("by itself"), "command": _("from the server"),
    "invitation": _("by an invitation"),
}  # fmt: skip
KINDS: dict[str, Any] = {"client": _("the customer"), "provider": _("the bank"), "staff": _("the staff"), "crm": "CRM"}


def told_by(event: Any) -> Told:
    """Return what was written beside an event of history; empty where nobody said who acts."""
    found: Told = event.pgh_context.metadata if event.pgh_context else {}
    return found


def names_of(told: Iterable[Told]) -> dict[tuple[Any, Any], Any]:
    """Return how those who acted are called, by (kind, id): two queries."""
    pairs = {(one.get("actor"), one.get("actor_id")) for one in told}
    found = {kind: {pk for one, pk in pairs if one == kind and pk is not None} | {0} for kind in ("staff", "crm")}
    people = apps.get_model("clubs.User").objects.filter(pk__in=found["staff"])  # asked for nobody too: as many queries
    keys = apps.get_model("clubs.ApiKey").objects.filter(pk__in=found["crm"])
    names: dict[tuple[Any, Any], Any] = {("staff", one.pk): str(one) for one in people}
    names |= {("crm", key.pk): f"CRM {key.name}" for key in keys}
    return names | {pair: KINDS.get(str(pair[0]), _("Palms")) for pair in pairs - set(names)}


def name_of(told: Told, names: Mapping[tuple[Any, Any], Any]) -> Any:
    return names.get((told.get("actor"), told.get("actor_id")), _("Palms"))
