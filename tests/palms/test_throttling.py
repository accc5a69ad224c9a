"""Rate limits: atomic, and empty again by themselves."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from palms import throttling
from palms.clock import now_utc
from palms.models import StoredAnswer, Throttle
from palms.tasks import forget_old
from palms.throttling import Rate

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
RATE = Rate(5, 60)


@pytest.mark.django_db
def test_a_full_bucket_refuses_and_says_how_long() -> None:
    verdicts = [throttling.hit("a", RATE, now=NOW) for _ in range(6)]

    assert [verdict.allowed for verdict in verdicts] == [True] * 5 + [False]
    assert [verdict.remaining for verdict in verdicts] == [4, 3, 2, 1, 0, 0]
    assert verdicts[-1].wait == 12
    assert throttling.hit("b", RATE, now=NOW).allowed, "another key has a bucket of its own"


@pytest.mark.django_db
@pytest.mark.parametrize(("after", "allowed"), [(10.9, 0), (12, 1), (24, 2), (60, 5), (600, 5)])
def test_a_bucket_empties_steadily(after: float, allowed: int) -> None:
    for _ in range(5):
        throttling.hit("a", RATE, now=NOW)

    later = NOW + timedelta(seconds=after)
    assert sum(throttling.hit("a", RATE, now=later).allowed for _ in range(7)) == allowed


@pytest.mark.django_db(transaction=True)
def test_a_crowd_gets_no_more_than_the_limit() -> None:
    def hit(_number: int) -> bool:
        try:
            return throttling.hit("crowd", RATE, now=NOW).allowed
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as crowd:
        assert sum(crowd.map(hit, range(100))) == 5


@pytest.mark.django_db
def test_those_whose_clocks_are_a_little_behind_lose_nothing() -> None:
    times = [NOW, *[NOW - timedelta(milliseconds=number) for number in range(1, 9)]]

    assert [throttling.hit("skew", RATE, now=moment).allowed for moment in times].count(True) == 5


@pytest.mark.django_db
def test_empty_buckets_are_forgotten() -> None:
    throttling.hit("old", RATE, now=NOW - timedelta(hours=1))
    throttling.hit("new", RATE, now=NOW)

    assert throttling.drop_empty(now=NOW) == 1
    assert list(Throttle.objects.values_list("key", flat=True)) == ["new"]


@pytest.mark.django_db
def test_the_hourly_task_forgets_what_nobody_asks_for() -> None:
    throttling.hit("old", RATE, now=NOW - timedelta(days=900))
    for key, started_at in (("old", now_utc() - timedelta(days=31)), ("new", now_utc())):
        StoredAnswer.objects.create(holder="key:1", key=key, fingerprint="x", started_at=started_at)

    assert forget_old() == 2
    assert [answer.key for answer in StoredAnswer.objects.all()] == ["new"]
