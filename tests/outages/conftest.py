"""One platform for all outages: it stands a while until it runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.outages.platform import Platform


@pytest.fixture(scope="package")
def palms() -> Iterator[Platform]:
    with Platform(days=8) as platform:
        yield platform
