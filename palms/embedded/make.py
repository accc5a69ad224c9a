"""Living below `make`, which passes on some signals and not others."""

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

from palms.embedded.processes import die_with_parent_now


def watch_make() -> Callable[[], bool]:
    """Stop with the `make` that started us. Return a function that says whether it wants to stop.

    `make` passes SIGTERM on; killed, the kernel tells us. But SIGINT sent to `make` alone (by a script; a terminal sends it to
    all) makes it wait for us, in silence, with SIGINT blocked: that we can see.
    """
    die_with_parent_now(signal.SIGTERM)
    parent = os.getppid()

    def told_to_stop() -> bool:
        return os.getppid() != parent or _blocks_interrupt(parent)

    return told_to_stop


def _blocks_interrupt(pid: int) -> bool:
    with contextlib.suppress(OSError):
        for row in Path(f"/proc/{pid}/status").read_text().splitlines():
            if row.startswith("SigBlk:"):
                return bool(int(row.split()[1], 16) & 1 << signal.SIGINT - 1)
    return False
