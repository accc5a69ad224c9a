"""How many requests of one web process may wait for the outside at once, so that a slow bank leaves threads for everybody else.

A club may fill a quarter of the threads, all clubs together three quarters. Who finds no seat does not wait: the page says
"preparing" and asks again, a notification stays stored, and a sweep makes the same call.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

_lock = threading.Lock()
_taken: Counter[int] = Counter()  # by club


@contextmanager
def seat(club_id: int) -> Iterator[bool]:
    """Hold a seat while the outside is asked for this club; False where there is none, and nothing is to be asked."""
    with _lock:
        each, everybody = settings.WEB_THREADS // 4, settings.WEB_THREADS * 3 // 4
        seated = _taken[club_id] < max(1, each) and _taken.total() < max(1, everybody)
        _taken[club_id] += seated
    try:
        yield seated
    finally:
        with _lock:
            _taken[club_id] -= seated
            if not _taken[club_id]:
                del _taken[club_id]
