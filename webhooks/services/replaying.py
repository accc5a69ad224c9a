"""Sending again: one delivery, everything since a moment, or a test."""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction

from palms.actors import Actor
from palms.clock import now_utc
from palms.errors import NotFound
from palms.wake import wake
from webhooks.errors import EndpointOff
from webhooks.models import Delivery, Endpoint, Event
from webhooks.rules import TEST
from webhooks.services.endpoints import lock_own

AGAIN = """
    INSERT INTO webhooks_delivery (club_id, endpoint_id, event_id, state, tries, next_at, last_error)
    SELECT v.club_id, e.id, v.id, 'OPEN', 0, %(now)s, ''
    FROM webhooks_endpoint e JOIN webhooks_event v ON v.club_id = e.club_id
    WHERE e.id = %(endpoint)s AND v.created_at >= %(since)s AND v.type <> %(test)s
      AND (e.types = '{}' OR v.type = ANY (e.types))
    ORDER BY v.id
    ON CONFLICT (endpoint_id, event_id) DO UPDATE SET state = 'OPEN', tries = 0, next_at = excluded.next_at
        WHERE webhooks_delivery.state <> 'OPEN'
"""


@transaction.atomic
def replay(*, delivery_id: int, actor: Actor) -> Delivery:
    """Send one delivery again from the beginning, under its own id; one that is on its way becomes due.

    Raises:
        NotFound, NotPermitted. EndpointOff: its endpoint is turned off.
    """
    endpoint_id = Delivery.objects.filter(pk=delivery_id).values_list("endpoint_id", flat=True).first()
    if endpoint_id is None:
        raise NotFound
    _lock_active(endpoint_id, actor)
    delivery = Delivery.objects.select_for_update(no_key=True).get(pk=delivery_id)
    delivery.state, delivery.tries, delivery.next_at = Delivery.State.OPEN, 0, now_utc()
    delivery.save(update_fields=["state", "tries", "next_at"])
    wake("webhooks.deliver_due")
    return delivery


@transaction.atomic
def replay_since(*, endpoint_id: int, since: datetime, actor: Actor) -> int:
    """Send every event since a moment that the endpoint wants, also those that it never got; returns how many.

    Raises as `replay`.
    """
    _lock_active(endpoint_id, actor)
    with connection.cursor() as cursor:
        cursor.execute(AGAIN, {"endpoint": endpoint_id, "since": since, "now": now_utc(), "test": TEST})
        count = cursor.rowcount
    wake("webhooks.deliver_due")
    return count


@transaction.atomic
def send_test(*, endpoint_id: int, actor: Actor) -> Delivery:
    """Send a `webhook.test` to one endpoint. Raises as `replay`."""
    endpoint = _lock_active(endpoint_id, actor)
    now = now_utc()
    event = Event.objects.create(club_id=endpoint.club_id, type=TEST, object_id=endpoint.pk, created_at=now)
    delivery = Delivery.objects.create(club_id=endpoint.club_id, endpoint=endpoint, event=event, next_at=now)
    wake("webhooks.deliver_due")
    return delivery


def _lock_active(endpoint_id: int, actor: Actor) -> Endpoint:
    """Lock an endpoint that is on, and let it be asked at once."""
    endpoint = lock_own(endpoint_id, actor)
    if not endpoint.is_active:
        raise EndpointOff
    endpoint.rests_until = None
    endpoint.save(update_fields=["rests_until"])
    return endpoint
