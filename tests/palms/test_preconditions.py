"""If-Match and updated_since."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from palms.errors import DomainError, StaleVersion, ValidationFailed
from palms.preconditions import etag_of, require_version, required_version


def asking(header: str | None) -> Any:
    return SimpleNamespace(headers={} if header is None else {"If-Match": header})


@pytest.mark.parametrize(
    ("header", "version"),
    [
        (None, None),
        ("*", None),
        (etag_of(7), 7),
        (' "7" ', 7),
        ('"other", "7"', 7),
        ('"7" , W/"8"', 7),
        ('"a,b","7"', 7),
        ('"7","7"', 7),
    ],
)
def test_the_version_asked_for(header: str | None, version: int | None) -> None:
    assert required_version(asking(header)) == version


@pytest.mark.parametrize(
    ("header", "refusal"),
    [
        ('W/"7"', StaleVersion),
        ('"other"', StaleVersion),
        ('""', StaleVersion),
        ('"07"', StaleVersion),
        ('"99999999999999999999"', StaleVersion),
        ('"٧"', ValidationFailed),
        ("7", ValidationFailed),
        ("", ValidationFailed),
        ('"7', ValidationFailed),
        ('"7" "8"', ValidationFailed),
        ('"7","8"', ValidationFailed),
        ('*, "7"', ValidationFailed),
        ('"\x00"', ValidationFailed),
        ('"7",' * 1000, ValidationFailed),
    ],
)
def test_what_cannot_match_is_stale_and_garbage_is_named(header: str, refusal: type[DomainError]) -> None:
    with pytest.raises(refusal):
        required_version(asking(header))


def test_the_stored_version_decides() -> None:
    require_version(3, None)
    require_version(3, 3)
    with pytest.raises(StaleVersion) as refused:
        require_version(3, 2)
    assert refused.value.facts == {"version": 3}
