"""The log of API calls: what came, what was done, what was answered."""

from werkzeug.wrappers import Request

from sandbox.web import BadInput, body_of
from sandbox.yookassa.work import Work

LONGEST = 20_000  # characters kept of a body


def open_call(work: Work, request: Request) -> int:
    """Note an arriving call. `status` stays NULL until it is answered, and for good when it never is."""
    claimed = request.authorization.username if request.authorization else None
    values = (work.now, claimed, request.method, request.path, request.query_string.decode("latin-1"))
    done = work.db.execute(
        "INSERT INTO calls (at, shop, method, path, query, idempotence_key, request) VALUES (?, ?, ?, ?, ?, ?, ?)",
        tuple(_clean(value) for value in (*values, request.headers.get("Idempotence-Key"), _text(request))),
    )
    return int(done.lastrowid or 0)


def close_call(
    work: Work, call_id: int, status: int | None, answer: str | None, outcome: str, fault: str | None
) -> None:
    answered_at = work.now if status else None
    work.db.execute(
        "UPDATE calls SET status = ?, answer = ?, outcome = ?, fault = ?, answered_at = ? WHERE id = ?",
        (status, answer[:LONGEST] if answer else None, outcome, fault, answered_at, call_id),
    )


def _text(request: Request) -> str:
    try:
        return body_of(request)[:LONGEST].decode("utf-8", "replace")
    except BadInput:
        return "(too large)"


def _clean(value: object) -> object:
    """Sqlite takes no lone surrogates, which odd headers and paths may decode to."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
