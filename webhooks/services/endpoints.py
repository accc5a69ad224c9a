"""An endpoint's life: made, changed, its secret rotated, turned off and on, removed. Its log stays."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _t

from clubs.models import Club
from palms.actors import Actor, Kind, acting
from palms.clock import now_utc
from palms.errors import NotFound, NotPermitted, ValidationFailed, refusing
from palms.secrets import seal, unseal
from palms.wake import wake
from webhooks.addresses import BadUrl, read
from webhooks.errors import TooManyEndpoints
from webhooks.models import Delivery, Endpoint
from webhooks.rules import TYPES, new_secret

OVERLAP = timedelta(hours=24)  # for which the previous secret signs too
LONGEST_OVERLAP = timedelta(days=7)


@transaction.atomic
def make_endpoint(
    *, club_id: int, url: str, actor: Actor, description: str = "", types: Iterable[str] = ()
) -> tuple[Endpoint, str]:
    """Make an endpoint of a club; returns the row and its signing secret, which is shown once.

    Raises:
        NotPermitted: the actor neither owns this club nor is its key. NotFound: there is no such club.
        ValidationFailed: an address that is not called, an unknown event. TooManyEndpoints.
    """
    _must_manage(actor, club_id)
    if Club.objects.select_for_update(no_key=True).filter(pk=club_id).first() is None:
        raise NotFound
    wanted = _checked(url=url, description=description, types=types)
    secret = new_secret()
    with acting(actor), refusing(TooManyEndpoints, "endpoint_at_most_ten_of_a_club"):
        endpoint = Endpoint.objects.create(
            club_id=club_id, credentials=seal({"current": secret}), created_by=f"{actor.kind} {actor.id or ''}".strip(),
            **wanted,
        )  # fmt: skip
    return endpoint, secret


@transaction.atomic
def change_endpoint(
    *, endpoint_id: int, actor: Actor, url: str, description: str = "", types: Iterable[str] = ()
) -> Endpoint:
    """Give an endpoint another address, description or choice of events. Raises as `make_endpoint`."""
    endpoint = lock_own(endpoint_id, actor)
    wanted = _checked(url=url, description=description, types=types)
    for name, value in wanted.items():
        setattr(endpoint, name, value)
    endpoint.rests_until, endpoint.failures = None, 0
    with acting(actor):
        endpoint.save(update_fields=[*wanted, "rests_until", "failures"])
    return endpoint


@transaction.atomic
def rotate_secret(*, endpoint_id: int, actor: Actor, overlap: timedelta = OVERLAP) -> tuple[Endpoint, str]:
    """Give an endpoint a new secret, shown once; the one before signs beside it for `overlap`, at most a week.

    Raises:
        NotFound, NotPermitted. ValidationFailed: `overlap`.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise ValidationFailed(errors={"overlap_hours": [_t("From 0 to 168 hours")]})
    endpoint = lock_own(endpoint_id, actor)
    secret = new_secret()
    before = unseal(endpoint.credentials)["current"]
    endpoint.credentials = seal({"current": secret, "previous": before})
    endpoint.previous_until = now_utc() + overlap
    with acting(actor):
        endpoint.save(update_fields=["credentials", "previous_until"])
    return endpoint, secret


@transaction.atomic
def turn_off(*, endpoint_id: int, actor: Actor) -> Endpoint:
    """Send nothing more to it; what is on its way waits. Raises NotFound, NotPermitted."""
    endpoint = lock_own(endpoint_id, actor)
    if endpoint.is_active:
        endpoint.is_active, endpoint.off_because = False, Endpoint.Off.BY_HAND
        with acting(actor):
            endpoint.save(update_fields=["is_active", "off_because"])
    return endpoint


@transaction.atomic
def turn_on(*, endpoint_id: int, actor: Actor) -> Endpoint:
    """Send to it again, at once what was on its way. Raises NotFound, NotPermitted."""
    endpoint = lock_own(endpoint_id, actor)
    endpoint.is_active, endpoint.off_because = True, ""
    endpoint.failures, endpoint.failing_since, endpoint.rests_until = 0, None, None
    with acting(actor):
        endpoint.save(update_fields=["is_active", "off_because", "failures", "failing_since", "rests_until"])
    endpoint.deliveries.filter(state=Delivery.State.OPEN).update(next_at=now_utc())
    wake("webhooks.deliver_due")
    return endpoint


@transaction.atomic
def remove_endpoint(*, endpoint_id: int, actor: Actor) -> None:
    """Forget an endpoint's secrets and send nothing more to it; its log stays for a month. Raises NotFound, NotPermitted."""
    endpoint = lock_own(endpoint_id, actor)
    endpoint.is_active, endpoint.off_because, endpoint.credentials = False, Endpoint.Off.REMOVED, ""
    with acting(actor):
        endpoint.save(update_fields=["is_active", "off_because", "credentials"])


def lock_own(endpoint_id: int, actor: Actor) -> Endpoint:
    """Lock an endpoint that has not been removed, for whoever manages them. Raises NotFound, NotPermitted."""
    living = Endpoint.objects.exclude(off_because=Endpoint.Off.REMOVED)
    endpoint = living.select_for_update(no_key=True).filter(pk=endpoint_id).first()
    if endpoint is None:
        raise NotFound
    _must_manage(actor, endpoint.club_id)
    return endpoint


def _must_manage(actor: Actor, club_id: int) -> None:
    """A key does by its scope what only owners of the club do by hand. Raises NotPermitted."""
    if not (actor.owns(club_id) or actor.kind is Kind.CRM and actor.serves(club_id)):
        raise NotPermitted


def _checked(*, url: str, description: str, types: Iterable[str]) -> dict[str, object]:
    """Return what was asked for, tidied. Raises ValidationFailed."""
    errors: dict[str, list[str]] = {}
    url, description, chosen = url.strip(), description.strip(), set(types)
    try:
        read(url, private=settings.PALMS_WEBHOOKS_ALLOW_PRIVATE)
    except BadUrl:
        errors["url"] = [_t("Give an https address out in the Internet, on port 443 or 8443, without a login in it")]
    if len(description) > 200 or "\0" in description:
        errors["description"] = [_t("At most 200 letters")]
    if chosen - set(TYPES):
        errors["types"] = [_t("There is no such event")]
    if errors:
        raise ValidationFailed(errors=errors)
    return {"url": url, "description": description, "types": [name for name in TYPES if name in chosen]}
