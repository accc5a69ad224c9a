"""The letter to a club about a request that waits for its answer."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.urls import reverse

from bookings.models import Booking
from bookings.states import S
from clubs.selectors import letters_to
from palms import intents, letters
from palms.clock import now_utc
from palms.intents import Job, Outcome, Refused

ASK = "bookings.ask_club"


def ask_club(booking: Booking, now: datetime) -> None:
    """Plan the letter, in the transaction that writes the request."""
    intents.plan(club_id=booking.club_id, kind=ASK, lane=f"ask-club:{booking.pk}", subject_id=booking.pk, now=now)


def call_ask(job: Job) -> Outcome:
    """Write in the platform's language, without the guest's name: the page behind the link shows it to who may see it."""
    booking = Booking.objects.select_related("club", "area", "instructor").get(pk=job.subject_id)
    if booking.status != S.REQUESTED or (booking.expires_at and booking.expires_at <= now_utc()):
        return Refused("answered already")
    link = settings.BASE_URL + reverse("admin:bookings_booking_change", args=[booking.pk])
    facts: dict[str, object] = {"booking": booking, "club": booking.club, "link": link}
    words = letters.rendered("bookings/mail/to_club_requested.txt", facts, language=settings.LANGUAGE_CODE)
    return letters.send(job, letters.Letter(letters_to(booking.club_id), *words))


def register_calls() -> None:
    intents.register(ASK, call=call_ask, apply=letters.close)
