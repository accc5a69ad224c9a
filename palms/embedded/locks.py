"""One owner per folder, by flock: the kernel drops it with its process, so a lock file left behind never blocks."""

import contextlib
import fcntl
import os
from pathlib import Path

from palms.embedded.problem import StartProblem


class FolderLock:
    """An exclusive lock on a file; the file keeps the owner's process id for the message to whoever comes second."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def try_take(self) -> bool:
        """Take the lock and return True, or return False at once when another process holds it."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._file = descriptor
        return True

    def take(self, what: str) -> None:
        """Take the lock.

        Raises:
            StartProblem: another process holds it; `what` names the thing in the message.
        """
        try:
            taken = self.try_take()
        except OSError as error:
            raise StartProblem(
                f"Cannot lock {self.path}: {error.strerror}. Give your user write access to it."
            ) from error
        if not taken:
            raise StartProblem(
                f"{what} is already in use by process {self.owner()}. Stop that one first (Ctrl-C in its terminal)."
            )

    def owner(self) -> str:
        """Return the process id written by the holder, or a question mark."""
        with contextlib.suppress(OSError):
            return self.path.read_text().strip() or "?"
        return "?"

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
