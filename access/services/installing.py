"""One intent per grant, which brings the lock to what is wanted now: a code inside the allowed time, none outside it.

It may run twice, late, or die anywhere: every run looks at the grant and at the lock again, and does what is missing.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from typing import TypeVar

from django.conf import settings

from access import rules
from access.models import LIVING, AccessGrant, Lock, State
from access.providers.base import (
    Busy,
    Full,
    Gone,
    Locks,
    LockTrouble,
    Misconfigured,
    NotOurTurn,
    Passcode,
    QuotaSpent,
    Taken,
    Unsure,
)
from access.services.accounts import has_spare_calls, turn, with_locks
from access.services.alarming import ring
from access.services.granting import GRANT
from palms import intents, points
from palms.clock import now_utc
from palms.errors import DomainError, refusing
from palms.intents import Done, Job, Later, Outcome, Refused
from palms.secrets import seal, unseal

PATIENCE = 35.0  # seconds of one gateway call; the cloud gives up after 30
LANDING = timedelta(seconds=60)  # after digits were sent without an answer; later than this they do not reach the lock
MOST_DRAWS = 20
RIGHT = timedelta(minutes=2)  # how far a lock's clock may be off
PASSING = 3  # tries after which trouble that should pass in seconds is told to people
GIVEN_UP = timedelta(days=7)  # after a code's own end: it opens nothing, and the lock's daily look finds it by its name
T = TypeVar("T")


class _SameDigits(DomainError):
    """Another living code of this lock has them."""


@dataclass(frozen=True, slots=True)
class Installed:
    """`sure`: written at the first try, so that it cannot be there twice."""

    passcode_id: int
    digest: str
    sure: bool


@dataclass(frozen=True, slots=True)
class Removed:
    """Nothing of the grant is on the lock any more. `reached`: the lock itself said so."""

    reached: bool = True


@dataclass(frozen=True, slots=True)
class Reached:
    """The lock answered, ahead of its guest."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing is to be done before `Later.at`."""


@dataclass(frozen=True, slots=True)
class Landing:
    """The code was taken out, or was not there; until `Later.at` a slow try may still put it there."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A call that did not do what it should. `lasting`: it will not pass by itself in seconds. No digits in `text`."""

    text: str
    lasting: bool
    spoiled: bool = False  # the digits cannot be used on this lock
    counts: bool = True  # as a try: the lock was asked
    removing: bool = False


def call_grant(job: Job) -> Outcome:
    """Look what is wanted of this grant now, and do it."""
    grant = AccessGrant.objects.select_related("booking", "lock__account").get(pk=job.subject_id)
    now = now_utc()
    if grant.state == State.REMOVED:
        return Done()
    if grant.state in LIVING and rules.is_entitled(grant.booking) and now < grant.valid_from:
        return _look_ahead(grant, now)
    if grant.state in LIVING and rules.allowed(grant.booking, now) and now <= grant.valid_to:
        return _install(grant, now)
    return _remove(grant, now)


def _look_ahead(grant: AccessGrant, now: datetime) -> Outcome:
    """Reach the lock some minutes before the guest does: the staff hear of trouble first, and its clock is right."""
    spare = has_spare_calls(grant.lock.account, now) and grant.lock.is_active
    seen = grant.lock.seen_at is not None and grant.lock.seen_at > now - timedelta(minutes=15)
    if not spare or seen:
        return Later(grant.valid_from, Waiting())
    try:
        _reach(grant.lock, lambda locks: set_right(locks, grant.lock.provider_lock_id))
    except LockTrouble as trouble:
        again = min(now_utc() + _pause(trouble, grant.attempts), grant.valid_from)
        return Later(again, _told(trouble, grant.attempts))
    return Later(grant.valid_from, Reached())


def set_right(locks: Locks, lock_id: int) -> timedelta:
    """Set a lock's clock where it is wrong: it would refuse good codes, or open for old ones. Returns how far it was off."""
    off = locks.clock(lock_id, patience=PATIENCE) - now_utc()
    if abs(off) > RIGHT:
        locks.set_clock(lock_id, now_utc(), patience=PATIENCE)
    return off


def _install(grant: AccessGrant, now: datetime) -> Outcome:
    if grant.state == State.INSTALLED:
        return Later(grant.valid_to, Waiting())
    if not (grant.code or grant.lock.is_active):
        return Later(min(now + timedelta(minutes=1), grant.valid_to), Waiting())
    try:
        made = _reach(grant.lock, lambda locks: _put(locks, grant))
    except LockTrouble as trouble:
        return Later(now_utc() + _pause(trouble, grant.attempts), _told(trouble, grant.attempts))
    return Later(grant.valid_to, made)


def _put(locks: Locks, grant: AccessGrant) -> Installed:
    """Write a code into the lock, or adopt it where an earlier try has done it without our hearing of it."""
    known = _adopt(locks, grant) if grant.code else None
    if known is not None:
        return Installed(known, grant.digest or "", sure=False)
    ready = _about_to_send(grant)
    intents.let_go()
    try:
        made = locks.add(ready.lock.provider_lock_id, _passcode(ready), patience=PATIENCE)
    except Taken:
        late = _adopt(locks, grant) if grant.code else None  # the digits may be our own, from a try that was slow
        if late is None:
            raise
        return Installed(late, ready.digest or "", sure=False)
    return Installed(made, ready.digest or "", sure=not grant.code)


def _adopt(locks: Locks, grant: AccessGrant) -> int | None:
    """Return the id of the grant's code where the lock has it already; what has its name and is not it goes."""
    passcode, lock_id = _passcode(grant), grant.lock.provider_lock_id
    found = None
    for known in locks.find(lock_id, passcode.name, patience=PATIENCE):
        if known.name != passcode.name:
            continue
        if found is None and known.digits == passcode.digits and known.ends_at == passcode.ends_at:
            found = known.id
        else:
            _take(locks, lock_id, known.id)
    return found


def _remove(grant: AccessGrant, now: datetime) -> Outcome:
    if not grant.code or now > grant.valid_to + GIVEN_UP:  # no digits were ever drawn, so none were sent
        return Later(now, Removed(reached=False))
    try:
        sent_at = _reach(grant.lock, lambda locks: _take_out(locks, grant.pk))
    except LockTrouble as trouble:
        over = timedelta(hours=min(24, grant.attempts + 1)) if now > grant.valid_to else timedelta(0)
        told = replace(_told(trouble, grant.attempts), removing=True)
        return Later(now_utc() + max(over, _pause(trouble, grant.attempts)), told)
    if sent_at is not None and now_utc() < sent_at + LANDING:
        return Later(sent_at + LANDING, Landing())
    return Later(now_utc(), Removed())


def _take_out(locks: Locks, grant_id: int) -> datetime | None:
    """Remove what we know by id, and by name where it may be there more than once. Returns when it was last sent unsurely.

    The grant is read again: it is our turn only now, and whoever had it before may have written.
    """
    grant = AccessGrant.objects.select_related("lock").get(pk=grant_id)
    intents.let_go()
    lock_id, name = grant.lock.provider_lock_id, name_of(grant)
    ids = {grant.provider_code_id} if grant.provider_code_id else set()
    if grant.sent_at is not None or not ids:
        ids |= {known.id for known in locks.find(lock_id, name, patience=PATIENCE) if known.name == name}
    for passcode_id in sorted(ids):
        _take(locks, lock_id, passcode_id)
    return grant.sent_at


def _take(locks: Locks, lock_id: int, passcode_id: int) -> None:
    with suppress(Gone):
        locks.remove(lock_id, passcode_id, patience=PATIENCE)


def _reach(lock: Lock, act: Callable[[Locks], T]) -> T:
    """Talk to a lock when it is its gateway's turn, outside any transaction. Raises LockTrouble."""
    with turn(lock.account_id, lock.gateway, patience=PATIENCE):
        return with_locks(lock.account_id, act, patience=PATIENCE)


def name_of(grant: AccessGrant) -> str:
    """Return what the code is called on the lock: nobody's name, only ours."""
    return f"palms-{grant.club_id}-{grant.pk}"


def _passcode(grant: AccessGrant) -> Passcode:
    return Passcode(0, name_of(grant), str(unseal(grant.code)["digits"]), grant.valid_from, grant.valid_to)


@points.commit("access.draw")
def _about_to_send(seen: AccessGrant) -> AccessGrant:
    """Commit digits before the lock hears of them, so that whatever happens then they can be taken out again.

    The grant is looked at once more, under its lock: of what was taken back meanwhile nothing is sent.
    """
    whole = AccessGrant.objects.select_related("lock", "booking")
    grant = whole.select_for_update(of=("self", "lock"), no_key=True).get(pk=seen.pk)
    now = now_utc()
    device = (grant.lock.account_id, grant.lock.provider_lock_id)
    same = grant.digest == seen.digest and device == (seen.lock.account_id, seen.lock.provider_lock_id)
    if grant.state not in LIVING or not same or not rules.allowed(grant.booking, now):
        raise NotOurTurn("changed meanwhile")
    grant.state, grant.error, grant.sent_at = State.INSTALLING, "", now
    for _try in range(1 if grant.code else MOST_DRAWS):
        if not seen.code:
            digits = draw(grant.lock)
            grant.code, grant.digest = seal({"digits": digits}), digest_of(grant.lock, digits)
        with suppress(_SameDigits), refusing(_SameDigits, "accessgrant_no_equal_codes_on_a_lock"):
            grant.save(update_fields=["code", "digest", "state", "error", "sent_at"])
            return grant
    raise Full("no digits are left")


def draw(lock: Lock) -> str:
    """Return random digits that this keypad has, and that are neither a run nor one digit repeated."""
    while True:
        digits = "".join(secrets.choice(lock.digits) for _place in range(lock.code_length))
        steps = {int(after) - int(before) for before, after in pairwise(digits)}
        if steps not in ({0}, {1}, {-1}):
            return digits


def digest_of(lock: Lock, digits: str) -> str:
    """Return what tells equal codes of one lock apart without keeping them readable."""
    return hmac.new(settings.SECRET_KEY.encode(), f"{lock.pk}:{digits}".encode(), sha256).hexdigest()


def _pause(trouble: LockTrouble, attempts: int) -> timedelta:
    """Return when to try again: in seconds where it is busy, in minutes where it is away or people are needed, ever later."""
    if isinstance(trouble, Taken):
        return timedelta(0)
    if isinstance(trouble, NotOurTurn):
        return timedelta(seconds=2)
    if isinstance(trouble, QuotaSpent):
        return timedelta(hours=1)
    first, most = (300, 3600) if isinstance(trouble, Misconfigured | Full) else (30, 120)
    if isinstance(trouble, Busy | Unsure):
        first, most = 2, 60
    return timedelta(seconds=min(most, first * 2 ** min(attempts, 10)))


def _told(trouble: LockTrouble, attempts: int) -> Trouble:
    """`lasting` is what people should hear of, also of what should have passed and has not."""
    passing = isinstance(trouble, NotOurTurn | Taken) or isinstance(trouble, Busy | Unsure) and attempts + 1 < PASSING
    counts = not isinstance(trouble, NotOurTurn)
    return Trouble(str(trouble)[:200], not passing, spoiled=isinstance(trouble, Taken), counts=counts)


def apply_grant(job: Job, outcome: Done | Refused | Later) -> None:
    """Write what is true now, under the grant's lock; what was taken back meanwhile is removed at once."""
    now = now_utc()
    grant = AccessGrant.objects.select_for_update(of=("self",)).select_related("lock").get(pk=job.subject_id)
    if not isinstance(outcome, Later):
        intents.finish(job, outcome)
        return
    answer = outcome.answer
    if isinstance(answer, Installed | Reached) or isinstance(answer, Removed) and answer.reached:
        Lock.objects.filter(pk=grant.lock_id).update(seen_at=now, trouble="", trouble_at=None)
    if isinstance(answer, Removed):
        _write_removed(grant, now)
        intents.finish(job, Done())
        return
    if isinstance(answer, Installed):
        _write_installed(grant, answer, now)
    if isinstance(answer, Trouble):
        _write_trouble(grant, answer, now)
    removing = isinstance(answer, Landing) or isinstance(answer, Trouble) and answer.removing
    taken_back = grant.state == State.REMOVING and not removing  # while we were at it
    intents.postpone(job, now if taken_back else outcome.at)


def _write_removed(grant: AccessGrant, now: datetime) -> None:
    """The lock holds nothing of it: the digits are forgotten. An end by time is written here, by whoever saw it first."""
    grant.state, grant.removed_at, grant.code, grant.digest = State.REMOVED, grant.removed_at or now, "", None
    grant.reason = grant.reason or "over"
    grant.save(update_fields=["state", "removed_at", "code", "digest", "reason"])


def _write_installed(grant: AccessGrant, answer: Installed, now: datetime) -> None:
    if grant.digest != answer.digest:
        return
    grant.provider_code_id = answer.passcode_id
    grant.sent_at = None if answer.sure else grant.sent_at
    if grant.state in LIVING:
        grant.state, grant.installed_at, grant.attempts, grant.error = State.INSTALLED, now, 0, ""
    grant.save(update_fields=["provider_code_id", "sent_at", "state", "installed_at", "attempts", "error"])


def _write_trouble(grant: AccessGrant, trouble: Trouble, now: datetime) -> None:
    grant.attempts, grant.error = grant.attempts + trouble.counts, trouble.text
    if grant.state in LIVING and grant.code and now > grant.valid_to:  # it may still be on the lock, and is nobody's
        grant.state, grant.reason = State.REMOVING, "over"
    elif grant.state in (State.INSTALLING, State.FAILED) and trouble.spoiled:
        grant.code, grant.digest, grant.state = "", None, State.PLANNED
    elif grant.state in (State.PLANNED, State.INSTALLING) and trouble.lasting and now >= grant.valid_from:
        grant.state = State.FAILED
    grant.save(update_fields=["attempts", "error", "code", "digest", "state", "reason"])
    if trouble.lasting and grant.lock.trouble_at is None:
        Lock.objects.filter(pk=grant.lock_id).update(trouble=trouble.text, trouble_at=now)
        ring(grant.lock, now)


def register_calls() -> None:
    intents.register(GRANT, call=call_grant, apply=apply_grant)
