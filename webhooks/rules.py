"""Standard Webhooks 1.0: the kinds of events, the signature, and when a delivery is tried again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
import secrets
from collections.abc import Iterable
from datetime import timedelta

TEST = "webhook.test"
TYPES = (
    "booking.requested", "booking.approved", "booking.confirmed", "booking.canceled", "booking.completed",
    "booking.other", "booking.moved", "booking.updated",
    "slot.created", "slot.updated", "slot.closed", "slot.reopened",
)  # fmt: skip
PAUSES = (
    timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=5),
    timedelta(hours=10), timedelta(hours=14), timedelta(hours=20), timedelta(hours=24),
)  # fmt: skip
MOST_TRIES = len(PAUSES) + 1
LASTING = timedelta(days=3)  # nothing arrived for so long: the endpoint is turned off
LONGEST_REST = timedelta(minutes=5)
LONGEST_ASKED_REST = timedelta(hours=1)
PREFIX = "whsec_"


def new_secret() -> str:
    """Return a signing secret: "whsec_" and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def message_id(event_id: int) -> str:
    """Return the id of a message. As texts they sort as the events do; the same for every try and every endpoint."""
    return f"evt_{event_id:019d}"


def signature(keys: Iterable[str], *, message: str, timestamp: int, body: bytes) -> str:
    """Return the `webhook-signature` of exactly these bytes, one part for each secret. `timestamp`: Unix seconds."""
    signed = f"{message}.{timestamp}.".encode() + body
    digests = (hmac.digest(base64.b64decode(key.removeprefix(PREFIX)), signed, hashlib.sha256) for key in keys)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def next_pause(tries: int) -> timedelta | None:
    """Return the pause after so many failed tries, a little random and never shorter; None after the last."""
    if tries >= MOST_TRIES:
        return None
    return PAUSES[tries - 1] * random.uniform(1.0, 1.1)  # noqa: S311  spreads load, keeps no secret


def rest(failures: int, asked: int | None = None) -> timedelta:
    """Return how long an endpoint that does not answer is left alone: 5, 10, 20 s up to 5 min, or as its Retry-After asks."""
    if asked is not None:
        return min(timedelta(seconds=asked), LONGEST_ASKED_REST)
    return min(timedelta(seconds=5 * 2 ** min(failures - 1, 10)), LONGEST_REST)
