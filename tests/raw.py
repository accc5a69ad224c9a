"""Raw SQL that knows no rule, and the name of the guard that stops it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import IntegrityError, connection, transaction

from palms.errors import settle_constraints, violated


@contextmanager
def stopped_by(name: str) -> Iterator[None]:
    """Expect this guard, also a deferred one, to refuse what the block writes."""
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():  # noqa: PT012  the block is the caller's
        yield
        settle_constraints()
    assert violated(refusal.value) == name


def sql(statement: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
