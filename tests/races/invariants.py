"""What must hold at any moment: the audit's own rules, and how many deadlocks the server has had to resolve."""

from __future__ import annotations

from django.db import connection

from bookings.audit import RULES, broken

__all__ = ["RULES", "broken", "deadlocks"]


def deadlocks() -> int:
    """Return how many deadlocks the server has resolved in this database so far."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])
