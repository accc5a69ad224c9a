"""Celery wrappers over durable intents."""

from celery import shared_task

from palms import intents


@shared_task(name="palms.run_intent", acks_late=True)
def run_intent(*, intent_id: int) -> None:
    intents.run(intent_id)


@shared_task(name="palms.run_due_intents", acks_late=True)
def run_due_intents() -> int:
    return intents.run_due()
