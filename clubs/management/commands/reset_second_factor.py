"""`manage.py reset_second_factor anna@example.com`: for somebody whom no owner can help, the platform's last admin first of all."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from clubs.models import User
from clubs.second_factor import reset
from palms.actors import system


class Command(BaseCommand):
    help = "Forget a person's second factor and sign them out everywhere; they set up a new one at the next sign-in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email__iexact=options["email"]).first()
        if user is None:
            raise CommandError(f"There is nobody with the email {options['email']}")
        reset(user_id=user.pk, actor=system("command"))
        self.stdout.write(f"{user.email} sets up a new second factor at the next sign-in")
