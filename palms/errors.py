"""Refusals. A service raises one; pages and the API give it words and a status; `code` never changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class DomainError(Exception):
    """A refusal with a stable code. `facts` are JSON values for the caller: names and values are a contract too."""

    code: ClassVar[str] = "refused"
    title: ClassVar[str | Promise] = _("This cannot be done")
    status: ClassVar[int] = 409

    def __init__(self, **facts: Any) -> None:
        super().__init__(str(self.code))
        self.facts = facts

    def __str__(self) -> str:
        return str(self.title)


class ValidationFailed(DomainError):
    """The input is not valid. `errors` maps a field to its messages."""

    code, title, status = "validation_failed", _("Please check what was entered"), 400


class TimezoneRequired(DomainError):
    """A moment without an offset could be any of two dozen. `field` names it."""

    code, title, status = (
        "timezone_required",
        _("Give times with their offset, for example 2026-11-21T18:00:00+03:00"),
        400,
    )


class StaleVersion(DomainError):
    """If-Match names another version than the stored one."""

    code, title, status = "stale_version", _("Somebody has changed this meanwhile: read it again"), 412


class NotFound(DomainError):
    """Absent, or somebody else's: the two must look the same."""

    code, title, status = "not_found", _("There is nothing here"), 404


class NotPermitted(DomainError):
    code, title, status = "permission_denied", _("You may not do this"), 403


class DatabaseUnavailable(DomainError):
    """A lock or a connection was not to be had in time. Nothing was changed; the same call may be repeated."""

    code, title, status = "database_unavailable", _("Too busy right now, please try again"), 503


class IdempotencyMismatch(DomainError):
    code, title, status = "idempotency_mismatch", _("This Idempotency-Key has been used for another request"), 422


def violated(error: BaseException) -> str:
    """Return the name of the constraint or guard that a database error speaks of, or an empty string."""
    diag = getattr(error.__cause__, "diag", None)
    return getattr(diag, "constraint_name", None) or ""


@contextmanager
def refusing(refusal: type[DomainError], *constraints: str, **facts: Any) -> Iterator[None]:
    """Open a savepoint in which a violation of the named constraints becomes the refusal.

    Anything else the database says stays what it is. Deferred rules need `settle_constraints()` inside.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if violated(error) in constraints:
            raise refusal(**facts) from error
        raise


def settle_constraints() -> None:
    """Check deferred rules now: at COMMIT their refusal could no longer be answered kindly."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


BUSY = frozenset({"55P03", "40P01", "57014", "53300", "57P01", "57P02", "57P03", "25P03", "08006", "08001", "08003"})


def is_busy(error: DatabaseError) -> bool:
    """Whether a database error means "not now": lock time-out, deadlock, cancelled, out of connections, restarting."""
    state = getattr(error.__cause__, "sqlstate", None)
    return state in BUSY or (state is None and isinstance(error, OperationalError))
