"""`manage.py sweep`: everything that background jobs would do, once, with no broker at all."""

from contextlib import ExitStack
from typing import Any

from django.core.management.base import BaseCommand

from access.services import recording
from bookings import services
from palms import intents, repeats, throttling
from palms.clock import now_utc
from payments import services as money
from webhooks import services as webhooks


class Command(BaseCommand):
    help = (
        "End what has expired and make the outside calls that are due. Cron can run this instead of beat and workers."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        steps = (self._end, self._call, self._tell, self._forget)
        with ExitStack() as each_has_its_turn:  # whatever the others raise
            for step in reversed(steps):
                each_has_its_turn.callback(step)

    def _end(self) -> None:
        ended = services.end_expired() + services.look_after_all()
        self.stdout.write(f"{ended} ended")

    def _call(self) -> None:
        money.plan_comparisons()
        self.stdout.write(f"{intents.run_due()} calls tried")

    def _tell(self) -> None:
        self.stdout.write(f"{webhooks.deliver_due()} webhooks tried")

    def _forget(self) -> None:
        webhooks.forget_old()
        recording.forget_old()
        repeats.drop_old(now=now_utc())
        throttling.drop_empty(now=now_utc())
