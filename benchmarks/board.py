"""How long the server takes over one day of the schedule board with 50 courts.

    python -m benchmarks.board [--courts 50] [--hours 16] [--times 15] [--most 300]

Starts a throw-away PostgreSQL of its own and asks for the page inside this process, as a signed-in owner: middleware, queries,
templates and all, without the network. Half of the hours are booked; three weeks around the day are offered. Exits with 1 where
the median is over `--most` milliseconds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from datetime import datetime, timedelta
from typing import Any

from benchmarks.holds import prepare
from palms.embedded.postgres import temporary_server

WEEKS = 3


def fill(courts: int, hours: int) -> tuple[Any, datetime]:
    """Make a club with an owner, offers for weeks, and a day half of which is booked. Returns the owner and the day."""
    from bookings import services
    from clubs.models import Area, Club, Membership, User
    from palms.actors import system
    from palms.clock import now_utc
    from slots.models import Slot

    club = Club.objects.create(name="Bench", slug="bench", timezone="Europe/Moscow")
    owner = User.objects.create_user("owner@example.com")
    Membership.objects.create(user=owner, club=club, role="OWNER")
    areas = Area.objects.bulk_create(
        Area(club=club, name=f"Court {number}", position=number) for number in range(courts)
    )
    first = (now_utc() + timedelta(days=2)).replace(hour=4, minute=0, second=0, microsecond=0)
    rows = [
        Slot(
            club=club, area=area, exclusive=True, price=150_000, date_from=first + timedelta(days=day, hours=hour),
            date_to=first + timedelta(days=day, hours=hour + 1),
        )
        for day in range(7 * WEEKS)
        for area in areas
        for hour in range(hours)
    ]  # fmt: skip
    Slot.objects.bulk_create(rows, batch_size=1000)
    day = first + timedelta(days=7)
    found = Slot.objects.filter(club=club, date_from__gte=day, date_from__lt=day + timedelta(hours=24)).order_by("pk")
    for number, slot in enumerate(found):
        if number % 2:
            services.book_for_client(
                slot_id=slot.pk, club_id=club.pk, typed=services.Typed(f"Guest {number}", f"+7912{number:07}", ""),
                participants_count=1, actor=system("bench"), key=f"bench-{number}", onsite_amount="full",
            )  # fmt: skip
    return owner, day


def measure(courts: int, hours: int, times: int) -> tuple[list[float], list[float], int, int]:
    """Return the milliseconds of each page after the first, those of this process's own work, its bytes and its queries."""
    from django.db import connection
    from django.test import Client

    owner, day = fill(courts, hours)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    browser = Client(HTTP_HOST="localhost")
    browser.force_login(owner)
    address = f"/admin/board/?day={day:%Y-%m-%d}"
    asked: list[str] = []

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count):
        page = browser.get(address)
    if page.status_code != 200 or page.content.count(b'class="board-cell') != courts * hours:
        sys.exit(f"the page is not what was to be measured: {page.status_code}")
    taken, worked = [], []
    for _time in range(times):
        begun, before = time.perf_counter(), time.process_time()
        browser.get(address)
        taken.append((time.perf_counter() - begun) * 1000)
        worked.append((time.process_time() - before) * 1000)
    return taken, worked, len(page.content), len(asked)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in (("courts", 50), ("hours", 16), ("times", 15), ("most", 300)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    asked = parser.parse_args()
    with temporary_server() as server:
        prepare(server.url)
        taken, worked, size, queries = measure(asked.courts, asked.hours, asked.times)
    middle, worst = statistics.median(taken), max(taken)
    sys.stdout.write(
        f"{asked.courts} courts, {asked.hours} hours each: median {middle:.0f} ms, worst {worst:.0f} ms, of the processor"
        f" {statistics.median(worked):.0f} ms,"
        f" {queries} queries, {size // 1024} KiB\n"
    )
    return int(middle > asked.most)


if __name__ == "__main__":
    sys.exit(main())
