"""The second step of signing in: a code of the telephone (RFC 6238), or one of ten on paper. django-otp does the arithmetic.

A key is sealed at rest and shown while it is set up only; codes on paper are shown once and kept as keyed digests.
"""

from __future__ import annotations

import secrets
from base64 import b32encode
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _
from django_otp.oath import TOTP

from clubs.models import Authenticator, Membership, RecoveryCode, User
from clubs.services import READABLE
from palms.actors import Actor, Kind, acting
from palms.clock import now_utc
from palms.errors import DomainError, NotFound, NotPermitted
from palms.secrets import seal, unseal
from palms.throttling import Rate, hit

TRIES = Rate(limit=10, seconds=3600)  # of one person: three codes of a million are right at any moment
DIGITS, STEP, TOLERANCE = 6, 30, 1  # seconds; steps of difference between the clocks
CODES, HALF = 10, 5


class WrongCode(DomainError):
    code, title = "wrong_code", _("This code is not right, or it was used already. Look at the newest one.")


class TooManyCodes(DomainError):
    """`wait`: seconds until the next try counts."""

    code, title, status = "too_many_codes", _("Too many codes were tried. Wait, then try again."), 429


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A key that waits for its first code. `sealed` is what the session keeps of it."""

    sealed: str

    @property
    def key(self) -> bytes:
        return bytes.fromhex(unseal(self.sealed)["key"])

    @property
    def words(self) -> str:
        """The key for typing, in groups of four."""
        text = b32encode(self.key).decode()
        return " ".join(text[start : start + 4] for start in range(0, len(text), 4))

    def address(self, email: str) -> str:
        """The key for scanning, as applications read it."""
        about = {"secret": b32encode(self.key).decode(), "issuer": "Palms", "digits": DIGITS, "period": STEP}
        return f"otpauth://totp/{quote(f'Palms:{email}')}?{urlencode(about)}"


def begin() -> Enrolment:
    return Enrolment(seal({"key": secrets.token_bytes(20).hex()}))


def owes_a_code(user: Any) -> bool:
    """Whether this signed-in person still has to show a code, or to set up what makes one."""
    if user.is_verified():
        return False
    return settings.PALMS_REQUIRE_TWO_FACTOR or has_one(user.pk)


def has_one(user_id: int) -> bool:
    return Authenticator.objects.filter(user_id=user_id).exists()


def enrol(*, user_id: int, enrolment: Enrolment, code: str, actor: Actor) -> tuple[Authenticator, list[str]]:
    """Make this key the person's only one, by its first code; returns new codes for paper, shown once.

    Raises:
        WrongCode, TooManyCodes.
    """
    _count_try(user_id)
    step = _step_of(enrolment.key, code, after=-1)
    if step is None:
        raise WrongCode
    now = now_utc()
    with transaction.atomic(), acting(actor):
        User.objects.select_for_update(no_key=True).get(pk=user_id)
        fields = {"sealed": enrolment.sealed, "last_step": step, "used_at": now, "created_at": now, "name": "TOTP"}
        row, _made = Authenticator.objects.update_or_create(user_id=user_id, defaults=fields)
        return row, _new_codes(user_id)


def check(*, user_id: int, code: str) -> Authenticator:
    """Take a code of the telephone or of the paper, each once. Raises WrongCode, TooManyCodes."""
    _count_try(user_id)
    with transaction.atomic():
        row = Authenticator.objects.select_for_update().filter(user_id=user_id).first()
        if row is None:
            raise WrongCode
        step = _step_of(Enrolment(row.sealed).key, code, after=row.last_step)
        if step is not None:
            row.last_step = step
        elif not _burn(user_id, code):
            raise WrongCode
        row.used_at = now_utc()
        row.save(update_fields=["last_step", "used_at"])
    return row


def new_codes(*, user_id: int, code: str) -> list[str]:
    """Replace the codes on paper; asks for a code of now. Raises WrongCode, TooManyCodes."""
    check(user_id=user_id, code=code)
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user_id)
        return _new_codes(user_id)


def codes_left(user_id: int) -> int:
    return RecoveryCode.objects.filter(user_id=user_id, used_at=None).count()


@transaction.atomic
def reset(*, user_id: int, actor: Actor) -> User:
    """Forget a person's second factor, who then sets up a new one; they are signed out everywhere.

    Raises:
        NotFound. NotPermitted: the actor is neither the platform nor an owner of every club this person works for.
    """
    user = User.objects.select_for_update(no_key=True).filter(pk=user_id).first()
    if user is None:
        raise NotFound
    if not _may_reset(actor, user):
        raise NotPermitted
    with acting(actor):
        Authenticator.objects.filter(user=user).delete()
        RecoveryCode.objects.filter(user=user).delete()
        Session.objects.filter(pk__in=user.staff_sessions.values("session_id")).delete()
    return user


def _may_reset(actor: Actor, user: User) -> bool:
    if actor.kind is Kind.SYSTEM or actor.is_platform_admin:
        return True
    clubs = set(user.memberships.values_list("club_id", flat=True))
    owned = Membership.objects.filter(user_id=actor.id or 0, role=Membership.Role.OWNER, club_id__in=actor.club_ids)
    return not user.is_superuser and bool(clubs) and clubs <= set(owned.values_list("club_id", flat=True))


def _count_try(user_id: int) -> None:
    verdict = hit(f"code:{user_id}", TRIES, now=now_utc())
    if not verdict.allowed:
        raise TooManyCodes(wait=verdict.wait)


def _step_of(key: bytes, code: str, *, after: int) -> int | None:
    """Return the half minute that a code belongs to, later than `after`; None where there is none."""
    typed = code.replace(" ", "")
    if len(typed) != DIGITS or not (typed.isascii() and typed.isdecimal()):
        return None
    totp = TOTP(key, STEP, digits=DIGITS)
    totp.time = now_utc().timestamp()
    return totp.t() if totp.verify(int(typed), TOLERANCE, after + 1) else None


def _burn(user_id: int, code: str) -> bool:
    left = RecoveryCode.objects.filter(user_id=user_id, used_at=None, digest=_digest(code))
    return left.update(used_at=now_utc()) == 1


def _new_codes(user_id: int) -> list[str]:
    RecoveryCode.objects.filter(user_id=user_id).delete()
    codes = {_draw() for _number in range(CODES)}
    while len(codes) < CODES:
        codes.add(_draw())
    RecoveryCode.objects.bulk_create(RecoveryCode(user_id=user_id, digest=_digest(code)) for code in codes)
    return sorted(codes)


def _draw() -> str:
    """A code of about 49 bits that can be read aloud: "k7fwq-m3xzt"."""
    letters = "".join(secrets.choice(READABLE) for _letter in range(2 * HALF))
    return f"{letters[:HALF]}-{letters[HALF:]}"


def _digest(code: str) -> str:
    bare = "".join(code.lower().split()).replace("-", "")
    return salted_hmac("clubs.recovery", bare.encode("utf-8", "replace"), algorithm="sha256").hexdigest()
