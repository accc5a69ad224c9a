"""`manage.py demo --out PATH`: clubs, places, times and bookings to look at, in a database that has none."""

import json
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection, transaction

from bookings import demo
from clubs.models import Club
from palms.clock import now_utc

ONE_AT_A_TIME = 70_617_107  # any number of our own: two runs at once make one set of data


class Command(BaseCommand):
    help = "Fill an empty database with demo data; with clubs in it, change nothing. PATH gets the logins and the key."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--out", required=True, type=Path, help="where the logins go, if data is made")

    @transaction.atomic
    def handle(self, *args: Any, out: Path, **options: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ONE_AT_A_TIME])
        if Club.objects.exists():
            self.stdout.write("There are clubs already: nothing was changed.")
            return
        logins = demo.load(now=now_utc())
        # Before the commit: data without its logins would be of no use to anybody.
        _write(out, json.dumps(logins, ensure_ascii=False, indent=2) + "\n")
        self.stdout.write(f"Demo data is loaded, its logins are in {out}.")


def _write(path: Path, text: str) -> None:
    """Write a file that only its owner can read: whole or not at all."""
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)
