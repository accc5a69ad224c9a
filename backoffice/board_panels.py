"""What is shown beside the schedule board: a free time, a booking, a block, a new time, a move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.http import Http404
from django.utils.translation import gettext as _

from backoffice.board_desk import Desk, booking_here, places_of, slot_here, usual_price
from backoffice.board_forms import BlockForm, NewTimeForm, Party, ReasonForm
from backoffice.board_moves import Aim, WhereForm, aim_of, is_aimed, targets
from backoffice.selectors_board import OF_BOOKING, State
from bookings import rules
from bookings.models import Booking
from bookings.selectors import booking_of_club, events_for_club
from palms.money import Money
from payments.models import Payment
from slots.models import Slot
from slots.rules import living
from slots.selectors import standing

Asked = Mapping[str, Any]
Forms = Mapping[str, forms.Form]
STEP = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Panel:
    """A template of `backoffice/board/`, its heading, and what it needs."""

    kind: str
    title: str
    facts: dict[str, Any] = field(default_factory=dict)


def panel_of(desk: Desk, asked: Asked, given: Forms) -> Panel | None:
    """Return what the address asks to be shown; `given` are forms that were refused. Raises Http404."""
    if "booking" in asked:
        return _of_booking(desk, asked, given)
    if "slot" in asked:
        return _of_slot(desk, asked, given)
    if "new" in asked:
        return _of_new(desk, asked, given)
    return None


def _of_slot(desk: Desk, asked: Asked, given: Forms) -> Panel:
    slot = slot_here(desk.club, asked.get("slot"))
    if slot.origin == Slot.Origin.BLOCK:
        is_kept = slot.claims.exists()
        return Panel("block", _("Kept by the club"), {"slot": slot, "is_kept": is_kept})
    seen = standing(Slot.objects.filter(pk=slot.pk), desk.now).get()
    left = 0 if seen.blocked or slot.date_from <= desk.now else slot.capacity - seen.taken
    rows = Booking.objects.filter(claims__slot=slot).select_related("client").distinct().order_by("pk")
    parties = [(booking, state_of(booking, desk.now)) for booking in rows]
    claims = slot.claims.filter(living(desk.now), payment__isnull=False)
    holds = claims.select_related("payment__contact").order_by("held_until", "pk")
    facts = {
        "slot": slot, "left": left, "taken": seen.taken, "blocked": seen.blocked, "parties": parties,
        "holds": holds, "begun": slot.date_from <= desk.now, "rest": _rest(desk, slot),
        "party": given.get("party") or Party(places=slot.capacity), "total": slot.price,
    }  # fmt: skip
    return Panel("slot", _free_or_not(slot, left), facts)


def _free_or_not(slot: Slot, left: int) -> str:
    if slot.closed:
        return _("Closed time")
    return _("Free time") if left else _("Time")


def _rest(desk: Desk, slot: Slot) -> str:
    """Return from when what is left of a time that has begun can be offered, or nothing where it is too late."""
    start = desk.now + STEP - timedelta(minutes=desk.now.minute % 5, seconds=desk.now.second)
    is_open = slot.date_from <= desk.now and start + 2 * STEP <= slot.date_to
    return f"{desk.local(start):%H:%M}" if is_open else ""


def state_of(booking: Booking, now: datetime) -> str:
    """Return the words of the board for a booking."""
    if booking.status == Booking.Status.CONFIRMED and booking.date_to <= now:
        return str(State.AWAITING.label)
    if booking.status not in OF_BOOKING or rules.has_expired(booking, now):
        return str(booking.get_status_display()) if booking.finished_at else _("expired")
    return str(OF_BOOKING[Booking.Status(booking.status)].label)


def _of_booking(desk: Desk, asked: Asked, given: Forms) -> Panel:
    booking = booking_here(desk.club, asked.get("booking"))
    may = events_for_club(booking, now=desk.now, may_take_cash=not booking.is_test)
    facts = {"booking": booking, "may": may, "step": given.get("step")}
    if is_aimed(asked):
        aim = aim_of(desk, asked)
        if isinstance(aim, Aim):
            return Panel("move", _("Move the booking"), {**facts, "aim": aim})
        return _where(desk, facts, booking, aim)
    if "move" in asked:
        return _where(desk, facts, booking, None)
    seen: Any = booking_of_club(club_id=desk.club.pk, booking_id=booking.pk, now=desk.now, test_only=False)
    facts |= {
        "state": state_of(booking, desk.now), "stands": seen.stands, "owed": rules.owed(booking),
        "contact": getattr(booking, "contact", None), "cancel": given.get("cancel") or ReasonForm(),
        "is_online": Payment.objects.filter(booking=booking, account__isnull=False).exists(),
    }  # fmt: skip
    return Panel("booking", booking.client.full_name, facts)


def _where(desk: Desk, facts: dict[str, Any], booking: Booking, wrong: WhereForm | None) -> Panel:
    start = desk.local(booking.date_from)
    place = f"a{booking.area_id}"
    first = {"to_place": place, "to_day": desk.day, "to_at": start.time()}
    where = wrong or WhereForm(desk=desk, initial=first)
    return Panel("targets", _("Where to move it"), {**facts, "targets": targets(desk, booking), "where": where})


def _of_new(desk: Desk, asked: Asked, given: Forms) -> Panel:
    places = places_of(desk.club)
    place = str(asked.get("new", ""))
    if place not in dict(places):
        raise Http404
    start = _start(desk, str(asked.get("at", "")))
    end = _clock(str(asked.get("until", ""))) or start + timedelta(hours=1)
    first = {"place": place, "at": start.time(), "to": end.time()}
    price = usual_price(desk.club, place)
    if price is not None:
        first["price"] = Money(price, desk.club.currency).decimal
    own: dict[str, Any] = {"day": desk.day, "zone": desk.zone, "places": places}
    facts = {
        "times": given.get("times") or NewTimeForm(initial=first, **own),
        "block": given.get("block") or BlockForm(initial=first, **own),
        "party": given.get("party") or Party(places=1, use_required_attribute=False),
        "is_blocking": "block" in given or asked.get("do") == "block",
        "day": desk.day,
    }  # fmt: skip
    return Panel("new", _("New time"), facts)


def _start(desk: Desk, text: str) -> datetime:
    """Return when a new time may start: what was asked, or the next full hour."""
    now = desk.local(desk.now)
    soon = (now + timedelta(hours=1)).replace(minute=0) if now.date() == desk.day else now.replace(hour=9, minute=0)
    return _clock(text) or soon.replace(second=0, microsecond=0)


def _clock(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%H:%M")  # noqa: DTZ007  a clock without a day
    except ValueError:
        return None
