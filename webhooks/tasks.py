"""Celery wrappers over deliveries. With every worker stopped they wait as rows for the sweep."""

from celery import shared_task

from webhooks import services


@shared_task(name="webhooks.deliver_due", acks_late=True)
def deliver_due() -> int:
    return services.deliver_due()


@shared_task(name="webhooks.forget_old", acks_late=True)
def forget_old() -> int:
    return services.forget_old()
