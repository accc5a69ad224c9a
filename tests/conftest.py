"""What every test may use. The database server and the environment come from tests/embedded/plugin.py."""

import os
import shutil

import pytest

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


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
