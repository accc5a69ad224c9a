"""What locks report through TTLock's callback: unsigned, so hints only. It opens nothing, closes nothing, moves no money."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from access.models import AccessGrant, Lock, LockRecord
from access.services.installing import digest_of, name_of
from palms.clock import now_utc
from palms.errors import ValidationFailed

RECORDS, TYPED = "1", 4
OPENINGS = frozenset({1, 4, 7, 8, 9, 10, 12, 32, 37, 46, 49, 55, 57})  # recordType: somebody got in, whoever it was
OURS = re.compile(r"palms-([0-9]{1,18})-([0-9]{1,18})")
MOST, OLDEST, AHEAD = 500, timedelta(days=180), timedelta(hours=1)
KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Told:
    """One record as it was told: `typed` are the digits, which are not kept, `name` what the code is called."""

    kind: int
    opened: bool
    at: datetime
    typed: str
    name: str


def is_callback(secret: str) -> bool:
    """Whether an address is the one that TTLock was given. Without a secret in the environment there is none."""
    wanted = settings.TTLOCK_CALLBACK_SECRET
    return bool(wanted) and hmac.compare_digest(secret.encode(), wanted.encode())


def receive_records(fields: Mapping[str, str]) -> int:
    """Store what a lock reports, once each; a code of ours that opened counts as used. Returns how many were new.

    Other notices, strangers' locks and moments that cannot be are passed over.

    Raises:
        ValidationFailed: it says that it has records, and they cannot be read.
    """
    if fields.get("notifyType") != RECORDS:
        return 0
    now = now_utc()
    told = [one for one in _read(fields.get("records", "")) if now - OLDEST < one.at < now + AHEAD]
    lock_id = fields.get("lockId", "")
    if not (lock_id.isascii() and lock_id.isdigit() and len(lock_id) <= 18):
        raise ValidationFailed(errors={"lockId": ["a number is expected"]})
    locks = Lock.objects.filter(provider_lock_id=int(lock_id)).order_by("pk")
    return sum(_store(lock, one) for lock in locks for one in told)


def _read(text: str) -> list[Told]:
    try:
        rows = json.loads(text)
        if not isinstance(rows, list) or len(rows) > MOST:
            raise TypeError
        return [_told(row) for row in rows]
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, OSError) as error:
        raise ValidationFailed(errors={"records": ["a list of records is expected"]}) from error


def _told(row: Any) -> Told:
    kind, moment = int(row["recordType"]), int(row["lockDate"])
    if not 0 <= kind < 2**15:
        raise ValueError
    at = datetime.fromtimestamp(moment / 1000, UTC)
    texts = [str(row.get(name) or "")[:100] for name in ("keyboardPwd", "username")]
    return Told(kind, int(row.get("success", 0)) == 1, at, *texts)


@transaction.atomic
def _store(lock: Lock, told: Told) -> int:
    grant = _grant_of(lock, told) if told.kind == TYPED else None
    opened = told.opened and told.kind in OPENINGS
    is_unbooked = opened and not _somebody_is_in(lock, told.at)
    _record, is_new = LockRecord.objects.get_or_create(
        lock=lock, kind=told.kind, at=told.at, digest=_digest(told),
        defaults={"club_id": lock.club_id, "grant": grant, "opened": opened, "is_unbooked": is_unbooked},
    )  # fmt: skip
    if is_new and opened and grant is not None:
        AccessGrant.objects.filter(pk=grant.pk, used_at=None).update(used_at=told.at)
    return int(is_new)


def _grant_of(lock: Lock, told: Told) -> AccessGrant | None:
    """Return whose code was typed: by the name that we gave it, or by the digits while they live."""
    named = OURS.fullmatch(told.name)
    mine = AccessGrant.objects.filter(lock=lock)
    grant = mine.filter(pk=int(named[2])).first() if named else mine.filter(digest=digest_of(lock, told.typed)).first()
    return grant if grant is not None and (not named or name_of(grant) == told.name) else None


def _digest(told: Told) -> str:
    return hmac.new(settings.SECRET_KEY.encode(), f"{told.typed}:{told.name}".encode(), sha256).hexdigest()


def _somebody_is_in(lock: Lock, at: datetime) -> bool:
    """Whether a booking of the lock's place, confirmed then or visited since, covers this moment."""
    bookings: Any = AccessGrant._meta.get_field("booking").related_model
    there = Q(status__in=["CONFIRMED", "SHOWN", "NOT_SHOWN"], area_id=lock.area_id, club_id=lock.club_id)
    return bool(bookings.objects.filter(there, date_from__lte=at, date_to__gte=at).exists())


def forget_old(*, limit: int = 10_000) -> int:
    """Drop records after three months: they tell of people's comings and goings. Returns how many."""
    old = LockRecord.objects.filter(received_at__lt=now_utc() - KEPT).order_by("received_at").values("pk")[:limit]
    return LockRecord.objects.filter(pk__in=list(old.values_list("pk", flat=True))).delete()[0]
