"""Celery wrappers over housekeeping of doors."""

from celery import shared_task

from access.services import recording


@shared_task(name="access.forget_old", acks_late=True)
def forget_old() -> int:
    return recording.forget_old()
