"""What the calls of this room read and answer, for the API's document."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter

from palms.api import SlotOut
from palms.openapi import COUNT, MOMENT, TEXT, Operation, array, document, enum, nullable, page_of, record, refine
from slots import api, club_api
from slots.models import Slot
from slots.rules import SlotStatus

SLOT: dict[str, Any] = {
    "id": 4821, "title": "", "date_from": "2026-11-24T18:00:00+03:00", "date_to": "2026-11-24T19:00:00+03:00",
    "cancelation_time": "2026-11-23T18:00:00+03:00", "status": "AVAILABLE", "price": 150_000, "currency": "RUB",
    "area": {"id": 7, "name": "Корт 1", "kind": "court", "location": ""}, "instructor": None, "capacity": 1, "places_left": 1,
}  # fmt: skip
CLUB_SLOT = SLOT | {
    "reference_id": None, "program": None, "origin": "published", "sport_type": "", "closed": False, "version": 1,
    "created_at": "2026-11-21T10:00:00+03:00", "updated_at": "2026-11-21T10:00:00+03:00",
}  # fmt: skip
OFFER = {name: SLOT[name] for name in ("date_from", "date_to", "price")} | {"area_id": 7}
META = {"limit": 50, "next": None, "previous": None}
AS_OF = META | {"as_of": "2026-11-21T10:00:05+03:00"}
OF_OFFERS = "slot_duplicate slot_in_past timezone_required not_found"
WEEKLY = record(
    weekday={"type": "integer", "minimum": 1, "maximum": 7}, time=TEXT | {"pattern": "^[0-2][0-9]:[0-5][0-9]$"}
)
ROW = {
    "type": "object",
    "properties": {
        "index": COUNT,
        "status": enum("created", "unchanged", "refused"),
        "id": COUNT,
        "error": {"type": "object", "properties": {"code": TEXT, "title": TEXT}, "required": ["code", "title"]},
    },
    "required": ["index", "status"],
}

refine(SlotOut, "area instructor", status=enum(*SlotStatus), cancelation_time=MOMENT)
refine(
    club_api.ClubSlotOut,
    "reference_id program",
    origin=enum(*Slot.Origin.values),
)
refine(club_api.ClubSlotChangeIn, status=enum(*club_api.SETTABLE))
refine(
    club_api.ClubSlotsBulkIn,
    slots=array(club_api.ClubSlotIn) | {"minItems": 1, "maxItems": club_api.MOST_AT_ONCE},
)
refine(club_api.ProgramOut, "area instructor", weekly=array(WEEKLY))

refine(api.AreaDayOut, currency=TEXT, starts=array(api.OpeningOut))

document(
    api.ShowAvailability,
    get=Operation(
        "Show a day of a club",
        "What the club offers and what is left of it; what it withdrew, and what its notice or horizon hides, is left out. "
        "`intervals` are the places where customers choose start and length: each free start with the end of the longest stay "
        "from it, and the prices of `min_duration`, one step more and so on. `meta.next_free` is the next free start where "
        "nothing is free that day. May be kept for 5 seconds.",
        answers=record(
            meta=record(
                club=TEXT, timezone=TEXT, date={"type": "string", "format": "date"}, date_from=MOMENT, date_to=MOMENT,
                next_free=nullable(MOMENT),
            ),
            data=array(SlotOut),
            intervals=array(api.AreaDayOut),
        ),
        shows={
            "meta": {
                "club": "palms-tennis", "timezone": "Europe/Moscow", "date": "2026-11-24",
                "date_from": "2026-11-24T00:00:00+03:00", "date_to": "2026-11-25T00:00:00+03:00", "next_free": None,
            },
            "data": [SLOT],
            "intervals": [
                {
                    "area": {"id": 9, "name": "Лежак 1", "kind": "sunbed", "location": ""}, "step": 30, "min_duration": 30,
                    "max_duration": 240, "currency": "RUB",
                    "starts": [
                        {
                            "date_from": "2026-11-24T21:00:00+03:00", "date_to": "2026-11-24T22:00:00+03:00",
                            "is_now": False, "prices": [30_000, 60_000],
                        }
                    ],
                }
            ],
        },
        query=api.AvailabilityIn,
        tag="Customer",
    ),
)  # fmt: skip
document(
    club_api.ClubSlots,
    get=Operation(
        "List the club's slots",
        "By start; with `updated_since` by their last change. `places_left` asks for at least so many.",
        answers=page_of(club_api.ClubSlotOut, feed=True),
        shows={"meta": AS_OF, "data": [CLUB_SLOT]},
        query=club_api.ClubSlotFilters,
        refusals="timezone_required",
        is_paged=True,
        tag="Slots",
    ),
    post=Operation(
        "Offer a slot",
        "Price, area, instructor, capacity, title and sport may be left to a program. 200 where this `reference_id` is offered "
        "already with the same content: nothing is written.",
        reads=club_api.ClubSlotIn,
        answers=club_api.ClubSlotOut,
        statuses=(201, 200),
        asks=OFFER,
        shows=CLUB_SLOT,
        refusals=OF_OFFERS,
        is_tagged=True,
        tag="Slots",
    ),
)
document(
    club_api.ClubSlotsBulk,
    post=Operation(
        "Offer up to 10,000 slots",
        "All or nothing: one refused row refuses the call with the first row's code, and `refused` lists the first hundred. "
        "With `partial` each row answers for itself. At most 5 MB.",
        reads=club_api.ClubSlotsBulkIn,
        answers=record(meta=record(created=COUNT, unchanged=COUNT, refused=COUNT), data=array(ROW)),
        statuses=(201, 200),
        asks={"slots": [OFFER], "partial": False},
        shows={
            "meta": {"created": 1, "unchanged": 0, "refused": 0},
            "data": [{"index": 0, "status": "created", "id": 4821}],
        },
        parameters=(OpenApiParameter("partial", enum("true", "false"), description="The same as in the body."),),
        refusals=OF_OFFERS,
        tag="Slots",
    ),
)
document(
    club_api.ClubSlot,
    get=Operation(
        "Show a slot", answers=club_api.ClubSlotOut, shows=CLUB_SLOT, is_tagged=True, tag="Slots"
    ),
    post=Operation(
        "Change a slot, withdraw it, offer it again",
        "A slot that somebody has keeps its dates, its area and its taken places.",
        reads=club_api.ClubSlotChangeIn,
        answers=club_api.ClubSlotOut,
        asks={"status": "CLOSED"},
        shows=CLUB_SLOT | {"status": "CLOSED", "closed": True, "places_left": 0, "version": 2},
        refusals=f"{OF_OFFERS} slot_in_use status_not_settable",
        is_tagged=True,
        is_guarded=True,
        tag="Slots",
    ),
)  # fmt: skip
document(
    club_api.ListPrograms,
    get=Operation(
        "List the club's programs",
        "What `program_id` may be. `duration` in minutes; `weekly` by the club's clock, Monday is 1.",
        answers=page_of(club_api.ProgramOut),
        shows={
            "meta": META,
            "data": [
                {
                    "id": 2, "name": "Tennis for beginners", "description": "", "sport_type": "tennis", "price": 90_000,
                    "currency": "RUB", "capacity": 8, "duration": 90, "weekly": [{"weekday": 1, "time": "19:00"}],
                    "area": SLOT["area"], "instructor": None, "is_active": True,
                }
            ],
        },
        is_paged=True,
        tag="Reference",
    ),
)  # fmt: skip
