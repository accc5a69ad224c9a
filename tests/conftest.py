"""What every test may use. The database server and the environment come from tests/embedded/plugin.py."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest

from tests import audited, emptying, guard
from tests.bank import Bank
from tests.needs import missing

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# How long an example takes says how busy the machine is, not whether the rule holds.
hypothesis.settings.register_profile(
    "palms", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("palms")
guard.install()
emptying.install()


@pytest.fixture(autouse=True)
def _guarded() -> Iterator[None]:
    """Fail every test in which Palms calls the outside without a named point, or inside a transaction."""
    with guard.watching():
        yield


@pytest.fixture(autouse=True)
def _audited(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail every test after which a rule of the audit is broken, but for those that its mark `breaks_rules` names."""
    in_database = {"db", "transactional_db", "live_server"} & set(request.fixturenames)
    if not in_database and request.node.get_closest_marker("django_db") is None:
        yield
        return
    request.getfixturevalue("db")  # set up before us, so its rows go after us
    yield
    on_purpose = {rule for mark in request.node.iter_markers("breaks_rules") for rule in mark.args}
    found = audited.broken(but=on_purpose)
    assert not found, f"the audit after this test: {found}"


@pytest.fixture(autouse=True)
def _browser_where_needed(request: pytest.FixtureRequest) -> None:
    """Let every browser test depend on the browser, whether it asks for its path or not."""
    if request.node.get_closest_marker("browser"):
        request.getfixturevalue("chromium_path")


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The system's Chromium. Without one the test ends (tests/needs.py)."""
    wanted = os.environ.get("CHROMIUM")
    names = (wanted,) if wanted else CHROMIUM_NAMES
    found = next((path for name in names if (path := shutil.which(name))), None)
    return found or missing(
        f"no Chromium found (looked for {', '.join(names)}): install one, or set CHROMIUM to its path"
    )


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
