"""`manage.py audit`: run every rule of the audit; print and fail when one is broken."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bookings.audit import RULES, broken

SHOWN = 20  # rows of one rule


class Command(BaseCommand):
    help = "Check occupancy, money and outside calls. Prints nothing but a last line when all is well; otherwise fails."

    def handle(self, *args: Any, **options: Any) -> None:
        found = broken()
        for rule, rows in found.items():
            self.stdout.write(f"BROKEN: {rule}: {len(rows)} rows")
            for row in rows[:SHOWN]:
                self.stdout.write(f"    {row}")
        if found:
            raise CommandError(f"{len(found)} of {len(RULES)} rules are broken")
        self.stderr.write(f"{len(RULES)} rules hold")
