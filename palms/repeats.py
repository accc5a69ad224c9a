"""Idempotency-Key: the first write runs, its repeats get its answer. For writes whose effect has no key of its own.

The claim of a key is committed before the work, the answer after it. A first run that died is taken over after a minute:
what it may have done already, the service itself answers or refuses, as with any repeat.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils.translation import gettext_lazy as _

from palms import secrets
from palms.errors import DomainError, IdempotencyMismatch
from palms.models import StoredAnswer

LIFE = timedelta(days=30)
DEAD_AFTER = timedelta(seconds=60)
CLAIM = """
    INSERT INTO palms_storedanswer AS a (holder, key, fingerprint, started_at, answer)
    VALUES (%(holder)s, %(key)s, %(fingerprint)s, %(now)s, '')
    ON CONFLICT (holder, key) DO UPDATE
        SET fingerprint = excluded.fingerprint, started_at = excluded.started_at, http_status = NULL, answer = ''
        WHERE a.started_at <= %(forgotten)s
           OR a.http_status IS NULL AND a.started_at <= %(dead)s AND a.fingerprint = excluded.fingerprint
    RETURNING id
"""


class IdempotencyInProgress(DomainError):
    code, title = "idempotency_in_progress", _("The first request with this Idempotency-Key is still running")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a first run answered: a status, a JSON body, headers that belong to it."""

    status: int
    body: Any
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run, until a minute after `started_at`."""

    id: int
    started_at: datetime


def fingerprint(*parts: Any) -> str:
    """Return a hash of what a request asks for: method, path, parsed body."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def begin(*, holder: str, key: str, fingerprint: str, now: datetime) -> Claim | Answer:
    """Claim a key for this holder, or return what its first run answered.

    Raises:
        IdempotencyMismatch: the key came with another request. IdempotencyInProgress: its first run is not over.
    """
    asked: dict[str, Any] = {"holder": holder, "key": key, "fingerprint": fingerprint, "now": now}
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, asked | {"forgotten": now - LIFE, "dead": now - DEAD_AFTER})
        row = cursor.fetchone()
    if row is not None:
        return Claim(row[0], now)
    first = StoredAnswer.objects.filter(holder=holder, key=key).first()
    if first is not None and first.fingerprint != fingerprint:
        raise IdempotencyMismatch
    if first is None or first.http_status is None:
        raise IdempotencyInProgress
    kept = secrets.unseal(first.answer)
    return Answer(first.http_status, kept["body"], kept["headers"])


def end(claim: Claim, answer: Answer) -> None:
    """Keep the answer of a first run, unless another run has taken over."""
    sealed = secrets.seal({"body": answer.body, "headers": answer.headers})
    _mine(claim).update(http_status=answer.status, answer=sealed)


def give_up(claim: Claim) -> None:
    """Let the key be used again: nothing final was answered."""
    _mine(claim).delete()


def _mine(claim: Claim) -> Any:
    return StoredAnswer.objects.filter(pk=claim.id, started_at=claim.started_at, http_status__isnull=True)


def drop_old(*, now: datetime) -> int:
    """Forget answers that no repeat asks for any more."""
    return StoredAnswer.objects.filter(started_at__lte=now - LIFE).delete()[0]
