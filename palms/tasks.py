"""Celery wrappers over durable intents."""

from celery import shared_task

from palms import intents, repeats, throttling
from palms.clock import now_utc
from palms.wake import wake

SWEEP = 50  # calls of one task


@shared_task(name="palms.run_intent", acks_late=True)
def run_intent(*, intent_id: int) -> None:
    with intents.sweeping():
        intents.run(intent_id)


@shared_task(name="palms.run_due_intents", acks_late=True)
def run_due_intents() -> int:
    """Make what is due; where more is left than one task makes, hand it on to two: after an outage there may be thousands."""
    tried = intents.run_due(limit=SWEEP)
    if tried == SWEEP:
        wake("palms.run_due_intents")
        wake("palms.run_due_intents")
    return tried


@shared_task(name="palms.forget_old", acks_late=True)
def forget_old() -> int:
    """Drop empty buckets and answers that no repeat asks for any more. Nothing depends on it."""
    now = now_utc()
    return throttling.drop_empty(now=now) + repeats.drop_old(now=now)
