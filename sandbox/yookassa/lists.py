"""GET /payments and GET /refunds: filters, newest first, a cursor that survives what is created meanwhile."""

import base64
import binascii
from collections.abc import Mapping

from sandbox.clock import parse_iso
from sandbox.web import Json
from sandbox.yookassa.errors import ApiError, invalid
from sandbox.yookassa.records import REFUND_YEARS, Payment, Refund, payment_object, refund_object
from sandbox.yookassa.shops import Shop
from sandbox.yookassa.work import Work

KEPT = REFUND_YEARS * 366 * 24 * 3600 * 1000  # ms; older objects are not listed
SIGNS = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<"}
PAYMENT_STATUSES = ("pending", "waiting_for_capture", "succeeded", "canceled")
REFUND_STATUSES = ("pending", "succeeded", "canceled")


class Query:
    """Conditions gathered from a query string, for one table."""

    def __init__(self, work: Work, shop: Shop, given: Mapping[str, str], known: set[str]) -> None:
        unknown = [name for name in given if name not in known | {"limit", "cursor"}]
        if unknown:
            raise invalid(unknown[0][:128], f"Unknown parameter {unknown[0][:128]}")
        self.given = given
        self.limit = self._limit()
        self.where = ["shop = ?", "created_at > ?"]
        self.values: list[object] = [shop.id, work.now - KEPT]
        self._after_cursor()

    def moments(self, column: str) -> None:
        for name, sign in SIGNS.items():
            text = self.given.get(f"{column}.{name}")
            if text is not None:
                self.add(f"{column} {sign} ?", self._moment(f"{column}.{name}", text))

    def status(self, allowed: tuple[str, ...]) -> None:
        status = self.given.get("status")
        if status is not None and status not in allowed:
            raise invalid("status", f"Incorrect value of status: one of {', '.join(allowed)} is expected")
        if status is not None:
            self.add("status = ?", status)

    def add(self, condition: str, value: object) -> None:
        self.where.append(condition)
        self.values.append(value)

    def rows(self, work: Work, table: str) -> tuple[list[Json], str | None]:
        """Return one page of rows and the cursor of the next, if there is one."""
        found = work.db.execute(  # names and conditions are our own, values are bound
            f"SELECT * FROM {table} WHERE {' AND '.join(self.where)} ORDER BY created_at DESC, seq DESC LIMIT ?",  # noqa: S608
            (*self.values, self.limit + 1),
        ).fetchall()
        shown = [dict(row) for row in found[: self.limit]]
        return shown, _cursor(shown[-1]) if len(found) > self.limit else None

    def _limit(self) -> int:
        text = self.given.get("limit", "10")
        if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= 100):
            raise invalid("limit", "Incorrect value of limit: 1 to 100 is expected")
        return int(text)

    def _moment(self, name: str, text: str) -> int:
        try:
            return parse_iso(text)
        except ValueError as problem:
            raise invalid(name, f"Incorrect value of {name}: an ISO 8601 moment is expected") from problem

    def _after_cursor(self) -> None:
        text = self.given.get("cursor")
        if text is None:
            return
        try:
            created, seq = (int(part) for part in base64.urlsafe_b64decode(text.encode()).decode().split("-"))
        except (ValueError, binascii.Error) as problem:
            raise _bad_cursor() from problem
        if max(created, seq) >= 2**62:
            raise _bad_cursor()
        self.where.append("(created_at, seq) < (?, ?)")
        self.values += [created, seq]


def _bad_cursor() -> ApiError:
    return invalid("cursor", "Incorrect value of cursor")


def _cursor(row: Json) -> str:
    return base64.urlsafe_b64encode(f"{row['created_at']}-{row['seq']}".encode()).decode()


def _names(column: str) -> set[str]:
    return {f"{column}.{name}" for name in SIGNS}


def list_payments(work: Work, shop: Shop, given: Mapping[str, str]) -> Json:
    query = Query(work, shop, given, {"status", "payment_method", *_names("created_at"), *_names("captured_at")})
    query.moments("created_at")
    query.moments("captured_at")
    query.status(PAYMENT_STATUSES)
    method = given.get("payment_method")
    if method is not None:
        query.add("method_json IS NOT NULL AND 'bank_card' = ?", method)
    rows, cursor = query.rows(work, "payments")
    return _answer([payment_object(work, Payment(**row)) for row in rows], cursor)


def list_refunds(work: Work, shop: Shop, given: Mapping[str, str]) -> Json:
    query = Query(work, shop, given, {"status", "payment_id", *_names("created_at")})
    query.moments("created_at")
    query.status(REFUND_STATUSES)
    if "payment_id" in given:
        query.add("payment_id = ?", given["payment_id"])
    rows, cursor = query.rows(work, "refunds")
    return _answer([refund_object(Refund(**row)) for row in rows], cursor)


def _answer(items: list[Json], cursor: str | None) -> Json:
    return {"type": "list", "items": items} | ({"next_cursor": cursor} if cursor else {})
