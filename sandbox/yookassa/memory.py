"""What was answered to which Idempotence-Key: per shop, for 24 hours from the first request."""

import hashlib
import json
import re
from dataclasses import dataclass

from sandbox.web import Json
from sandbox.yookassa.errors import invalid
from sandbox.yookassa.work import Work, dump, load

LIFETIME = 24 * 3600 * 1000  # ms
KEY = re.compile(r"[A-Za-z0-9+\-_.]{1,64}")
HEADER = "Idempotence-Key"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the bank. `outcome` is for the calls log: executed, replayed, refused or read."""

    status: int
    body: Json
    outcome: str


def read_key(given: str | None) -> str:
    if not given:
        raise invalid(HEADER, "Idempotence key is missing")
    if not KEY.fullmatch(given):
        raise invalid(HEADER, "Incorrect idempotence key: 1 to 64 latin letters, digits or + - _ . are expected")
    return given


def fingerprint(path: str, body: Json) -> str:
    """Same data means the same call with an equal JSON value, however it is spaced or ordered."""
    return hashlib.sha256(f"{path}\n{json.dumps(body, sort_keys=True)}".encode()).hexdigest()


def recall(work: Work, shop_id: str, key: str, data: str) -> Answer | None:
    """Return the stored answer of a repeat.

    Raises:
        ApiError: the key was used for other data.
    """
    row = work.db.execute("SELECT * FROM memory WHERE shop = ? AND key = ?", (shop_id, key)).fetchone()
    if row is None or row["at"] + LIFETIME <= work.now:
        return None
    if row["fingerprint"] != data:
        raise invalid(HEADER, "Idempotence key duplicated")
    return Answer(row["status"], load(row["body_json"]), "replayed")


def remember(work: Work, shop_id: str, key: str, data: str, answer: Answer) -> None:
    work.db.execute(
        "INSERT OR REPLACE INTO memory (shop, key, fingerprint, status, body_json, at) VALUES (?, ?, ?, ?, ?, ?)",
        (shop_id, key, data, answer.status, dump(answer.body), work.now),
    )
