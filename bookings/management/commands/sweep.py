"""`manage.py sweep`: everything that background jobs would do, once, with no broker at all."""

from typing import Any

from django.core.management.base import BaseCommand

from bookings import services
from palms import intents


class Command(BaseCommand):
    help = (
        "End what has expired and make the outside calls that are due. Cron can run this instead of beat and workers."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        ended, called = services.end_expired(), intents.run_due()
        self.stdout.write(f"{ended} ended, {called} calls tried")
