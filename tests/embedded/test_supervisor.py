"""`make run` over a stand-in platform: everything starts, what dies is cared for, and nothing is left behind."""

import json
import os
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from palms.embedded import places
from tests.embedded.standin import SCRIPT, StandIn, stop

pytestmark = pytest.mark.xdist_group("embedded")


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[StandIn]:
    project = StandIn(tmp_path / "a checkout with spaces")
    yield project
    for pid in project.processes():
        os.kill(pid, signal.SIGKILL)
    places.forget(project.root / ".palms" / "postgres")


def _answer(stand_in: StandIn) -> str:
    with urllib.request.urlopen(stand_in.site, timeout=5) as response:
        return response.read().decode()


def _wait_until(condition, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.1)


def test_what_is_printed_is_written_for_scripts_too(stand_in: StandIn) -> None:
    process = stand_in.start()
    card = stand_in.card()
    out, err, _ = stop(process)

    port, sandbox_port = stand_in.env["PORT"], stand_in.env["SANDBOX_PORT"]
    assert card == {
        "site": f"http://127.0.0.1:{port}",
        "sandbox": f"http://127.0.0.1:{sandbox_port}",
        "api": {"url": f"http://127.0.0.1:{port}/api/v1", "key": "k"},
        "admin": {
            "url": f"http://127.0.0.1:{port}/admin/",
            "users": [{"role": "owner", "login": "owner@example.com", "password": "secret"}],
        },
    }
    for word in (card["site"], card["sandbox"], "owner@example.com", "5555 5555 5555 4444"):
        assert word in out
    assert err == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_within_seconds(stand_in: StandIn, number: signal.Signals) -> None:
    process = stand_in.start()
    assert len(stand_in.processes()) >= 8

    out, err, seconds = stop(process, number)

    assert (process.returncode, err) == (0, "")
    assert out.endswith("Stopped.\n")
    assert stand_in.processes() == {}
    assert seconds < 8


def test_a_second_run_keeps_keys_and_data_and_is_quick(stand_in: StandIn) -> None:
    process = stand_in.start()
    first = _answer(stand_in)
    stop(process)

    began = time.monotonic()
    process = stand_in.start()
    seconds = time.monotonic() - began

    assert _answer(stand_in) == first
    assert seconds < 10
    stop(process)


def test_keys_and_logins_are_readable_by_their_owner_only(stand_in: StandIn) -> None:
    stop(stand_in.start())

    for name in ("env", "demo.json"):
        assert (stand_in.root / ".palms" / name).stat().st_mode & 0o077 == 0
    assert (stand_in.root / ".palms").stat().st_mode & 0o077 == 0


def test_a_second_run_at_the_same_time_is_refused(stand_in: StandIn) -> None:
    process = stand_in.start()

    second = stand_in.launch()
    _, err = second.communicate(timeout=30)

    assert second.returncode == 1
    assert err.strip() == (
        f"The folder {stand_in.root}/.palms is already in use by process {process.pid}. "
        "Stop that one first (Ctrl-C in its terminal)."
    )
    assert _answer(stand_in)  # and the first one lives on
    stop(process)


def test_a_stale_lock_file_blocks_nobody(stand_in: StandIn) -> None:
    (stand_in.root / ".palms").mkdir()
    (stand_in.root / ".palms" / "lock").write_text("1\n")

    process = stand_in.start()

    assert _answer(stand_in)
    stop(process)


@pytest.mark.parametrize("name", ["PORT", "SANDBOX_PORT"])
def test_a_used_port_is_named_with_the_way_out(stand_in: StandIn, name: str) -> None:
    port = int(stand_in.env[name])
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        process = stand_in.launch()
        _, err = process.communicate(timeout=30)

    assert process.returncode == 1
    assert f"Port {port} on 127.0.0.1" in err
    assert f"make run {name}=" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("text", ["eighty", "0", "70000", "-1"])
def test_a_port_that_is_none_is_refused(stand_in: StandIn, text: str) -> None:
    stand_in.env["PORT"] = text

    process = stand_in.launch()
    _, err = process.communicate(timeout=30)

    assert process.returncode == 1
    assert err.strip().startswith(f"PORT={text} is not a port.")


def test_a_file_where_the_folder_belongs_gets_a_clear_message(stand_in: StandIn) -> None:
    (stand_in.root / ".palms").write_text("")

    process = stand_in.launch()
    _, err = process.communicate(timeout=30)

    assert process.returncode == 1
    assert err.strip().startswith(f"Cannot read and write {stand_in.root}/.palms")
    assert "Traceback" not in err


def test_a_failing_migration_ends_the_run_with_its_last_words(stand_in: StandIn) -> None:
    (stand_in.root / "break").touch()

    process = stand_in.start()
    _, err = process.communicate(timeout=30)

    assert process.returncode == 1
    assert "Preparing the database failed" in err
    assert "broken on purpose" in err
    assert stand_in.processes() == {}


@pytest.mark.parametrize("word", ["-m sandbox", "palms worker", "palms beat", "valkey-server"])
def test_what_is_not_vital_is_started_again(stand_in: StandIn, word: str) -> None:
    process = stand_in.start()
    before = stand_in.pid_of(word)

    os.kill(before, signal.SIGKILL)

    _wait_until(lambda: any(word in command and pid != before for pid, command in stand_in.processes().items()))
    assert _answer(stand_in)
    out, _, _ = stop(process)
    assert "started again" in out
    assert stand_in.processes() == {}


@pytest.mark.parametrize(("word", "name"), [("gunicorn", "web server"), ("bin/postgres", "PostgreSQL")])
def test_what_is_vital_ends_everything_when_it_dies(stand_in: StandIn, word: str, name: str) -> None:
    process = stand_in.start()

    os.kill(stand_in.pid_of(word), signal.SIGKILL)
    _, err = process.communicate(timeout=30)

    assert process.returncode == 1
    assert f"{name} died" in err
    assert stand_in.processes() == {}


def test_nothing_survives_a_killed_supervisor_and_the_next_one_starts(stand_in: StandIn) -> None:
    process = stand_in.start()

    process.kill()
    process.communicate(timeout=30)

    _wait_until(lambda: stand_in.processes() == {})
    process = stand_in.start()
    assert _answer(stand_in)
    stop(process)


def test_servers_named_by_the_environment_replace_ours(stand_in: StandIn) -> None:
    stand_in.env |= {"DATABASE_URL": "postgres://elsewhere/palms", "REDIS_URL": "redis://127.0.0.1:9/0"}

    process = stand_in.start()
    commands = " ".join(stand_in.processes().values())

    assert "bin/postgres" not in commands
    assert "valkey-server" not in commands
    assert _answer(stand_in)
    assert not (stand_in.root / ".palms" / "postgres").exists()
    stop(process)


def test_make_interrupted_alone_stops_everything(stand_in: StandIn) -> None:
    """A script that sends SIGINT to `make` only: `make` waits for us without a word."""
    command = " ".join(f"'{word}'" for word in [*stand_in.command()[:1], "../run.py", str(stand_in.root), "--for-make"])
    (stand_in.root.parent / "run.py").write_text(SCRIPT)
    (stand_in.root / "Makefile").write_text(f"run:\n\t@true && exec {command}\n")
    stand_in.command = lambda: ["make", "-s", "-C", str(stand_in.root), "run"]  # type: ignore[method-assign]
    process = stand_in.start()
    assert json.loads((stand_in.root / ".palms" / "demo.json").read_text())

    _, _, seconds = stop(process)

    assert stand_in.processes() == {}
    assert seconds < 8


def test_an_address_that_is_not_ours_is_named(stand_in: StandIn) -> None:
    stand_in.env["HOST"] = "192.0.2.1"

    process = stand_in.launch()
    _, err = process.communicate(timeout=30)

    assert process.returncode == 1
    assert err.strip().startswith(f"Cannot listen on 192.0.2.1:{stand_in.env['PORT']} for the site")
    assert "Traceback" not in err
