"""The samples of docs/webhooks.md work on what Palms really sends."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.needs import missing
from tests.webhooks.conftest import staff_of
from tests.webhooks.receiver import Receiver
from webhooks import services
from webhooks.models import Endpoint
from webhooks.rules import TYPES, new_secret

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "webhooks.md").read_text()
CALLS = {
    "js": ("node", "-e", "{code}\nconst [secret, headers, body] = JSON.parse(process.argv[1]);"
           "console.log(isGenuine(secret, headers, Buffer.from(body)));"),
    "php": ("php", "-r", "{code}\n[$secret, $headers, $body] = json_decode($argv[1], true);"
            "echo is_genuine($secret, $headers, $body) ? 'true' : 'false';"),
}  # fmt: skip
pytestmark = pytest.mark.django_db(transaction=True)


def sample(language: str) -> str:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)[0]  # type: ignore[no-any-return]


def verifier(language: str) -> Callable[[str, dict[str, str], bytes], bool]:
    if language == "python":
        scope: dict[str, Any] = {}
        exec(sample("python"), scope)
        found: Callable[[str, dict[str, str], bytes], bool] = scope["is_genuine"]
        return found
    program, option, around = CALLS[language]
    if shutil.which(program) is None:
        missing(f"no {program} here")

    def ask(secret: str, headers: dict[str, str], body: bytes) -> bool:
        told = json.dumps([secret, headers, body.decode()])
        command = [program, option, around.replace("{code}", sample(language)), told]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "true"

    return ask


@pytest.mark.parametrize("language", ["python", "php", "js"])
def test_a_sample_knows_genuine_from_forged(language: str, endpoint: Endpoint, receiver: Receiver) -> None:
    check = verifier(language)
    _endpoint, second = services.rotate_secret(endpoint_id=endpoint.pk, actor=staff_of(endpoint.club))
    services.send_test(endpoint_id=endpoint.pk, actor=staff_of(endpoint.club))
    services.deliver_due()
    (got,) = receiver.got
    for secret in (receiver.secrets[0], second):
        assert check(secret, got.headers, got.body)
    assert not check(new_secret(), got.headers, got.body)
    assert not check(second, got.headers, got.body + b" ")
    assert not check(second, got.headers | {"webhook-timestamp": "1"}, got.body)
    assert not check(second, got.headers | {"webhook-id": "evt_1"}, got.body)


def test_every_event_is_in_the_guide() -> None:
    assert all(f"`{name}`" in GUIDE for name in TYPES)
