"""Writes about webhooks: an endpoint's life, and the way of events to it."""

from webhooks.services.delivering import deliver_due, forget_old
from webhooks.services.endpoints import (
    change_endpoint,
    make_endpoint,
    remove_endpoint,
    rotate_secret,
    turn_off,
    turn_on,
)
from webhooks.services.replaying import replay, replay_since, send_test

__all__ = [
    "change_endpoint",
    "deliver_due",
    "forget_old",
    "make_endpoint",
    "remove_endpoint",
    "replay",
    "replay_since",
    "rotate_secret",
    "send_test",
    "turn_off",
    "turn_on",
]
