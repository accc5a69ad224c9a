"""Reads of clubs, their places and their people."""

from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from clubs.errors import ClubNotFound
from clubs.models import Club


def public_clubs() -> QuerySet[Club]:
    """Return the clubs that customers may see, by name."""
    return Club.objects.filter(is_public=True).order_by("name", "pk")


def public_club(slug: str) -> Club:
    """Return one public club by its address. Raises ClubNotFound."""
    club = public_clubs().filter(slug=slug).first()
    if club is None:
        raise ClubNotFound
    return club


def zone_of(club: Club) -> ZoneInfo:
    """Return the club's time zone."""
    return ZoneInfo(club.timezone)
