"""Celery wrappers over housekeeping. With every worker stopped the answers stay right."""

from celery import shared_task

from bookings import services


@shared_task(name="bookings.end_expired", acks_late=True)
def end_expired() -> int:
    return services.end_expired()


@shared_task(name="bookings.look_after", acks_late=True)
def look_after() -> int:
    return services.look_after_all()
