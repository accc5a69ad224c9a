"""The Celery application: `celery -A palms.celery worker`. Tasks only speed things up; see palms/intents.py."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "palms.settings")
app = Celery("palms")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
