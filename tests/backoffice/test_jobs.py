"""Long work: written once, wherever it was interrupted; stopped when told; never by strangers."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from backoffice.errors import JobNotFound, JobNotWaiting, PreviewTooOld
from backoffice.models import MOST_ITEMS, Job
from backoffice.services import jobs, working
from palms import intents, points
from palms.errors import NotPermitted, ValidationFailed, violated
from palms.models import Intent
from slots.models import Slot
from slots.offers import Draft
from tests.backoffice.conftest import Desk, work
from tests.factories import tomorrow

pytestmark = pytest.mark.django_db(transaction=True)


def items(desk: Desk, count: int, *, area: int = 0) -> list[dict[str, Any]]:
    drafts = [
        Draft(
            date_from=tomorrow(0) + timedelta(minutes=30 * n), date_to=tomorrow(0) + timedelta(minutes=30 * n + 30),
            area_id=desk.courts[area].pk, price=100,
        )
        for n in range(count)
    ]  # fmt: skip
    return [working.packed(draft, where=f"slot {n}") for n, draft in enumerate(drafts)]


def draft(desk: Desk, count: int = 30, **changes: Any) -> Job:
    said: dict[str, Any] = {
        "club_id": desk.club.pk, "kind": "season", "same": {}, "items": items(desk, count), "preview": {}, "actor": desk.actor,
    }  # fmt: skip
    return jobs.draft_job(**(said | changes))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of ten."""
    monkeypatch.setattr(jobs, "WORKS", {kind: (10, how) for kind, (_size, how) in jobs.WORKS.items()})


def test_a_draft_writes_nothing_and_a_word_writes_it_all(desk: Desk) -> None:
    job = draft(desk)
    work()
    assert not Slot.objects.exists()

    jobs.start_job(job_id=job.pk, actor=desk.actor)
    work()

    job.refresh_from_db()
    assert (job.state, job.done, job.tally, job.errors, job.sealed) == ("DONE", 30, {"created": 30}, [], "")
    slot = Slot.objects.order_by("date_from").first()
    assert slot is not None
    assert slot.events.get().pgh_context.metadata["actor_id"] == desk.staff.pk
    assert Intent.objects.get(kind="backoffice.job").state == "DONE"


class Crash(BaseException):
    """The process dies here."""


def _until_dead() -> None:
    """Work on a connection that dies with its process: nobody says COMMIT or ROLLBACK."""
    try:
        work()
    finally:
        if connection.connection is not None:
            connection.connection.close()


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("batch", [1, 2, 3])
def test_a_crash_at_a_commit_of_any_batch_writes_everything_once(
    desk: Desk, small: None, moment: str, batch: int
) -> None:
    job = jobs.start_job(job_id=draft(desk).pk, actor=desk.actor)
    seen: list[str] = []

    def die(name: str, when: str) -> None:
        if name == "backoffice.job applied" and when == moment:
            seen.append(name)
            if len(seen) == batch:
                raise Crash

    points.watch(die)
    try:
        with ThreadPoolExecutor(1) as process, pytest.raises(Crash):
            process.submit(_until_dead).result()
    finally:
        points.unwatch(die)
    job.refresh_from_db()
    assert job.done == Slot.objects.count() == 10 * (batch - (moment == "before"))

    Intent.objects.filter(state="OPEN").update(due_at=job.created_at)  # the dead one's lease is over
    work()

    job.refresh_from_db()
    assert (job.state, job.tally) == ("DONE", {"created": 30})
    assert Slot.objects.count() == 30


def test_what_cannot_be_written_is_told_with_its_place_and_the_rest_is_written(desk: Desk, small: None) -> None:
    first = jobs.start_job(job_id=draft(desk, 12).pk, actor=desk.actor)
    work()
    again = jobs.start_job(job_id=draft(desk, 15).pk, actor=desk.actor)
    work()

    again.refresh_from_db()
    assert first.pk != again.pk
    assert again.tally == {"refused": 12, "created": 3}
    assert again.errors[0] == ["slot 0", "Такое время уже предлагается"]


def test_stopping_keeps_what_is_written(desk: Desk, small: None) -> None:
    job = jobs.start_job(job_id=draft(desk).pk, actor=desk.actor)
    work(limit=1)

    jobs.cancel_job(job_id=job.pk, actor=desk.actor)
    work()

    job.refresh_from_db()
    assert (job.state, job.done, job.sealed) == ("CANCELED", 10, "")
    assert Slot.objects.count() == 10
    assert Intent.objects.get(kind="backoffice.job").state == "DONE"
    assert jobs.cancel_job(job_id=job.pk, actor=desk.actor).state == "CANCELED"
    with pytest.raises(JobNotWaiting):
        jobs.start_job(job_id=job.pk, actor=desk.actor)


def test_two_words_begin_it_once(desk: Desk) -> None:
    job = draft(desk)
    for _ in range(2):
        jobs.start_job(job_id=job.pk, actor=desk.actor)

    work()

    assert Slot.objects.count() == 30
    assert Intent.objects.filter(kind="backoffice.job").count() == 1


def test_a_batch_that_keeps_failing_is_given_up_in_words(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: Any) -> Any:
        raise RuntimeError("a defect")

    monkeypatch.setattr(jobs, "WORKS", {"season": (10, broken)})
    job = jobs.start_job(job_id=draft(desk).pk, actor=desk.actor)
    for _ in range(jobs.MOST_TRIES):
        with pytest.raises(ExceptionGroup):
            work()
        Intent.objects.filter(state="OPEN").update(due_at=job.created_at)

    work()

    job.refresh_from_db()
    assert (job.state, job.done) == ("FAILED", 0)
    assert job.reason.startswith("Не получалось")


def test_who_was_dismissed_writes_no_more(desk: Desk, small: None) -> None:
    job = jobs.start_job(job_id=draft(desk).pk, actor=desk.actor)
    work(limit=1)
    desk.staff.memberships.all().delete()

    work()

    job.refresh_from_db()
    assert (job.state, job.done, Slot.objects.count()) == ("FAILED", 10, 10)


def test_strangers_neither_draft_nor_begin_nor_stop(desk: Desk, other: Desk) -> None:
    job = draft(desk)
    with pytest.raises(NotPermitted):
        draft(desk, actor=other.actor)
    for step in (jobs.start_job, jobs.cancel_job):
        with pytest.raises(JobNotFound):
            step(job_id=job.pk, actor=other.actor)
        with pytest.raises(JobNotFound):
            step(job_id=0, actor=other.actor)


def test_nothing_and_too_much_are_refused(desk: Desk) -> None:
    for count in (0, MOST_ITEMS + 1):
        with pytest.raises(ValidationFailed):
            draft(desk, items=[{}] * count)


def test_a_preview_of_yesterday_is_made_anew_and_forgotten(desk: Desk) -> None:
    old = draft(desk)
    Job.objects.filter(pk=old.pk).update(created_at=old.created_at - timedelta(days=2))
    with pytest.raises(PreviewTooOld):
        jobs.start_job(job_id=old.pk, actor=desk.actor)

    draft(desk)

    assert not Job.objects.filter(pk=old.pk).exists()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("state = 'DRAFT', finished_at = NULL, sealed = 'x'", "job_over_is_over"),
        ("done = 0", "job_over_is_over"),
    ],
)
def test_work_that_is_over_is_not_begun_again_by_sql(desk: Desk, change: str, rule: str) -> None:
    job = jobs.start_job(job_id=draft(desk).pk, actor=desk.actor)
    work()
    assert refused(f"UPDATE backoffice_job SET {change} WHERE id = {job.pk}") == rule


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("done = 5", "job_never_goes_back"),
        ("total = 5", "job_never_goes_back"),
        ("done = 31", "job_does_no_more_than_there_is"),
        ("state = 'DONE', sealed = '', finished_at = now()", "job_done_is_all_of_it"),
        ("state = 'FAILED', finished_at = now()", "job_forgets_its_input"),
        ("state = 'FAILED', sealed = ''", "job_finished_exactly_when_ended"),
        ("kind = 'x'", "job_kind_known"),
    ],
)
def test_running_work_goes_forward_only(desk: Desk, small: None, change: str, rule: str) -> None:
    job = jobs.start_job(job_id=draft(desk).pk, actor=desk.actor)
    work(limit=1)
    assert refused(f"UPDATE backoffice_job SET {change} WHERE id = {job.pk}") == rule


def refused(sql: str) -> str:
    with pytest.raises(IntegrityError) as error, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    return violated(error.value)


def test_a_season_of_ten_thousand_is_written_in_seconds(desk: Desk) -> None:
    half = items(desk, MOST_ITEMS // 2), items(desk, MOST_ITEMS // 2, area=1)
    job = jobs.start_job(job_id=draft(desk, items=[*half[0], *half[1]]).pk, actor=desk.actor)
    begun = time.monotonic()

    work()

    job.refresh_from_db()
    assert (job.state, job.tally) == ("DONE", {"created": MOST_ITEMS})
    assert Slot.objects.count() == MOST_ITEMS
    assert time.monotonic() - begun < 30
    assert intents.run_due(limit=1, kinds=["backoffice.job"]) == 0
