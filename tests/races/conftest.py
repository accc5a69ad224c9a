"""Every race ends with the same question: does everything that must always hold still hold, and did nobody deadlock?"""

from collections.abc import Iterator

import pytest
from django.db import connections

from tests.races.invariants import broken, deadlocks


@pytest.fixture
def peace(transactional_db: None) -> Iterator[None]:
    """For races on the code as it is: no deadlock while they run, no rule broken after."""
    before = deadlocks()
    yield
    assert broken() == {}
    assert deadlocks() - before == 0


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let connections that threads open from now on wait for a lock as long as the test takes to arrange things."""
    options = connections.settings["default"]["OPTIONS"]
    monkeypatch.setitem(options, "options", f"{options['options']} -c lock_timeout=60000 -c statement_timeout=60000")
