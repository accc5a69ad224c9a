"""The embedded PostgreSQL: starts in any folder, as root and as an ordinary user, whatever the last run left behind."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from palms.embedded import places, processes
from palms.embedded.postgres import PostgresServer
from palms.embedded.problem import StartProblem
from tests.embedded.standin import PROJECT

AS_ROOT = os.geteuid() == 0


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "a folder" / "postgres"
    yield folder
    places.forget(folder)


@pytest.fixture
def server(folder: Path) -> Iterator[PostgresServer]:
    server = _server(folder)
    yield server
    server.stop()


def _server(folder: Path) -> PostgresServer:
    return PostgresServer(folder, log=folder.parents[1] / "postgres.log", throw_away=True)


def _ask(server: PostgresServer, question: str) -> tuple[object, ...] | None:
    with psycopg.connect(server.url) as connection:
        return connection.execute(question).fetchone()


def test_it_speaks_utf8_and_utc_and_has_places_for_a_race_of_200(server: PostgresServer) -> None:
    server.start()

    names = ("server_encoding", "TimeZone", "listen_addresses", "unix_socket_directories")
    answer = _ask(server, "SELECT lower('ПРИВЕТ'), " + ", ".join(f"current_setting('{name}')" for name in names))

    assert answer == ("привет", "UTF8", "UTC", "127.0.0.1", "")
    assert _ask(server, "SELECT current_setting('max_connections')::int >= 300") == (True,)


def test_only_the_throw_away_server_risks_its_data(folder: Path) -> None:
    settings = {}
    for throw_away in (True, False):
        server = PostgresServer(folder, log=folder.parents[1] / "postgres.log", throw_away=throw_away)
        server.start()
        settings[throw_away] = _ask(server, "SELECT current_setting('fsync'), current_setting('full_page_writes')")
        server.stop()

    assert settings == {True: ("off", "off"), False: ("on", "on")}


def test_a_wrong_password_is_refused(server: PostgresServer) -> None:
    server.start()

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(host="127.0.0.1", port=server.port, user="palms", password="guess", dbname="palms")


def test_a_stopped_server_leaves_no_process_and_keeps_its_data(folder: Path, server: PostgresServer) -> None:
    server.start()
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    process = server.process
    assert process is not None
    server.stop()
    assert process.poll() is not None

    server.start()

    assert _ask(server, "SELECT answer FROM kept") == (42,)


def test_open_connections_do_not_delay_the_stop(server: PostgresServer) -> None:
    server.start()
    connection = psycopg.connect(server.url)

    began = time.monotonic()
    server.stop()

    assert time.monotonic() - began < 3
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")


def test_a_second_owner_of_a_folder_is_refused(folder: Path, server: PostgresServer) -> None:
    server.start()

    with pytest.raises(StartProblem, match=f"already in use by process {os.getpid()}. Stop that one first"):
        _server(folder).start()

    assert _ask(server, "SELECT 1") == (1,)


def test_a_stale_pid_that_now_belongs_to_another_program_blocks_nobody(folder: Path, server: PostgresServer) -> None:
    server.start()
    data = folder.resolve() / "data"
    rows = (data / "postmaster.pid").read_text().splitlines()
    server.stop()
    (data / "postmaster.pid").write_text("\n".join([str(os.getpid()), *rows[1:]]) + "\n")

    server.start()

    assert _ask(server, "SELECT 1") == (1,)


def test_a_server_without_owner_is_ended_by_the_next_start(folder: Path, server: PostgresServer) -> None:
    orphan = _server(folder)
    orphan.start()
    assert orphan._lock is not None
    assert orphan.process is not None
    orphan._lock.release()  # as the kernel does when the owner is killed

    server.start()

    assert orphan.process.wait(timeout=5) == 0
    assert _ask(server, "SELECT 1") == (1,)


def test_a_server_dies_with_the_process_that_started_it(folder: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from palms.embedded.postgres import PostgresServer\n"
        "server = PostgresServer(Path(sys.argv[1]), log=Path(sys.argv[2]), throw_away=True); server.start()\n"
        "print(server.process.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(folder), str(folder.parents[1] / "log")], cwd=PROJECT, stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())

    parent.kill()
    parent.communicate()

    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}/exe").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not (folder.resolve() / "data" / "postmaster.pid").exists()


def test_data_of_another_major_version_is_refused_and_left_alone(folder: Path, server: PostgresServer) -> None:
    server.start()
    server.stop()
    version = folder.resolve() / "data" / "PG_VERSION"
    version.write_text("15\n")

    with pytest.raises(StartProblem, match=r"was made by PostgreSQL 15, and this is PostgreSQL 18\..* move .* away"):
        server.start()

    assert version.read_text() == "15\n"


def test_data_that_is_none_is_refused_and_left_alone(folder: Path, server: PostgresServer) -> None:
    server.start()
    server.stop()
    (folder.resolve() / "data" / "PG_VERSION").unlink()

    with pytest.raises(StartProblem, match=r"holds no PostgreSQL data. Move .* away"):
        server.start()


def test_damaged_data_is_reported_with_the_servers_last_words(folder: Path, server: PostgresServer) -> None:
    server.start()
    server.stop()
    (folder.resolve() / "data" / "global" / "pg_control").write_bytes(b"")

    with pytest.raises(StartProblem, match=r"does not start. Its last words:\n[^$]*pg_control"):
        server.start()


def test_an_initdb_killed_half_way_leaves_nothing_in_the_way(folder: Path, server: PostgresServer) -> None:
    home = places.place_for(folder).home
    (home / "draft-killed" / "data").mkdir(parents=True)
    (home / "password").write_text("of the killed one\n")

    server.start()

    assert _ask(server, "SELECT 1") == (1,)


def test_no_folder_above_ours_is_touched(tmp_path: Path, folder: Path, server: PostgresServer) -> None:
    tmp_path.chmod(0o700)
    above = [*tmp_path.parents, tmp_path]
    before = [(path, path.stat().st_mode, path.stat().st_uid) for path in above]

    server.start()

    assert [(path, path.stat().st_mode, path.stat().st_uid) for path in above] == before
    assert _ask(server, "SELECT 1") == (1,)


def test_the_password_is_readable_by_its_owner_only(folder: Path, server: PostgresServer) -> None:
    server.start()

    assert (folder / "password").stat().st_mode & 0o777 == 0o600
    assert (folder.resolve() / "data").stat().st_mode & 0o777 == 0o700
    assert server.process is not None
    assert server._password not in Path(f"/proc/{server.process.pid}/cmdline").read_text()


@pytest.mark.skipif(not AS_ROOT, reason="only root has to change the user")
class TestAsRoot:
    def test_the_server_runs_unprivileged_on_data_linked_from_the_folder(
        self, folder: Path, server: PostgresServer
    ) -> None:
        server.start()

        assert server.process is not None
        uid = Path(f"/proc/{server.process.pid}").stat().st_uid
        assert pwd.getpwuid(uid).pw_name in (places.ACCOUNT_NAME, "nobody")
        assert folder.is_symlink()
        assert folder.resolve().parent == places.SERVER_HOME

    def test_a_new_checkout_at_an_old_path_does_not_find_the_old_data(
        self, folder: Path, server: PostgresServer
    ) -> None:
        server.start()
        server.stop()
        old = folder.resolve()
        folder.unlink()

        server.start()

        assert folder.resolve() != old
        shutil.rmtree(old)

    def test_another_users_data_is_refused_and_left_alone(self, folder: Path, server: PostgresServer) -> None:
        folder.mkdir(parents=True)
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)

        with pytest.raises(StartProblem, match="was made by user nobody.* Start as that user, or move"):
            server.start()

        assert list(folder.iterdir()) == []


class TestAsOrdinaryUser:
    """As root, in a child process under an unprivileged account."""

    def _run(self, script: str, folder: Path) -> subprocess.CompletedProcess[str]:
        account = self._account()
        return subprocess.run(
            [self._python(account), "-c", script, str(folder)],
            cwd=PROJECT,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **({"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if AS_ROOT else {}),
        )

    @staticmethod
    def _account() -> pwd.struct_passwd:
        return pwd.getpwnam("nobody") if AS_ROOT else pwd.getpwuid(os.geteuid())

    @staticmethod
    def _python(account: pwd.struct_passwd) -> str:
        """Return a Python that the account can run and that finds our packages."""
        for name in (sys.executable, f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}"):
            with_packages = {
                "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
                "PATH": os.environ["PATH"],
            }
            who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if AS_ROOT else {}
            try:
                tried = subprocess.run(
                    [name, "-c", "import psycopg, palms.embedded.postgres"],
                    cwd=PROJECT,
                    env=with_packages,
                    check=False,
                    **who,
                )
            except OSError:
                continue
            if tried.returncode == 0:
                return name
        pytest.skip(f"the checkout or Python lies where user {account.pw_name} cannot go")

    @pytest.fixture
    def open_folder(self) -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(prefix="palms-ordinary-"))
        os.chown(folder, self._account().pw_uid, self._account().pw_gid)
        yield folder
        shutil.rmtree(folder)

    START = (
        "import os, sys, psycopg\n"
        "from pathlib import Path\n"
        "from palms.embedded.postgres import PostgresServer\n"
        "from palms.embedded.problem import StartProblem\n"
        "server = PostgresServer(Path(sys.argv[1]) / 'postgres', log=Path(sys.argv[1]) / 'log', throw_away=True)\n"
        "try:\n    server.start()\n"
        "except StartProblem as problem:\n    sys.exit(str(problem))\n"
        "print(os.stat(f'/proc/{server.process.pid}').st_uid, psycopg.connect(server.url).execute('SELECT 1').fetchone())\n"
        "server.stop()\n"
    )

    def test_the_server_runs_as_that_user_in_the_folder_itself(self, open_folder: Path) -> None:
        done = self._run(self.START, open_folder)

        assert (done.stderr, done.stdout) == ("", f"{self._account().pw_uid} (1,)\n")
        assert (open_folder / "postgres" / "data" / "PG_VERSION").exists()
        assert not (open_folder / "postgres").is_symlink()

    def test_an_unreadable_folder_gets_a_clear_message(self, open_folder: Path) -> None:
        (open_folder / "postgres").mkdir()
        os.chown(open_folder / "postgres", 0 if AS_ROOT else os.geteuid(), 0 if AS_ROOT else os.getegid())
        (open_folder / "postgres").chmod(0o000)

        done = self._run(self.START, open_folder)

        assert done.returncode == 1
        assert "postgres" in done.stderr
        assert "away to start with empty data" in done.stderr
        assert "Traceback" not in done.stderr
        (open_folder / "postgres").chmod(0o700)


def test_children_are_signalled_when_we_die() -> None:
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom palms.embedded.processes import Command, start\n"
        "child = start(Command(['sleep', '60'], Path('/'), {'PATH': '/usr/bin:/bin'}), log=Path('/dev/null'))\n"
        "print(child.pid, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=False)

    assert done.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 5
    while Path(f"/proc/{done.stdout.strip()}/exe").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    with pytest.raises(OSError, match="No such|Permission"):
        os.readlink(f"/proc/{done.stdout.strip()}/exe")


def test_a_bound_port_is_not_free() -> None:
    port = processes.free_port()
    assert processes.port_is_free("127.0.0.1", port)

    with socket.create_server(("127.0.0.1", port)):
        assert not processes.port_is_free("127.0.0.1", port)
