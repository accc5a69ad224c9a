"""What lists say of themselves: what their rows and states mean, and what to do first where there are none."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

LISTS: dict[str, tuple[Any, Any]] = {
    "bookings.Booking": (
        _(
            "Requested and waiting for payment hold the place until their deadline; confirmed is paid; to be closed is over,"
            " and nobody has said whether the guests came. Open a booking to see what can be done now."
        ),
        _("Bookings come from the club's page, from the schedule, or from the club's CRM."),
    ),
    "slots.Slot": (
        _("A slot is an offer: free until it is taken, closed where the club has withdrawn it."),
        _("Generate a season first: Season and prices."),
    ),
    "slots.Program": (
        _("A program is a training with weekly times; its sessions become slots."),
        _("Add the first program, then generate its sessions under Season and prices."),
    ),
    "clients.Client": (
        _("Whoever has booked is a client. Notes and blocks stand on the client's page."),
        _("A client appears with the first booking."),
    ),
    "payments.Payment": (
        _(
            "Waiting for the payer: the bank's page is open. Held: on the card, taken at the visit. Taken: with the club."
            " Released and failed: nothing was taken. The decision says whether the money serves a booking or goes back."
        ),
        _("Payments appear with the first booking that is paid."),
    ),
    "payments.Refund": (
        _(
            "Intended: on its way, or to be handed back on site. Done: the customer has it."
            " Refused: the bank said no; a new try follows."
        ),
        _("Nothing has gone back yet. A refund begins on the page of its booking."),
    ),
    "payments.ProviderEvent": (
        _("What banks have told. Nothing in it is believed: each makes Palms look at the payment itself, once."),
        _("A bank tells something with the first payment."),
    ),
    "payments.ProviderAccount": (
        _("Where the money of bookings goes. One account is used at checkout; its secret key is kept encrypted."),
        _("Add the account of the club's shop at YooKassa, then check the connection in the checklist."),
    ),
    "palms.Intent": (
        _(
            "Open: to be made, tried again by itself until it ends. Done. Refused: the other side's final no."
            " A stuck one is tried now under Money."
        ),
        _("Calls appear when something has to be asked of a bank, a lock or the mail."),
    ),
    "notifications.Notification": (
        _("Queued: leaves in a moment. Sent: handed to the mail server. Not delivered: the reason stands beside."),
        _("The first letter leaves with the first booking."),
    ),
    "access.Lock": (
        _("In use: codes are written into it. Trouble says why it does not answer; guests get codes again when it does."),
        _("Connect a lock account first, then add the lock of an area."),
    ),
    "access.AccessGrant": (
        _("A code lives only inside the time of its paid booking: planned, in the lock, being removed, gone."),
        _("Codes are planned with the bookings of areas that have a lock."),
    ),
    "access.LockAccount": (
        _("The account at TTLock that the club's locks are shared with; its password is kept encrypted."),
        _("Add it once; then add locks."),
    ),
    "clubs.Area": (
        _("What customers book: a court, a sunbed, a slope, a hall. One that is not offered keeps its bookings."),
        _("Add the first area."),
    ),
    "clubs.Instructor": (
        _("Who is booked, alone or with an area. One that is not offered keeps the bookings."),
        _("Add the first instructor, or do without: an area is enough."),
    ),
    "clubs.ApiKey": (
        _("With a key the club's CRM calls the API. It is shown once; a revoked one never works again."),
        _("Make a test key first: it sees and makes test payments only."),
    ),
    "webhooks.Endpoint": (
        _("Where the club's CRM is told what happens. One that fails for days is turned off and its owner is told."),
        _("Add the address of the CRM; the signing secret is shown once."),
    ),
}  # fmt: skip


def tell_lists() -> None:
    for model, row in admin.site._registry.items():
        row.about, row.when_empty = LISTS.get(model._meta.label, ("", ""))  # type: ignore[attr-defined]
