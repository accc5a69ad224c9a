"""Looking at a club with the eyes of one of its roles: for the platform, kept in the session, read-only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

KEY = "palms_viewing"


@dataclass(frozen=True, slots=True)
class Looking:
    """`id` of the clubs.Viewing that is written down, the club and the role that are looked through."""

    id: int
    club_id: int
    club_name: str
    role: str


def looking(request: HttpRequest) -> Looking | None:
    """Return through whose eyes the platform's admin looks now; None for everybody else."""
    user: Any = request.user
    if not (user.is_active and user.is_superuser):
        return None
    kept = request.session.get(KEY)
    return Looking(**kept) if kept else None
