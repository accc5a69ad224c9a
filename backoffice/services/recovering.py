"""A new password by letter. The link is signed with what it replaces: it works once, for two hours, until the next sign-in."""

from __future__ import annotations

from datetime import timedelta

from axes.utils import reset
from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import get_language

from backoffice.errors import LinkInvalid
from clubs import signins
from clubs.models import Membership, User
from palms import intents, letters
from palms.actors import Actor, acting
from palms.clock import now_utc
from palms.intents import Job, Outcome, Refused
from palms.throttling import Rate, hit

LETTER = "backoffice.password"
LETTERS = Rate(limit=3, seconds=3600)  # to one person, whoever asks
LIFE = timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)


def ask_for_letter(email: str) -> None:
    """Write to whoever works for a club and signs in with this email. To the one who asks it is all the same.

    Outside any transaction: how many letters somebody gets is counted.
    """
    user_id = _people().filter(email__iexact=email).values_list("pk", flat=True).first()
    if user_id is not None and hit(f"password:{user_id}", LETTERS, now=now_utc()).allowed:
        _plan(user_id)


def _people() -> QuerySet[User]:
    return User.objects.filter(is_active=True, is_staff=True, memberships__isnull=False).distinct()


@transaction.atomic
def _plan(user_id: int) -> None:
    """No worker is woken: that would take longer than to find nobody."""
    User.objects.select_for_update(no_key=True).get(pk=user_id)
    club_id = Membership.objects.filter(user_id=user_id).order_by("pk").values_list("club_id", flat=True).first()
    lane, now = f"password:{user_id}", now_utc()
    if club_id is not None and not intents.is_open(lane):
        language = get_language() or "ru"
        intents.plan(
            club_id=club_id, kind=LETTER, lane=lane, subject_id=user_id, now=now, due_at=now, language=language
        )


def link_of(user: User) -> str:
    """Return the path of a link that works now."""
    uid, token = urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user)
    return reverse("admin:password_link", kwargs={"uidb64": uid, "token": token})


@transaction.atomic
def renew(*, user_id: int, token: str, password: str, actor: Actor) -> None:
    """Store a new password, which the caller has checked: every sign-in of before ends, and wrong tries are forgotten.

    Raises LinkInvalid: somebody was quicker with the same link, or the person may not sign in any more.
    """
    user = User.objects.select_for_update(no_key=True).filter(pk=user_id, is_active=True).first()
    if user is None or not default_token_generator.check_token(user, token):
        raise LinkInvalid
    user.set_password(password)
    with acting(actor):
        user.save(update_fields=["password"])
    signins.end_sessions(user_id=user.pk, actor=actor)
    reset(username=user.email.lower())  # as palms.visitors counts them


def call_letter(job: Job) -> Outcome:
    user = User.objects.get(pk=job.subject_id)
    if not user.is_active:
        return Refused("not active")
    facts: dict[str, object] = {"link": settings.BASE_URL + link_of(user), "hours": LIFE // timedelta(hours=1)}
    language = str(job.payload.get("language", "ru"))
    words = letters.rendered("backoffice/mail/password.txt", facts, language=language)
    return letters.send(job, letters.Letter((user.email,), *words))


def register_calls() -> None:
    intents.register(LETTER, call=call_letter, apply=letters.close)
