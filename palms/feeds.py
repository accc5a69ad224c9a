"""Lists that are asked again and again with `updated_since`, and must miss nothing."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import connection

# A row changed by a transaction that is still running will show a time not before that transaction began.
AS_OF = """
    SELECT least(statement_timestamp(), min(xact_start)) FROM pg_stat_activity
    WHERE datid = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND backend_type <> 'autovacuum worker'
"""


def as_of() -> datetime:
    """Return the moment (UTC) from which the next `updated_since` misses nothing, however late others commit.

    Ask it before the list is read. It holds for columns that the database itself stamps (`clock_timestamp()` or `now()`),
    and sees the transactions of the same database role.
    """
    with connection.cursor() as cursor:
        cursor.execute(AS_OF)
        (moment,) = cursor.fetchone()
    return moment.astimezone(UTC)
