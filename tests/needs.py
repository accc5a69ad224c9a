"""Programs of the machine that some tests need. Where one is missing they are skipped; PALMS_TOOLS=require fails them."""

import os
from typing import NoReturn

import pytest


def missing(reason: str) -> NoReturn:
    """End the test here: failed where everything has to be there, as in .ci/run, else skipped with its reason."""
    if os.environ.get("PALMS_TOOLS") == "require":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
