"""`python -m tests.outages.seed DAYS`: a club with six courts, hour by hour, and a sunbed behind a lock, open round the clock.

Prints JSON: `slots` (ids), `bed` (the area's id) and `key` (of the club's CRM).
"""

import json
import random
import sys
from datetime import timedelta

import django

django.setup()

from access import services as access  # noqa: E402
from access.models import Lock, LockAccount  # noqa: E402
from clubs.models import Area, Club  # noqa: E402
from clubs.services import make_api_key  # noqa: E402
from palms.actors import SYSTEM  # noqa: E402
from slots.models import Slot  # noqa: E402
from tests.access.conftest import DOOR  # noqa: E402
from tests.factories import (  # noqa: E402
    AreaFactory,
    ClubFactory,
    IntervalAreaFactory,
    ProviderAccountFactory,
    ahead,
)
from tests.outages.customers import SLUG  # noqa: E402

COURTS, OPENS, HOURS = 6, 6, 14  # UTC
HOUR = timedelta(hours=1)


def main(days: int) -> None:
    club = ClubFactory(slug=SLUG, horizon_days=days + 10, customer_cancel="always_with_fee", late_cancel_fee_percent=50)
    ProviderAccountFactory(club=club)
    courts = [AreaFactory(club=club) for _ in range(COURTS)]
    starts = [ahead(OPENS) + timedelta(days=day, hours=hour) for day in range(days) for hour in range(HOURS)]
    rows = [
        Slot(club=club, area=court, exclusive=True, price=150_000, currency="RUB", date_from=at, date_to=at + HOUR)
        for at in starts
        for court in courts
    ]
    made = [slot.pk for slot in Slot.objects.bulk_create(rows, batch_size=1000)]
    random.Random(7).shuffle(made)  # near days are held on the card, far ones are taken at once
    key = make_api_key(club_id=club.pk, name="CRM", actor=SYSTEM)[1]
    print(json.dumps({"slots": made, "bed": bed_with_a_lock(club).pk, "key": key}))


def bed_with_a_lock(club: Club) -> Area:
    bed: Area = IntervalAreaFactory(club=club, open_hours=(0, 24))
    account = LockAccount(club=club, name="TTLock", username="service@club.example")
    account = access.save_account(account=account, password="password", actor=SYSTEM)
    access.fit_lock(lock=Lock(club=club, account=account, area=bed, provider_lock_id=DOOR), actor=SYSTEM)
    return bed


if __name__ == "__main__":
    main(int(sys.argv[1]))
