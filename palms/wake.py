"""The one place that enqueues. A message only makes things faster; a sweep over PostgreSQL finds the same work."""

import logging
import time
from typing import Any

from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

from palms import points
from palms.celery import app

log = logging.getLogger(__name__)
ENQUEUED = points.call("broker.send")
SILENCE = 5.0  # seconds without a word to a broker that did not answer: beat's sweep is as quick
_silent_until = 0.0  # monotonic


def wake(task: str, *, expires: int | None = None, **kwargs: Any) -> None:
    """After the current transaction commits, ask a worker to run the named task. A dead broker is logged, no more.

    A message that no worker took for `expires` seconds is void.
    Somebody waits for the answer to their request meanwhile: a broker that did not answer is left alone for a while.
    """
    transaction.on_commit(lambda: _send(task, kwargs, expires))


def _send(task: str, kwargs: dict[str, Any], expires: int | None) -> None:
    global _silent_until
    if not settings.CELERY_BROKER_URL or time.monotonic() < _silent_until:
        return
    try:
        with ENQUEUED:
            app.send_task(task, kwargs=kwargs, retry=False, ignore_result=True, expires=expires)
    except (OperationalError, OSError) as error:
        _silent_until = time.monotonic() + SILENCE
        log.warning("no broker for %s (%s); a sweep will do it", task, type(error).__name__)
