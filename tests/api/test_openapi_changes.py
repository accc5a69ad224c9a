"""Each change of the document that callers would stumble over is seen, and what they would not is let through."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from palms.compatibility import breaking
from palms.document import build

Json = dict[str, Any]
SLOTS, SLOT, BOOKING, CLOSE = (
    "/api/v1/club/slots",
    "/api/v1/club/slots/{slot_id}",
    "/api/v1/club/bookings/{booking_id}",
    "/api/v1/club/bookings/{booking_id}/close",
)


def schema(doc: Json, name: str) -> Json:
    return doc["components"]["schemas"][name]  # type: ignore[no-any-return]


def property_of(doc: Json, name: str, field: str) -> Json:
    return schema(doc, name)["properties"][field]  # type: ignore[no-any-return]


def parameter(doc: Json, path: str, name: str) -> Json:
    return next(one for one in doc["paths"][path]["get"]["parameters"] if one["name"] == name)  # type: ignore[no-any-return]


def codes(doc: Json, path: str, status: str) -> list[str]:
    kind = doc["paths"][path]["post"]["responses"][status]["content"]["application/problem+json"]
    return kind["schema"]["allOf"][1]["properties"]["code"]["enum"]  # type: ignore[no-any-return]


BREAKS: dict[str, Callable[[Json], Any]] = {
    "a path is gone": lambda d: d["paths"].pop(SLOTS),
    "an operation is gone": lambda d: d["paths"][BOOKING].pop("patch"),
    "a filter is gone": lambda d: d["paths"][SLOTS]["get"]["parameters"].remove(parameter(d, SLOTS, "area_id")),
    "a filter is due": lambda d: parameter(d, SLOTS, "area_id").update(required=True),
    "a filter loses a value": lambda d: parameter(d, SLOTS, "status")["schema"]["enum"].remove("PAST"),
    "a filter is of another type": lambda d: parameter(d, SLOTS, "area_id")["schema"].update(type="string"),
    "a page is shorter": lambda d: parameter(d, SLOTS, "limit")["schema"].update(maximum=100),
    "a field is not answered": lambda d: schema(d, "ClubBookingOut")["properties"].pop("phase"),
    "a nested field is not answered": lambda d: schema(d, "AreaOut")["properties"].pop("kind"),
    "a field is not always answered": lambda d: schema(d, "ClubBookingOut")["required"].remove("status"),
    "a field is answered as another type": lambda d: property_of(d, "ClubBookingOut", "price").update(type="string"),
    "a field is null at times": lambda d: property_of(d, "ClubBookingOut", "price").update(type=["integer", "null"]),
    "a field is of another format": lambda d: property_of(d, "ClubBookingOut", "date_from").pop("format"),
    "a status is gone": lambda d: property_of(d, "ClubBookingOut", "status")["enum"].remove("OTHER"),
    "a field is not read": lambda d: schema(d, "ClubSlotIn")["properties"].pop("title"),
    "a field must be sent": lambda d: schema(d, "ClubSlotIn")["required"].append("price"),
    "a new field must be sent": lambda d: (
        schema(d, "ClubSlotIn")["required"].append("sport"),
        schema(d, "ClubSlotIn")["properties"].update(sport={"type": "string"}),
    ),
    "a field is read as another type": lambda d: property_of(d, "ClubSlotIn", "date_from").update(type="integer"),
    "null is not read any more": lambda d: property_of(d, "ClubSlotIn", "price").update(type="integer"),
    "a value is not read any more": lambda d: property_of(d, "ClubStatusIn", "status")["enum"].remove("OTHER"),
    "only some values are read": lambda d: property_of(d, "ClubSlotIn", "title").update(enum=["x"]),
    "less may be sent": lambda d: property_of(d, "ClubSlotIn", "title").update(maxLength=10),
    "more must be sent": lambda d: property_of(d, "ClubBookingIn", "participants_count").update(minimum=2),
    "other fields are refused": lambda d: schema(d, "CheckoutIn").update(additionalProperties=False),
    "a body is asked for": lambda d: d["paths"]["/api/v1/club/webhooks/{endpoint_id}"]["delete"].update(
        requestBody={"content": {"application/json": {"schema": {"type": "object"}}}}
    ),
    "a success is gone": lambda d: d["paths"][SLOTS]["post"]["responses"].pop("201"),
    "a code is gone": lambda d: codes(d, CLOSE, "409").remove("too_early_to_close"),
    "a content type is gone": lambda d: d["paths"][SLOT]["get"]["responses"]["200"]["content"].pop("application/json"),
    "a kind of item is gone": lambda d: property_of(d, "ClubCloseIn", "charge")["oneOf"].pop(),
    "credentials are asked for": lambda d: d["paths"]["/api/v1/clubs"]["get"].update(security=[{"key": []}]),
    "an event is gone": lambda d: d["webhooks"].pop("slot.closed"),
    "an event says less": lambda d: d["webhooks"]["slot.closed"]["post"]["requestBody"]["content"]["application/json"][
        "schema"
    ]["properties"]["data"]["properties"].pop("version"),
}
HARMLESS: dict[str, Callable[[Json], Any]] = {
    "nothing": lambda d: None,
    "a path comes": lambda d: d["paths"].update({"/api/v1/new": d["paths"][SLOTS]}),
    "a filter comes": lambda d: d["paths"][SLOTS]["get"]["parameters"].append(
        {"name": "colour", "in": "query", "schema": {"type": "string"}}
    ),
    "a field is answered": lambda d: schema(d, "AreaOut")["properties"].update(colour={"type": "string"}),
    "a field may be sent": lambda d: schema(d, "ClubSlotIn")["properties"].update(colour={"type": "string"}),
    "a field need not be sent": lambda d: schema(d, "ClubSlotIn")["required"].remove("date_from"),
    "a value may be sent": lambda d: property_of(d, "ClubStatusIn", "status")["enum"].append("NEW"),
    "more may be sent": lambda d: property_of(d, "ClubSlotIn", "title").update(maxLength=1000),
    "a code comes": lambda d: codes(d, CLOSE, "409").append("overdue_unpaid"),
    "other words": lambda d: d["paths"][SLOTS]["get"].update(summary="Otherwise"),
    "an event comes": lambda d: d["webhooks"].update({"slot.painted": d["webhooks"]["slot.closed"]}),
}


@pytest.mark.parametrize("change", BREAKS)
def test_a_breaking_change_is_seen(change: str) -> None:
    new = deepcopy(build())
    BREAKS[change](new)

    assert breaking(build(), new)


@pytest.mark.parametrize("change", HARMLESS)
def test_a_harmless_change_is_let_through(change: str) -> None:
    new = deepcopy(build())
    HARMLESS[change](new)

    assert breaking(build(), new) == []
