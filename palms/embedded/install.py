"""Make the virtual environment and install the pinned packages; nothing to do when that was done before.

Runs before anything is installed, under whatever Python `make` found: standard library only, and syntax that an old
Python can still read, so that it can say what it needs. `python3 -I palms/embedded/install.py run|test`.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
OLDEST = (3, 11)
NEWER_NAMES = ("python3.14", "python3.13", "python3.12", "python3.11")


def main(kind):  # type: (str) -> None
    use_new_enough_python()
    try:
        lock = os.open(ROOT, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)  # `make -j run test` installs once; the lock ends with this process
        install(kind)
    except OSError as error:
        give_up("Cannot write {}: {}. Give your user write access to it.".format(error.filename, error.strerror))


def use_new_enough_python():  # type: () -> None
    """Go on under a Python of at least 3.11: this one, or the first of its successors found in PATH."""
    if sys.version_info[:2] >= OLDEST:
        return
    for name in NEWER_NAMES:
        found = shutil.which(name)
        if found:
            os.execv(found, [found, "-I"] + sys.argv)
    give_up(
        "Palms needs Python 3.11 or newer, and {} is {}.{}. Install one, and name it: make PYTHON=/path/to/python3.11 ...".format(
            sys.executable, *sys.version_info[:2]
        )
    )


def install(kind):  # type: (str) -> None
    requirements = os.path.join(ROOT, "requirements-{}.txt".format(kind))
    stamp = os.path.join(VENV, ".palms-installed-{}".format(kind))
    if not environment_works():
        make_environment()
    wanted = fingerprint()
    if read(stamp) == wanted:
        return
    sys.stdout.write("Installing the pinned packages into .venv (the first time this takes a minute or two) ...\n")
    sys.stdout.flush()
    constraints = ["-c", os.path.join(ROOT, "constraints.txt"), "-r", requirements]
    options = ["install", "-qq", "--no-input", "--disable-pip-version-check", "--no-warn-script-location"]
    if subprocess.call(pip() + options + constraints) != 0:
        give_up(
            "The packages could not be installed; pip said why above. Check the network and run the same command again."
        )
    with open(stamp, "w") as file:
        file.write(wanted)


def environment_works():  # type: () -> bool
    """Return whether .venv has a Python that starts: it stops to when the folder's own Python is upgraded or removed."""
    try:
        check = "import sys; sys.exit(sys.version_info[:2] < {!r})".format(OLDEST)
        return subprocess.call([PYTHON, "-c", check], stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def make_environment():  # type: () -> None
    """Make .venv; without its own pip where the system (Debian, by default) leaves out what that needs."""
    for option in ([], ["--without-pip"]):
        made = subprocess.run(
            [sys.executable, "-m", "venv", "--clear", *option, VENV], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        if made.returncode == 0 and environment_works():
            return
    sys.stderr.write(made.stdout.decode(errors="replace"))
    give_up("The virtual environment .venv could not be made. On Debian and Ubuntu: apt install python3-venv")


def pip():  # type: () -> list[str]
    """Return the command of the pip that installs into .venv: its own, else that of the Python that runs this."""
    for command in ([PYTHON, "-m", "pip"], [sys.executable, "-m", "pip", "--python", PYTHON]):
        if subprocess.call(command + ["--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0:
            return command
    give_up("There is no pip for {}. On Debian and Ubuntu: apt install python3-pip python3-venv".format(sys.executable))
    return []


def fingerprint():  # type: () -> str
    """Return what the installation depends on, in one line: every requirements file and the Python itself."""
    digest = hashlib.sha256()
    for name in ("requirements.txt", "requirements-run.txt", "requirements-test.txt", "constraints.txt"):
        digest.update(read(os.path.join(ROOT, name)).encode())
    version = subprocess.check_output([PYTHON, "-c", "import sys; print(sys.version)"])
    return hashlib.sha256(digest.digest() + version).hexdigest()


def read(path):  # type: (str) -> str
    with contextlib.suppress(OSError), open(path) as file:
        return file.read()
    return ""


def give_up(message):  # type: (str) -> None
    sys.stderr.write("\n" + message + "\n")
    sys.exit(1)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except KeyboardInterrupt:
        sys.exit(130)
