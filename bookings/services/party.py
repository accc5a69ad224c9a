"""Who comes: what was typed at checkout, tidied, and kept beside the hold or the booking."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from bookings.models import Booking, BookingContact, BookingParticipant
from clients.rules import normal_phone
from clubs.models import Area, Club
from palms.clock import now_utc
from palms.errors import ValidationFailed
from payments.models import Payment

UNKNOWN_BIRTH = date(1900, 1, 1)  # what other systems write for "unknown"
LONGEST_NAME, LONGEST_EMAIL, LONGEST_KEY, MOST_PLACES = 200, 254, 255, 1000


@dataclass(frozen=True, slots=True)
class Typed:
    """What a customer typed. The phone in any spelling; names of participants at most as many as there are places."""

    full_name: str
    phone: str
    email: str
    birth_date: date | None = None
    participants_names: tuple[str, ...] = ()
    language: str = "ru"


@dataclass(frozen=True, slots=True)
class Party:
    """Who takes how many places, and which checkout brought them."""

    client_id: int
    typed: Typed
    count: int
    booking_type: str = "individual"
    key: str | None = None
    visitor: str = ""


def tidy(typed: Typed, *, count: int, key: str, is_email_needed: bool = True) -> Typed:
    """Return what was typed with one space between words and the phone in E.164.

    Raises:
        ValidationFailed: with every wrong field at once.
    """
    name, email = " ".join(typed.full_name.split()), typed.email.strip()
    names = tuple(name for name in (" ".join(given.split()) for given in typed.participants_names) if name)
    born = typed.birth_date if typed.birth_date and typed.birth_date > UNKNOWN_BIRTH else None
    phone, wrong_phone = _phone(typed.phone)
    wrong = {
        "full_name": None if len(name) >= 2 and _is_a_name(name) else _("Enter your name, up to 200 letters"),
        "phone": wrong_phone,
        "email": None
        if _looks_like_email(email) or (not email and not is_email_needed)
        else _("Enter an email address, for example name@example.com"),
        "birth_date": _("This date is not in the past") if born and born >= now_utc().date() else None,
        "participants_names": None
        if len(names) <= count and all(map(_is_a_name, names))
        else _("Give at most one name per participant, up to 200 letters each"),
        "participants_count": None if 1 <= count <= MOST_PLACES else _("At least one participant"),
        "key": None
        if 1 <= len(key) <= LONGEST_KEY and key.isprintable()
        else _("The key must have 1 to 255 printable characters"),
    }
    errors = {field: [message] for field, message in wrong.items() if message}
    if errors:
        raise ValidationFailed(errors=errors)
    return Typed(name, phone, email, born, names, "en" if typed.language == "en" else "ru")


def _phone(text: str) -> tuple[str, str | None]:
    try:
        return normal_phone(text), None
    except ValidationFailed as wrong:
        return "", str(wrong.facts["errors"]["phone"][0])


def _is_a_name(text: str) -> bool:
    return len(text) <= LONGEST_NAME and "\0" not in text


def _looks_like_email(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return len(text) <= LONGEST_EMAIL


def write_contact(
    typed: Typed, *, club_id: int, payment: Payment | None = None, booking: Booking | None = None
) -> BookingContact:
    """Keep how to reach the party, and the names of its people: personal data lives here, not in any snapshot."""
    contact = BookingContact.objects.create(
        club_id=club_id, payment=payment, booking=booking, full_name=typed.full_name, phone=typed.phone,
        email=typed.email, birth_date=typed.birth_date, language=typed.language,
    )  # fmt: skip
    if typed.participants_names:
        BookingParticipant.objects.bulk_create(
            BookingParticipant(club_id=club_id, contact=contact, position=position, name=name)
            for position, name in enumerate(typed.participants_names)
        )
    return contact


def policy_of(club: Club, area: Area | None) -> dict[str, Any]:
    """Return what a booking keeps of the club's policies: the one shown is the one that counts.

    `overdue`: minor units an hour of staying past the end, the free minutes, and the most it can come to; or null.
    """
    staying = None
    if area is not None and area.overdue_rate is not None:
        staying = {"rate": area.overdue_rate, "grace_minutes": area.overdue_grace_minutes, "cap": area.overdue_cap}
    return {
        "customer_cancel": club.customer_cancel,
        "late_cancel_fee_percent": club.late_cancel_fee_percent,
        "reopen": club.reopen,
        "overdue": staying,
    }
