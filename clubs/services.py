"""Writes about a club's people and keys: who works there, and with what its CRM signs in."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from clubs.models import ApiKey, Area, Club, Membership, User
from palms.actors import Actor, acting
from palms.clock import now_utc
from palms.errors import DomainError, NotFound, NotPermitted, ValidationFailed, refusing
from palms.money import EXPONENTS

SCOPES = (
    "slots:read",
    "slots:write",
    "bookings:read",
    "bookings:write",
    "clients:read",
    "payments:read",
    "webhooks:read",
    "webhooks:write",
)
RESERVED = frozenset(
    {"admin", "api", "booking", "checkout", "find", "health", "language", "media", "problems", "static"}
)
YEAR_MINUTES, MOST_DAYS = 366 * 24 * 60, 3660
SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")
SHOWN_OF_KEY = 16  # how much of a key stays readable, to tell one from another
READABLE = "abcdefghjkmnpqrstuvwxyz23456789"  # without what is misread: i, l, o, 0, 1


class LastOwner(DomainError):
    code, title = "last_owner", _("A club keeps at least one owner")


class AreaInUse(DomainError):
    code, title = (
        "area_in_use",
        _("Bookings of several parties overlap here, so one party at a time is not possible yet"),
    )


class SlugTaken(DomainError):
    code, title = "slug_taken", _("Another club has this address")


class AlreadyMember(DomainError):
    code, title = "already_member", _("This person works for the club already")


def digest_of(secret: str) -> str:
    """Return what is kept of a key: its SHA-256, in hex. A key is random and long, so it needs no salt."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def new_password() -> str:
    """Return a random password of about 69 bits that can be read aloud: "k7fw-qm3x-zt9h-hj"."""
    drawn = "".join(secrets.choice(READABLE) for _letter in range(14))
    return "-".join(drawn[start : start + 4] for start in range(0, len(drawn), 4))


@transaction.atomic
def make_api_key(
    *,
    club_id: int,
    name: str,
    actor: Actor,
    scopes: Iterable[str] = SCOPES,
    is_test: bool = False,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Make a CRM's key for one club; returns the row and the key itself, which is shown once and kept nowhere.

    Raises:
        NotPermitted: the actor does not own this club.
        ValidationFailed: no name, an unknown scope, or an end that has passed.
    """
    _must_own(actor, club_id)
    chosen, name = sorted(set(scopes), key=_rank), name.strip()
    errors: dict[str, list[str]] = {}
    if not name or len(name) > 120:
        errors["name"] = [_t("Give the key a name, up to 120 letters")]
    if not chosen or set(chosen) - set(SCOPES):
        errors["scopes"] = [_t("Choose what the key may do")]
    if expires_at is not None and expires_at <= now_utc():
        errors["expires_at"] = [_t("This moment has passed")]
    if errors:
        raise ValidationFailed(errors=errors)
    secret = f"palms_{'test' if is_test else 'live'}_{secrets.token_urlsafe(32)}"
    with acting(actor):
        key = ApiKey.objects.create(
            club_id=club_id, name=name, prefix=secret[:SHOWN_OF_KEY], digest=digest_of(secret), scopes=chosen,
            is_test=is_test, expires_at=expires_at,
        )  # fmt: skip
    return key, secret


def _rank(scope: str) -> int:
    return SCOPES.index(scope) if scope in SCOPES else len(SCOPES)


@transaction.atomic
def revoke_api_key(*, key_id: int, actor: Actor) -> ApiKey:
    """End a key for good; one that has ended stays as it is. Raises NotFound, NotPermitted."""
    key = ApiKey.objects.select_for_update().filter(pk=key_id).first()
    if key is None:
        raise NotFound
    _must_own(actor, key.club_id)
    if key.revoked_at is None:
        key.revoked_at = now_utc()
        with acting(actor):
            key.save(update_fields=["revoked_at"])
    return key


@transaction.atomic
def open_club(*, name: str, slug: str, timezone: str, currency: str, actor: Actor) -> Club:
    """Make a club, not shown to customers yet. Raises NotPermitted: only the platform may. ValidationFailed."""
    if not actor.is_platform_admin:
        raise NotPermitted
    wrong = problems_of_club(slug=slug, timezone=timezone, currency=currency, minutes={}, horizon_days=0)
    if not name.strip() or len(name) > 200:
        wrong["name"] = _t("Give the club a name, up to 200 letters")
    if not SLUG.fullmatch(slug):
        wrong.setdefault("slug", _t("Small latin letters, digits and hyphens, up to 60"))
    if Club.objects.filter(slug=slug).exists():
        wrong["slug"] = _t("Another club has this address")
    if wrong:
        raise ValidationFailed(errors={field: [words] for field, words in wrong.items()})
    with acting(actor), refusing(SlugTaken, "clubs_club_slug_key"):
        return Club.objects.create(name=name.strip(), slug=slug, timezone=timezone, currency=currency, is_public=False)


@transaction.atomic
def show_club(*, club_id: int, actor: Actor) -> Club:
    """Show a club to customers; one that is shown stays so. Raises NotPermitted."""
    _must_own(actor, club_id)
    club = Club.objects.select_for_update(no_key=True).get(pk=club_id)
    if not club.is_public:
        club.is_public = True
        with acting(actor):
            club.save(update_fields=["is_public"])
    return club


@transaction.atomic
def add_member(*, club_id: int, email: str, role: str, actor: Actor, name: str = "") -> tuple[Membership, str | None]:
    """Give a person a role in a club; returns the membership, and a password (shown once) for one who is new to Palms.

    Somebody who signs in already keeps name and password: they may work for other clubs too.

    Raises:
        NotPermitted: the actor does not own this club. ValidationFailed: email or role. AlreadyMember.
    """
    _must_own(actor, club_id)
    email = User.objects.normalize_email(email.strip())
    try:
        validate_email(email)
    except ValidationError as wrong:
        raise ValidationFailed(errors={"email": wrong.messages}) from wrong
    _known_role(role)
    with acting(actor), refusing(AlreadyMember, "membership_one_role_per_club", "user_one_per_email"):
        user = User.objects.filter(email__iexact=email).first()
        password = None if user else new_password()
        user = user or User.objects.create_user(email, password, name=name.strip()[:200])
        return Membership.objects.create(club_id=club_id, user=user, role=role), password


@transaction.atomic
def set_role(*, membership_id: int, role: str, actor: Actor) -> Membership:
    """Change a person's role in a club. Raises NotFound, NotPermitted, LastOwner, ValidationFailed."""
    membership = _lock_membership(membership_id, actor)
    _known_role(role)
    if role != Membership.Role.OWNER:
        _leave_an_owner(membership)
    membership.role = role
    with acting(actor):
        membership.save(update_fields=["role"])
    return membership


@transaction.atomic
def remove_member(*, membership_id: int, actor: Actor) -> None:
    """End a person's work for a club. Raises NotFound, NotPermitted, LastOwner."""
    membership = _lock_membership(membership_id, actor)
    _leave_an_owner(membership)
    with acting(actor):
        membership.delete()


def _lock_membership(membership_id: int, actor: Actor) -> Membership:
    """Lock the club first: two owners who remove each other at once must not both succeed."""
    club_id = Membership.objects.filter(pk=membership_id).values_list("club_id", flat=True).first()
    if club_id is None:
        raise NotFound
    _must_own(actor, club_id)
    Club.objects.select_for_update(no_key=True).get(pk=club_id)
    membership = Membership.objects.select_for_update(of=("self",)).filter(pk=membership_id).first()
    if membership is None:
        raise NotFound
    return membership


def _leave_an_owner(membership: Membership) -> None:
    others = Membership.objects.filter(club_id=membership.club_id, role=Membership.Role.OWNER).exclude(pk=membership.pk)
    if membership.role == Membership.Role.OWNER and not others.exists():
        raise LastOwner


@transaction.atomic
def check_exclusive(*, area_id: int, exclusive: bool) -> None:
    """Lock an area and see whether what is taken on it lets `exclusive` become so; nothing is written.

    The lock stays until the caller's transaction ends, so that the answer holds when the row is saved.

    Raises:
        AreaInUse: claims of different slots overlap on it.
    """
    Area.objects.select_for_update(no_key=True).get(pk=area_id)
    with refusing(AreaInUse, "claim_no_overlap_on_area"), transaction.atomic():
        Area.objects.filter(pk=area_id).update(exclusive=exclusive)
        transaction.set_rollback(True)


def problems_of_club(
    *, slug: str, timezone: str, currency: str, minutes: Mapping[str, int], horizon_days: int
) -> dict[str, str]:
    """Return what is wrong with a club's address, zone, currency and spans, by field: what the pages could not show."""
    wrong: dict[str, str] = {}
    if slug in RESERVED:
        wrong["slug"] = _t("This address belongs to Palms itself.")
    if timezone not in available_timezones():
        wrong["timezone"] = _t("There is no such time zone; for example Europe/Moscow.")
    if currency not in EXPONENTS:
        wrong["currency"] = _t("Palms does not know this currency; for example RUB.")
    wrong |= {name: _t("At most a year.") for name, value in minutes.items() if value > YEAR_MINUTES}
    if horizon_days > MOST_DAYS:
        wrong["horizon_days"] = _t("At most ten years.")
    return wrong


def _known_role(role: str) -> None:
    if role not in Membership.Role.values:
        raise ValidationFailed(errors={"role": [_t("Choose a role")]})


def _must_own(actor: Actor, club_id: int) -> None:
    if not actor.owns(club_id):
        raise NotPermitted
