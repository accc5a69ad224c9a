"""`python -m palms.embedded run | postgres | forget | manage COMMAND`."""

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path

from palms.embedded import places
from palms.embedded.locks import FolderLock
from palms.embedded.make import watch_make
from palms.embedded.options import ROOT, read_options
from palms.embedded.postgres import end_orphan, temporary_server
from palms.embedded.problem import StartProblem
from palms.embedded.supervisor import RUNNING, Supervisor, say


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("palms.embedded", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="the whole platform with demo data, until Ctrl-C")
    run.add_argument("--for-make", action="store_true", help="stop together with the make that started this")
    commands.add_parser("postgres", help="an empty throw-away PostgreSQL, until Ctrl-C; prints its DATABASE_URL")
    commands.add_parser("forget", help="delete the demo's data and keys")
    manage = commands.add_parser("manage", help="a command of manage.py on the running demo")
    manage.add_argument("what", nargs=argparse.REMAINDER, metavar="COMMAND")
    given = parser.parse_args(arguments)
    try:
        if given.command == "run":
            Supervisor(read_options(), **({"told_to_stop": watch_make()} if given.for_make else {})).run()
        elif given.command == "postgres":
            postgres()
        elif given.command == "manage":
            manage_running(ROOT / ".palms", given.what)
        else:
            forget(ROOT / ".palms")
    except StartProblem as problem:
        sys.stderr.write(f"\n{problem}\n")
        return 1
    return 0


def postgres() -> None:
    """Run a throw-away server: `export PALMS_TEST_DATABASE_URL=...` with what this prints saves its start in each test run."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with temporary_server() as server:
        say(server.url)
        stopped.wait()


def manage_running(folder: Path, what: list[str]) -> None:
    """Become `manage.py WHAT` with the environment of the running demo."""
    try:
        environment = json.loads((folder / RUNNING).read_text())
    except FileNotFoundError:
        raise StartProblem("Nothing runs here. Start it with `make run`, and try again in another window.") from None
    os.execve(sys.executable, [sys.executable, str(ROOT / "manage.py"), *what], os.environ | environment)  # noqa: S606


def forget(folder: Path) -> None:
    """Delete .palms/ and the data that is linked from it."""
    if not folder.exists():
        return
    lock = FolderLock(folder / "lock")
    lock.take(f"The folder {folder}")
    try:
        end_orphan((folder / "postgres").resolve() / "data")
        places.forget(folder / "postgres")
        places.forget(folder)
    finally:
        lock.release()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
