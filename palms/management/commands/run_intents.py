"""`manage.py run_intents`: make the outside calls that are due, with no broker at all."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from palms import intents


class Command(BaseCommand):
    help = "Make every outside call that is due (bank, mail). Safe to run anywhere, any number of times at once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--forever", action="store_true", help="keep looking, with a pause of --pause seconds")
        parser.add_argument("--pause", type=float, default=2.0)

    def handle(self, *args: Any, **options: Any) -> None:
        while True:
            try:
                done = intents.run_due()
            except ExceptionGroup as defects:
                if not options["forever"]:
                    raise
                self.stderr.write(f"{defects}: {[repr(defect) for defect in defects.exceptions]}")
                continue
            if done or not options["forever"]:
                self.stdout.write(f"{done} tried")
            if not options["forever"]:
                return
            time.sleep(options["pause"])
