"""A process to kill, on the test's own database and bank."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection

from tests.bank import Bank

ROOT = Path(__file__).resolve().parents[2]


class Victim:
    """Runs orders in a process of its own and kills it at a step: see child.py."""

    def __init__(self, bank: Bank) -> None:
        environment = os.environ | {
            "DATABASE_URL": _url_of_test_database(),
            "YOOKASSA_API_URL": bank.api_url,
            "TTLOCK_API_URL": f"{bank.url}/ttlock",
            "TTLOCK_CLIENT_ID": "palms-sandbox-app",
            "TTLOCK_CLIENT_SECRET": "palms-sandbox-secret",
            "DJANGO_SETTINGS_MODULE": "palms.settings",
            "PALMS_LOG_LEVEL": "ERROR",
        }
        command = [sys.executable, "-m", "tests.crashes.child"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._read() == "ready"

    def run(
        self, act: str, *, ahead: float = 0, kill: tuple[int | str, str] | None = None, **args: Any
    ) -> dict[str, Any]:
        """Run one act, to its end or to its death. Returns {"steps", "killed", "error"}."""
        assert self._process.stdin is not None
        order = {"act": act, "args": args, "ahead": ahead, "kill": kill}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        told: dict[str, Any] = json.loads(self._read())
        _wait_until_gone()
        return told

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line, "the process did not answer"
        return line


def _url_of_test_database() -> str:
    given = connection.settings_dict
    return f"postgres://{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT']}/{given['NAME']}"


def _wait_until_gone() -> None:
    """The database rolls back what a dead process left as soon as it has noticed."""
    deadline = time.monotonic() + 10
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'palms-crash-child'"
    with connection.cursor() as cursor:
        while True:
            cursor.execute(query)
            if cursor.fetchone()[0] == 0:
                return
            assert time.monotonic() < deadline, "the database does not notice that a process is gone"
            time.sleep(0.002)


@pytest.fixture(scope="session")
def running_victim(running_bank: Bank, django_db_setup: None) -> Iterator[Victim]:
    process = Victim(running_bank)
    yield process
    process.stop()


@pytest.fixture
def victim(running_victim: Victim, bank: Bank, transactional_db: None) -> Victim:
    assert bank.api_url == django_settings.YOOKASSA_API_URL
    return running_victim
