"""A club with a CRM, and what tests of its calls share."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from clubs.models import Club
from clubs.services import make_api_key
from palms.actors import SYSTEM
from slots.models import Slot
from tests.api.conftest import Caller
from tests.factories import AreaFactory, ClubFactory, ahead

SLOTS = "/api/v1/club/slots"
BULK = f"{SLOTS}/bulk"
Answer = Any


@dataclass
class Crm:
    """A CRM that calls with its key. `area` is a court of its club."""

    club: Club = field(default_factory=ClubFactory)
    api: Caller = field(default_factory=Caller)
    area: Any = None
    secret: str = ""

    def __post_init__(self) -> None:
        self.area = self.area or AreaFactory(club=self.club)
        self.secret = self.secret or make_api_key(club_id=self.club.pk, name="CRM", actor=SYSTEM)[1]

    def get(self, path: str, **headers: str) -> Answer:
        return self.api.get(path, authorization=f"Bearer {self.secret}", **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.api.post(path, body, authorization=f"Bearer {self.secret}", **headers)

    def offer(self, start: datetime | None = None, minutes: int = 60, **changes: Any) -> dict[str, Any]:
        """Return the body that offers an hour, the day after tomorrow, on the court."""
        start = start or ahead()
        body = {
            "date_from": start.isoformat(),
            "date_to": (start + timedelta(minutes=minutes)).isoformat(),
            "price": 150_000,
            "area_id": self.area.pk,
        }
        return {name: value for name, value in (body | changes).items() if value is not ...}

    def publish(self, **changes: Any) -> Slot:
        answer = self.post(SLOTS, self.offer(**changes))
        assert answer.status_code == 201, answer.content
        return Slot.objects.get(pk=answer.json()["id"])
