"""A new password by letter. The link is signed with what it replaces: it works once, for two hours, until the next sign-in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from axes.utils import reset
from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import get_language

from clubs import signins
from clubs.models import Membership, User
from palms import intents, letters
from palms.actors import Actor, acting
from palms.clock import now_utc
from palms.intents import Job, Outcome, Refused

LETTER = "backoffice.password"
LIFE = timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)


@transaction.atomic
def ask_for_letter(email: str) -> None:
    """Write to whoever works for a club and signs in with this email. To the one who asks it is all the same."""
    user = (
        User.objects.select_for_update(no_key=True).filter(email__iexact=email, is_active=True, is_staff=True).first()
    )
    club_id = Membership.objects.filter(user=user).order_by("pk").values_list("club_id", flat=True).first()
    lane = f"password:{user.pk}" if user else ""
    if user is None or club_id is None or intents.is_open(lane):
        return
    language = get_language() or "ru"
    intents.plan(club_id=club_id, kind=LETTER, lane=lane, subject_id=user.pk, now=now_utc(), language=language)


def link_of(user: User) -> str:
    """Return the path of a link that works now."""
    uid, token = urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user)
    return reverse("admin:password_link", kwargs={"uidb64": uid, "token": token})


@transaction.atomic
def renew(form: Any, actor: Actor) -> User:
    """Store a new password, by a form that has checked it: every sign-in of before ends, and wrong tries are forgotten."""
    with acting(actor):
        user: User = form.save()
    signins.end_sessions(user_id=user.pk, actor=actor)
    reset(username=user.email)
    return user


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
