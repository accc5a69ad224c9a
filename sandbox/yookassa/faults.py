"""Faults people and tests switch on: which call they hit, how often, and what they do."""

import random
from dataclasses import dataclass
from typing import Any

from sandbox.web import BadInput, Json
from sandbox.yookassa.work import Work, dump, load

OPERATIONS = ("create", "capture", "cancel", "refund", "get", "list", "me", "any", "notify")
BEFORE = (
    "silence",
    "error_before",
    "drop_before",
    "html_502",
    "processing_202",
    "too_many_429",
)  # the effect is not done
AFTER = ("delay", "delay_after", "silence_after", "error_after", "drop_after", "garbled", "lie")  # it is done
OUTCOMES = ("refund_canceled", "refund_pending")  # change what the bank itself decides
NOTIFY = ("duplicate", "late", "missing", "reorder", "lie")
CALL = (*BEFORE, *AFTER, "refuse")
OPTIONS: dict[str, tuple[type, ...]] = {
    "seconds": (int, float), "probability": (int, float), "effect": (bool,), "set": (dict,), "status": (int,), "code": (str,),
    "description": (str,), "parameter": (str,), "retry_after": (int,), "copies": (int,), "payment_id": (str,),
    "shop_id": (str,), "event": (str,), "party": (str,), "reason": (str,), "then": (str,),
}  # fmt: skip
LONGEST = 30 * 24 * 3600  # seconds


@dataclass(frozen=True, slots=True)
class Fault:
    id: int
    operation: str
    kind: str
    times: int | None
    options: Json

    @property
    def has_effect(self) -> bool:
        """Whether the call is executed although its answer is spoiled."""
        default = self.kind not in BEFORE
        return (
            bool(self.options.get("effect", default))
            if self.kind in ("html_502", "processing_202", "garbled")
            else default
        )

    def seconds(self, default: float = 0) -> float:
        return float(self.options.get("seconds", default))


def read_fault(given: Json) -> tuple[str, str, int | None, int, Json]:
    """Return (on, kind, times or None for always, skip, options).

    Raises:
        BadInput: an unknown name or an impossible value.
    """
    on, kind = given.get("on", "any"), given.get("kind")
    allowed = _kinds_for(on)
    if kind not in allowed:
        raise BadInput(f"on: {', '.join(OPERATIONS)}; kinds on {str(on)[:40]!r}: {', '.join(allowed)}")
    times = _count(given.get("times", 1), "times")
    skip = _count(given.get("skip", 0), "skip") or 0
    options = {name: value for name, value in given.items() if name not in ("on", "kind", "times", "skip")}
    for name, value in options.items():
        if name not in OPTIONS or not isinstance(value, OPTIONS[name]):
            raise BadInput(f"option {name[:40]!r}: one of {', '.join(OPTIONS)} with a fitting type is expected")
    if not 0 <= options.get("seconds", 0) <= LONGEST or not 0 <= options.get("probability", 1) <= 1:
        raise BadInput(f"seconds are 0 to {LONGEST}, probability 0 to 1")
    if not 400 <= options.get("status", 400) <= 599 or not 0 <= options.get("copies", 1) <= 100:
        raise BadInput("status is 400 to 599, copies at most 100")
    if options.get("then", "succeeded") not in ("succeeded", "canceled"):
        raise BadInput("then is succeeded or canceled")
    return on, kind, times, skip, options


def _kinds_for(on: Any) -> tuple[str, ...]:
    if on not in OPERATIONS:
        return ()
    if on == "notify":
        return NOTIFY
    return (*CALL, *OUTCOMES) if on == "refund" else CALL


def _count(value: Any, name: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1_000_000:
        raise BadInput(f"{name} is a whole number" + (" or null for always" if name == "times" else ""))
    return value


def add_fault(work: Work, given: Json) -> int:
    on, kind, times, skip, options = read_fault(given)
    done = work.db.execute(
        "INSERT INTO faults (operation, kind, times, skip, options_json) VALUES (?, ?, ?, ?, ?)",
        (on, kind, times, skip, dump(options)),
    )
    return int(done.lastrowid or 0)


def remove_faults(work: Work, fault_id: int | None = None) -> int:
    """Remove one, or all. Returns how many went."""
    if fault_id is None:
        return work.db.execute("DELETE FROM faults").rowcount
    return work.db.execute("DELETE FROM faults WHERE id = ?", (fault_id,)).rowcount


def list_faults(work: Work) -> list[Json]:
    return [
        {
            "id": row["id"],
            "on": row["operation"],
            "kind": row["kind"],
            "times": row["times"],
            "skip": row["skip"],
            "hits": row["hits"],
        }
        | {name: value for name, value in load(row["options_json"]).items() if name != "seen"}
        for row in work.db.execute("SELECT * FROM faults ORDER BY id")
    ]


def take_fault(work: Work, on: str, kinds: tuple[str, ...], facts: Json) -> Fault | None:
    """Return the oldest switched-on fault that hits this call, one use spent. `facts` hold shop_id, payment_id, event, key."""
    rows = work.db.execute(
        "SELECT * FROM faults WHERE (times IS NULL OR times > 0) AND (operation = ? OR operation = ?) ORDER BY id",
        (on, "notify" if on == "notify" else "any"),
    ).fetchall()
    for row in rows:
        options = load(row["options_json"])
        if row["kind"] not in kinds or not _hits(row["kind"], options, facts):
            continue
        if row["skip"] > 0:
            work.db.execute("UPDATE faults SET skip = skip - 1 WHERE id = ?", (row["id"],))
            continue
        if row["kind"] == "processing_202":
            options["seen"] = [*options.get("seen", []), facts.get("key")]
        work.db.execute(
            "UPDATE faults SET times = times - 1, hits = hits + 1, options_json = ? WHERE id = ?",
            (dump(options), row["id"]),
        )
        return Fault(row["id"], row["operation"], row["kind"], row["times"], options)
    return None


def _hits(kind: str, options: Json, facts: Json) -> bool:
    if any(name in options and options[name] != facts.get(name) for name in ("shop_id", "payment_id", "event")):
        return False
    if kind == "processing_202" and facts.get("key") is not None and facts["key"] in options.get("seen", []):
        return False  # a repeat with the same key is finished by now
    return random.random() < float(options.get("probability", 1))
