"""Who writes the words, told from above: the room that caused a message registers how it reads and to whom it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from notifications.models import Notification


@dataclass(frozen=True, slots=True)
class Message:
    """A letter. `to` is empty where nobody can be reached."""

    to: str
    subject: str
    text: str


Composer = Callable[[Notification], Message]
_composers: dict[str, Composer] = {}


def register(event: str, composer: Composer) -> None:
    """Name who writes about an event. Called once, at start-up."""
    _composers[event] = composer


def compose(notification: Notification) -> Message:
    return _composers[notification.event](notification)
