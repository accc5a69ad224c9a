"""A club with one of everything that an address, a filter or a body can name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bookings.models import Booking
from clubs.models import Club
from clubs.services import make_api_key
from palms.actors import SYSTEM, staff_member
from palms.document import build
from slots.models import Slot
from tests.factories import (
    AreaFactory,
    ClubFactory,
    InstructorFactory,
    ProgramFactory,
    ProviderAccountFactory,
    SlotFactory,
)
from tests.play import booked_on_site
from webhooks import services as webhooks


@dataclass(frozen=True, slots=True)
class World:
    """`ids` by the names that parameters and fields have."""

    club: Club
    ids: dict[str, Any]
    free: Slot
    secret: str

    def address(self, path: str) -> str:
        return path.format_map(self.ids)

    def query(self, operation: dict[str, Any]) -> dict[str, str]:
        """Return the query that an operation cannot do without."""
        due = [one["name"] for one in operation.get("parameters", []) if one.get("required") and one["in"] == "query"]
        known = {"date": "2026-11-24", "date_from": "2026-11-01", "date_to": "2026-12-01"}
        return {name: known[name] for name in due}

    def body(self, operation: dict[str, Any]) -> Any:
        """Return the document's example of a body, about what is here."""
        kinds = operation.get("requestBody", {}).get("content", {})
        return self.about(next(iter(kinds.values()))["examples"]["usual"]["value"]) if kinds else None

    def about(self, given: Any) -> Any:
        """Return a body with its ids and its interval replaced by those of the world."""
        if isinstance(given, list):
            return [self.about(one) for one in given]
        if not isinstance(given, dict):
            return given
        later = timedelta(hours=3 if "price" in given else 0)  # what is offered anew is not what is there
        times = {name: (getattr(self.free, name) + later).isoformat() for name in ("date_from", "date_to")}
        known = {name: value for name, value in (self.ids | times).items() if name in given}
        return {name: self.about(value) for name, value in given.items()} | known


def make_world(**changes: Any) -> World:
    club = ClubFactory(**changes)
    ProviderAccountFactory(club=club)
    area, instructor, program = AreaFactory(club=club), InstructorFactory(club=club), ProgramFactory(club=club)
    free: Slot = SlotFactory(club=club, area=area)
    group: Slot = SlotFactory(club=club, capacity=8, area__exclusive=False)
    booking: Booking = booked_on_site(SlotFactory(club=club))
    actor = staff_member(1, {club.pk: "OWNER"}, through="admin")
    endpoint, _secret = webhooks.make_endpoint(club_id=club.pk, actor=actor, url="https://crm.example.com/palms")
    delivery = webhooks.send_test(endpoint_id=endpoint.pk, actor=actor)
    ids = {
        "slug": club.slug, "token": booking.token, "provider": "yookassa", "area_id": area.pk, "slot_id": free.pk,
        "instructor_id": instructor.pk, "program_id": program.pk, "booking_id": booking.pk, "endpoint_id": endpoint.pk,
        "delivery_id": delivery.pk, "group_training_id": group.pk,
    }  # fmt: skip
    return World(club, ids, free, make_api_key(club_id=club.pk, name="CRM", actor=SYSTEM)[1])


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Return (METHOD, path, operation) of everything in the document."""
    return [
        (method.upper(), path, operation)
        for path, methods in build()["paths"].items()
        for method, operation in methods.items()
    ]
