"""Celery wrappers over reconciliation. A lost notification is found by the watch; this finds what nobody watches."""

from celery import shared_task

from payments import services


@shared_task(name="payments.reconcile", acks_late=True)
def reconcile() -> int:
    return services.plan_comparisons()
