"""Durable intents: "do this call to the outside, once, even if we crash".

    plan()   inside the caller's transaction: a committed row with its own idempotency key
    run()    claim (FOR UPDATE SKIP LOCKED, committed), call outside any transaction, apply in a second transaction
    run_due  the sweep: whatever a dead process, a dead worker or a dead broker left behind

A room registers, per kind, a `call` (talks to the outside, holds no lock and no transaction) and an `apply`
(inside a transaction: lock in order, write what is now true, `finish()` the intent, plan what follows).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Value
from django.db.models.functions import Coalesce

from palms.clock import now_utc
from palms.models import Intent
from palms.wake import wake

PATIENCE = 35.0  # seconds, of a job; providers answer within 30 or not at all
LONGEST_PAUSE = 3600.0
KEY_LIFE = timedelta(hours=23)  # providers forget a key after 24 h; then we read, never repeat


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed intent. `patience` is how many seconds the caller can wait for the outside.

    `subject` is the row it is about, where the planner has it at hand: its call need not read it again.
    """

    id: int
    club_id: int
    kind: str
    subject_id: int
    key: str
    payload: dict[str, Any]
    attempts: int
    first_sent_at: datetime
    patience: float
    subject: Any = None

    def key_is_stale(self, now: datetime) -> bool:
        """Whether the provider may have forgotten our key, so that a repeat would be a second operation."""
        return now - self.first_sent_at > KEY_LIFE


@dataclass(frozen=True, slots=True)
class Done:
    """The outside did it, and this is what it answered."""

    answer: Any = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The outside gave its final word: no. Nothing was done."""

    error: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """We cannot tell whether it was done. The same call, with the same key, is made again later."""

    error: str


@dataclass(frozen=True, slots=True)
class Later:
    """Nothing went wrong and nothing is final: look again at `at`."""

    at: datetime
    answer: Any = None


Outcome = Done | Refused | Unknown | Later


@dataclass(frozen=True, slots=True)
class Handler:
    call: Callable[[Job], Outcome]
    apply: Callable[[Job, Done | Refused | Later], None]


HANDLERS: dict[str, Handler] = {}


def register(
    kind: str, *, call: Callable[[Job], Outcome], apply: Callable[[Job, Done | Refused | Later], None]
) -> None:
    """Name the two halves of a kind of intent. Called once, at start-up, by the room it belongs to."""
    HANDLERS[kind] = Handler(call, apply)


def draft(
    *,
    club_id: int,
    kind: str,
    lane: str,
    subject_id: int,
    now: datetime,
    due_at: datetime | None = None,
    **payload: Any,
) -> Intent:
    """Return an unsaved intent, due at once unless told otherwise, for callers that insert several in one statement."""
    return Intent(
        club_id=club_id,
        kind=kind,
        lane=lane,
        subject_id=subject_id,
        payload=payload,
        due_at=due_at or now,
        created_at=now,
    )


def plan(
    *,
    club_id: int,
    kind: str,
    lane: str,
    subject_id: int,
    now: datetime,
    due_at: datetime | None = None,
    **payload: Any,
) -> Intent:
    """Write an intent in the caller's transaction and wake a worker after it commits.

    The caller has locked what the lane is about, so that two do not plan at once.
    """
    intent = draft(club_id=club_id, kind=kind, lane=lane, subject_id=subject_id, now=now, due_at=due_at, **payload)
    intent.save(force_insert=True)
    if due_at is None:
        wake("palms.run_intent", intent_id=intent.pk)
    return intent


def is_open(lane: str) -> bool:
    """Whether a call about this thing is still to be made or settled."""
    return Intent.objects.filter(lane=lane, state=Intent.State.OPEN).exists()


def lease(patience: float) -> timedelta:
    """Return how long a claimed intent is left to its runner: a call, a read and a list of this patience, and some more."""
    return timedelta(seconds=3 * patience + 20)


def take_over(intent: Intent, *, now: datetime, patience: float) -> None:
    """Mark an intent that is about to be inserted as already claimed by this process, which runs it after commit."""
    intent.due_at, intent.attempts, intent.first_sent_at = now + lease(patience), 1, now


def job_of(intent: Intent, *, patience: float, subject: Any = None) -> Job:
    return Job(
        intent.pk, intent.club_id, intent.kind, intent.subject_id, intent.key, intent.payload, intent.attempts,
        intent.first_sent_at or intent.created_at, patience, subject,
    )  # fmt: skip


def claim(
    intent_id: int | None = None, *, kinds: Iterable[str] | None = None, patience: float = PATIENCE
) -> Job | None:
    """Claim one due intent (this one, or the longest due), in a transaction of its own; None when there is none."""
    with transaction.atomic():
        now = now_utc()
        rows = Intent.objects.filter(state=Intent.State.OPEN, due_at__lte=now)
        if intent_id is not None:
            rows = rows.filter(pk=intent_id)
        if kinds is not None:
            rows = rows.filter(kind__in=list(kinds))
        intent = rows.order_by("due_at", "pk").select_for_update(skip_locked=True).first()
        if intent is None:
            return None
        Intent.objects.filter(pk=intent.pk).update(
            due_at=now + lease(patience),
            attempts=F("attempts") + 1,
            first_sent_at=Coalesce(F("first_sent_at"), Value(now)),
        )
        intent.attempts, intent.first_sent_at = intent.attempts + 1, intent.first_sent_at or now
        return job_of(intent, patience=patience)


def perform(job: Job) -> Outcome:
    """Make the call of a claimed intent and apply its outcome. Must be called outside any transaction.

    The database connection is given back before the call: nobody else waits while the outside thinks.
    """
    handler = HANDLERS[job.kind]
    let_go()
    try:
        outcome = handler.call(job)
        if not isinstance(outcome, Unknown):
            with transaction.atomic():
                handler.apply(job, outcome)
    except Exception as error:  # a defect or a busy database: it comes back, later and later, and is seen
        _postpone(job, f"{type(error).__name__}: {error}")
        raise
    if isinstance(outcome, Unknown):
        _postpone(job, outcome.error)
    return outcome


def let_go() -> None:
    """Give the database connection back before the outside is asked. Refuses inside a transaction: a defect."""
    if connection.in_atomic_block:
        raise RuntimeError("an outside call inside a transaction")
    connection.close()


def run(intent_id: int, *, patience: float = PATIENCE) -> Outcome | None:
    """Claim and perform one intent if it is due and nobody else holds it; None otherwise."""
    job = claim(intent_id, patience=patience)
    return perform(job) if job else None


def run_due(*, limit: int = 100, kinds: Iterable[str] | None = None) -> int:
    """Claim and perform due intents, longest due first. Returns how many were tried. Needs no broker.

    One that raises does not keep the others waiting: what was raised is raised together, at the end.
    """
    wanted = None if kinds is None else list(kinds)
    defects: list[Exception] = []
    tried = 0
    while tried < limit and (job := claim(kinds=wanted)) is not None:
        tried += 1
        try:
            perform(job)
        except Exception as error:  # noqa: BLE001  raised below, when everybody has had a turn
            defects.append(error)
    if defects:
        raise ExceptionGroup("calls that could not be made or applied", defects)
    return tried


def finish(job: Job, outcome: Done | Refused) -> None:
    """Close the intent, inside the transaction that applies its outcome and after the locks of what it is about."""
    state, error = (Intent.State.DONE, "") if isinstance(outcome, Done) else (Intent.State.REFUSED, outcome.error[:500])
    Intent.objects.filter(pk=job.id, state=Intent.State.OPEN).update(
        state=state, finished_at=now_utc(), last_error=error
    )


def postpone(job: Job, at: datetime, *, error: str = "") -> None:
    """Keep the intent open and look again at `at`. Without an error the pauses start small again."""
    attempts = job.attempts if error else 0
    Intent.objects.filter(pk=job.id, state=Intent.State.OPEN).update(
        due_at=at, last_error=error[:500], attempts=attempts
    )


def bring_forward(intent_id: int, *, now: datetime) -> None:
    """Make an open intent due now: there is news."""
    Intent.objects.filter(pk=intent_id, state=Intent.State.OPEN, due_at__gt=now).update(due_at=now)


def pause(attempts: int) -> timedelta:
    """Return the growing pause after a try with unknown outcome: 2, 4, 8 s and so on, up to an hour, a little random."""
    seconds = min(LONGEST_PAUSE, 2.0 ** min(attempts, 12))
    return timedelta(seconds=seconds * random.uniform(0.8, 1.0))  # noqa: S311  spreads load, keeps no secret


def _postpone(job: Job, error: str) -> None:
    Intent.objects.filter(pk=job.id, state=Intent.State.OPEN).update(
        due_at=now_utc() + pause(job.attempts), last_error=error[:500]
    )
