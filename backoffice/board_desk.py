"""Who works at the schedule board, and the few rows that its forms and panels ask for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import Http404

from backoffice.selectors_board import at
from bookings.models import Booking
from clients.models import Client
from clients.rules import normal_phone
from clubs.models import Area, Club, Instructor
from palms.actors import Actor
from palms.clock import to_zone
from palms.errors import ValidationFailed
from slots.models import Slot

BIGGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Desk:
    """Who works at the board, for which club, on which day, and when."""

    club: Club
    actor: Actor
    day: date
    zone: ZoneInfo
    now: datetime

    def local(self, moment: datetime) -> datetime:
        return to_zone(moment, self.zone)

    def hours(self, row: Any) -> str:
        """Return "12:00–13:00" of a row with `date_from` and `date_to`."""
        return f"{self.local(row.date_from):%H:%M}–{self.local(row.date_to):%H:%M}"


def number(text: Any) -> int:
    """Return an id from an address or a form. Raises Http404."""
    words = str(text)
    if not (words.isascii() and words.isdecimal() and len(words) < 20 and 0 < int(words) <= BIGGEST_ID):
        raise Http404
    return int(words)


def slot_here(club: Club, text: Any) -> Slot:
    """Return a slot of the club, with its place. Raises Http404."""
    slot = Slot.objects.select_related("area", "instructor", "club").filter(club=club, pk=number(text)).first()
    if slot is None:
        raise Http404
    return slot


def booking_here(club: Club, text: Any) -> Booking:
    """Return a booking of the club, with what its panel says. Raises Http404."""
    rows = Booking.objects.select_related("area", "instructor", "slot", "client", "contact", "club")
    booking = rows.filter(club=club, pk=number(text)).first()
    if booking is None:
        raise Http404
    return booking


def client_with(club: Club, phone: str) -> Client | None:
    """Return the club's client with a phone typed in any spelling."""
    try:
        return Client.objects.filter(club=club, phone=normal_phone(phone.replace("\0", ""))).first()
    except ValidationFailed:
        return None


def places_of(club: Club) -> list[tuple[str, str]]:
    """Return the places in use, areas first, as the board names them: ("a12", "Court 1"), ("i7", "Anna")."""
    areas = Area.objects.filter(club=club, is_active=True).order_by("position", "name", "pk")
    people = Instructor.objects.filter(club=club, is_active=True).order_by("name", "pk")
    return [(f"a{area.pk}", area.name) for area in areas] + [(f"i{person.pk}", person.name) for person in people]


def usual_price(club: Club, place: str) -> int | None:
    """Return what the newest offer of a place costs, minor units."""
    rows = Slot.objects.filter(at(place), club=club).exclude(origin=Slot.Origin.BLOCK)
    return rows.order_by("-date_from", "-pk").values_list("price", flat=True).first()
