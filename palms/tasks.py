"""Celery wrappers over durable intents."""

from celery import shared_task

from palms import intents, repeats, throttling
from palms.clock import now_utc
from palms.wake import wake

SWEEP = 50  # calls of one task
FRESH = 5  # seconds: as beat's own, or sweeps would stand before everything else in the queue


@shared_task(name="palms.run_intent", acks_late=True)
def run_intent(*, intent_id: int) -> None:
    with intents.sweeping():
        intents.run(intent_id)


@shared_task(name="palms.run_due_intents", acks_late=True)
def run_due_intents() -> int:
    """Make what is due; where more is left than one task makes, hand it on to two: after an outage there may be thousands."""
    tried = SWEEP  # as far as is known where one of them raises
    try:
        tried = intents.run_due(limit=SWEEP)
    finally:
        for _one in range(2 if tried == SWEEP else 0):
            wake("palms.run_due_intents", expires=FRESH)
    return tried


@shared_task(name="palms.forget_old", acks_late=True)
def forget_old() -> int:
    """Drop empty buckets and answers that no repeat asks for any more. Nothing depends on it."""
    now = now_utc()
    return throttling.drop_empty(now=now) + repeats.drop_old(now=now)
