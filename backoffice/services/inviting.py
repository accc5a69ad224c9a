"""Inviting staff by letter. The link is signed, works once and for a week; it makes the account, or joins the one there is."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from backoffice.errors import InvitationInvalid, SignInFirst
from backoffice.models import Invitation
from clubs.models import Club, Membership, User
from clubs.services import AlreadyMember, add_member
from palms import intents, letters
from palms.actors import Actor, acting, staff_member
from palms.clock import now_utc
from palms.errors import NotFound, NotPermitted, ValidationFailed
from palms.intents import Job, Outcome, Refused

LETTER = "backoffice.invitation"
LIFE = timedelta(days=7)
MOST_OPEN = 50
signer = signing.Signer(salt="backoffice.invitation")


@transaction.atomic
def invite(*, club_id: int, email: str, role: str, actor: Actor, name: str = "") -> Invitation:
    """Write to somebody who shall work for a club; an earlier invitation of theirs ends.

    Whether they have an account already is told to nobody.

    Raises:
        NotPermitted: only an owner, or the platform. ValidationFailed. AlreadyMember: they work for this club.
    """
    if actor.id is None or not may_invite(actor.id, club_id):
        raise NotPermitted
    email = User.objects.normalize_email(email.strip())
    _must_be_valid(email, role)
    Club.objects.select_for_update(no_key=True).get(pk=club_id)  # two owners may invite the same person at once
    if Membership.objects.filter(club_id=club_id, user__email__iexact=email).exists():
        raise AlreadyMember
    now, waiting = now_utc(), open_of(club_id)
    waiting.filter(email__iexact=email).update(withdrawn_at=now)
    if waiting.count() >= MOST_OPEN:
        raise ValidationFailed(errors={"email": [_("Too many invitations wait: withdraw some first.")]})
    invitation = Invitation.objects.create(
        club_id=club_id, email=email, name=name.strip()[:200], role=role, language=get_language() or "ru",
        invited_by_id=actor.id, created_at=now, expires_at=now + LIFE,
    )  # fmt: skip
    intents.plan(club_id=club_id, kind=LETTER, lane=f"invitation:{invitation.pk}", subject_id=invitation.pk, now=now)
    return invitation


def open_of(club_id: int) -> QuerySet[Invitation]:
    """Return the invitations of a club that wait for an answer, or have grown too old meanwhile."""
    return Invitation.objects.filter(club_id=club_id, accepted_at=None, withdrawn_at=None)


def _must_be_valid(email: str, role: str) -> None:
    errors: dict[str, list[str]] = {}
    try:
        validate_email(email)
    except ValidationError as wrong:
        errors["email"] = wrong.messages
    if role not in Membership.Role.values:
        errors["role"] = [_("Choose a role")]
    if errors:
        raise ValidationFailed(errors=errors)


def may_invite(user_id: int, club_id: int) -> bool:
    """Whether a person is an owner of the club, or of the platform, today."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    owns = Membership.objects.filter(user_id=user_id, club_id=club_id, role=Membership.Role.OWNER)
    return user is not None and (user.is_superuser or owns.exists())


@transaction.atomic
def withdraw(*, club_id: int, invitation_id: int, actor: Actor) -> None:
    """End an invitation; one that has ended stays as it is. Raises NotPermitted, NotFound."""
    if actor.id is None or not may_invite(actor.id, club_id):
        raise NotPermitted
    row = Invitation.objects.select_for_update().filter(club_id=club_id, pk=invitation_id).first()
    if row is None:
        raise NotFound
    if row.accepted_at is None and row.withdrawn_at is None:
        row.withdrawn_at = now_utc()
        row.save(update_fields=["withdrawn_at"])


def token_of(invitation: Invitation) -> str:
    return signer.sign(f"{invitation.nonce}.{invitation.pk}")


def read_invitation(token: str) -> Invitation:
    """Return the invitation that a link is for. Raises InvitationInvalid: whatever is wrong with it looks the same."""
    row = _rows(token).select_related("club", "invited_by").first()
    return _living(row)


def _rows(token: str) -> QuerySet[Invitation]:
    try:
        nonce, _dot, pk = signer.unsign(token).partition(".")
    except signing.BadSignature:
        return Invitation.objects.none()
    return Invitation.objects.filter(pk=int(pk), nonce=nonce)


def _living(row: Invitation | None) -> Invitation:
    if row is None or row.accepted_at or row.withdrawn_at or row.expires_at <= now_utc():
        raise InvitationInvalid
    if not may_invite(row.invited_by_id, row.club_id):
        raise InvitationInvalid
    return row


def account_of(invitation: Invitation) -> User | None:
    """Return the account that the invited person has already."""
    return User.objects.filter(email__iexact=invitation.email).first()


@transaction.atomic
def accept(*, token: str, user_id: int | None, password: str = "", name: str = "") -> Membership:
    """Join the club: with the account that is signed in and was invited, or with a new one and this password.

    Raises:
        InvitationInvalid. SignInFirst: the person has an account, and it is not the one signed in. AlreadyMember.
    """
    row = _living(_rows(token).select_for_update(of=("self",)).first())
    account = account_of(row)
    if account is not None and (account.pk != user_id or not account.is_active):
        raise SignInFirst
    actor = staff_member(row.invited_by_id, {row.club_id: Membership.Role.OWNER}, through="invitation")
    called = name.strip() or row.name
    membership, _drawn = add_member(club_id=row.club_id, email=row.email, role=row.role, actor=actor, name=called)
    if account is None:
        user = User.objects.select_for_update().get(pk=membership.user_id)
        user.set_password(password)
        with acting(actor):
            user.save(update_fields=["password"])
    row.accepted_at = now_utc()
    row.save(update_fields=["accepted_at"])
    return membership


def call_letter(job: Job) -> Outcome:
    row = Invitation.objects.select_related("club", "invited_by").get(pk=job.subject_id)
    if row.accepted_at or row.withdrawn_at or row.expires_at <= now_utc():
        return Refused("over")
    link = settings.BASE_URL + reverse("admin:invitation", args=[token_of(row)])
    facts: dict[str, object] = {"invitation": row, "club": row.club, "link": link, "days": LIFE.days}
    words = letters.rendered("backoffice/mail/invitation.txt", facts, language=row.language)
    return letters.send(job, letters.Letter((row.email,), *words))


def register_calls() -> None:
    intents.register(LETTER, call=call_letter, apply=letters.close)
