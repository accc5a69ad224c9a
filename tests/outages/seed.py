"""`python -m tests.outages.seed DAYS`: a club with six courts, hour by hour; prints the ids of its slots as JSON."""

import json
import random
import sys
from datetime import timedelta

import django

django.setup()

from slots.models import Slot  # noqa: E402
from tests.factories import AreaFactory, ClubFactory, ProviderAccountFactory, ahead  # noqa: E402
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
    print(json.dumps(made))


if __name__ == "__main__":
    main(int(sys.argv[1]))
