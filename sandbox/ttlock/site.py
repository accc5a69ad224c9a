"""What stands at the site: gateways, locks, what the locks remember, and what happens when somebody types a code."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sandbox.clock import Clock
from sandbox.storage import Storage
from sandbox.ttlock.errors import Refusal
from sandbox.web import BadInput, Json

PERMANENT = 2
FIRST_LOCK, FIRST_GATEWAY = 700_001, 800_001
DEFAULTS = {
    "client_id": "palms-sandbox-app",
    "client_secret": "palms-sandbox-secret",
    "username": "service@club.example",
    "password": "5f4dcc3b5aa765d61d8327deb882cf99",  # MD5 of "password", as the protocol wants it
    "quota": "30000",
    "used": "0",
    "callback_url": "",
}


@dataclass(frozen=True, slots=True)
class Work:
    """The database inside one transaction, and the one moment (epoch ms) all of it happens at."""

    db: sqlite3.Connection
    now: int

    def setting(self, name: str) -> str:
        row = self.db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return str(row["value"]) if row else DEFAULTS[name]

    def set(self, name: str, value: str) -> None:
        self.db.execute("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (name, value))

    def lock(self, lock_id: int) -> sqlite3.Row:
        row: sqlite3.Row | None = self.db.execute("SELECT * FROM locks WHERE id = ?", (lock_id,)).fetchone()
        if row is None:
            raise Refusal(-1003)
        return row


class Site:
    def __init__(self, storage: Storage, clock: Clock, *, callback_url: str | None) -> None:
        self._storage = storage
        self._clock = clock
        self._callback_url = callback_url

    @contextmanager
    def open(self) -> Iterator[Work]:
        with self._storage.transaction() as db:
            yield Work(db, self._clock.now())

    def furnish(self) -> None:
        """Put up one gateway with two locks, unless there is something already. What was under way has ended."""
        with self.open() as work:
            work.db.execute("UPDATE gateways SET busy = 0")
            if self._callback_url:
                work.set("callback_url", self._callback_url)
            if work.db.execute("SELECT 1 FROM locks").fetchone() is None:
                add_gateway(work, {})
                for alias in ("Sunbed 1", "Sunbed 2"):
                    add_lock(work, {"alias": alias})

    def switch_off(self) -> None:
        self._storage.close()


def add_gateway(work: Work, given: Json) -> int:
    gateway_id = _next(work, "gateways", FIRST_GATEWAY)
    work.db.execute(
        "INSERT INTO gateways (id, name, latency) VALUES (?, ?, ?)",
        (gateway_id, str(given.get("name", f"G2_{gateway_id}"))[:60], float(given.get("latency", 0.02))),
    )
    return gateway_id


def add_lock(work: Work, given: Json) -> int:
    """Put up a lock; `gateway` None means that none is near, left out means the first one."""
    lock_id = _next(work, "locks", FIRST_LOCK)
    first = work.db.execute("SELECT min(id) FROM gateways").fetchone()[0]
    work.db.execute(
        "INSERT INTO locks (id, alias, gateway, capacity) VALUES (?, ?, ?, ?)",
        (lock_id, str(given.get("alias", lock_id))[:60], given.get("gateway", first), int(given.get("capacity", 250))),
    )
    return lock_id


def _next(work: Work, table: str, first: int) -> int:
    last = work.db.execute(f"SELECT max(id) FROM {table}").fetchone()[0]  # noqa: S608  our own names
    return first if last is None else int(last) + 1


def clock_of(work: Work, lock: sqlite3.Row) -> int:
    """What the lock's own clock shows, epoch ms."""
    return work.now + int(lock["skew"])


def type_code(work: Work, lock_id: int, code: str) -> bool:
    """Type digits on the keypad: the lock alone decides, by its memory and its clock. Whether the door opened."""
    try:
        lock = work.lock(lock_id)
    except Refusal as problem:
        raise BadInput("there is no such lock") from problem
    shown = clock_of(work, lock)
    row = work.db.execute("SELECT * FROM memory WHERE lock = ? AND code = ?", (lock_id, code)).fetchone()
    opened = row is not None and (row["type"] == PERMANENT or row["starts_at"] <= shown <= row["ends_at"])
    work.db.execute(
        "INSERT INTO entries (lock, code, name, at, opened) VALUES (?, ?, ?, ?, ?)",
        (lock_id, code, row["name"] if row else "", shown, int(opened)),
    )
    return opened
