"""The sandbox's clock: real time plus an offset that tests and people may move. Kept in a file, so a restart continues."""

import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

LONGEST_MOVE = 10 * 366 * 24 * 3600  # seconds; further away dates leave what ISO 8601 and the protocols can say


class Clock:
    """All moments are epoch milliseconds, UTC."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._offset = int(json.loads(file.read_text())["offset_ms"]) if file.exists() else 0

    @property
    def offset(self) -> int:
        """How far the clock stands ahead of real time, milliseconds."""
        return self._offset

    def now(self) -> int:
        return real_now() + self._offset

    def advance(self, seconds: float) -> None:
        """Move forward (or back, when negative).

        Raises:
            ValueError: the clock would stand more than ten years away from real time.
        """
        with self._lock:
            offset = self._offset + int(seconds * 1000)
            if abs(offset) > LONGEST_MOVE * 1000:
                raise ValueError("the clock can be moved by at most ten years")
            self._set(offset)

    def reset(self) -> None:
        with self._lock:
            self._set(0)

    def _set(self, offset: int) -> None:
        draft = self._file.with_suffix(".new")
        draft.write_text(json.dumps({"offset_ms": offset}))
        draft.replace(self._file)
        self._offset = offset


def real_now() -> int:
    return time.time_ns() // 1_000_000


def iso(moment: int) -> str:
    """2026-07-02T10:00:00.000Z"""
    return datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_iso(text: str) -> int:
    """Epoch milliseconds of an ISO 8601 moment that names its offset.

    Raises:
        ValueError: not a moment, or one without an offset.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment needs an offset")
    try:
        return int(moment.timestamp() * 1000)
    except OverflowError as problem:
        raise ValueError("out of range") from problem
