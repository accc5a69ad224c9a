"""`manage.py reconcile`: our payments and refunds beside the providers', the true ones applied, differences listed."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from palms.clock import now_utc
from payments import services
from payments.models import ProviderAccount
from payments.providers.base import ProviderRefused, ProviderUnknown


class Command(BaseCommand):
    help = "Compare the last hours with every provider account, apply what is true and list what differs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--hours", type=int, default=48, help="how far back to look (default 48)")

    def handle(self, *args: Any, **options: Any) -> None:
        until = now_utc() + timedelta(minutes=5)
        since = until - timedelta(hours=max(1, options["hours"]))
        silent = []
        for account in ProviderAccount.objects.order_by("pk"):
            try:
                found = services.reconcile(account_id=account.pk, since=since, until=until)
            except (ProviderUnknown, ProviderRefused) as error:
                silent.append(f"{account}: {error}")
                continue
            self.stdout.write(f"{account}: {len(found)} differences")
            for difference in found:
                ours = difference.ours if difference.ours is not None else "-"
                self.stdout.write(f"    ours {ours}, there {difference.provider_payment_id}: {difference.what}")
        if silent:
            raise CommandError("not compared: " + "; ".join(silent))
