"""docs/api.md: its shell runs from top to bottom against the running site and bank, and it has a line for every code."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from clubs.services import make_api_key
from palms.actors import SYSTEM
from palms.document import build
from palms.openapi import refusals
from tests.api.test_codes import PROOFS
from tests.bank import Bank
from tests.factories import AreaFactory, ClubFactory, ProviderAccountFactory, SlotFactory, ahead
from tests.needs import missing
from tests.play import sunbed

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "api.md").read_text()
NEXT = "-- next block --"


def blocks(text: str = GUIDE) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


def run(script: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        capture_output=True, text=True, timeout=100, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"} | env,
    )  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_the_tours_run(live_server: Any, bank: Bank, settings: Any) -> None:
    if not (shutil.which("curl") and shutil.which("jq")):
        missing("no curl or no jq here")
    settings.BASE_URL = live_server.url
    settings.PALMS_WEBHOOKS_ALLOW_PRIVATE = True  # as `make run` does: no name is looked up
    club = ClubFactory(slug="palms-tennis")
    ProviderAccountFactory(club=club)
    AreaFactory(club=club)
    SlotFactory(club=club, start=ahead() + timedelta(days=1))
    sunbed(club__slug="laguna")
    key = make_api_key(club_id=club.pk, name="CRM", actor=SYSTEM)[1]
    script = f"\necho '{NEXT}'\n".join(blocks())

    known = {"KEY": key, "S": f"{live_server.url}/api/v1", "BANK": bank.url}

    done = run(script, **known)

    assert done.returncode == 0, (done.stdout, done.stderr)
    said = done.stdout.split(NEXT)
    assert len(said) == len(blocks())
    for block, output in zip(blocks(), said, strict=True):
        for words in re.findall(r"# -> (.+)", block):
            assert words in output, (block, output, done.stderr)
    expected = re.findall(r"# -> (.+)", "".join(blocks()))
    assert len(expected) > 10
    told = set(re.findall(r'"?code"?: "(\w+)"', done.stdout))
    assert told <= {"validation_failed", "transition_not_allowed"}, "nothing else is refused on the way"
    again = run("\n".join(blocks(GUIDE.split("## A customer's booking")[0])), **known)
    assert (again.returncode, "CANCELED_BY_CLUB true" in again.stdout) == (0, True), (again.stdout, again.stderr)


def test_the_first_booking_takes_ten_calls_at_most() -> None:
    tour = GUIDE.split("## A CRM's first booking")[1].split("That is a booking")[0]

    assert 3 <= tour.count("curl -s") <= 10


def lines() -> dict[str, tuple[int, str]]:
    """Return {code: (status, advice)} of the table of errors; a code stands there once."""
    table = GUIDE.split("## Errors")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\d{3}) \| `(\w+)` \| (.+) \|$", table, re.MULTILINE)
    assert len({code for _status, code, _advice in rows}) == len(rows)
    return {code: (int(status), advice) for status, code, advice in rows}


def test_every_code_has_its_status_and_what_to_do() -> None:
    assert set(lines()) == set(PROOFS)
    for code, (status, advice) in lines().items():
        assert status == refusals()[code][0], code
        assert len(advice) > 10, code


def test_every_call_of_a_club_is_named() -> None:
    text = GUIDE + (ROOT / "docs" / "webhooks.md").read_text()
    for path in build()["paths"]:
        if "/club/" in path:
            assert re.sub(r"\{\w+\}", ":id", path.removeprefix("/api/v1")) in text, path
