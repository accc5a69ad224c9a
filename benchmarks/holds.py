"""How many holds a second, as ratios to one plain INSERT with its COMMIT on the same machine in the same run.

    python -m benchmarks.holds [--seconds 2] [--connections 1 4 16]

Starts a throw-away PostgreSQL of its own (no fsync), so the ratios say more than the figures. A hold is the checkout's
transaction: locks, look, payment with its snapshot, claim, contact and intents; the bank is not asked. Every connection is a
process of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import secrets
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

from cryptography.fernet import Fernet

from palms.embedded.postgres import temporary_server

HOT, COURTS, HOURS = 6000, 1000, 6
Act = Callable[[int], Any]
mark = count()


def prepare(url: str) -> None:
    """Set what the settings read, make the tables."""
    os.environ |= {
        "DATABASE_URL": url,
        "REDIS_URL": "",
        "PALMS_SECRET_KEY": secrets.token_hex(),
        "PALMS_FIELD_KEYS": Fernet.generate_key().decode(),
        "PALMS_DEMO": "1",
        "PALMS_BASE_URL": "http://localhost",
        "PALMS_ALLOWED_HOSTS": "localhost",
        "PALMS_MAIL_DIR": "/nowhere",
        "DJANGO_SETTINGS_MODULE": "palms.settings",
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


class Club:
    """A club with one hot court and many quiet ones; slots are handed out once each."""

    def __init__(self) -> None:
        from django.db import connection

        from clubs import models as clubs
        from palms.clock import now_utc
        from payments.models import ProviderAccount

        self.club = clubs.Club.objects.create(name="Bench", slug="bench", horizon_days=3000)
        ProviderAccount.objects.create(club=self.club, provider="yookassa", account_id="1")
        self.start = now_utc().replace(minute=0, second=0, microsecond=0) + timedelta(days=1)
        courts = [clubs.Area(club=self.club, name=f"Court {number}") for number in range(COURTS + 1)]
        self.hot, *self.quiet = clubs.Area.objects.bulk_create(courts)
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE plain (id bigserial PRIMARY KEY, owner bigint, said text)")

    def fresh_slots(self, areas: list[Any], hours: int) -> list[int]:
        """Publish this many hours on each of these courts, after all earlier ones; hour by hour, court by court."""
        from django.db import connection

        from slots.models import Slot

        first, self.start = self.start, self.start + timedelta(hours=hours)
        rows = [
            Slot(
                club=self.club,
                area=area,
                exclusive=True,
                price=100,
                date_from=first + timedelta(hours=hour),
                date_to=first + timedelta(hours=hour + 1),
            )
            for hour in range(hours)
            for area in areas
        ]
        made = [slot.pk for slot in Slot.objects.bulk_create(rows, batch_size=2000)]
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")  # nobody else does: this server has no autovacuum
        return made


def insert_plain(number: int) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO plain (owner, said) VALUES (%s, %s)", [number, "a row of the usual length, more or less"]
        )


def typed(number: int) -> Any:
    from bookings.services import Typed

    return Typed("Anna Petrova", f"+7912{os.getpid() % 1000:03d}{number % 10:04d}", "anna@example.com")


def look(club_id: int, slot_id: int, number: int) -> Any:
    """Do what a checkout does before its locks."""
    from bookings.services.party import Party, tidy
    from palms.actors import Actor, Kind

    key = f"{os.getpid()}-{next(mark)}"
    party = Party(0, tidy(typed(number), count=1, key=key), 1, "individual", key, "")
    return checkout_module()._order(slot_id, club_id, party, Actor(Kind.CLIENT, through="bench"))


def hold(club_id: int, slot_id: int, number: int) -> None:
    checkout_module()._take(look(club_id, slot_id, number))


def checkout_module() -> Any:
    import bookings.services

    return sys.modules[bookings.services.checkout.__module__]


def refused_early(club_id: int, slot_id: int) -> Act:
    """Return a checkout of a sold slot: the plain read refuses."""
    from bookings.services import checkout
    from palms.actors import Actor, Kind
    from slots.errors import SlotTaken

    def act(number: int) -> None:
        who = Actor(Kind.CLIENT, through="bench")
        try:
            checkout(
                slot_id=slot_id,
                club_id=club_id,
                typed=typed(number),
                participants_count=1,
                key=f"{os.getpid()}-{number}",
                visitor="",
                actor=who,
            )
        except SlotTaken:
            return
        raise AssertionError("sold twice")

    return act


def refused_late(order: Any) -> Act:
    """Return the checkout of somebody who saw a slot free that is sold: only under the lock is it refused."""
    from slots.errors import SlotTaken

    def act(number: int) -> None:
        try:
            checkout_module()._take(order)
        except SlotTaken:
            return
        raise AssertionError("sold twice")

    return act


def work(act: Act, number: int, workers: int, seconds: float, start: Any, done: Any) -> None:
    """Repeat an act until the time is over or it has nothing left; say how often and how long."""
    act(-1 - number)  # a connection, its caches
    start.wait()
    began, times = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        try:
            act(number + times * workers)
        except IndexError:
            break
        times += 1
    done.put((times, time.perf_counter() - began))


def rate(act: Act, workers: int, seconds: float) -> float:
    """Return how many times a second so many processes did it."""
    from django.db import connections

    connections.close_all()
    context = multiprocessing.get_context("fork")
    start, done = context.Barrier(workers), context.Queue()
    people = [context.Process(target=work, args=(act, n, workers, seconds, start, done)) for n in range(workers)]
    for person in people:
        person.start()
    results = [done.get(timeout=seconds + 60) for _ in people]
    for person in people:
        person.join()
    return sum(times / spent for times, spent in results)


def holding(club: Club, slots: list[int]) -> Act:
    """Return the act that holds the next slot; IndexError when none is left. The last ones warm the processes up."""

    def act(number: int) -> None:
        if number >= len(slots) - 16:
            raise IndexError
        hold(club.club.pk, slots[number], number)

    return act


def measure(workers: int, seconds: float, club: Club) -> list[float]:
    """Return one row: reference, hot court, many courts, refused by the look, refused under the lock."""
    sold = club.fresh_slots([club.hot], 1)[0]
    order = look(club.club.pk, sold, 0)
    checkout_module()._take(order)
    hot, spread = club.fresh_slots([club.hot], HOT), club.fresh_slots(club.quiet, HOURS)
    acts = [
        insert_plain,
        holding(club, hot),
        holding(club, spread),
        refused_early(club.club.pk, sold),
        refused_late(order),
    ]
    return [rate(act, workers, seconds) for act in acts]


def main() -> None:
    parser = argparse.ArgumentParser("benchmarks.holds", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 4, 16])
    given = parser.parse_args()
    names = ("INSERT", "hot court", "many courts", "refused by look", "refused in lock")
    with temporary_server() as server:
        prepare(server.url)
        club = Club()
        say("a second, and as a part of INSERT:")
        say(f"{'connections':>11} " + " ".join(f"{name:>17}" for name in names))
        for workers in given.connections:
            row = measure(workers, given.seconds, club)
            cells = [f"{row[0]:>17,.0f}"] + [f"{value:>9,.0f} ({value / row[0]:.3f})" for value in row[1:]]
            say(f"{workers:>11} " + " ".join(cells))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
