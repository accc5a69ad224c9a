"""The way of events to endpoints: a pass serves the endpoints that are due, several at a time, each in order.

Deliveries are durable rows of their own, not intents: however many wait, and however slow a receiver is, nothing that
moves money or sends letters stands behind them. One pass runs at a time, so it holds at most one worker.
"""

from __future__ import annotations

import json
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q

from palms.clock import now_utc
from palms.secrets import SecretUnreadable, unseal
from webhooks import wire
from webhooks.models import Delivery, Endpoint, Event
from webhooks.rules import LASTING, message_id, next_pause, rest, signature
from webhooks.services.noticing import tell_owners
from webhooks.wire import Answer

SIDE_BY_SIDE = 8  # endpoints served at one time
BUDGET = 30.0  # seconds in which a pass takes up endpoints
TURN = 5.0  # seconds for one endpoint, then the next in line
LEASE = timedelta(seconds=60)  # longer than a turn and a call
TURNS_ARE_TAKEN = 7_463_001  # the advisory lock under which a pass begins
KEPT = timedelta(days=30)
OUT_OF_ORDER = frozenset({429, 502, 503, 504})  # says the endpoint and not the event: it rests
GONE = 410


@dataclass(frozen=True, slots=True)
class Parcel:
    """A claimed delivery: what is sent, where, and under which secrets."""

    delivery_id: int
    endpoint_id: int
    tries: int
    url: str
    credentials: str
    both: bool  # whether the previous secret signs too
    message: str
    body: bytes


def deliver_due(*, budget: float = BUDGET) -> int:
    """Serve the endpoints that have something due, until nothing is or the budget is used. Returns how many tries were made.

    Returns 0 at once where another pass runs. An endpoint whose delivery raises keeps no other waiting: what was raised
    is raised together, at the end, and is tried again when its lease is over.
    """
    endpoint_id = _take_up(first=True)
    if endpoint_id is None:
        return 0
    until, ended = monotonic() + budget, list[Future[int]]()
    connection.close()
    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="webhooks") as pool:
        running = {pool.submit(_serve, endpoint_id)}
        while running:
            done, running = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
            ended += done
            while len(running) < SIDE_BY_SIDE and monotonic() < until and (more := _take_up()) is not None:
                running.add(pool.submit(_serve, more))
    defects = [error for one in ended if isinstance(error := one.exception(), Exception)]
    if defects:
        raise ExceptionGroup("deliveries that could not be made or written down", defects)
    return sum(one.result() for one in ended)


def _take_up(*, first: bool = False) -> int | None:
    """Lease the endpoint that has waited longest with something due; None when there is none, or (`first`) a pass runs."""
    with transaction.atomic():
        if first:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [TURNS_ARE_TAKEN])
        now = now_utc()
        if first and Endpoint.objects.filter(leased_until__gt=now).exists():
            return None
        due = Delivery.objects.filter(endpoint=OuterRef("pk"), state=Delivery.State.OPEN, next_at__lte=now)
        rows = Endpoint.objects.filter(_passed("leased_until", now), _passed("rests_until", now), Exists(due))
        order = rows.filter(is_active=True).order_by(F("leased_until").asc(nulls_first=True), "pk")
        endpoint = order.select_for_update(no_key=True, skip_locked=True, of=("self",)).first()
        if endpoint is None:
            return None
        Endpoint.objects.filter(pk=endpoint.pk).update(leased_until=now + LEASE)
        return endpoint.pk


def _passed(moment: str, now: datetime) -> Q:
    return Q(**{f"{moment}__isnull": True}) | Q(**{f"{moment}__lte": now})


def _serve(endpoint_id: int) -> int:
    """Send what is due to one endpoint, oldest first, for a turn or until it does not answer. Returns the tries."""
    until, tries = monotonic() + TURN, 0
    try:
        while monotonic() < until and (parcel := _claim(endpoint_id)) is not None:
            connection.close()  # nobody waits for it while the other side thinks
            tries += 1
            _write_down(parcel, _send(parcel))
        Endpoint.objects.filter(pk=endpoint_id).update(leased_until=now_utc())
    finally:
        connection.close()
    return tries


@transaction.atomic
def _claim(endpoint_id: int) -> Parcel | None:
    """Claim an endpoint's next due delivery; None when there is none or the endpoint is off or rests."""
    endpoint = Endpoint.objects.select_for_update(no_key=True).get(pk=endpoint_id)
    now = now_utc()
    if not endpoint.is_active or (endpoint.rests_until and endpoint.rests_until > now):
        return None
    due = Delivery.objects.filter(endpoint_id=endpoint_id, state=Delivery.State.OPEN, next_at__lte=now)
    delivery = due.select_related("event").order_by("next_at", "event_id").first()
    if delivery is None:
        return None
    Delivery.objects.filter(pk=delivery.pk).update(tries=delivery.tries + 1, tried_at=now, next_at=now + LEASE)
    Endpoint.objects.filter(pk=endpoint_id).update(leased_until=now + LEASE)
    return Parcel(
        delivery.pk, endpoint_id, delivery.tries + 1, endpoint.url, endpoint.credentials,
        endpoint.previous_until is not None and endpoint.previous_until > now,
        message_id(delivery.event_id), body_of(delivery.event),
    )  # fmt: skip


def body_of(event: Event) -> bytes:
    """Return what is sent: which kind of thing happened, when, and the id to ask for. Nothing personal."""
    data: dict[str, object] = {"id": event.object_id}
    if event.version is not None:
        data["version"] = event.version
    moment = event.created_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return json.dumps({"type": event.type, "timestamp": moment, "data": data}, separators=(",", ":")).encode()


def _send(parcel: Parcel) -> Answer:
    """Make the call, holding no transaction."""
    try:
        known = unseal(parcel.credentials)
    except SecretUnreadable:
        return Answer(error="secret_unreadable")
    keys = [known[name] for name in ("current", "previous") if name in known and (name == "current" or parcel.both)]
    timestamp = int(now_utc().timestamp())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Palms-Webhooks/1",
        "webhook-id": parcel.message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(keys, message=parcel.message, timestamp=timestamp, body=parcel.body),
    }
    return wire.post(parcel.url, parcel.body, headers, private=settings.PALMS_WEBHOOKS_ALLOW_PRIVATE)


@transaction.atomic
def _write_down(parcel: Parcel, answer: Answer) -> None:
    """Keep what came of a try: delivered, due again later, or given up; and what it says about the endpoint."""
    endpoint = Endpoint.objects.select_for_update(no_key=True).get(pk=parcel.endpoint_id)
    now = now_utc()
    pause = None if answer.status == GONE else next_pause(parcel.tries)
    state, next_at = Delivery.State.DONE, None
    if not answer.is_success:
        state, next_at = (Delivery.State.OPEN, now + pause) if pause else (Delivery.State.FAILED, None)
    mine = Delivery.objects.filter(pk=parcel.delivery_id, tries=parcel.tries, state=Delivery.State.OPEN)
    mine.update(state=state, next_at=next_at, last_status=answer.status, last_error=answer.error)
    _judge(endpoint, answer, now)


def _judge(endpoint: Endpoint, answer: Answer, now: datetime) -> None:
    """Let the endpoint rest where it does not answer, and turn it off where that lasts or it says that it is gone."""
    fields = ["failures", "failing_since", "rests_until"]
    if answer.is_success:
        endpoint.failures, endpoint.failing_since, endpoint.rests_until = 0, None, None
        endpoint.save(update_fields=fields)
        return
    endpoint.failures, endpoint.failing_since = endpoint.failures + 1, endpoint.failing_since or now
    if answer.status is None or answer.status in OUT_OF_ORDER:
        endpoint.rests_until = now + rest(endpoint.failures, answer.retry_after)
    lasting = now - endpoint.failing_since >= LASTING
    if endpoint.is_active and (answer.status == GONE or lasting):
        endpoint.is_active = False
        endpoint.off_because = Endpoint.Off.GONE if answer.status == GONE else Endpoint.Off.FAILING
        fields += ["is_active", "off_because"]
        tell_owners(endpoint, now=now)
    endpoint.save(update_fields=fields)


def forget_old(*, most: int = 5000) -> int:
    """Delete a month-old log: deliveries that ended or whose endpoint is off, then events of which none is left."""
    before = now_utc() - KEPT
    with transaction.atomic():
        old = Delivery.objects.filter(event__created_at__lt=before)
        over = old.filter(~Q(state=Delivery.State.OPEN) | Q(endpoint__is_active=False))
        deliveries = Delivery.objects.filter(pk__in=list(over.order_by("event_id").values_list("pk", flat=True)[:most]))
        forgotten, _of_each = deliveries.delete()
        alone = Event.objects.filter(created_at__lt=before).exclude(
            Exists(Delivery.objects.filter(event=OuterRef("pk")))
        )
        Event.objects.filter(pk__in=list(alone.order_by("pk").values_list("pk", flat=True)[:most])).delete()
    return forgotten
