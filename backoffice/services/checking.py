"""Does the connection work? Asked by a button, answered by a worker: no page waits for a bank or a lock's cloud."""

from __future__ import annotations

import hashlib

from django.db import transaction
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from access import services as access
from access.models import LockAccount
from backoffice.models import Job
from backoffice.services.jobs import end
from palms import intents
from palms.actors import Actor
from palms.clock import now_utc
from palms.errors import NotFound, NotPermitted
from palms.intents import Done, Later, Outcome, Refused, Unknown
from palms.models import Intent
from payments.models import ProviderAccount
from payments.services.checking import check_account

CHECK = "backoffice.check"
MOST_TRIES = 3
PATIENCE = 10.0  # seconds
ACCOUNTS: dict[str, type[ProviderAccount] | type[LockAccount]] = {
    Job.Kind.CHECK_BANK: ProviderAccount,
    Job.Kind.CHECK_LOCKS: LockAccount,
}


@transaction.atomic
def ask_to_check(*, club_id: int, kind: str, account_id: int, actor: Actor) -> Job:
    """Have the credentials of a club's account tried; one that is being tried is not asked twice.

    Raises NotPermitted; NotFound: the club has no such account.
    """
    if not actor.serves(club_id) or actor.id is None:
        raise NotPermitted
    model = ACCOUNTS.get(kind)
    if model is None:
        raise NotFound
    rows: type[ProviderAccount] = model  # type: ignore[assignment]  # both have a club and credentials
    account = rows.objects.select_for_update(no_key=True).filter(club_id=club_id, pk=account_id).first()
    if account is None:
        raise NotFound
    lane = f"{kind}:{account_id}"
    running = Intent.objects.filter(lane=lane, state=Intent.State.OPEN).values_list("subject_id", flat=True).first()
    if running is not None:
        return Job.objects.get(pk=running)
    now = now_utc()
    job = Job.objects.create(
        club_id=club_id, kind=kind, user_id=actor.id, language=get_language() or "ru", state=Job.State.OPEN, total=1,
        subject_id=account_id, fingerprint=fingerprint(account.credentials), created_at=now,
    )  # fmt: skip
    intents.plan(club_id=club_id, kind=CHECK, lane=lane, subject_id=job.pk, now=now)
    return job


def fingerprint(credentials: str) -> str:
    """Return what tells whether credentials were changed since they were checked."""
    return hashlib.sha256(credentials.encode()).hexdigest()


def call_check(claimed: intents.Job) -> Outcome:
    job = Job.objects.get(pk=claimed.subject_id)
    account_id = job.subject_id or 0
    if job.kind == Job.Kind.CHECK_BANK:
        said = check_account(account_id=account_id, patience=min(PATIENCE, claimed.patience))
    else:
        said = access.check_account(account_id=account_id)
    if isinstance(said, Unknown) and claimed.attempts >= MOST_TRIES:
        return Refused("no_answer")
    return said


def apply_check(claimed: intents.Job, outcome: Done | Refused | Later) -> None:
    job = Job.objects.select_for_update(no_key=True).get(pk=claimed.subject_id)
    with override(job.language):
        if job.finished_at is None and isinstance(outcome, Refused):
            end(job, Job.State.FAILED, reason=_words(outcome.error))
        elif job.finished_at is None:
            job.done = 1
            end(job, Job.State.DONE, reason=_("The connection works."))
    intents.finish(claimed, outcome if isinstance(outcome, Refused) else Done())


def _words(code: str) -> str:
    known = {
        "no_answer": _("There was no answer. Try again in some minutes."),
        "not_configured": _("The shop id or the secret key is missing, or belongs to another shop. Enter both again."),
        "invalid_credentials": _("The shop id or the secret key is not accepted. Enter both again."),
    }
    return known.get(code) or _("The credentials are not accepted (%(code)s). Enter them again.") % {"code": code[:60]}


def register_calls() -> None:
    intents.register(CHECK, call=call_check, apply=apply_check)
