"""The real thing on ports of its own, each server of which can be killed: PostgreSQL, broker, site, worker, beat, bank."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import psycopg

from palms.embedded import folder, parts, places, processes
from palms.embedded.broker import BrokerServer
from palms.embedded.options import ROOT, Options
from palms.embedded.postgres import PostgresServer

START_SECONDS = 120.0
PREFIX = "palms-outage-"


@dataclass(frozen=True)
class Elsewhere(Options):
    """The project's code, and data in a folder of its own."""

    home: Path

    @property
    def folder(self) -> Path:
        return self.home


class Platform:
    """with Platform(days=3) as palms: palms.kill_redis(); ...

    PostgreSQL writes through to the disk, as in production. `days` is for how many days the club's six courts are offered;
    `bed` is a sunbed of it behind a lock, `key` its CRM's.
    """

    def __init__(self, *, days: int) -> None:
        self.home = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.options = Elsewhere(
            ROOT, "127.0.0.1", processes.free_port(), processes.free_port(), "", "", home=self.home
        )
        self.site, self.bank = self.options.site, self.options.sandbox
        self.postgres = PostgresServer(self.home / "postgres", log=self.home / "postgres.log")
        self.broker = BrokerServer(self.home / "broker", log=self.home / "broker.log")
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.slots: list[int] = []
        self.bed, self.key = 0, ""
        self._days = days

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> None:
        folder.prepare(self.home)
        self.postgres.start()
        self.broker.start()
        urls = {"DATABASE_URL": self.postgres.url, "REDIS_URL": self.broker.url}
        self.env = parts.environment(self.options, urls, folder.keys(self.home)) | {
            "PALMS_ALLOWED_HOSTS": self.options.allowed_hosts,
            "PALMS_BASE_URL": self.site,
            "PALMS_MAIL_DIR": str(self.home / "mail"),
            "YOOKASSA_API_URL": f"{self.bank}/v3",
        }
        self.manage("migrate", "--verbosity", "0")
        made = self._run("-m", "tests.outages.seed", str(self._days))
        there = json.loads(made.stdout)
        self.slots, self.bed, self.key = there["slots"], there["bed"], there["key"]
        self._launch(parts.sandbox(self.options, self.env), parts.web(self.options, self.env))
        self._wait_for_site()
        self.start_workers()

    def _launch(self, *new: parts.Part) -> None:
        for part in new:
            self.running[part.name] = processes.start(part.command, log=self.log(part.name))

    def log(self, name: str) -> Path:
        return self.home / "logs" / f"{name}.log"

    def _wait_for_site(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.site}/health/ready", trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise RuntimeError(f"the site does not start:\n{processes.tail(self.log('web'))}")

    def kill_redis(self) -> None:
        assert self.broker.process is not None
        processes.kill_session(self.broker.process)

    def start_redis(self) -> None:
        """Start it at the same address, empty: it keeps nothing on disk.

        Celery's worker sometimes ends with its broker (an acknowledgement on its way then is a defect of its library); whoever
        runs it starts it again, as `make run` does and README asks for.
        """
        self.broker.start()
        for part in (parts.worker(self.options, self.env), parts.beat(self.options, self.env)):
            process = self.running.get(part.name)
            if process is not None and process.poll() is not None:
                self._launch(part)

    def kill_workers(self) -> None:
        for name in ("worker", "beat"):
            processes.kill_session(self.running.pop(name))

    def start_workers(self) -> None:
        for schedule in self.home.glob("beat-schedule*"):
            schedule.unlink()
        self._launch(parts.worker(self.options, self.env), parts.beat(self.options, self.env))

    def kill_postgres(self) -> None:
        """SIGKILL for the postmaster and every child it has at this moment; return when all are gone."""
        assert self.postgres.process is not None
        postmaster = self.postgres.process.pid
        family = [postmaster, *children_of(postmaster)]
        for pid in family:
            end_now(pid)
        self.postgres.process.wait()
        deadline = time.monotonic() + 10
        while any(alive(pid) for pid in family):
            assert time.monotonic() < deadline, "PostgreSQL survives kill -9"
            time.sleep(0.01)
        self.postgres.stop()

    def start_postgres(self) -> float:
        """Start it on the same port; return the monotonic moment at which it took connections."""
        self.postgres.start(self.postgres.port)
        return time.monotonic()

    def sql(self, query: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            return connection.execute(query, parameters).fetchall()  # type: ignore[arg-type]

    def manage(self, *what: str) -> str:
        """Run a command of manage.py; raise with what it printed when it fails."""
        done = self._run("manage.py", *what)
        return done.stdout + done.stderr

    def _run(self, *args: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, *args], cwd=ROOT, env=self.env, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise AssertionError(f"{args} failed:\n{done.stdout}{done.stderr}")
        return done

    def stop(self) -> None:
        for process in reversed(self.running.values()):
            processes.stop(process, (signal.SIGTERM, 5))
        self.broker.stop()
        self.postgres.stop()
        places.forget(self.home / "postgres")
        places.forget(self.home)


def children_of(pid: int) -> list[int]:
    """Return the processes that a process of ours has started."""
    if sys.platform.startswith("linux"):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(child) for child in found.stdout.split()]


def end_now(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
