"""A booking as a calendar file: for the customer's own calendar, and as an invitation beside a letter (RFC 5545, 5546).

Moments are UTC: every phone knows it, and no old table of zones inside a file can move a visit. The words name the club's time.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime
from email.utils import parseaddr
from enum import StrEnum
from uuid import NAMESPACE_OID, uuid5

from django.conf import settings
from django.utils.translation import get_language
from icalendar import Calendar, Event, vCalAddress, vText

from bookings import rules
from bookings.models import Booking, BookingContact
from bookings.states import CANCELLED, S
from notifications.models import Notification
from palms.letters import Attachment
from palms.templatetags.palms import clock, in_zone, zone_of

TENTATIVE = (S.REQUESTED, S.APPROVED)


class Method(StrEnum):
    """What a calendar does with the file: offer to keep it, take the visit in, take it out."""

    PUBLISH = "PUBLISH"
    REQUEST = "REQUEST"
    CANCEL = "CANCEL"


def calendar_of(booking: Booking, *, link: str, now: datetime, method: Method = Method.PUBLISH) -> bytes:
    """Return the VCALENDAR of a booking in the current language. One UID for life; each change has a higher SEQUENCE."""
    event = Event()
    event.add("UID", f"booking-{uuid5(NAMESPACE_OID, booking.token)}@palms")  # stays when the site gets another address
    event.add("SEQUENCE", booking.version)
    event.add("DTSTAMP", now)
    event.add("CREATED", booking.created_at)
    event.add("LAST-MODIFIED", booking.updated_at)
    event.add("DTSTART", booking.date_from)
    event.add("DTEND", booking.date_to)
    event.add("SUMMARY", _plain(f"{_what(booking)} · {booking.club.name}"))
    event.add("LOCATION", _plain(_where(booking)))
    event.add("DESCRIPTION", _plain(_words(booking)))
    event.add("URL", link)
    event.add("STATUS", _status(booking, now))
    event.add("CLASS", "PRIVATE")  # a shared calendar must not show the link: it opens the booking
    event.add("TRANSP", "OPAQUE")
    event.add("ORGANIZER", _person(parseaddr(settings.DEFAULT_FROM_EMAIL)[1], booking.club.name))
    contact: BookingContact | None = getattr(booking, "contact", None)
    if method != Method.PUBLISH and contact is not None:
        guest = _person(contact.email, contact.full_name)
        guest.params |= {"ROLE": vText("REQ-PARTICIPANT"), "PARTSTAT": vText("ACCEPTED"), "RSVP": vText("FALSE")}
        event.add("ATTENDEE", guest)
    calendar = Calendar()
    calendar.add("PRODID", f"-//Palms//Palms//{(get_language() or 'ru')[:2].upper()}")
    calendar.add("VERSION", "2.0")
    calendar.add("CALSCALE", "GREGORIAN")
    calendar.add("METHOD", method.value)
    calendar.add_component(event)
    content: bytes = calendar.to_ical()
    return content


def file_name(booking: Booking) -> str:
    """Return a name that says which club and day, in letters that every system knows."""
    return f"{booking.club.slug}-{in_zone(booking.date_from, booking.club):%Y-%m-%d}.ics"


def invitation(booking: Booking, *, link: str, now: datetime) -> tuple[Attachment, ...]:
    """Return what a letter about this booking carries, by how it stands now, whatever the letter is about.

    CONFIRMED, moved or not: the visit. Ended after the customer was told that it is confirmed: its removal. Else nothing:
    a request that was not granted has never been in anybody's calendar.
    """
    if booking.status == S.CONFIRMED:
        method = Method.REQUEST
    elif booking.status in CANCELLED and _was_invited(booking):
        method = Method.CANCEL
    else:
        return ()
    content = calendar_of(booking, link=link, now=now, method=method)
    return (Attachment("invite.ics", content, f"text/calendar; method={method.value}", also_shown=True),)


def _was_invited(booking: Booking) -> bool:
    return Notification.objects.filter(booking=booking, event="booking_confirmed").exists()


def _status(booking: Booking, now: datetime) -> str:
    if booking.status in CANCELLED or rules.has_expired(booking, now):
        return "CANCELLED"
    return "TENTATIVE" if booking.status in TENTATIVE else "CONFIRMED"


def _what(booking: Booking) -> str:
    names = (booking.area and booking.area.name, booking.instructor and booking.instructor.name)
    return booking.slot.title or ", ".join(name for name in names if name)


def _where(booking: Booking) -> str:
    area = (booking.area.name, booking.area.location) if booking.area else ()
    return ", ".join(part for part in (*area, booking.club.name, booking.club.address) if part)


def _words(booking: Booking) -> str:
    club = booking.club
    time = f"{clock(booking.date_from, club)}–{clock(booking.date_to, club)}"
    lines = (
        f"{time}, {zone_of(club, booking.date_from)}",
        booking.instructor.name if booking.instructor else "",
        club.phone,
    )
    return "\n".join(line for line in lines if line)


def _person(email: str, name: str) -> vCalAddress:
    """Return an address with its name. A quote would be written in a way that older calendars show as it stands."""
    person = vCalAddress(f"mailto:{_plain(email)}")
    person.params["CN"] = vText(" ".join(_plain(name).replace('"', "'").split()))
    return person


def _plain(text: str) -> str:
    """Return the text without control characters, which no calendar file may hold, except for ends of lines."""
    return "".join(letter for letter in text if letter == "\n" or unicodedata.category(letter) not in ("Cc", "Cs"))
