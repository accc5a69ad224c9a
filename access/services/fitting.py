"""Putting a lock on an area, and looking after it once a day: can it be reached, is its clock right, what has it kept."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from access.errors import LockInUse
from access.models import LIVING, AccessGrant, Lock, State
from access.providers.base import Busy, Condition, Gone, Locks, LockTrouble, NotOurTurn, Unsure
from access.services.accounts import CLOUD_PATIENCE, has_spare_calls, turn, with_locks
from access.services.alarming import ring
from access.services.granting import end_grant, plan_missing
from access.services.installing import PASSING, PATIENCE, set_right
from palms import intents
from palms.actors import Actor, acting
from palms.clock import now_utc
from palms.errors import NotFound, NotPermitted, refusing
from palms.intents import Done, Job, Later, Outcome, Refused
from palms.models import Intent
from palms.wake import wake

LOCK = "access.lock"
EVERY = timedelta(days=1)
AGAIN = timedelta(minutes=10)  # after trouble
OURS = re.compile(r"palms-([0-9]{1,18})-([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Looked:
    """A lock that was looked at: how far its clock was off, how many forgotten codes were taken out, what the cloud says."""

    off: timedelta
    removed: int
    condition: Condition


@dataclass(frozen=True, slots=True)
class Failed:
    """A lock that could not be looked at, and why. `passing`: it may be well again in seconds."""

    text: str
    gateway_online: bool | None
    passing: bool


@transaction.atomic
def fit_lock(*, lock: Lock, actor: Actor) -> Lock:
    """Store a lock and look at it at once.

    Another device on the same area serves the bookings that are planned there; a lock that goes to another area leaves
    them without a code. Raises NotPermitted, LockInUse: codes are on it, or may be.
    """
    if not actor.owns(lock.club_id):
        raise NotPermitted
    before = Lock.objects.select_for_update().filter(pk=lock.pk).first() if lock.pk else None
    with acting(actor):
        if before is not None:
            _let_go(before, lock)
        with refusing(LockInUse, "lock_in_use"):
            lock.save()
    _hurry(lock, now_utc())
    return lock


def _let_go(before: Lock, after: Lock) -> None:
    """End what is only planned where a lock leaves its area. Raises LockInUse: digits may be on the device."""
    leaves = before.area_id != after.area_id
    changes = (before.account_id, before.provider_lock_id) != (after.account_id, after.provider_lock_id)
    grants = AccessGrant.objects.filter(lock=before).exclude(state=State.REMOVED).order_by("pk")
    if (leaves or changes) and grants.exclude(code="").exists():
        raise LockInUse
    for grant in list(grants.select_for_update(of=("self",))) if leaves else []:
        end_grant(grant, "lock moved", now_utc())


@transaction.atomic
def set_in_use(*, lock_id: int, in_use: bool, actor: Actor) -> Lock:
    """Let a lock take codes, or not any more; codes that are on it stay till their end. Raises NotFound, NotPermitted."""
    lock = _locked(lock_id, actor)
    if not actor.owns(lock.club_id):
        raise NotPermitted
    lock.is_active = in_use
    with acting(actor):
        lock.save(update_fields=["is_active"])
    return lock


@transaction.atomic
def check_lock(*, lock_id: int, actor: Actor) -> None:
    """Have a lock looked at now, by a worker; what came of it stands on the lock. Raises NotFound, NotPermitted."""
    _hurry(_locked(lock_id, actor), now_utc())


def _locked(lock_id: int, actor: Actor) -> Lock:
    lock = Lock.objects.select_for_update(no_key=True).filter(pk=lock_id).first()
    if lock is None:
        raise NotFound
    if not actor.serves(lock.club_id):
        raise NotPermitted
    return lock


def _hurry(lock: Lock, now: datetime) -> None:
    lane = f"lock:{lock.pk}"
    intent_id = Intent.objects.filter(lane=lane, state=Intent.State.OPEN).values_list("pk", flat=True).first()
    if intent_id is None:
        intents.plan(club_id=lock.club_id, kind=LOCK, lane=lane, subject_id=lock.pk, now=now)
        return
    intents.bring_forward(intent_id, now=now)
    wake("palms.run_intent", intent_id=intent_id)


def call_lock(job: Job) -> Outcome:
    """Look after a lock that is in use: bookings without a code, its clock, codes of ours that it should have forgotten."""
    lock = Lock.objects.select_related("account").get(pk=job.subject_id)
    now = now_utc()
    plan_missing(lock, now)
    if not has_spare_calls(lock.account, now):
        return Later(now + EVERY)
    try:
        with turn(lock.account_id, lock.gateway, patience=2 * PATIENCE):
            looked = with_locks(lock.account_id, lambda locks: _look(locks, lock), patience=PATIENCE)
    except NotOurTurn:
        return Later(now_utc() + timedelta(seconds=5))
    except LockTrouble as trouble:
        if isinstance(trouble, Busy | Unsure) and job.attempts < PASSING:
            return Later(now_utc() + timedelta(seconds=20), Failed(str(trouble), None, passing=True))
        return Later(now_utc() + AGAIN, Failed(str(trouble), _gateway_online(lock), passing=False))
    return Later(now_utc() + EVERY, looked)


def _gateway_online(lock: Lock) -> bool | None:
    """Ask the cloud whether it is the gateway that is away: its belief, up to half an hour old. None: nobody knows."""
    try:
        condition = with_locks(
            lock.account_id, lambda locks: locks.condition(lock.provider_lock_id, patience=CLOUD_PATIENCE), patience=CLOUD_PATIENCE
        )  # fmt: skip
    except LockTrouble:
        return None
    return any(gateway.is_online for gateway in condition.gateways) if condition.gateways else None


def _look(locks: Locks, lock: Lock) -> Looked:
    lock_id = lock.provider_lock_id
    off = set_right(locks, lock_id)
    listed = locks.find(lock_id, f"palms-{lock.club_id}-", patience=PATIENCE)
    forgotten = _unwanted(lock, {code.id: code.name for code in listed})
    intents.let_go()
    for passcode_id in forgotten:
        with suppress(Gone):
            locks.remove(lock_id, passcode_id, patience=PATIENCE)
    return Looked(off, len(forgotten), locks.condition(lock_id, patience=CLOUD_PATIENCE))


def _unwanted(lock: Lock, listed: dict[int, str]) -> list[int]:
    """Return the ids of listed codes that no grant wants: it is over, unknown, or has another code.

    Codes that are not ours are nobody's business, and of a code under way nothing is said.
    """
    named = {passcode_id: OURS.fullmatch(name) for passcode_id, name in listed.items()}
    grants = {passcode_id: int(match[2]) for passcode_id, match in named.items() if match}
    there = {grant.pk: grant for grant in AccessGrant.objects.filter(club_id=lock.club_id, pk__in=grants.values())}

    def wanted(passcode_id: int, grant: AccessGrant | None) -> bool:
        if grant is None or grant.state == State.REMOVED:
            return False
        return grant.state != State.INSTALLED or grant.provider_code_id == passcode_id

    return sorted(code for code, grant_id in grants.items() if not wanted(code, there.get(grant_id)))


def apply_lock(job: Job, outcome: Done | Refused | Later) -> None:
    now = now_utc()
    lock = Lock.objects.select_for_update(no_key=True).get(pk=job.subject_id)
    if not isinstance(outcome, Later):
        intents.finish(job, outcome)
        return
    answer = outcome.answer
    if isinstance(answer, Failed) and answer.passing:
        intents.postpone(job, outcome.at, error=answer.text)
        return
    if isinstance(answer, Looked):
        near = answer.condition.gateways
        lock.seen_at, lock.trouble, lock.trouble_at = now, "", None
        lock.battery = answer.condition.battery if answer.condition.battery in range(101) else None
        lock.gateway_online = any(gateway.is_online for gateway in near) if near else None
        lock.signal = max((gateway.signal for gateway in near if gateway.signal is not None), default=None)
    elif isinstance(answer, Failed):
        rings = lock.trouble_at is None and AccessGrant.objects.filter(lock=lock, state__in=LIVING).exists()
        lock.trouble, lock.trouble_at = answer.text[:200], lock.trouble_at or now
        lock.gateway_online = answer.gateway_online
        if rings:
            ring(lock, now)
    lock.save(update_fields=["seen_at", "trouble", "trouble_at", "battery", "gateway_online", "signal"])
    intents.postpone(job, outcome.at)


def register_calls() -> None:
    intents.register(LOCK, call=call_lock, apply=apply_lock)
