"""Rate limits that hold across processes: one atomic statement per question, in PostgreSQL.

A limit is a bucket that empties steadily: `limit` hits fill it, `seconds` empty it. Keys name no people: hash what does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from palms.models import Throttle

HIT = """
    INSERT INTO palms_throttle AS t (key, empty_at) VALUES (%(key)s, %(now)s + %(cost)s)
    ON CONFLICT (key) DO UPDATE SET empty_at = greatest(t.empty_at, %(now)s) + %(cost)s
        WHERE greatest(t.empty_at, %(now)s) + %(cost)s <= %(now)s + %(window)s + %(slack)s
    RETURNING empty_at
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` hits at once, and as many per `seconds`."""

    limit: int
    seconds: int

    @property
    def cost(self) -> timedelta:
        return timedelta(seconds=self.seconds) / self.limit

    @property
    def slack(self) -> timedelta:
        """How far apart the clocks of those who hit at the same moment may be: less than one hit is worth."""
        return min(self.cost / 2, timedelta(seconds=1))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a hit was allowed. `remaining` hits are left now; otherwise `wait` seconds until the next one."""

    allowed: bool
    remaining: int
    wait: int


def hit(key: str, rate: Rate, *, now: datetime) -> Verdict:
    """Count one hit, unless the bucket is full. Call it outside transactions: its row stays locked until they end."""
    window = timedelta(seconds=rate.seconds)
    asked: dict[str, Any] = {"key": key, "now": now, "cost": rate.cost, "window": window, "slack": rate.slack}
    with connection.cursor() as cursor:
        cursor.execute(HIT, asked)
        row = cursor.fetchone()
    if row is not None:
        return Verdict(True, int((now + window - row[0]) / rate.cost), 0)
    empty_at = Throttle.objects.values_list("empty_at", flat=True).filter(pk=key).first() or now
    return Verdict(False, 0, max(1, math.ceil((empty_at + rate.cost - now - window).total_seconds())))


def drop_empty(*, now: datetime) -> int:
    """Forget buckets that are empty: they count for nothing."""
    return Throttle.objects.filter(empty_at__lt=now).delete()[0]
