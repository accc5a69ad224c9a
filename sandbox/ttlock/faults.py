"""Faults that people and tests switch on: which call they hit, how often, and what they do."""

import json
from dataclasses import dataclass

from sandbox.ttlock.cloud import OPERATIONS
from sandbox.ttlock.site import Work
from sandbox.web import BadInput, Json

BEFORE = ("silence", "drop_before", "html_502", "errcode")  # the effect is not done
AFTER = ("delay", "silence_after", "drop_after", "garbled", "errcode_after")  # it is done
KINDS = (*BEFORE, *AFTER)
ON = (*sorted(set(OPERATIONS.values())), "any")
LONGEST = 3600.0  # seconds


@dataclass(frozen=True, slots=True)
class Fault:
    kind: str
    seconds: float
    errcode: int

    @property
    def has_effect(self) -> bool:
        return self.kind in AFTER

    @property
    def is_silent(self) -> bool:
        """Whether the caller gets no answer at all."""
        return self.kind in ("silence", "silence_after", "drop_before", "drop_after")


def add_fault(work: Work, given: Json) -> Json:
    """Switch one on: {"on", "kind", "times": 1 or null for always, "seconds", "errcode"}. Raises BadInput."""
    on, kind, times = given.get("on", "any"), given.get("kind"), given.get("times", 1)
    seconds, errcode = given.get("seconds", 60 if "silence" in str(kind) else 0), given.get("errcode", -3003)
    if on not in ON or kind not in KINDS:
        raise BadInput(f"on: {', '.join(ON)}; kind: {', '.join(KINDS)}")
    if times is not None and (not isinstance(times, int) or not 0 <= times <= 1_000_000):
        raise BadInput("times is a whole number, or null for always")
    if not isinstance(seconds, int | float) or not 0 <= seconds <= LONGEST or not isinstance(errcode, int):
        raise BadInput(f"seconds are 0 to {LONGEST:.0f}, errcode a whole number")
    options = json.dumps({"seconds": seconds, "errcode": errcode})
    done = work.db.execute(
        "INSERT INTO faults (operation, kind, times, options_json) VALUES (?, ?, ?, ?)", (on, kind, times, options)
    )
    return {"id": done.lastrowid}


def take_fault(work: Work, operation: str) -> Fault | None:
    """Return the oldest one that hits this call, one use spent."""
    row = work.db.execute(
        "SELECT * FROM faults WHERE (times IS NULL OR times > 0) AND operation IN (?, 'any') ORDER BY id", (operation,)
    ).fetchone()
    if row is None:
        return None
    work.db.execute("UPDATE faults SET times = times - 1, hits = hits + 1 WHERE id = ?", (row["id"],))
    options = json.loads(row["options_json"])
    return Fault(row["kind"], float(options["seconds"]), int(options["errcode"]))
