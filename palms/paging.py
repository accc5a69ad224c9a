"""Keyset pages: (sort column, id) compared row-wise, never a count, stable under inserts and among equal values."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Model, QuerySet
from django.db.models.fields.tuple_lookups import TupleGreaterThan, TupleLessThan
from django.utils.translation import gettext as _
from rest_framework.request import Request

from palms.errors import ValidationFailed

MOST, USUAL = 500, 50
M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """One page of rows. `next` and `previous` are whole addresses, or None at the ends."""

    rows: list[M]
    limit: int
    next: str | None
    previous: str | None

    def answer(self, data: Any, **meta: Any) -> dict[str, Any]:
        """Return the body of a list: `data` is what the rows look like."""
        ends = {"limit": self.limit, "next": self.next, "previous": self.previous}
        return {"meta": ends | meta, "data": data}


@dataclass(frozen=True, slots=True)
class _Cursor:
    """Where a page begins: beyond this row, forwards or backwards, of a list sorted by `column`."""

    column: str
    value: Any
    id: int
    backwards: bool

    def text(self) -> str:
        value = self.value.isoformat() if isinstance(self.value, datetime) else self.value
        raw = json.dumps([self.column, value, self.id, self.backwards]).encode()
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def page(rows: QuerySet[M], request: Request, *, by: str) -> Page[M]:
    """Return the page that `?limit=` (1 to 500) and `?cursor=` ask for, sorted by `by` ("-updated_at") and id.

    Raises:
        ValidationFailed: a limit that is none, or a cursor that we did not give for this list.
    """
    limit, cursor = _limit(request), _read(request.query_params.get("cursor"), by)
    backwards = cursor is not None and cursor.backwards
    descending = by.startswith("-") != backwards
    column = by.lstrip("-")
    if cursor is not None:
        beyond = TupleLessThan if descending else TupleGreaterThan
        rows = rows.filter(beyond((column, "pk"), (cursor.value, cursor.id)))
    sign = "-" if descending else ""
    found = list(rows.order_by(f"{sign}{column}", f"{sign}pk")[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    if backwards:
        found.reverse()

    def address(row: M, *, back: bool) -> str:
        return _address(request, _Cursor(by, getattr(row, column), row.pk, back).text())

    after = found and (more or backwards)
    before = found and cursor is not None and (more or not backwards)
    return Page(
        found, limit, address(found[-1], back=False) if after else None,
        address(found[0], back=True) if before else None,
    )  # fmt: skip


def _limit(request: Request) -> int:
    given = request.query_params.get("limit")
    if given is None:
        return USUAL
    if not given.isascii() or not given.isdigit() or len(given) > 4 or not 1 <= int(given) <= MOST:
        raise ValidationFailed(errors={"limit": [_("A whole number from 1 to %(most)s") % {"most": MOST}]})
    return int(given)


def _read(text: str | None, by: str) -> _Cursor | None:
    if text is None:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        column, value, id_, backwards = json.loads(raw)
        read: Callable[[Any], Any] = datetime.fromisoformat if isinstance(value, str) else int
        cursor = _Cursor(column, read(value), id_, backwards)
        if cursor.column != by or cursor.text() != text or not 0 <= id_ < 2**63 or not _fits(cursor.value):
            raise ValueError
    except (ValueError, TypeError, OverflowError, RecursionError) as wrong:
        raise ValidationFailed(errors={"cursor": [_("Not a cursor of this list")]}) from wrong
    return cursor


def _fits(value: Any) -> bool:
    """Whether a cursor's value can be compared with its column: an aware moment, or an integer that fits."""
    return value.tzinfo is not None if isinstance(value, datetime) else abs(value) < 2**63


def _address(request: Request, cursor: str) -> str:
    asked = [(name, value) for name, values in request.query_params.lists() for value in values if name != "cursor"]
    return f"{settings.BASE_URL}{request.path}?{urlencode([*asked, ('cursor', cursor)])}"
