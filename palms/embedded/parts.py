"""The command lines of the platform's processes, and the environment they share."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from palms.embedded.options import Options
from palms.embedded.processes import Command

NOT_FOR_CHILDREN = (
    "MAKEFLAGS",
    "MAKELEVEL",
    "MFLAGS",
    "GUNICORN_CMD_ARGS",
    "WEB_CONCURRENCY",
    "PYTHONHOME",
    "HOST",
    "PORT",
)
THREADS = "16"  # of one web process
WEBHOOK = "/api/v1/payments/yookassa/webhook"


@dataclass(frozen=True)
class Part:
    """A process of the platform. One that is not `vital` is started again when it dies; a vital one ends everything."""

    name: str
    command: Command
    vital: bool = False


def environment(options: Options, urls: Mapping[str, str], keys: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of every Django process: the caller's own, with what the demo decides."""
    inherited = {name: value for name, value in os.environ.items() if name not in NOT_FOR_CHILDREN}
    return {
        "PALMS_ALLOWED_HOSTS": options.allowed_hosts,
        "PALMS_BASE_URL": options.site,
        "PALMS_MAIL_DIR": str(options.folder / "mail"),
        "YOOKASSA_API_URL": f"{options.sandbox}/v3",
        "TTLOCK_API_URL": f"{options.sandbox}/ttlock",
        "TTLOCK_CLIENT_ID": "palms-sandbox-app",
        "TTLOCK_CLIENT_SECRET": "palms-sandbox-secret",
        "TTLOCK_CALLBACK_SECRET": sha256(b"locks" + keys["PALMS_SECRET_KEY"].encode()).hexdigest()[:32],
        "PALMS_WEBHOOKS_ALLOW_PRIVATE": "1",
        **inherited,
        **keys,
        **urls,
        "PALMS_DEMO": "1",
        "WEB_THREADS": THREADS,
        "DJANGO_SETTINGS_MODULE": "palms.settings",
        "PYTHONUNBUFFERED": "1",
    }


def python(options: Options, env: Mapping[str, str], *args: str) -> Command:
    """Return the command that runs a module of the virtual environment in the project's folder."""
    return Command([sys.executable, *args], options.root, env)


def sandbox(options: Options, env: Mapping[str, str]) -> Part:
    notify = f"{options.site}{WEBHOOK}"
    args = ("--host", options.host, "--port", str(options.sandbox_port), "--data", str(options.folder / "sandbox"))
    records = f"{options.site}/locks/ttlock/{env['TTLOCK_CALLBACK_SECRET']}"
    told = ("--notify-url", notify, "--lock-callback-url", records)
    return Part("sandbox", python(options, env, "-m", "sandbox", *args, *told))


def web(options: Options, env: Mapping[str, str]) -> Part:
    address = f"[{options.host}]" if ":" in options.host else options.host
    args = (
        "--bind",
        f"{address}:{options.port}",
        "--worker-class",
        "gthread",
        "--workers",
        "2",
        "--threads",
        THREADS,
        "--preload",
    )
    manners = ("--graceful-timeout", "3", "--timeout", "60", "--no-control-socket", "--log-level", "warning")
    return Part("web", python(options, env, "-m", "gunicorn", "palms.wsgi:application", *args, *manners), vital=True)


def worker(options: Options, env: Mapping[str, str]) -> Part:
    quiet = ("--without-gossip", "--without-mingle", "--loglevel", "warning")
    return Part("worker", python(options, env, "-m", "celery", "-A", "palms", "worker", "--concurrency", "2", *quiet))


def beat(options: Options, env: Mapping[str, str]) -> Part:
    schedule = ("--schedule", str(options.folder / "beat-schedule"), "--loglevel", "warning")
    return Part("beat", python(options, env, "-m", "celery", "-A", "palms", "beat", *schedule))
