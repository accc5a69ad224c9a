"""Reads of endpoints and of their log."""

from django.db.models import QuerySet

from palms.errors import NotFound
from webhooks.models import Delivery, Endpoint


def endpoints_of(club_id: int) -> QuerySet[Endpoint]:
    """Return a club's endpoints that have not been removed, in the order they were made."""
    return Endpoint.objects.filter(club_id=club_id).exclude(off_because=Endpoint.Off.REMOVED).order_by("pk")


def endpoint_of(*, club_id: int, endpoint_id: int) -> Endpoint:
    """Return one of a club's endpoints. Raises NotFound."""
    endpoint = endpoints_of(club_id).filter(pk=endpoint_id).first()
    if endpoint is None:
        raise NotFound
    return endpoint


def deliveries_of(endpoint: Endpoint) -> QuerySet[Delivery]:
    """Return an endpoint's log with its events; pages order it by (event, id)."""
    return Delivery.objects.filter(endpoint=endpoint).select_related("event")


def delivery_of(*, endpoint: Endpoint, delivery_id: int) -> Delivery:
    """Return one of an endpoint's deliveries. Raises NotFound."""
    delivery = deliveries_of(endpoint).filter(pk=delivery_id).first()
    if delivery is None:
        raise NotFound
    return delivery
