"""Tables of the stand-in. Moments are epoch milliseconds of the sandbox's clock.

`passcodes` is what the cloud believes, `memory` is what the lock itself remembers: the two part ways as in real life.
"""

SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tokens (
    access TEXT PRIMARY KEY, refresh TEXT NOT NULL UNIQUE, username TEXT NOT NULL, created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL, revoked INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS gateways (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, online INTEGER NOT NULL DEFAULT 1, busy INTEGER NOT NULL DEFAULT 0,
    latency REAL NOT NULL DEFAULT 0.02
);
CREATE TABLE IF NOT EXISTS locks (
    id INTEGER PRIMARY KEY, alias TEXT NOT NULL, gateway INTEGER REFERENCES gateways, skew INTEGER NOT NULL DEFAULT 0,
    zone INTEGER NOT NULL DEFAULT 10800000, capacity INTEGER NOT NULL DEFAULT 250, battery INTEGER NOT NULL DEFAULT 80
);
CREATE TABLE IF NOT EXISTS passcodes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, lock INTEGER NOT NULL REFERENCES locks, code TEXT NOT NULL, name TEXT NOT NULL,
    type INTEGER NOT NULL, starts_at INTEGER NOT NULL, ends_at INTEGER NOT NULL, sent_at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS memory (
    lock INTEGER NOT NULL REFERENCES locks, code TEXT NOT NULL, passcode INTEGER NOT NULL, type INTEGER NOT NULL,
    starts_at INTEGER NOT NULL, ends_at INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (lock, code)
);
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, lock INTEGER NOT NULL, code TEXT NOT NULL, name TEXT NOT NULL,
    at INTEGER NOT NULL, opened INTEGER NOT NULL, told INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS calls (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, path TEXT NOT NULL, lock TEXT, answer TEXT, fault TEXT
);
CREATE TABLE IF NOT EXISTS faults (
    id INTEGER PRIMARY KEY AUTOINCREMENT, operation TEXT NOT NULL, kind TEXT NOT NULL, times INTEGER,
    hits INTEGER NOT NULL DEFAULT 0, options_json TEXT NOT NULL
);
"""
FORGOTTEN = (
    "tokens",
    "memory",
    "passcodes",
    "entries",
    "calls",
    "faults",
    "locks",
    "gateways",
    "settings",
)  # by a reset
