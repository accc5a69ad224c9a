"""The folder .palms/: keys, data, logs, and what the last start printed."""

import contextlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from palms.embedded.options import Options
from palms.embedded.problem import StartProblem

LOG_BYTES = 5_000_000


def prepare(folder: Path) -> None:
    """Make the folder, closed to other users, with the folders for logs and mail in it.

    Raises:
        StartProblem: it cannot be made, read or written.
    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        for part in (folder / "logs", folder / "mail"):
            part.mkdir(mode=0o700, exist_ok=True)
        for part in (folder, folder / "logs", folder / "mail"):
            probe = part / f".probe-{os.getpid()}"
            probe.touch()
            probe.unlink()
            list(part.iterdir())
    except OSError as error:
        raise StartProblem(
            f"Cannot read and write {folder}: {error.strerror} ({error.filename}). It may have been made by another user: start as "
            f"that user, give yours access (sudo chown -R $USER {folder}), or move it away to start with empty data."
        ) from error


def fresh_log(folder: Path, name: str) -> Path:
    """Return where a part writes its log; a long one is set aside first."""
    log = folder / "logs" / f"{name}.log"
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".log.old"))
    return log


def keys(folder: Path) -> dict[str, str]:
    """Return this installation's keys, made at the first start and kept in `env` (0600): without them its data is unreadable.

    Raises:
        StartProblem: the file is damaged.
    """
    path = folder / "env"
    if not path.exists():
        made = {"PALMS_SECRET_KEY": secrets.token_urlsafe(50), "PALMS_FIELD_KEYS": Fernet.generate_key().decode()}
        write_private(path, "".join(f"{name}={value}\n" for name, value in made.items()))
    found = dict(row.strip().split("=", 1) for row in path.read_text().splitlines() if "=" in row)
    for name in ("PALMS_SECRET_KEY", "PALMS_FIELD_KEYS"):
        if not found.get(name):
            raise StartProblem(
                f"{path} has no {name}. Put it back from a copy, or move {folder} away to start with empty data."
            )
    return found


def write_private(path: Path, text: str) -> None:
    """Write a file only its owner can read: whole or not at all."""
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def demo_card(options: Options) -> dict[str, Any]:
    """Return what a script needs to use the running demo; `demo` put the logins beside it when it filled the database."""
    logins: dict[str, Any] = {}
    with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
        logins = json.loads((options.folder / "demo-logins.json").read_text())
    users = [
        {name: user.get(name) for name in ("role", "login", "password")}
        for user in logins.get("admin", {}).get("users", [])
    ]
    return {
        "site": options.site,
        "sandbox": options.sandbox,
        "api": {"url": f"{options.site}/api/v1", "key": logins.get("api", {}).get("key")},
        "admin": {"url": f"{options.site}/admin/", "users": users},
    }


def words(card: dict[str, Any], folder: Path) -> str:
    """Return what is printed when everything runs."""
    users = "".join(f"    {user['role']:<16} {user['login']}  {user['password']}\n" for user in card["admin"]["users"])
    return (
        f"\nPalms is running.  Ctrl-C stops it.\n\n"
        f"  Site      {card['site']}/\n"
        f"  Admin     {card['admin']['url']}\n{users}"
        f"  API       {card['api']['url']}   key {card['api']['key'] or '(made with the data; not known here)'}\n"
        f"  Sandbox   {card['sandbox']}/   (the bank, and the locks of the beach with their keypads)\n\n"
        "What to try: open the site, pick a court and a time, and pay with a test card, any future date and code:\n"
        "    5555 5555 5555 4444   succeeds\n"
        "    5555 5555 5555 4477   succeeds, with the bank's question first\n"
        "    5555 5555 5555 4600   is declined (insufficient funds)\n\n"
        f"  Mail is written to {folder.name}/mail/, logs to {folder.name}/logs/; all of this is also in {folder.name}/demo.json.\n"
    )
