"""Where people of the staff are signed in, and through whose eyes the platform looks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet

from clubs.models import Club, Membership, StaffSession, Viewing
from palms.actors import Actor, acting
from palms.clock import now_utc
from palms.errors import NotFound, NotPermitted
from palms.viewing import Looking

SEEN_EVERY = timedelta(minutes=1)  # how exact `seen_at` is


def open_session(*, user_id: int, session_key: str, address: str | None, agent: str, actor: Actor) -> None:
    """Write down where a person has just signed in."""
    now = now_utc()
    shown = "".join(letter for letter in agent if letter.isprintable())[:300]
    fields = {"user_id": user_id, "address": address, "agent": shown, "created_at": now, "seen_at": now}
    with acting(actor):
        StaffSession.objects.create(session_id=session_key, **fields)


def seen(*, session_key: str, now: datetime) -> None:
    """Write that a session is in use, once a minute: one statement, which mostly changes nothing."""
    StaffSession.objects.filter(session_id=session_key, seen_at__lt=now - SEEN_EVERY).update(seen_at=now)


def sessions_of(user_id: int, *, now: datetime) -> QuerySet[StaffSession]:
    """Return where a person is signed in, the newest first."""
    rows = StaffSession.objects.filter(user_id=user_id, session__expire_date__gt=now)
    return rows.order_by("-seen_at", "-pk")


@transaction.atomic
def end_sessions(*, user_id: int, actor: Actor, only: int | None = None, but: str | None = None) -> int:
    """Sign a person out in one place (`only`, an id), or everywhere but in the session `but`. Raises NotFound."""
    rows = StaffSession.objects.filter(user_id=user_id)
    rows = rows.exclude(session_id=but) if only is None else rows.filter(pk=only)
    keys = list(rows.values_list("session_id", flat=True))
    if only is not None and not keys:
        raise NotFound
    with acting(actor):
        Session.objects.filter(pk__in=keys).delete()
    return len(keys)


@transaction.atomic
def begin_viewing(*, user: Any, club_id: int, role: str) -> Looking:
    """Write down that the platform looks at a club as one of its roles. Raises NotPermitted, NotFound."""
    if not (user.is_active and user.is_superuser):
        raise NotPermitted
    club = Club.objects.filter(pk=club_id).first()
    if club is None or role not in Membership.Role.values:
        raise NotFound
    row = Viewing.objects.create(user=user, club=club, role=role, started_at=now_utc())
    return Looking(row.pk, club.pk, club.name, role)


def end_viewing(viewing_id: int) -> None:
    """Write when it ended; twice is the same as once."""
    Viewing.objects.filter(pk=viewing_id, ended_at=None).update(ended_at=now_utc())
