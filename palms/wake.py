"""The one place that enqueues. A message only makes things faster; a sweep over PostgreSQL finds the same work."""

import logging
from typing import Any

from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

from palms.celery import app

log = logging.getLogger(__name__)


def wake(task: str, **kwargs: Any) -> None:
    """After the current transaction commits, ask a worker to run the named task. A dead broker is logged, no more."""
    transaction.on_commit(lambda: _send(task, kwargs))


def _send(task: str, kwargs: dict[str, Any]) -> None:
    if not settings.CELERY_BROKER_URL:
        return
    try:
        app.send_task(task, kwargs=kwargs, retry=False, ignore_result=True)
    except (OperationalError, OSError) as error:
        log.warning("no broker for %s (%s); a sweep will do it", task, type(error).__name__)
