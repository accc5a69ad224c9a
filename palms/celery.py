"""The Celery application: `celery -A palms.celery worker`. Tasks only speed things up; see palms/intents.py."""

import os
from typing import Any

from celery import Celery
from celery.signals import task_prerun
from django.db import close_old_connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "palms.settings")
app = Celery("palms")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@task_prerun.connect
def _look_at_the_connection(**_told: Any) -> None:
    """A worker keeps its connection from task to task, as the site does from request to request: one that is old or dead goes."""
    close_old_connections()
