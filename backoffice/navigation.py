"""The menu of the back office: what each viewer may open, by the job it is for."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

# (group, [(words, Material symbol, "app.model" of a list or the name of a page's address)])
GROUPS: list[tuple[Any, list[tuple[Any, str, str]]]] = [
    (
        _("Today"),
        [
            (_("Schedule"), "calendar_view_day", "admin:board"),
            (_("Overview"), "home", "admin:index"),
            (_("Bookings"), "event_available", "bookings.booking"),
            (_("Close the visits"), "task_alt", "admin:close-day"),
            (_("Slots"), "schedule", "slots.slot"),
            (_("Season and prices"), "date_range", "admin:slot-tools"),
            (_("Clients"), "group", "clients.client"),
        ],
    ),
    (
        _("Money"),
        [
            (_("Report"), "monitoring", "admin:reports"),
            (_("Money and the bank"), "account_balance_wallet", "admin:money"),
            (_("Audit"), "rule", "admin:audit"),
            (_("Payments"), "credit_card", "payments.payment"),
            (_("Refunds"), "undo", "payments.refund"),
            (_("Calls to the outside"), "sync_problem", "palms.intent"),
            (_("Notifications of banks"), "inbox", "payments.providerevent"),
        ],
    ),
    (
        _("Doors"),
        [
            (_("Locks"), "lock", "access.lock"),
            (_("Door codes"), "password", "access.accessgrant"),
            (_("Lock accounts"), "hub", "access.lockaccount"),
        ],
    ),
    (
        _("Club"),
        [
            (_("Checklist"), "checklist", "admin:checklist"),
            (_("Club settings"), "storefront", "clubs.club"),
            (_("Areas"), "sports_tennis", "clubs.area"),
            (_("Instructors"), "sports", "clubs.instructor"),
            (_("Programs"), "school", "slots.program"),
            (_("Staff"), "badge", "admin:staff"),
            (_("People who sign in"), "person", "clubs.user"),
            (_("Messages"), "mail", "notifications.notification"),
            (_("A new club"), "add_business", "admin:club-new"),
        ],
    ),
    (
        _("Connections"),
        [
            (_("Payment accounts"), "account_balance", "payments.provideraccount"),
            (_("API keys"), "key", "clubs.apikey"),
            (_("Webhooks"), "webhook", "webhooks.endpoint"),
        ],
    ),
    (
        _("Signing in"),
        [
            (_("My sign-ins and second factor"), "shield_person", "admin:account"),
            (_("View as a club"), "visibility", "admin:view-as"),
            (_("Wrong passwords"), "lock_person", "axes.accessattempt"),
            (_("Views as a club"), "history", "clubs.viewing"),
        ],
    ),
]


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups with the items this viewer may see. Items of one group stand in the order of the day."""
    groups = []
    for title, items in GROUPS:
        shown = [_item(words, icon, target) for words, icon, target in items if _may_see(request, target)]
        if shown:
            groups.append({"title": title, "separator": True, "collapsible": False, "items": shown})
    return groups


def _item(words: Any, icon: str, target: str) -> dict[str, Any]:
    name = target if ":" in target else "admin:{}_{}_changelist".format(*target.split("."))
    return {"title": capfirst(words), "icon": icon, "link": reverse(name)}


def _may_see(request: HttpRequest, target: str) -> bool:
    if ":" in target:
        page = _page_of(target)
        return page is None or page.is_open_to(request)
    known = {model._meta.label_lower: row for model, row in admin.site._registry.items()}
    return target in known and known[target].has_view_permission(request)


def _page_of(target: str) -> Any:
    from backoffice.urls import PAGES

    return next((page for page in PAGES if f"admin:{page.name}" == target), None)
