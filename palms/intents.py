"""Durable intents: "do this call to the outside, once, even if we crash".

    plan()   inside the caller's transaction: a committed row with its own idempotency key
    run()    claim (FOR UPDATE SKIP LOCKED, committed), call outside any transaction, apply in a second transaction
    run_due  the sweep: whatever a dead process, a dead worker or a dead broker left behind

A room registers, per kind, a `call` (talks to the outside, holds no lock and no transaction) and an `apply`
(inside a transaction: lock in order, write what is now true, `finish()` the intent, plan what follows).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from palms import points
from palms.clock import now_utc
from palms.models import Intent
from palms.seats import seat
from palms.wake import wake

PATIENCE = 31.0  # seconds, of a job; providers answer within 30 or not at all
SLOW = 3.0  # seconds of a call after which others go first
LONGEST_PAUSE = 3600.0
FULL = "too many wait for the outside"
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
    applied: points.Commit


CLAIM = """
    UPDATE palms_intent SET due_at = %(leased)s, attempts = attempts + 1, first_sent_at = coalesce(first_sent_at, %(now)s)
    WHERE id = (
        SELECT id FROM palms_intent
        WHERE state = 'OPEN' AND due_at <= %(now)s
            AND (%(id)s::bigint IS NULL OR id = %(id)s) AND (%(kinds)s::text[] IS NULL OR kind = ANY(%(kinds)s))
            AND club_id || ' ' || split_part(kind, '.', 1) <> ALL(%(but)s::text[])
        ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING *
"""
CLAIMED, POSTPONED = points.commit("intents.claim"), points.commit("intents.postpone")
HANDLERS: dict[str, Handler] = {}
_sweeping = ContextVar("sweeping", default=False)


def register(
    kind: str, *, call: Callable[[Job], Outcome], apply: Callable[[Job, Done | Refused | Later], None]
) -> None:
    """Name the two halves of a kind of intent. Called once, at start-up, by the room it belongs to."""
    HANDLERS[kind] = Handler(call, apply, points.commit(f"{kind} applied"))


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


def is_first_tried(lane: str) -> bool:
    """Whether somebody makes the call about this thing for the first time, and has not come back yet."""
    return Intent.objects.filter(lane=lane, state=Intent.State.OPEN, attempts=1, last_error="").exists()


def lease(patience: float) -> timedelta:
    """Return how long a claimed intent is left to its runner: a call, a read and a list of this patience, and some more.

    What a dead process had claimed is taken up by a sweep when this is over, within two minutes of its death.
    """
    return timedelta(seconds=3 * patience + 15)


def take_over(intent: Intent, *, now: datetime, patience: float) -> None:
    """Mark an intent that is about to be inserted as already claimed by this process, which runs it after commit."""
    intent.due_at, intent.attempts, intent.first_sent_at = now + lease(patience), 1, now


def job_of(intent: Intent, *, patience: float, subject: Any = None) -> Job:
    return Job(
        intent.pk, intent.club_id, intent.kind, intent.subject_id, intent.key, intent.payload, intent.attempts,
        intent.first_sent_at or intent.created_at, patience, subject,
    )  # fmt: skip


def claim(
    intent_id: int | None = None,
    *,
    kinds: Iterable[str] | None = None,
    but: Iterable[str] = (),
    patience: float = PATIENCE,
) -> Job | None:
    """Claim one due intent (this one, or the longest due), in a transaction of its own; None when there is none.

    `but`: none of a club's calls to the outside of one room, named as `outside_of` does.
    """
    now = now_utc()
    asked = {
        "now": now,
        "leased": now + lease(patience),
        "id": intent_id,
        "kinds": None if kinds is None else list(kinds),
        "but": list(but),
    }
    with CLAIMED:
        claimed = list(Intent.objects.raw(CLAIM, asked))
    return job_of(claimed[0], patience=patience) if claimed else None


def outside_of(job: Job) -> str:
    """Name whom a call talks to: a club's bank, its mail, its locks."""
    return f"{job.club_id} {job.kind.split('.')[0]}"


def perform(job: Job) -> Outcome:
    """Make the call of a claimed intent and apply its outcome. Must be called outside any transaction.

    The handler gives the database connection back before it asks (`let_go`): nobody else waits while the outside thinks. In
    a request, whose patience is short, the call is not made where too many wait already: Unknown, and due again at once.
    """
    handler = HANDLERS[job.kind]
    _refuse_inside_a_transaction()
    try:
        outcome = handler.call(job) if job.patience >= PATIENCE else _call_seated(handler, job)
        if outcome is None:
            return _stand_back(job)
        if not isinstance(outcome, Unknown):
            with handler.applied:
                handler.apply(job, outcome)
    except Exception as error:  # a defect or a busy database: it comes back, later and later, and is seen
        _postpone(job, f"{type(error).__name__}: {error}")
        raise
    if isinstance(outcome, Unknown):
        _postpone(job, outcome.error)
    return outcome


def _call_seated(handler: Handler, job: Job) -> Outcome | None:
    with seat(job.club_id) as seated:
        return handler.call(job) if seated else None


@POSTPONED
def _stand_back(job: Job) -> Unknown:
    """Leave a claimed intent, whose call was not made, to whoever has time for it."""
    Intent.objects.filter(pk=job.id, state=Intent.State.OPEN).update(
        due_at=now_utc(), attempts=job.attempts - 1, last_error=FULL
    )
    return Unknown(FULL)


def let_go(*, briefly: bool = False) -> None:
    """Give the database connection back before the outside is asked. Refuses inside a transaction: a defect.

    `briefly`, for mail: a sweep keeps its one connection, checked before it is used again, since to connect costs as much
    as a letter. For a bank or a lock no connection waits.
    """
    _refuse_inside_a_transaction()
    if briefly and _sweeping.get():
        connection.close_if_unusable_or_obsolete()
    else:
        connection.close()


def _refuse_inside_a_transaction() -> None:
    if connection.in_atomic_block:
        raise RuntimeError("an outside call inside a transaction")


@contextmanager
def sweeping() -> Iterator[None]:
    """Make calls one after the other, on one connection."""
    token = _sweeping.set(True)
    try:
        yield
    finally:
        _sweeping.reset(token)


def run(intent_id: int, *, patience: float = PATIENCE) -> Outcome | None:
    """Claim and perform one intent if it is due and nobody else holds it; None otherwise."""
    job = claim(intent_id, patience=patience)
    return perform(job) if job else None


@sweeping()
def run_due(*, limit: int = 100, kinds: Iterable[str] | None = None) -> int:
    """Claim and perform due intents, longest due first. Returns how many were tried. Needs no broker.

    One that raises does not keep the others waiting: what was raised is raised together, at the end. Nor does a bank that is
    slow: once it was, its next call waits until nobody else's is due.
    """
    wanted = None if kinds is None else list(kinds)
    defects: list[Exception] = []
    slow: set[str] = set()
    tried = 0
    while tried < limit and (job := claim(kinds=wanted, but=slow) or (claim(kinds=wanted) if slow else None)):
        tried += 1
        began = time.monotonic()
        try:
            perform(job)
        except Exception as error:  # noqa: BLE001  raised below, when everybody has had a turn
            defects.append(error)
        if time.monotonic() - began > SLOW:
            slow.add(outside_of(job))
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


def retry(intent_id: int, *, now: datetime) -> bool:
    """Let an open intent be tried at once. False where it is closed.

    One that may be under way at this moment keeps its lease; the same key goes along, so nothing is done twice.
    """
    rows = Intent.objects.filter(pk=intent_id, state=Intent.State.OPEN)
    rows.filter(due_at__gt=now + lease(PATIENCE)).update(due_at=now)
    if not rows.exists():
        return False
    wake("palms.run_intent", intent_id=intent_id)
    return True


def pause(attempts: int) -> timedelta:
    """Return the growing pause after a try with unknown outcome: 2, 4, 8 s and so on, up to an hour, a little random."""
    seconds = min(LONGEST_PAUSE, 2.0 ** min(attempts, 12))
    return timedelta(seconds=seconds * random.uniform(0.8, 1.0))  # noqa: S311  spreads load, keeps no secret


@POSTPONED
def _postpone(job: Job, error: str) -> None:
    Intent.objects.filter(pk=job.id, state=Intent.State.OPEN).update(
        due_at=now_utc() + pause(job.attempts), last_error=error[:500]
    )
