"""The audit after every test: all rules of `manage.py audit`, in one statement."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection

from bookings.audit import RULES

ANYBODY = "SELECT EXISTS (SELECT FROM clients_client)"  # every payment, booking, claim and wallet is some client's
QUERY = " UNION ALL ".join(
    "SELECT '{}', row::text FROM ({}) row".format(rule.replace("'", "''"), query) for rule, query in RULES.items()
)


def broken(*, but: Collection[str] = ()) -> dict[str, list[str]]:
    """Return the rows that break a rule, by rule, but for these rules."""
    unknown = set(but) - set(RULES)
    assert not unknown, f"no such rule: {unknown}"
    found: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(ANYBODY)
        if cursor.fetchone() == (True,):
            cursor.execute(QUERY)
            for rule, row in cursor.fetchall():
                found.setdefault(rule, []).append(row)
    return {rule: rows for rule, rows in found.items() if rule not in but}
