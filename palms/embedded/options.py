"""What the person at the keyboard chose, read from the environment, and what follows from it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from palms.embedded import processes
from palms.embedded.problem import StartProblem

ROOT = Path(__file__).resolve().parents[2]
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104  (asked for by HOST, never our default)


@dataclass(frozen=True)
class Options:
    """Where things listen and which servers are not ours. An empty URL means: start the embedded one."""

    root: Path
    host: str
    port: int
    sandbox_port: int
    database_url: str
    redis_url: str

    @property
    def folder(self) -> Path:
        return self.root / ".palms"

    @property
    def site(self) -> str:
        return f"http://{self._shown_host}:{self.port}"

    @property
    def sandbox(self) -> str:
        return f"http://{self._shown_host}:{self.sandbox_port}"

    @property
    def _shown_host(self) -> str:
        return EVERYWHERE.get(self.host) or (f"[{self.host}]" if ":" in self.host else self.host)

    @property
    def allowed_hosts(self) -> str:
        """Host names the site answers to: this machine's own; any, when HOST opens the demo to the network."""
        return "127.0.0.1,localhost,[::1]" if self.host in ("127.0.0.1", "localhost", "::1") else "*"


def read_options(environ: Mapping[str, str] = os.environ, root: Path = ROOT) -> Options:
    """Read PORT, SANDBOX_PORT, HOST, DATABASE_URL and REDIS_URL.

    Raises:
        StartProblem: a port is not a port, or both are the same.
    """
    port, sandbox_port = _port(environ, "PORT", 8000), _port(environ, "SANDBOX_PORT", 8001)
    if port == sandbox_port:
        raise StartProblem(
            f"PORT and SANDBOX_PORT are both {port}. Choose two: make run PORT={port} SANDBOX_PORT={port + 1}"
        )
    return Options(
        root=root,
        host=environ.get("HOST", "").strip() or "127.0.0.1",
        port=port,
        sandbox_port=sandbox_port,
        database_url=environ.get("DATABASE_URL", ""),
        redis_url=environ.get("REDIS_URL", ""),
    )


def require_free_ports(options: Options) -> None:
    """Refuse before anything starts when somebody else listens where the site or the sandbox would.

    Raises:
        StartProblem: with the command that chooses another port.
    """
    for name, what, port in (("PORT", "the site", options.port), ("SANDBOX_PORT", "the sandbox", options.sandbox_port)):
        try:
            free = processes.port_is_free(options.host, port)
        except OSError as error:
            raise StartProblem(
                f"Cannot listen on {options.host}:{port} for {what}: {error.strerror}. Choose another HOST or {name}."
            ) from error
        if not free:
            raise StartProblem(
                f"Port {port} on {options.host}, for {what}, is in use. "
                f"Stop what listens there, or choose another port: make run {name}={port + 10}"
            )


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, "").strip() or str(default)
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise StartProblem(
            f"{name}={text} is not a port. Choose a number from 1024 to 65535: make run {name}={default + 10}"
        )
    return int(text)
