"""Reads of messages: what each is called, by its event."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from notifications.composers import name_of

LETTERS: dict[str, Any] = {
    "booking_confirmed": _("letter: the booking is confirmed"), "booking_canceled": _("letter: the booking is canceled"),
    "booking_expired": _("letter: the time ran out"), "booking_requested": _("letter: the request has come"),
    "booking_approved": _("letter: approved, please pay"), "booking_moved": _("letter: the booking was moved"),
    "price_raised": _("letter: the price is higher"), "payment_returned": _("letter: the money goes back"),
    "overdue_opened": _("letter: a fee for staying"), "bookings_found": _("letter: my bookings"),
}  # fmt: skip


def words_of(event: str) -> Any:
    return LETTERS.get(name_of(event), event)
