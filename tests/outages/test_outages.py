"""Under load, on the real thing: helpers gone stop no sale, PostgreSQL's death loses nothing, and all is well again by itself.

`python -m benchmarks.outages` plays the same for ten minutes each, and holds the figures.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.outages.customers import Crowd
from tests.outages.platform import Platform
from tests.outages.proof import settled, without, without_postgres

pytestmark = [pytest.mark.xdist_group("outages"), pytest.mark.timeout(600)]
SECONDS, AROUND = 12.0, 5.0  # of an outage; before and after it
DRAINED = 150.0  # a busy machine's; the benchmark holds 60
RECOVERED = 15.0  # a busy machine's; the benchmark holds 5
Say = Callable[[str, object], None]


def test_with_redis_gone_workers_gone_or_both_sales_go_on_and_the_backlog_drains(
    palms: Platform, record_property: Say
) -> None:
    def kill_both() -> None:
        palms.kill_redis()
        palms.kill_workers()

    def start_both() -> None:
        palms.start_redis()
        palms.start_workers()

    plan = {
        "redis": (palms.kill_redis, palms.start_redis),
        "workers": (palms.kill_workers, palms.start_workers),
        "both": (kill_both, start_both),
    }
    with Crowd(palms.site, palms.slots) as crowd:
        outages = [
            without(palms, crowd, name, *acts, seconds=SECONDS, around=AROUND, limit=DRAINED)
            for name, acts in plan.items()
        ]
    for outage in outages:
        record_property(outage.name, str(outage))
        assert outage.during > 0, "nobody could buy"
        assert outage.drained is not None, "the backlog does not drain"
    assert any(outage.waiting for outage in outages), "nothing has waited: nothing was proved"
    assert settled(palms, crowd) == []


def test_postgres_killed_under_load_loses_nothing_and_the_site_recovers_by_itself(
    palms: Platform, record_property: Say
) -> None:
    unsold = palms.slots[len(palms.slots) // 2 :]
    with Crowd(palms.site, unsold) as crowd:
        death = without_postgres(palms, crowd, around=AROUND, seconds=5, limit=RECOVERED)
        again = without_postgres(palms, crowd, around=AROUND, seconds=1, limit=RECOVERED)
    for one in (death, again):
        record_property("death", str(one))
        assert one.lost == []
        assert one.page is not None, "no page after PostgreSQL came back"
        assert one.checkout is not None, "no checkout after PostgreSQL came back"
    seen = crowd.ledger.statuses(0, float("inf"))
    assert seen[503] > 0, "nobody noticed: nothing was proved"
    assert settled(palms, crowd) == []
