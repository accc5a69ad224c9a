"""What the calls of this room read and answer, and what Palms sends, for the API's document."""

from typing import Any

from palms.document import WEBHOOKS
from palms.openapi import COUNT, MOMENT, TEXT, Operation, array, document, enum, page_of, record, refine
from webhooks import api
from webhooks.models import Delivery, Endpoint
from webhooks.rules import TEST, TYPES

URL = "https://crm.example.com/palms"
ENDPOINT: dict[str, Any] = {
    "id": 5, "url": URL, "description": "", "types": ["booking.confirmed"], "is_active": True, "off_because": "",
    "failing_since": None, "previous_until": None, "created_at": "2026-11-21T10:00:00+03:00",
}  # fmt: skip
SECRET = {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw9tVz3vQf3uI="}
DELIVERY = {
    "id": 90, "webhook_id": "evt_0000000000000000042", "type": "booking.confirmed", "object_id": 17, "state": "DONE",
    "tries": 1, "status": 200, "error": "", "created_at": "2026-11-21T10:00:00+03:00",
    "tried_at": "2026-11-21T10:00:01+03:00", "next_at": None,
}  # fmt: skip
META = {"limit": 50, "next": None, "previous": None}
WITH_SECRET = {"allOf": [api.EndpointOut, record(secret=TEXT | {"description": "Shown this once."})]}
HEADERS = {
    "webhook-id": "The same for every try: keep the ids you have dealt with.",
    "webhook-timestamp": "Seconds since 1970; refuse what is more than five minutes off.",
    "webhook-signature": "`v1,` and a base64 HMAC-SHA256 of `id.timestamp.body`; several by spaces while a secret changes.",
}
WANTED = array(enum(*TYPES)) | {"maxItems": 40}

refine(api.EndpointIn, types=WANTED)
refine(
    api.EndpointOut,
    "failing_since previous_until",
    types=WANTED,
    off_because=enum("", *Endpoint.Off.values),
)
refine(api.DeliveryOut, "status tried_at next_at", type=enum(*TYPES, TEST), state=enum(*Delivery.State.values))

document(
    api.Endpoints,
    get=Operation(
        "List the webhooks",
        answers=page_of(api.EndpointOut),
        shows={"meta": META, "data": [ENDPOINT]},
        is_paged=True,
        tag="Webhooks",
    ),
    post=Operation(
        "Add a webhook",
        "https on port 443 or 8443, a name all of whose addresses are out in the Internet. Without `types` everything is told.",
        reads=api.EndpointIn,
        answers=WITH_SECRET,
        statuses=(201,),
        asks={"url": URL, "types": ["booking.confirmed"]},
        shows=ENDPOINT | SECRET,
        refusals="too_many_endpoints",
        tag="Webhooks",
    ),
)
document(
    api.OneEndpoint,
    get=Operation("Show a webhook", answers=api.EndpointOut, shows=ENDPOINT, tag="Webhooks"),
    patch=Operation(
        "Change a webhook, turn it off or on",
        "What is not named stays.",
        reads=api.EndpointChangeIn,
        answers=api.EndpointOut,
        asks={"is_active": False},
        shows=ENDPOINT | {"is_active": False, "off_because": "by_hand"},
        tag="Webhooks",
    ),
    delete=Operation("Remove a webhook", "Its log stays for a month.", statuses=(204,), tag="Webhooks"),
)
document(
    api.Rotate,
    post=Operation(
        "Make a new secret",
        "The one before signs beside it for `overlap_hours`, 24 unless told.",
        reads=api.RotateIn,
        answers=WITH_SECRET,
        asks={"overlap_hours": 24},
        shows=ENDPOINT | SECRET | {"previous_until": "2026-11-22T10:00:00+03:00"},
        tag="Webhooks",
    ),
)
document(
    api.Test,
    post=Operation(
        "Send a test event",
        reads={"type": "object", "additionalProperties": False},
        answers=api.DeliveryOut,
        statuses=(201,),
        asks={},
        shows=DELIVERY | {"type": TEST, "object_id": 5, "state": "OPEN", "tries": 0, "status": None, "tried_at": None,
                          "next_at": "2026-11-21T10:00:00+03:00"},
        refusals="endpoint_off",
        tag="Webhooks",
    ),
)  # fmt: skip
document(
    api.ReplaySince,
    post=Operation(
        "Send again everything since a moment",
        "That this webhook wants, of the last 30 days.",
        reads=api.SinceIn,
        answers=record(replayed=COUNT),
        asks={"since": "2026-11-21T07:00:00+03:00"},
        shows={"replayed": 3},
        refusals="endpoint_off timezone_required",
        tag="Webhooks",
    ),
)
document(
    api.Deliveries,
    get=Operation(
        "Show the log of a month",
        "Newest events first.",
        answers=page_of(api.DeliveryOut),
        shows={"meta": META, "data": [DELIVERY]},
        query=api.DeliveryFilters,
        is_paged=True,
        tag="Webhooks",
    ),
)
document(
    api.ReplayOne,
    post=Operation(
        "Send one event again",
        "Under its own `webhook-id`.",
        reads={"type": "object", "additionalProperties": False},
        answers=api.DeliveryOut,
        asks={},
        shows=DELIVERY | {"state": "OPEN", "next_at": "2026-11-21T10:00:00+03:00"},
        refusals="endpoint_off",
        tag="Webhooks",
    ),
)


def _event(kind: str) -> dict[str, Any]:
    is_test = kind == TEST
    data = record(id=COUNT) if is_test else record(id=COUNT, version=COUNT)
    body = record(type={"const": kind}, timestamp=MOMENT, data=data)
    told = {"id": 5} if is_test else {"id": 17, "version": 3}
    shown = {"type": kind, "timestamp": "2026-11-21T07:00:00.123456Z", "data": told}
    return {
        "summary": kind,
        "description": "Ids only: ask what is true now. Answer 2xx within 15 seconds.",
        "tags": ["Webhooks"],
        "parameters": [
            {"name": name, "in": "header", "required": True, "schema": TEXT, "description": words}
            for name, words in HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": body, "examples": {"usual": {"value": shown}}}},
        },
        "responses": {"2XX": {"description": "Heard"}, "410": {"description": "Gone: the webhook is turned off"}},
    }


WEBHOOKS |= {kind: {"post": _event(kind)} for kind in (*TYPES, TEST)}
