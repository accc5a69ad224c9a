"""PostgreSQL from the wheel, run by our own few lines: initdb once, `postgres` as our child, TCP on 127.0.0.1 with a password."""

import contextlib
import os
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg

from palms.embedded import places, processes
from palms.embedded.locks import FolderLock
from palms.embedded.places import Place
from palms.embedded.problem import StartProblem

ROLE = DATABASE = "palms"
SETTINGS = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",  # a socket's path may have 107 bytes; a checkout's may have more
    "max_connections=300",  # a race of 200, and those who look on
    "timezone=UTC",
    "log_timezone=UTC",
    "log_min_messages=warning",
    "log_statement=none",
    "jit=off",
)
THROW_AWAY = (
    "max_connections=500",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "autovacuum=off",
    "max_wal_size=4GB",
)
START_SECONDS = 60.0  # a killed server replays its log first
TEST_PREFIX = "palms-test-"


class PostgresServer:
    """One server on one folder: `start` answers when it takes connections at `url`, `stop` when it is gone."""

    def __init__(self, folder: Path, *, log: Path, throw_away: bool = False) -> None:
        self.folder, self.log, self.throw_away = folder.absolute(), log, throw_away
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._lock: FolderLock | None = None
        self._password = ""

    @property
    def url(self) -> str:
        """The DATABASE_URL of the running server."""
        return f"postgres://{ROLE}:{self._password}@127.0.0.1:{self.port}/{DATABASE}"

    def start(self, port: int | None = None) -> None:
        """Start on `port`, or on any free one.

        Raises:
            StartProblem: it does not start, with the reason and what to do.
        """
        place = places.place_for(self.folder)
        self._lock = FolderLock(place.home / "lock")
        self._lock.take(f"The PostgreSQL data in {self.folder}")
        try:
            self._start(place, port)
        except BaseException:
            self.stop()
            raise

    def _start(self, place: Place, port: int | None) -> None:
        self._require_same_version(place)
        self._initialise(place)
        self._password = place.password.read_text().strip()
        end_orphan(place.data)
        for _ in range(3):  # a free port can be taken by somebody else before we bind it
            self.port = port or processes.free_port()
            self.process = processes.start(self._command(place), log=self.log)
            if self._ready(place):
                break
        else:
            raise StartProblem(
                f"PostgreSQL on {self.folder} does not start. Its last words:\n{processes.tail(self.log)}"
            )
        self._make_database()

    def stop(self) -> None:
        """Stop in order (open connections are cut), within seconds; nothing happens when it does not run."""
        if self.process is not None:
            processes.stop(self.process, (signal.SIGINT, 8), (signal.SIGQUIT, 3))
            self.process = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _command(self, place: Place) -> processes.Command:
        settings = [*SETTINGS, *(THROW_AWAY if self.throw_away else ()), f"port={self.port}"]
        options = [part for setting in settings for part in ("-c", setting)]
        args = [str(place.binaries / "postgres"), "-D", str(place.data), *options]
        return processes.Command(args, place.home, _environment(), place.account, signal.SIGINT)

    def _ready(self, place: Place) -> bool:
        """Wait until postmaster.pid says ready; False when the process ended instead."""
        deadline = time.monotonic() + START_SECONDS
        while self.process is not None and self.process.poll() is None:
            if _pid_file(place.data)[7:8] == ["ready"]:
                return True
            if time.monotonic() > deadline:
                raise StartProblem(
                    f"PostgreSQL is not ready after {START_SECONDS:.0f} seconds:\n{processes.tail(self.log)}"
                )
            time.sleep(0.02)
        return False

    def _make_database(self) -> None:
        always_there = f"{self.url.removesuffix(DATABASE)}postgres"
        with psycopg.connect(always_there, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _require_same_version(self, place: Place) -> None:
        with contextlib.suppress(FileNotFoundError):
            theirs = (place.data / "PG_VERSION").read_text().strip()
            ours = places.wheel_version().split(".")[0]
            if theirs != ours:
                raise StartProblem(
                    f"The data in {self.folder} was made by PostgreSQL {theirs}, and this is PostgreSQL {ours}. Go back to the "
                    f"version of Palms that made it to dump it, or move {self.folder} away to start with empty data."
                )

    def _initialise(self, place: Place) -> None:
        """Make the data folder once: in a draft that is renamed when complete, so a kill leaves no half of it."""
        if place.data.exists():
            if not (place.data / "PG_VERSION").exists():
                raise StartProblem(
                    f"{place.data} holds no PostgreSQL data. Move {self.folder} away to start with empty data."
                )
            return
        _write_secret(place.password, secrets.token_urlsafe(24))
        draft = Path(tempfile.mkdtemp(prefix="draft-", dir=place.home))
        place.hand_over(draft)
        try:
            self._run_initdb(place, draft)
            (draft / "data").rename(place.data)
        finally:
            with contextlib.suppress(OSError):
                (draft / "password").unlink()
                draft.rmdir()

    def _run_initdb(self, place: Place, draft: Path) -> None:
        password = draft / "password"
        _write_secret(password, place.password.read_text())
        account = place.account
        if account:
            os.chown(password, account.uid, account.gid)
        made = subprocess.run(
            [
                str(place.binaries / "initdb"),
                *("-D", str(draft / "data"), "-U", ROLE, f"--pwfile={password}", "--auth=scram-sha-256"),
                *(
                    "--encoding=UTF8",
                    "--locale=C.UTF-8",
                    "--no-instructions",
                    *(["--no-sync"] if self.throw_away else []),
                ),
            ],
            cwd=draft,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            check=False,
        )
        if made.returncode != 0:
            raise StartProblem(f"PostgreSQL cannot make its data in {self.folder}:\n{made.stderr.strip()}")


def end_orphan(data: Path) -> None:
    """Clear what a killed run left: end a server still running on `data`, remove a postmaster.pid of one that is not.

    The caller holds the folder's lock, so such a server has no owner. PostgreSQL trusts any living process of that id, and
    after a restart of the machine (or of a container) the id may well be somebody else's.
    """
    rows = _pid_file(data)
    if not rows:
        return
    pid = int(rows[0]) if rows[0].lstrip("-").isdigit() else 0
    if pid > 0 and _is_server_of(pid, data):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + 10
        while _is_server_of(pid, data):
            if time.monotonic() > deadline:
                raise StartProblem(
                    f"PostgreSQL (process {pid}) still runs on {data} and does not stop. End it: kill -9 {pid}"
                )
            time.sleep(0.05)
    (data / "postmaster.pid").unlink(missing_ok=True)


@contextlib.contextmanager
def temporary_server() -> Iterator[PostgresServer]:
    """A throw-away server with an empty database, gone with its data at the end; for tests."""
    sweep_temporary()
    folder = Path(tempfile.mkdtemp(prefix=TEST_PREFIX))
    server = PostgresServer(folder / "postgres", log=folder / "postgres.log", throw_away=True)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        places.forget(folder / "postgres")
        places.forget(folder)


def sweep_temporary() -> None:
    """Remove the temporary servers' folders that killed runs left behind: ours, and locked by nobody."""
    for folder in Path(tempfile.gettempdir()).glob(f"{TEST_PREFIX}*"):
        with contextlib.suppress(OSError):
            lock = FolderLock(folder / "postgres" / "lock")
            if (
                folder.stat().st_uid != os.geteuid()
                or time.time() - folder.stat().st_mtime < 600
                or not lock.try_take()
            ):
                continue
            end_orphan(folder / "postgres" / "data")
            lock.release()
            places.forget(folder / "postgres")
            places.forget(folder)


def _pid_file(data: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return [row.strip() for row in (data / "postmaster.pid").read_text().splitlines()]
    return []


def _is_server_of(pid: int, data: Path) -> bool:
    """Return whether that process is a PostgreSQL server on that folder, by its command line."""
    try:
        words: Sequence[str] = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    except OSError:
        words = subprocess.run(  # no /proc here: ask ps
            ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout.split(" ")
    return any("postgres" in word for word in words[:1]) and str(data) in " ".join(words)


def _write_secret(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text.strip() + "\n")


def _environment() -> dict[str, str]:
    """A bare environment: PG* variables and locales of the person at the keyboard must not change the server."""
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
