"""What every test may use. The database server and the environment come from tests/embedded/plugin.py."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest

from tests.bank import Bank

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# How long an example takes says how busy the machine is, not whether the rule holds.
hypothesis.settings.register_profile(
    "palms", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("palms")


@pytest.fixture(autouse=True)
def _browser_where_needed(request: pytest.FixtureRequest) -> None:
    """Let every browser test depend on the browser, whether it asks for its path or not."""
    if request.node.get_closest_marker("browser"):
        request.getfixturevalue("chromium_path")


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The system's Chromium. Without one the test is skipped, or fails where PALMS_BROWSER=require."""
    wanted = os.environ.get("CHROMIUM")
    for name in (wanted,) if wanted else CHROMIUM_NAMES:
        found = shutil.which(name)
        if found:
            return found
    reason = f"no Chromium found (looked for {wanted or ', '.join(CHROMIUM_NAMES)}): install one, or set CHROMIUM to its path"
    if os.environ.get("PALMS_BROWSER") == "require":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def running_bank() -> Iterator[Bank]:
    """One sandbox bank per test process."""
    with Bank() as bank:
        yield bank


@pytest.fixture
def bank(running_bank: Bank, settings: Any) -> Iterator[Bank]:
    """The sandbox bank, empty and honest, and Palms pointed at it. Nobody is notified unless `notify_url` is set."""
    running_bank.reset()
    running_bank.clear_faults()
    running_bank.notify_url = None
    settings.YOOKASSA_API_URL = running_bank.api_url
    return running_bank
