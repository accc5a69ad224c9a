"""Who writes the words, told from above: the room that caused a message registers how it reads and to whom it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from notifications.models import Notification
from palms.letters import Attachment


@dataclass(frozen=True, slots=True)
class Message:
    """A letter. `to` is empty where nobody can be reached."""

    to: str
    subject: str
    text: str
    attachments: tuple[Attachment, ...] = ()


Composer = Callable[[Notification], Message]
_composers: dict[str, Composer] = {}


def register(event: str, composer: Composer) -> None:
    """Name who writes about an event. Called once, at start-up."""
    _composers[event] = composer


def compose(notification: Notification) -> Message:
    return _composers[name_of(notification.event)](notification)


def name_of(event: str) -> str:
    """Return an event without what tells its occasions apart: "booking_moved:7" may happen again, and be told again."""
    return event.partition(":")[0]
