"""Lost links: asked for by the phone and the email of a booking, sent to that email and shown to nobody.

Whether anything was found is known to the letter alone: asking costs the same work and gets the same answer either way.
"""

from __future__ import annotations

import unicodedata
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from bookings.models import Booking
from clubs.models import Club
from notifications import services as notifications
from palms import throttling
from palms.clock import now_utc
from palms.errors import DomainError
from palms.throttling import Rate

FOUND = "bookings_found"
RECENT = timedelta(days=30)  # how long after the visit a booking is still found
MOST = 50  # bookings in one letter, the latest ones
BY_VISITOR, BY_EMAIL = Rate(30, 3600), Rate(3, 3600)


class TooManyTries(DomainError):
    """Facts: `wait`, in seconds."""

    code, title, status = "too_many_tries", _("Too many tries"), 429


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose bookings: the phone in E.164, the email in any letter case; `language` is the letter's."""

    phone: str
    email: str
    language: str


def ask_for_links(asked: Asked, *, club_id: int | None, visitor: str) -> None:
    """Promise a letter with the links to current and recent bookings, of one club or of all (None), if there are any.

    `visitor` is where the request came from. Raises TooManyTries.
    """
    now = now_utc()
    for kind, whose, rate in (("visitor", visitor, BY_VISITOR), ("email", _folded(asked.email), BY_EMAIL)):
        verdict = throttling.hit(_key(kind, whose), rate, now=now)
        if not verdict.allowed:
            raise TooManyTries(wait=verdict.wait)
    lane = club_id or Club.objects.order_by("pk").values_list("pk", flat=True).first()
    if lane is not None:
        notifications.answer(club_id=club_id, event=FOUND, request=asdict(asked), lane_club_id=lane, now=now)


def bookings_of(asked: Asked, *, club_id: int | None, now: datetime) -> list[Booking]:
    """Return the bookings whose own contact was typed so, earliest first, with what a letter shows of them."""
    rows = Booking.objects.select_related("club", "area", "instructor", "slot", "contact").filter(
        contact__phone=asked.phone, contact__email__iexact=asked.email, date_to__gte=now - RECENT
    )
    if club_id is not None:
        rows = rows.filter(club_id=club_id)
    latest = rows.order_by("-date_from", "-pk")[:MOST]
    # PostgreSQL finds "ı" where "i" was meant: another mailbox, and a way around the limit.
    return [each for each in reversed(latest) if _folded(each.contact.email) == _folded(asked.email)]


def _folded(email: str) -> str:
    return unicodedata.normalize("NFKC", email.strip()).casefold()


def _key(kind: str, whose: str) -> str:
    """Return the name of a limit, in which nobody reads whose it is."""
    return f"find:{kind}:{salted_hmac('bookings.finding', whose, algorithm='sha256').hexdigest()}"
