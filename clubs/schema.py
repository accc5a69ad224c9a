"""What the calls of this room read and answer, for the API's document."""

from clubs import api
from clubs.models import Area
from palms.api import AreaOut, InstructorOut
from palms.openapi import Operation, array, document, enum, page_of, record, refine

AREA = {"id": 7, "name": "Корт 1", "kind": "court", "location": "Hall 2"}
CLUB = {
    "slug": "palms-tennis", "name": "Palms Tennis", "timezone": "Europe/Moscow", "currency": "RUB",
    "address": "Москва, Лужники", "phone": "+74951234567", "email": "club@example.com", "description": "",
}  # fmt: skip
BY_SLOTS = {
    "exclusive": True, "mode": "instant", "is_active": True, "booked_by": "slots", "step": None, "min_duration": None,
    "max_duration": None, "price_per_hour": None,
}  # fmt: skip
LAST_PAGE = {"limit": 50, "next": None, "previous": None}

refine(AreaOut, kind=enum(*Area.Kind.values))
refine(
    api.ClubAreaOut,
    "step min_duration max_duration price_per_hour",
    mode=enum(*Area.Mode.values),
    booked_by=enum(*Area.BookedBy.values),
)

document(
    api.ListClubs,
    get=Operation(
        "List the clubs that customers may see",
        "By name, all on one page. May be kept for 5 seconds.",
        answers=record(meta=record(**dict.fromkeys(LAST_PAGE, {"type": "null"})), data=array(api.ClubOut)),
        shows={"meta": dict.fromkeys(LAST_PAGE), "data": [CLUB]},
        refusals="validation_failed",
        tag="Customer",
    ),
)
document(
    api.ListAreas,
    get=Operation(
        "List the club's places",
        "What `area_id` may be, in the club's own order.",
        answers=page_of(api.ClubAreaOut),
        shows={"meta": LAST_PAGE, "data": [AREA | BY_SLOTS]},
        is_paged=True,
        tag="Reference",
    ),
)
document(
    api.ListInstructors,
    get=Operation(
        "List the club's instructors",
        "What `instructor_id` may be.",
        answers=page_of(InstructorOut),
        shows={"meta": LAST_PAGE, "data": [{"id": 3, "name": "Тренер Олег"}]},
        is_paged=True,
        tag="Reference",
    ),
)
