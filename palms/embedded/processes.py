"""Child processes that never outlive us."""

import contextlib
import ctypes
import errno
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Account:
    """The user a child runs as."""

    uid: int
    gid: int
    name: str


@dataclass(frozen=True)
class Command:
    """How a child is started. `last_signal` reaches it when we die without saying goodbye."""

    args: Sequence[str]
    cwd: Path
    env: Mapping[str, str] = field(repr=False)  # holds secrets
    account: Account | None = None
    last_signal: signal.Signals = signal.SIGTERM


def die_with_parent_now(last_signal: signal.Signals) -> None:
    """Have the kernel send this process a signal when its parent dies (Linux only)."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(last_signal), 0, 0, 0)


def die_with_parent(last_signal: signal.Signals) -> Callable[[], None]:
    """Return what a child calls between fork and exec, after it has changed its user (that would undo it)."""
    parent = os.getpid()

    def ask_kernel() -> None:
        die_with_parent_now(last_signal)
        if os.getppid() != parent:  # the parent died between fork and here: nobody will signal us any more
            os.kill(os.getpid(), signal.SIGKILL)

    return ask_kernel


def start(command: Command, *, log: Path, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own (Ctrl-C in the terminal reaches only us), its output appended to `log`."""
    account = command.account
    with log.open("ab") as output:
        return subprocess.Popen(
            list(command.args),
            cwd=command.cwd,
            env=dict(command.env),
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            preexec_fn=die_with_parent(command.last_signal),
        )


def stop(process: subprocess.Popen[bytes], *signals: tuple[signal.Signals, float]) -> None:
    """Send each signal in turn, waiting that many seconds after each, and SIGKILL to the whole session at the end."""
    for number, seconds in signals:
        if process.poll() is not None:
            break
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=seconds)
    kill_session(process)


def kill_session(process: subprocess.Popen[bytes]) -> None:
    """Kill whatever is left of the child's session: it and the workers it has forked."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free now; who binds it must be ready to lose the race and ask again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_free(host: str, port: int) -> bool:
    """Return whether a server could listen there now (connections of a server just stopped do not count).

    Raises:
        OSError: not for want of a free port: the address is none of this machine's, or the port is reserved to root.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log, indented, or an empty string."""
    with contextlib.suppress(OSError), log.open(errors="replace") as rows:
        return "".join(f"    {row.rstrip()}\n" for row in deque(rows, maxlen=lines))
    return ""
