"""Reads of clubs, their places and their people."""

from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from clubs.errors import ClubNotFound
from clubs.models import Club, Membership


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


def letters_to(club_id: int, *, everybody: bool = False) -> tuple[str, ...]:
    """Return where letters to a club itself go: as it has said, or to its owners (`everybody`: all its staff) who can sign in.

    Where nobody works yet they go to the email that its customers see.
    """
    club = Club.objects.only("letters_to", "email").get(pk=club_id)
    if club.letters_to:
        return tuple(club.letters_to)
    members = Membership.objects.filter(club_id=club_id, user__is_active=True)
    if not everybody:
        members = members.filter(role=Membership.Role.OWNER)
    found = tuple(members.order_by("pk").values_list("user__email", flat=True))
    return found or ((club.email,) if club.email else ())
