"""Who did it. Every service that changes something takes an Actor; triggers keep it with every change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

import pghistory


class Kind(StrEnum):
    CLIENT = "client"  # by a secret link, or signed in by a phone code
    STAFF = "staff"
    CRM = "crm"
    PROVIDER = "provider"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: kind, id of the client, user, key or account, the clubs it may act for, and through what it came.

    `owned_ids` are those of `club_ids` in which a person is an owner.
    """

    kind: Kind
    id: int | None = None
    club_ids: frozenset[int] = frozenset()
    through: str = ""  # "page", "api", "admin", "webhook", "poll", "sweep", "command"
    is_platform_admin: bool = False
    owned_ids: frozenset[int] = frozenset()

    @property
    def is_staff(self) -> bool:
        return self.kind in (Kind.STAFF, Kind.CRM)

    def serves(self, club_id: int) -> bool:
        """Whether this actor may act for the club itself: its staff, its CRM, the platform, or Palms."""
        return self.kind is Kind.SYSTEM or self.is_platform_admin or (self.is_staff and club_id in self.club_ids)

    def owns(self, club_id: int) -> bool:
        """Whether this actor may change what only owners may: keys, accounts, locks, people."""
        return self.kind is Kind.SYSTEM or self.is_platform_admin or club_id in self.owned_ids


SYSTEM = Actor(Kind.SYSTEM)


def system(through: str) -> Actor:
    """Return Palms itself as the actor, naming what woke it."""
    return Actor(Kind.SYSTEM, through=through)


def staff_member(
    user_id: int | None, roles: Mapping[int, str], *, through: str, is_platform_admin: bool = False
) -> Actor:
    """Return a person of the staff, by their role in each of their clubs."""
    owned = frozenset(club_id for club_id, role in roles.items() if role == "OWNER")
    return Actor(Kind.STAFF, user_id, frozenset(roles), through, is_platform_admin, owned)


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Write the actor beside every change that history records inside this block."""
    with pghistory.context(
        actor=str(actor.kind), actor_id=actor.id, clubs=sorted(actor.club_ids), through=actor.through
    ):
        yield
