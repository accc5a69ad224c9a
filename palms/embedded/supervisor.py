"""`make run`: start everything in order, watch it, stop everything in order."""

import contextlib
import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from palms.embedded import folder, parts, processes
from palms.embedded.broker import BrokerServer
from palms.embedded.locks import FolderLock
from palms.embedded.options import Options, require_free_ports
from palms.embedded.parts import Part
from palms.embedded.postgres import PostgresServer
from palms.embedded.problem import StartProblem

HEALTH = "/health/live"
HEALTH_SECONDS = 90.0
RUNNING = "running.json"  # where the running demo is, for `python -m palms.embedded manage`
URLS = ("DATABASE_URL", "REDIS_URL")
STOP_SECONDS = 6.0
LONGEST_PAUSE = 30.0  # before a part that keeps dying is tried again
STEADY_SECONDS = 60.0  # a part that lived this long starts again at once


class StopAsked(Exception):
    """Ctrl-C, SIGTERM, or `make` told to stop."""


class Running:
    """A started part: its process, when it started, and how often it died in a row."""

    def __init__(self, part: Part, log: Path) -> None:
        self.part, self.log = part, log
        self.deaths = 0
        self.due: float | None = None  # dead, and to be started then
        self.start()

    def start(self) -> None:
        self.due = None
        self.started = time.monotonic()
        self.process = processes.start(self.part.command, log=self.log)

    def died(self) -> bool:
        return self.due is None and self.process.poll() is not None

    def pause(self) -> float:
        """Return how long to wait before the next start: 1 s, doubled with each quick death."""
        steady = time.monotonic() - self.started > STEADY_SECONDS
        self.deaths = 1 if steady else self.deaths + 1
        return min(2.0 ** (self.deaths - 1), LONGEST_PAUSE)


class Supervisor:
    """One run of the platform in one folder."""

    def __init__(self, options: Options, *, told_to_stop: Callable[[], bool] = lambda: False) -> None:
        self.options = options
        self.folder = options.folder
        self.running: list[Running] = []
        self.postgres: PostgresServer | None = None
        self.broker: BrokerServer | None = None
        self.lock = FolderLock(self.folder / "lock")
        self._told_to_stop = told_to_stop
        self._signalled = False

    def run(self) -> None:
        """Run until asked to stop.

        Raises:
            StartProblem: something does not start, or something vital died. Everything is stopped by then.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup means: stay
                signal.signal(number, self._on_signal)
        folder.prepare(self.folder)
        self.lock.take(f"The folder {self.folder}")
        try:
            with contextlib.suppress(StopAsked):
                self._start()
                self._watch()
        finally:
            self._stop()
            (self.folder / RUNNING).unlink(missing_ok=True)
            self.lock.release()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signalled = True

    def _heed(self) -> None:
        if self._signalled or self._told_to_stop():
            raise StopAsked

    def _start(self) -> None:
        options = self.options
        (self.folder / "demo.json").unlink(missing_ok=True)  # whoever finds one may trust that the site answers
        for schedule in self.folder.glob("beat-schedule*"):
            schedule.unlink()  # a kill can damage it, and every sweep may run at once anyway
        require_free_ports(options)
        keys = folder.keys(self.folder)
        env = parts.environment(options, self._start_servers(), keys)
        ours = {name: value for name, value in env.items() if name.startswith(("PALMS_", "YOOKASSA_")) or name in URLS}
        folder.write_private(self.folder / RUNNING, json.dumps(ours))
        self._heed()
        logins = str(self.folder / "demo-logins.json")
        self._finish("prepare", parts.python(options, env, "-m", "palms.embedded.prepare", logins))
        self._launch(parts.sandbox(options, env), parts.web(options, env))
        self._wait_for_site()
        self._launch(parts.worker(options, env), parts.beat(options, env))  # later: the site needs the processor first
        card = folder.demo_card(options)
        folder.write_private(self.folder / "demo.json", json.dumps(card, indent=2) + "\n")
        say(folder.words(card, self.folder))

    def _launch(self, *new: Part) -> None:
        for part in new:
            self.running.append(Running(part, folder.fresh_log(self.folder, part.name)))

    def _start_servers(self) -> dict[str, str]:
        """Start the servers that the environment does not name, and return where the two are."""
        database_url, redis_url = self.options.database_url, self.options.redis_url
        if not database_url:
            self.postgres = PostgresServer(self.folder / "postgres", log=folder.fresh_log(self.folder, "postgres"))
            self.postgres.start()
            database_url = self.postgres.url
        if not redis_url:
            self.broker = BrokerServer(self.folder / "broker", log=folder.fresh_log(self.folder, "broker"))
            self.broker.start()
            redis_url = self.broker.url
        return {"DATABASE_URL": database_url, "REDIS_URL": redis_url}

    def _finish(self, name: str, command: processes.Command) -> None:
        """Run a step to its end; it can be interrupted."""
        log = folder.fresh_log(self.folder, name)
        process = processes.start(command, log=log)
        try:
            while process.poll() is None:
                self._heed()
                time.sleep(0.05)
        finally:
            processes.stop(process, (signal.SIGTERM, 2))
        if process.returncode != 0:
            raise StartProblem(f"Preparing the database failed. The end of {log}:\n{processes.tail(log)}")

    def _wait_for_site(self) -> None:
        deadline = time.monotonic() + HEALTH_SECONDS
        while not self._site_answers():
            self._heed()
            self._care_for_parts()
            if time.monotonic() > deadline:
                log = self.folder / "logs" / "web.log"
                raise StartProblem(
                    f"{self.options.site}{HEALTH} does not answer. The end of {log}:\n{processes.tail(log)}"
                )
            time.sleep(0.1)

    def _site_answers(self) -> bool:
        host = self.options.site.removeprefix("http://").rsplit(":", 1)[0].strip("[]")
        line = http.client.HTTPConnection(host, self.options.port, timeout=5)
        try:
            line.request("GET", HEALTH)
            return line.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            line.close()

    def _watch(self) -> None:
        while True:
            self._heed()
            self._care_for_servers()
            self._care_for_parts()
            time.sleep(0.25)

    def _care_for_servers(self) -> None:
        if self.postgres and self.postgres.process and self.postgres.process.poll() is not None:
            raise StartProblem(f"PostgreSQL died. The end of {self.postgres.log}:\n{processes.tail(self.postgres.log)}")
        if self.broker and self.broker.process and self.broker.process.poll() is not None:
            say("The broker died; it is started again.")
            self.broker.start()

    def _care_for_parts(self) -> None:
        for one in self.running:
            if one.died():
                self._after_death(one)
            elif one.due is not None and time.monotonic() >= one.due:
                one.start()

    def _after_death(self, one: Running) -> None:
        processes.kill_session(one.process)
        name, code = one.part.name, one.process.returncode
        if one.part.vital:
            raise StartProblem(f"The {name} server died ({code}). The end of {one.log}:\n{processes.tail(one.log)}")
        pause = one.pause()
        one.due = time.monotonic() + pause
        say(f"The {name} died ({code}); it is started again in {pause:.0f} s. Its log: {one.log}")

    def _stop(self) -> None:
        if self.running:
            say("\nStopping ...")
        beginning = [one.process for one in reversed(self.running)]  # beat, worker, web, sandbox
        for process in beginning:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in beginning:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=max(0.0, deadline - time.monotonic()))
            processes.kill_session(process)
        for server in (self.broker, self.postgres):
            if server is not None:
                server.stop()
        if self.running:
            say("Stopped.")


def say(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads us any more: no reason to leave the servers behind
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
