"""The audit that runs after every test is awake: it says what `manage.py audit` says, and fails a test that leaves such rows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from bookings import audit
from bookings.models import Booking
from clients.models import Client, Wallet
from payments.models import Payment
from tests import audited
from tests.bank import Bank
from tests.planted import WALLET, without_a_wallet
from tests.play import offer, take
from tests.raw import sql

ROOT = Path(__file__).resolve().parent.parent
UNDECIDED, STUCK = "money that came is decided", "no call to the outside is stuck"
HELD = "a payment's claim belongs to one that is pending and undecided"


@pytest.mark.django_db
def test_nothing_is_looked_at_where_nobody_is() -> None:
    assert not any(model._meta.get_field("client").null for model in (Payment, Booking, Wallet))
    assert audited.broken() == {}


@pytest.mark.django_db(transaction=True)
@pytest.mark.breaks_rules(UNDECIDED, HELD, STUCK, WALLET)
def test_it_says_what_the_command_says(bank: Bank) -> None:
    take(offer())
    assert audited.broken() == audit.broken() == {}
    sql("UPDATE payments_payment SET status = 'AUTHORIZED'")
    sql("UPDATE palms_intent SET attempts = 11 WHERE state = 'OPEN'")
    without_a_wallet()
    found = audited.broken()
    assert {rule: len(rows) for rule, rows in found.items()} == {
        rule: len(rows) for rule, rows in audit.broken().items()
    }
    assert found[UNDECIDED] == [f"({Payment.objects.get().pk})"]
    assert found[WALLET] == [f"({Client.objects.get(wallet=None).pk})"]
    assert found.keys() == {UNDECIDED, HELD, STUCK, WALLET}
    assert audited.broken(but=[HELD, STUCK, WALLET]) == {UNDECIDED: found[UNDECIDED]}


def test_a_test_that_leaves_such_rows_fails(django_db_setup: None) -> None:
    given = connection.settings_dict
    address = f"postgres://{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT']}/{given['NAME']}"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "tests/planted.py"],
        cwd=ROOT, env=os.environ | {"DATABASE_URL": address}, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout + run.stderr
    assert set(re.findall(r"^ERROR tests/planted\.py::(\w+)", run.stdout, re.MULTILINE)) == {
        "test_rolled_back",
        "test_committed",
        "test_behind_a_server",
        "test_another_rule_on_purpose",
        "test_a_rule_that_nobody_knows",
    }
    said = re.findall(
        rf"^E +AssertionError: the audit after this test: {{'{WALLET}': \['\(\d+\)'\]}}", run.stdout, re.MULTILINE
    )
    assert len(said) == 4
    assert "AssertionError: no such rule: {'no such rule'}" in run.stdout
    assert re.search(r"^6 passed, .*5 errors in", run.stdout, re.MULTILINE)
