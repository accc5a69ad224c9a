"""Long work: previewed, begun by a word, done in batches. A batch and its progress are one transaction.

So a job goes on exactly where a crash has stopped it, and nothing is written twice. It runs as a durable intent that is due
again after each batch: other calls get their turn in between, and without workers a sweep does it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from backoffice.errors import JobNotFound, JobNotWaiting, PreviewTooOld
from backoffice.models import MOST_ITEMS, Job
from backoffice.services import working
from clubs.models import Membership, User
from palms import intents
from palms.actors import Actor, staff_member
from palms.clock import now_utc
from palms.errors import NotPermitted, ValidationFailed
from palms.intents import Done, Later, Outcome, Refused
from palms.secrets import seal, unseal
from palms.wake import wake

WORK = "backoffice.job"
DRAFT_LIFE = timedelta(days=1)
MOST_TRIES = 8  # of one batch: some ten minutes
Work = Callable[[Job, dict[str, Any], Sequence[Any], Actor], Sequence[tuple[str, str, str]]]
# By kind: items of one batch, and who writes them.
WORKS: Mapping[str, tuple[int, Work]] = {
    Job.Kind.SEASON: (500, working.publish),
    Job.Kind.IMPORT: (500, working.publish),
    Job.Kind.PRICE: (250, working.price),
    Job.Kind.CLOSE: (250, working.close),
    Job.Kind.REOPEN: (250, working.reopen),
}


@transaction.atomic
def draft_job(
    *, club_id: int, kind: str, same: Mapping[str, Any], items: Sequence[Any], preview: Mapping[str, Any], actor: Actor
) -> Job:
    """Keep a previewed piece of work until somebody says "write it". Drafts of yesterday go.

    `same` holds for all items, `items` are what `working` reads of this kind. Both JSON.

    Raises:
        NotPermitted. ValidationFailed: nothing to do, or too much of it.
    """
    if not actor.serves(club_id) or actor.id is None:
        raise NotPermitted
    if not 0 < len(items) <= MOST_ITEMS:
        words = _("At most %(most)s slots at once: choose less.") % {"most": MOST_ITEMS}
        raise ValidationFailed(errors={"__all__": [words if items else _("There is nothing to write.")]})
    now = now_utc()
    Job.objects.filter(club_id=club_id, state=Job.State.DRAFT, created_at__lt=now - DRAFT_LIFE).delete()
    sealed = seal({"same": dict(same), "items": list(items)})
    return Job.objects.create(
        club_id=club_id, kind=kind, user_id=actor.id, language=get_language() or "ru", sealed=sealed, total=len(items),
        preview=dict(preview), created_at=now,
    )  # fmt: skip


@transaction.atomic
def start_job(*, job_id: int, actor: Actor) -> Job:
    """Begin what was previewed; what has begun already goes on. Raises JobNotFound, JobNotWaiting, PreviewTooOld."""
    job = lock_job(job_id, actor)
    now = now_utc()
    if job.state == Job.State.OPEN:
        return job
    if job.state != Job.State.DRAFT:
        raise JobNotWaiting
    if job.created_at < now - DRAFT_LIFE:
        raise PreviewTooOld
    job.state, job.user_id = Job.State.OPEN, actor.id or job.user_id
    job.save(update_fields=["state", "user"])
    intents.plan(club_id=job.club_id, kind=WORK, lane=f"job:{job.pk}", subject_id=job.pk, now=now)
    return job


@transaction.atomic
def cancel_job(*, job_id: int, actor: Actor) -> Job:
    """Stop after the running batch; what is written stays. What is over stays as it is. Raises JobNotFound."""
    job = lock_job(job_id, actor)
    if job.finished_at is None:
        end(job, Job.State.CANCELED)
    return job


def lock_job(job_id: int, actor: Actor) -> Job:
    job = Job.objects.select_for_update(no_key=True).filter(pk=job_id).first()
    if job is None or not actor.serves(job.club_id):
        raise JobNotFound
    return job


def end(job: Job, state: str, *, reason: str = "") -> None:
    job.state, job.reason, job.sealed, job.finished_at = state, reason[:300], "", now_utc()
    job.save()


def call_work(claimed: intents.Job) -> Outcome:
    """Nothing is asked outside; a batch that keeps failing is given up."""
    return Refused("given up") if claimed.attempts > MOST_TRIES else Done()


def apply_work(claimed: intents.Job, outcome: Done | Refused | Later) -> None:
    """Write the next batch of a job, with its progress, in the caller's transaction."""
    job = Job.objects.select_for_update(no_key=True).get(pk=claimed.subject_id)
    if job.state == Job.State.OPEN:
        with override(job.language):
            _go_on(job, given_up=isinstance(outcome, Refused))
    if job.state == Job.State.OPEN:
        intents.postpone(claimed, now_utc())
        wake("palms.run_intent", intent_id=claimed.id)
    else:
        intents.finish(claimed, Done())


def _go_on(job: Job, *, given_up: bool) -> None:
    actor = _actor_of(job)
    if given_up:
        end(job, Job.State.FAILED, reason=_("It failed again and again. What is counted as done is written."))
    elif actor is None:
        end(job, Job.State.FAILED, reason=_("Whoever has begun this does not work for the club any more."))
    else:
        _work(job, actor)


def _actor_of(job: Job) -> Actor | None:
    """Return who has begun it, with the rights of today."""
    user = User.objects.get(pk=job.user_id)
    roles = dict(Membership.objects.filter(user=user).values_list("club_id", "role"))
    actor = staff_member(user.pk, roles, through="job", is_platform_admin=user.is_superuser)
    return actor if user.is_active and actor.serves(job.club_id) else None


def _work(job: Job, actor: Actor) -> None:
    size, work = WORKS[job.kind]
    told = unseal(job.sealed)
    batch = told["items"][job.done : job.done + size]
    results = work(job, told["same"], batch, actor)
    job.tally = dict(Counter(job.tally) + Counter(state for state, _where, _why in results))
    refused = [[where, why] for state, where, why in results if state == "refused"]
    job.errors = [*job.errors, *refused][: Job.MOST_ERRORS]
    job.done += len(batch)
    if job.done >= job.total:
        end(job, Job.State.DONE)
    else:
        job.save(update_fields=["done", "tally", "errors"])


def register_calls() -> None:
    intents.register(WORK, call=call_work, apply=apply_work)
