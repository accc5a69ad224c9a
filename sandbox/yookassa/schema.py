"""Tables of the bank. Moments are epoch milliseconds of the sandbox's clock, amounts minor units, *_json columns JSON text."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS shops (
    id TEXT PRIMARY KEY, secret TEXT NOT NULL, notify_url TEXT, currency TEXT NOT NULL DEFAULT 'RUB',
    receipts INTEGER NOT NULL DEFAULT 0,
    partial_amount TEXT NOT NULL DEFAULT 'captured' CHECK (partial_amount IN ('captured', 'original'))
);
CREATE TABLE IF NOT EXISTS payments (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, shop TEXT NOT NULL REFERENCES shops,
    status TEXT NOT NULL CHECK (status IN ('pending', 'waiting_for_capture', 'succeeded', 'canceled')),
    amount INTEGER NOT NULL CHECK (amount > 0), currency TEXT NOT NULL, capture INTEGER NOT NULL,
    captured INTEGER NOT NULL DEFAULT 0, refunded INTEGER NOT NULL DEFAULT 0, voided INTEGER NOT NULL DEFAULT 0,
    description TEXT, metadata_json TEXT, merchant_customer_id TEXT, receipt_json TEXT,
    return_url TEXT, page_url TEXT NOT NULL, created_at INTEGER NOT NULL,
    paid_at INTEGER, captured_at INTEGER, expires_at INTEGER NOT NULL,
    party TEXT, reason TEXT, method_json TEXT, authorization_json TEXT,
    CHECK (captured + voided <= amount), CHECK (refunded <= captured),
    CHECK ((status = 'succeeded') = (captured > 0)), CHECK ((status = 'canceled') = (reason IS NOT NULL))
);
CREATE INDEX IF NOT EXISTS payments_due ON payments (expires_at) WHERE status IN ('pending', 'waiting_for_capture');
CREATE TABLE IF NOT EXISTS refunds (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, shop TEXT NOT NULL REFERENCES shops,
    payment_id TEXT NOT NULL REFERENCES payments (id),
    status TEXT NOT NULL CHECK (status IN ('pending', 'succeeded', 'canceled')),
    amount INTEGER NOT NULL CHECK (amount > 0), currency TEXT NOT NULL,
    description TEXT, metadata_json TEXT, receipt_json TEXT, created_at INTEGER NOT NULL,
    settles_at INTEGER, settles_to TEXT, party TEXT, reason TEXT, rrn TEXT NOT NULL, made_by TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS effects (
    id INTEGER PRIMARY KEY AUTOINCREMENT, payment_id TEXT NOT NULL, refund_id TEXT, kind TEXT NOT NULL,
    amount INTEGER NOT NULL, at INTEGER NOT NULL, made_by TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS memory (
    shop TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, status INTEGER NOT NULL, body_json TEXT NOT NULL,
    at INTEGER NOT NULL, PRIMARY KEY (shop, key)
);
CREATE TABLE IF NOT EXISTS calls (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, shop TEXT, method TEXT NOT NULL, path TEXT NOT NULL,
    query TEXT NOT NULL, idempotence_key TEXT, request TEXT NOT NULL, status INTEGER, answer TEXT, fault TEXT,
    outcome TEXT, answered_at INTEGER
);
CREATE TABLE IF NOT EXISTS faults (
    id INTEGER PRIMARY KEY AUTOINCREMENT, operation TEXT NOT NULL, kind TEXT NOT NULL, times INTEGER,
    skip INTEGER NOT NULL DEFAULT 0, hits INTEGER NOT NULL DEFAULT 0, options_json TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS notifications (
    id INTEGER PRIMARY KEY AUTOINCREMENT, shop TEXT NOT NULL, event TEXT NOT NULL, object_id TEXT NOT NULL,
    body_json TEXT NOT NULL, created_at INTEGER NOT NULL, next_at INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL CHECK (state IN ('queued', 'delivered', 'given_up', 'missing', 'no_address')),
    held INTEGER NOT NULL DEFAULT 0, fault TEXT, forged INTEGER NOT NULL DEFAULT 0, history_json TEXT NOT NULL DEFAULT '[]'
);
CREATE INDEX IF NOT EXISTS notifications_due ON notifications (next_at) WHERE state = 'queued';
"""
EVERYTHING_BUT_SHOPS = ("refunds", "payments", "effects", "memory", "calls", "faults", "notifications")
