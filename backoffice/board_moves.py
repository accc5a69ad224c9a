"""Moving a booking on the schedule board: where it can go, what it would cost there, and the move itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from django import forms
from django.http import Http404
from django.utils.translation import gettext_lazy as _

from backoffice.board_desk import Desk, booking_here, places_of, slot_here
from backoffice.selectors_board import Cell, State, board
from bookings import services
from bookings.models import Booking
from palms.actors import Actor
from palms.errors import DomainError
from slots.intervals import Interval
from slots.models import Slot
from slots.selectors import interval_seen


class WhereForm(forms.Form):
    """A place and a start for a booking, where no offer is meant. The length stays."""

    to_place = forms.ChoiceField(label=_("Place"))
    to_day = forms.DateField(
        label=_("Day"), input_formats=["%Y-%m-%d"], widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    to_at = forms.TimeField(label=_("From"), widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))

    def __init__(self, *args: Any, desk: Desk, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        areas = [(place, name) for place, name in places_of(desk.club) if place[0] == "a"]
        self.fields["to_place"].choices = areas  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Aim:
    """A booking and where it may go. `price` is what the party pays there by the offer, None where none is made."""

    booking: Booking
    date_from: datetime
    date_to: datetime
    place: str
    slot: Slot | None = None
    area_id: int | None = None
    price: int | None = None

    @property
    def was(self) -> str:
        return _name_of(self.booking)

    @property
    def difference(self) -> int:
        return 0 if self.price is None else self.price - self.booking.price

    def go(self, actor: Actor, *, with_price: bool) -> None:
        """Move it. Raises as `bookings.services.move` and `edit`."""
        place: dict[str, Any] = {"area_id": self.area_id, "date_from": self.date_from, "date_to": self.date_to}
        if self.slot is not None:
            place = {"slot_id": self.slot.pk}
        if with_price and self.difference:
            services.edit(booking_id=self.booking.pk, actor=actor, price=self.price, **place)
        else:
            services.move(booking_id=self.booking.pk, actor=actor, **place)


def is_aimed(asked: Mapping[str, Any]) -> bool:
    return "to" in asked or "to_place" in asked


def aim_of(desk: Desk, asked: Mapping[str, Any]) -> Aim | WhereForm:
    """Return where the address says a booking goes, or the form that says what is wrong with it. Raises Http404."""
    booking = booking_here(desk.club, asked.get("booking"))
    if "to" in asked:
        slot = slot_here(desk.club, asked.get("to"))
        offered = slot.price * booking.participants_count
        return Aim(booking, slot.date_from, slot.date_to, _name_of(slot), slot=slot, price=offered)
    form = WhereForm(asked, desk=desk)
    if not form.is_valid():
        return form
    entered = form.cleaned_data
    start = _moment(desk, entered["to_day"], entered["to_at"])
    name = dict(form.fields["to_place"].choices)[entered["to_place"]]  # type: ignore[attr-defined]
    interval = Interval(int(entered["to_place"][1:]), start, start + (booking.date_to - booking.date_from))
    price = _price_of(desk, interval)
    return Aim(booking, start, interval.date_to, name, area_id=interval.area_id, price=price)


def _price_of(desk: Desk, interval: Interval) -> int | None:
    """Return what an interval costs on an area that is booked by interval."""
    try:
        return interval_seen(club_id=desk.club.pk, interval=interval, now=desk.now, for_customer=False)[0].price
    except DomainError:
        return None  # no such area; or a refusal that the move itself will tell


def _moment(desk: Desk, day: date, clock: time) -> datetime:
    if not 1971 <= day.year <= 2198:
        raise Http404
    return datetime.combine(day, clock, desk.zone)


def _name_of(row: Slot | Booking) -> str:
    names = (row.area.name if row.area else "", row.instructor.name if row.instructor else "")
    return ", ".join(name for name in names if name)


def targets(desk: Desk, booking: Booking) -> list[tuple[str, list[Cell]]]:
    """Return the free times of the shown day that have room for the party, by place."""
    shown = board(club=desk.club, days=[desk.day], now=desk.now)
    count = booking.participants_count
    found = [
        (column.name, [cell for cell in column.cells if cell.state is State.FREE and cell.left >= count])
        for column in shown.columns
    ]
    return [(name, cells) for name, cells in found if cells]
