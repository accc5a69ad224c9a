"""A platform of a few lines in a folder of its own: the supervisor's real children, without the product."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
FILES = {
    "palms/embedded/__init__.py": "",
    "palms/embedded/prepare.py": """
import json, os, sys
if not os.path.exists(sys.argv[1]):
    users = [{"role": "owner", "login": "owner@example.com", "password": "secret", "more": 1}]
    open(sys.argv[1], "w").write(json.dumps({"api": {"key": "k"}, "admin": {"users": users}}))
if os.path.exists("break"):
    sys.exit("broken on purpose")
""",
    "palms/__init__.py": "",
    "palms/settings.py": "",
    "palms/celery.py": "from celery import Celery\nimport os\napp = Celery('palms', broker=os.environ['REDIS_URL'])\n",
    "palms/wsgi.py": """
import os
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [os.environ["PALMS_SECRET_KEY"].encode()]
""",
    "sandbox/__init__.py": "",
    "sandbox/__main__.py": "import time\ntime.sleep(3600)\n",
}
SCRIPT = """
import sys
from pathlib import Path
from palms.embedded import options
options.ROOT = Path(sys.argv[1])
options.read_options.__defaults__ = (options.read_options.__defaults__[0], options.ROOT)
from palms.embedded.__main__ import main
sys.exit(main(["run", *sys.argv[2:]]))
"""


class StandIn:
    """The stand-in project in `root` and one running supervisor over it."""

    def __init__(self, root: Path, **env: str) -> None:
        self.root = root
        ports = two_free_ports()
        clean = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
        self.env = {**clean, "PORT": str(ports[0]), "SANDBOX_PORT": str(ports[1]), "PYTHONPATH": str(PROJECT), **env}
        for name, text in FILES.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    @property
    def site(self) -> str:
        return f"http://127.0.0.1:{self.env['PORT']}"

    def command(self) -> list[str]:
        return [sys.executable, "-c", SCRIPT, str(self.root)]

    def start(self) -> subprocess.Popen[str]:
        """Start the supervisor and return once it says that everything runs (or has ended)."""
        card = self.root / ".palms" / "demo.json"
        card.unlink(missing_ok=True)
        process = self.launch()
        deadline = time.monotonic() + 60
        while not card.exists() and process.poll() is None:
            if time.monotonic() > deadline:
                process.kill()
                pytest.fail(f"not up after 60 s: {process.communicate()}")
            time.sleep(0.1)
        return process

    def launch(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(),
            env=self.env,
            cwd=self.root.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def card(self) -> dict[str, object]:
        return json.loads((self.root / ".palms" / "demo.json").read_text())

    def processes(self) -> dict[int, str]:
        """Everything alive that belongs to this project, by its folder in the command line, environment or place."""
        found = {}
        mark = str(self.root).encode()
        home = os.fsencode((self.root / ".palms" / "postgres").resolve())
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes()
                environment = (folder / "environ").read_bytes()
                place = os.readlink(folder / "cwd").encode()
            except OSError:
                continue
            if int(folder.name) != os.getpid() and any(
                mark in text or home in text for text in (command, environment, place)
            ):
                found[int(folder.name)] = command.replace(b"\0", b" ").decode(errors="replace")
        return found

    def pid_of(self, word: str) -> int:
        return min(pid for pid, command in self.processes().items() if word in command)


def stop(process: subprocess.Popen[str], number: signal.Signals = signal.SIGINT) -> tuple[str, str, float]:
    """Send the signal and return what it printed and how long it took to end."""
    began = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    return out, err, time.monotonic() - began


def two_free_ports() -> list[int]:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return [one.getsockname()[1], two.getsockname()[1]]
