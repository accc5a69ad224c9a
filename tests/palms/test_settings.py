"""The settings refuse to start without what production needs, and migrations are complete."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("PALMS_SECRET_KEY", "PALMS_FIELD_KEYS", "DATABASE_URL", "PALMS_BASE_URL", "PALMS_ALLOWED_HOSTS")


def started(**changes: str) -> subprocess.CompletedProcess[str]:
    """Load the settings in a process of their own, as production would."""
    environment = {
        "PATH": os.environ["PATH"],
        "PALMS_SECRET_KEY": "a-long-key-of-many-letters-0123456789-for-this-test-only",
        "PALMS_FIELD_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "DATABASE_URL": "postgres://palms@127.0.0.1:1/palms",
        "PALMS_BASE_URL": "https://book.example.com",
        "PALMS_ALLOWED_HOSTS": "book.example.com",
        "EMAIL_URL": "smtp://mail.example.com:587",
        "PALMS_BEHIND_PROXY": "1",
    }
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    return subprocess.run(command, cwd=ROOT, env=environment | changes, capture_output=True, text=True, check=False)


def test_production_starts_with_what_it_needs_and_check_deploy_is_clean() -> None:
    answer = started()
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("name", [*NEEDED, "EMAIL_URL"])
def test_production_does_not_start_without(name: str) -> None:
    answer = started(**{name: ""})
    assert answer.returncode != 0
    assert f"Set {name}" in answer.stderr


@pytest.mark.django_db
def test_every_model_change_has_its_migration() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
