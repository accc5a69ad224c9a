"""One transaction of the bank."""

import json
import secrets
import sqlite3
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Work:
    """The database inside one transaction, and the one moment (epoch ms, sandbox clock) all of it happens at."""

    db: sqlite3.Connection
    now: int


def new_id(now: int, mark: str) -> str:
    """36 characters in YooKassa's manner: time, a mark of the kind (000f payment, 0015 refund), randomness."""
    return f"{(now // 1000 - 946_684_800) & 0xFFFFFFFF:08x}-{mark}-5000-{secrets.token_hex(2)}-{secrets.token_hex(6)}"


def dump(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def load(text: str | None) -> Any:
    return None if text is None else json.loads(text)
