"""Celery wrappers over reconciliation. A lost notification is found by the watch; this finds what nobody watches."""

import logging
from datetime import timedelta

from celery import shared_task

from palms.clock import now_utc
from payments import services
from payments.models import ProviderAccount

log = logging.getLogger(__name__)


@shared_task(name="payments.reconcile", acks_late=True)
def reconcile() -> int:
    """Compare the last two days of every account; returns how many differences are left, each of them logged."""
    until = now_utc() + timedelta(minutes=5)
    left = 0
    for account_id in ProviderAccount.objects.order_by("pk").values_list("pk", flat=True):
        for difference in services.reconcile(account_id=account_id, since=until - timedelta(days=2), until=until):
            log.error("account %s: payment %s differs: %s", account_id, difference.ours, difference.what)
            left += 1
    return left
