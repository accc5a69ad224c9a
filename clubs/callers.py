"""Who calls the club's API: a CRM by its key, or a signed-in person of the staff. Every club call stands on ClubApiView."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from django.db.models import Q
from django.utils.translation import gettext as _
from rest_framework import exceptions as rest
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from clubs.models import ApiKey, Club, Membership
from clubs.second_factor import owes_a_code
from clubs.services import SCOPES, digest_of
from palms import throttling
from palms.actors import Actor, Kind, staff_member
from palms.clock import now_utc
from palms.errors import NotFound, NotPermitted, ValidationFailed
from palms.repeating import RepeatableView
from palms.throttling import Rate, Verdict
from palms.viewing import Looking, looking

RATE = Rate(limit=600, seconds=60)  # of one key or one person
USED_EVERY = timedelta(minutes=1)  # how exact `last_used_at` is


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf a call is made. `holder` names the key or the person among those who repeat or hurry."""

    club: Club
    actor: Actor
    scopes: frozenset[str]
    is_owner: bool
    is_test: bool
    holder: str


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer palms_live_...`."""

    def authenticate(self, request: Request) -> tuple[None, ApiKey] | None:
        scheme, _space, secret = request.headers.get("Authorization", "").partition(" ")
        if not scheme:
            return None
        now = now_utc()
        living = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=now))
        rows = ApiKey.objects.select_related("club").filter(living, digest=digest_of(secret.strip()))
        key = rows.first() if scheme.lower() == "bearer" else None
        if key is None:
            raise rest.AuthenticationFailed
        if key.last_used_at is None or key.last_used_at < now - USED_EVERY:
            ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
        return None, key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class ClubApiView(RepeatableView):
    """A call of the club API. After `initial` there is `self.caller`; another club's objects are simply not found.

    `scope` is the first half of what a key needs: reading asks for `<scope>:read`, anything else for `<scope>:write`.
    Writes may carry an Idempotency-Key. Answers are private, and say what is left of the rate limit.
    """

    authentication_classes = [KeyAuthentication, SessionAuthentication]
    http_method_names = ["get", "post", "put", "patch", "delete", "head"]
    scope: ClassVar[str]
    owners_only: ClassVar[bool] = False  # of people; keys are asked for their scope

    caller: Caller
    _verdict: Verdict | None = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.caller = _caller(request)
        self._verdict = throttling.hit(f"api:{self.caller.holder}", RATE, now=now_utc())
        if not self._verdict.allowed:
            raise rest.Throttled(wait=self._verdict.wait)
        needed = f"{self.scope}:{'read' if request.method in SAFE_METHODS else 'write'}"
        if needed not in self.caller.scopes or (self.owners_only and not self.caller.is_owner):
            raise NotPermitted(scope=needed)
        self.once(request, self.caller.holder)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers.setdefault("Cache-Control", "private, no-store")
        if self._verdict is not None:
            response["RateLimit-Limit"] = str(RATE.limit)
            response["RateLimit-Remaining"] = str(self._verdict.remaining)
        return response


def _caller(request: Request) -> Caller:
    """Return on whose behalf the request is made.

    Raises:
        NotAuthenticated: by nobody. NotFound: `?club=` names a club that is not theirs.
        ValidationFailed: a person of several clubs names none.
    """
    key, named = request.auth, request.query_params.get("club")
    if isinstance(key, ApiKey):
        if named not in (None, key.club.slug):
            raise NotFound
        actor = Actor(Kind.CRM, key.pk, frozenset({key.club_id}), through="api")
        return Caller(key.club, actor, frozenset(key.scopes), True, key.is_test, f"key:{key.pk}")
    user: Any = request.user
    if user is None or not user.is_staff or owes_a_code(user):
        raise rest.NotAuthenticated
    eyes = looking(request._request)
    if eyes is not None and request.method not in SAFE_METHODS:
        raise NotPermitted
    club, role = _club_of(user, named) if eyes is None else _club_looked_at(eyes, named)
    is_platform_admin = user.is_superuser and eyes is None
    actor = staff_member(user.pk, {club.pk: role}, through="api", is_platform_admin=is_platform_admin)
    return Caller(club, actor, frozenset(SCOPES), role == Membership.Role.OWNER, False, f"user:{user.pk}")


def _club_looked_at(eyes: Looking, named: str | None) -> tuple[Club, str]:
    """Return the club that the platform looks at, and the role it looks as. Raises NotFound for any other club."""
    club = Club.objects.filter(pk=eyes.club_id).first()
    if club is None or named not in (None, club.slug):
        raise NotFound
    return club, eyes.role


def _club_of(user: Any, named: str | None) -> tuple[Club, str]:
    """Return the club that a person means, and their role there."""
    if user.is_superuser and named is not None:
        club = Club.objects.filter(slug=named).first()
        if club is None:
            raise NotFound
        return club, Membership.Role.OWNER
    mine = Membership.objects.select_related("club").filter(user=user)
    found = list((mine.filter(club__slug=named) if named is not None else mine).order_by("pk")[:2])
    if len(found) == 1:
        return found[0].club, found[0].role
    if named is not None:
        raise NotFound
    raise ValidationFailed(errors={"club": [_("Say which club is meant: ?club=<its address>")]})
