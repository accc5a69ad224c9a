"""A sweep sends its letters on one connection, which may die meanwhile; nobody keeps one while a bank is asked."""

from __future__ import annotations

import time
from typing import Any

import psycopg
import pytest
from django.db import connection

from palms import intents
from palms.clock import now_utc
from palms.models import Intent
from tests.factories import ClubFactory

pytestmark = pytest.mark.django_db(transaction=True)
KIND = "tests.note"


class Notes:
    """A kind of call that notes on which backend each call found itself and was applied; 0: on none."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.applied: list[int] = []
        self.kills = False

    def call(self, job: intents.Job) -> intents.Outcome:
        intents.let_go(briefly=True)  # as letters do
        self.calls.append(pid())
        if self.kills:
            end_backend(self.calls[-1])
        return intents.Done()

    def apply(self, job: intents.Job, outcome: Any) -> None:
        self.applied.append(pid())
        intents.finish(job, outcome)


def pid() -> int:
    there = connection.connection
    return there.info.backend_pid if there is not None else 0


def end_backend(number: int) -> None:
    given = connection.settings_dict
    address = f"postgres://{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT']}/{given['NAME']}"
    with psycopg.connect(address) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [number])


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> Notes:
    notes = Notes()
    monkeypatch.setitem(intents.HANDLERS, KIND, intents.Handler(notes.call, notes.apply, intents.CLAIMED))
    club = ClubFactory()
    for number in range(3):
        intents.plan(club_id=club.pk, kind=KIND, lane=f"note:{number}", subject_id=number, now=now_utc())
    return notes


def test_a_sweep_keeps_its_connection(notes: Notes) -> None:
    assert intents.run_due() == 3
    assert len(set(notes.calls + notes.applied)) == 1
    assert 0 not in notes.calls


def test_no_connection_waits_for_a_bank_in_a_sweep_either(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    def call(job: intents.Job) -> intents.Outcome:
        intents.let_go()
        return notes.call(job)

    monkeypatch.setitem(intents.HANDLERS, KIND, intents.Handler(call, notes.apply, intents.CLAIMED))
    assert intents.run_due() == 3
    assert notes.calls == [0, 0, 0]


def test_a_sweep_goes_on_where_its_connection_died_while_the_outside_was_asked(notes: Notes) -> None:
    notes.kills = True
    assert intents.run_due() == 3
    assert len(set(notes.applied)) == 3
    assert not Intent.objects.filter(state="OPEN").exists()


def test_a_request_gives_its_connection_back_while_the_outside_is_asked(notes: Notes) -> None:
    intents.run(Intent.objects.order_by("pk")[0].pk)
    assert notes.calls == [0]


def test_a_slow_bank_is_asked_again_only_when_nobody_else_waits(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, quick = Intent.objects.values_list("club_id", flat=True)[0], ClubFactory().pk
    for number in range(3, 5):
        intents.plan(club_id=quick, kind=KIND, lane=f"note:{number}", subject_id=number, now=now_utc())
    asked: list[int] = []

    def call(job: intents.Job) -> intents.Outcome:
        asked.append(job.club_id)
        time.sleep(0.1 if job.club_id == slow else 0)
        return intents.Done()

    monkeypatch.setattr(intents, "SLOW", 0.05)
    monkeypatch.setitem(intents.HANDLERS, KIND, intents.Handler(call, notes.apply, intents.CLAIMED))
    assert intents.run_due() == 5
    assert asked == [slow, quick, quick, slow, slow]
