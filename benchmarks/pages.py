"""Weigh every kind of customer page as it comes over the wire, and let Lighthouse look at it as a phone does.

    python -m benchmarks.pages [--base-url http://127.0.0.1:8000] [--runs 3] [--no-lighthouse]

Without --base-url the demo that runs here is measured, or one is started and stopped again. Holds one hour and pays for it on
the sandbox bank's page, with a card that is declined and with one that is not, so give it demos only. First every asset of
every page must answer 200, compressed. Then the budget, in KiB over the wire: HTML 15, CSS 12, script 16, a page 90. Then
Lighthouse for phones, the median of the runs: performance at least 0.98, accessibility 1; best practices and SEO are told.
Exits with 1 where anything is over or below.

Needs Chromium (CHROMIUM names another) and a Node.js of 22.19 or newer: $NODE, `node`, or the one inside Playwright's package.
Lighthouse itself is installed by npm into .palms/, which is no part of the project.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from html import unescape
from importlib import util
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests

from palms.clock import now_utc

ROOT = Path(__file__).resolve().parents[1]
LIGHTHOUSE, OLDEST_NODE = "13.5.0", (22, 19)
KIB = 1024
BUDGET = {"html": 15 * KIB, "css": 12 * KIB, "script": 16 * KIB, "page": 90 * KIB}
NEEDED = {"performance": 0.98, "accessibility": 1.0}
TOLD = ("best-practices", "seo")
ASSET = re.compile(r'<(?:link[^>]*?rel="(?:icon|stylesheet)"[^>]*?href|script[^>]*?src|img[^>]*?src)="([^"]+)"')
FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-quic"
CARD, DECLINED = "4111 1111 1111 1111", "5555 5555 5555 4600"


class Trouble(Exception):
    """What was measured cannot be trusted."""


@dataclass
class Weighed:
    """Bytes over the wire, by part of the budget."""

    bytes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(BUDGET, 0))

    def add(self, part: str, size: int) -> None:
        self.bytes[part] = self.bytes.get(part, 0) + size
        self.bytes["page"] += size


class Visitor:
    """Somebody with a browser that takes gzip and keeps cookies."""

    def __init__(self, site: str) -> None:
        self.site = site
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Accept-Encoding"] = "gzip"

    def get(self, address: str) -> str:
        answer = self.session.get(urljoin(self.site, address), timeout=60)
        answer.raise_for_status()
        return answer.text

    def wire(self, address: str, *, status: int = 200) -> tuple[int, str, str]:
        """Return an answer's size as sent, its type and its text. Raises Trouble unless it is compressed."""
        with self.session.get(urljoin(self.site, address), timeout=60, stream=True) as answer:
            raw = answer.raw.read(decode_content=False)
            if answer.status_code != status:
                raise Trouble(f"{address} answers {answer.status_code}")
            if answer.headers.get("Content-Encoding") != "gzip":
                raise Trouble(f"{address} is not compressed")
        text = self.session.get(urljoin(self.site, address), timeout=60).text
        return len(raw), answer.headers.get("Content-Type", "").partition(";")[0], text

    def weigh(self, address: str, *, status: int = 200) -> Weighed:
        size, _kind, page = self.wire(address, status=status)
        weighed = Weighed()
        weighed.add("html", size)
        for asset in sorted({unescape(found) for found in ASSET.findall(page)}):
            if urlsplit(urljoin(self.site, asset)).netloc != urlsplit(self.site).netloc:
                raise Trouble(f"{address} asks somebody else: {asset}")
            size, kind, _text = self.wire(asset)
            weighed.add("css" if kind.endswith("css") else "script" if "javascript" in kind else "images", size)
        return weighed

    def hold(self, slot: str) -> str:
        """Hold a time as a customer does. Returns the address of its status page."""
        typed = {"full_name": "Анна Петрова", "phone": "+7 912 345-67-89", "email": "anna@example.com", "consent": "on"}
        answer = self.session.post(
            urljoin(self.site, slot),
            data=inputs(self.get(slot)) | typed,
            headers={"Referer": urljoin(self.site, slot)},
            allow_redirects=False,
            timeout=60,
        )
        if answer.status_code != 303:
            raise Trouble(f"{slot} was not held: {answer.status_code}")
        self.bank = answer.headers["Location"]
        return urlsplit(self.session.get(urljoin(self.site, slot), timeout=60).url).path

    def pay(self, card: str = CARD, *, leads_to: str = "/booking/") -> str:
        """Pay for what is held, on the sandbox bank's page. Returns the address of the page that follows."""
        answer = self.session.post(self.bank, data={"card_number": card}, timeout=60)
        path = urlsplit(answer.url).path
        if not path.startswith(leads_to):
            raise Trouble(f"paying led to {path}")
        return path


def inputs(page: str) -> dict[str, str]:
    """Return the hidden inputs of a page by name."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {name: unescape(value) for name, value in found if name not in ("lang", "next")}


def public(visitor: Visitor) -> tuple[dict[str, str], str]:
    """Return the addresses of the pages that anybody may open, and a free court of the fullest day that has one."""
    clubs = sorted(set(re.findall(r'<h2><a href="(/[\w-]+/)"', visitor.get("/"))))
    day = (now_utc() + timedelta(days=2)).date().isoformat()
    days = {f"day of {club.strip('/')}": f"{club}?day={day}" for club in clubs}
    shown = sorted(
        (visitor.get(address) for address in days.values()), key=lambda page: page.count("/slots/"), reverse=True
    )
    empty = f"{clubs[0]}?day={(now_utc() + timedelta(days=3650)).date().isoformat()}"
    slot = first(r'href="(/[\w-]+/slots/\d+/)"', shown)
    pages = {"clubs": "/", **days, "empty day": empty, "checkout": slot}
    start = first(r'href="(/[\w-]+/areas/\d+/\w+/)"', shown)
    length = first(rf'href="({start}\d+/)"', [visitor.get(start)])
    pages |= {"lengths of an interval": start, "checkout of an interval": length}
    return pages | {"find": "/find/", "find in a club": f"{clubs[0]}find/", "find, sent": "/find/sent/"}, slot


def first(wanted: str, pages: list[str]) -> str:
    """Return the first address of a kind on these pages. Raises Trouble where none is left."""
    found = next((match[1] for page in pages if (match := re.search(wanted, page))), None)
    if found is None:
        raise Trouble(f"nothing is free like {wanted}: give it a fresh demo")
    return found


def run(command: list[str], **environment: str) -> str:
    """Return what a tool prints. Raises Trouble where it fails."""
    done = subprocess.run(  # noqa: S603  (tools of whoever measures)
        command, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode != 0:
        raise Trouble(f"{' '.join(command)}: {done.stderr[-600:]}")
    return done.stdout


def node() -> str:
    """Return a Node.js that Lighthouse runs on."""
    package = util.find_spec("playwright")
    inside = Path(package.origin).parent / "driver" / "node" if package and package.origin else None
    for found in (os.environ.get("NODE"), shutil.which("node"), str(inside) if inside else None):
        if not found or not Path(found).exists():
            continue
        version = run([found, "--version"])
        if tuple(int(part) for part in version.strip().lstrip("v").split(".")[:2]) >= OLDEST_NODE:
            return found
    raise Trouble("no Node.js of 22.19 or newer: set NODE to one")


def lighthouse() -> list[str]:
    """Return the command of Lighthouse, installed at the first use."""
    folder = ROOT / ".palms" / f"lighthouse-{LIGHTHOUSE}"
    script = folder / "node_modules" / "lighthouse" / "cli" / "index.js"
    if not script.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise Trouble("no npm: install Node.js with it, or call with --no-lighthouse")
        folder.mkdir(parents=True, exist_ok=True)
        quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
        run([npm, "install", *quiet, "--prefix", str(folder), f"lighthouse@{LIGHTHOUSE}"])
    return [node(), str(script)]


def chromium() -> str:
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if found is None:
        raise Trouble("no Chromium: install one, or set CHROMIUM to its path")
    return found


def looked_at(address: str, *, command: list[str], runs: int) -> dict[str, float]:
    """Return Lighthouse's scores for phones by category, the median of the runs."""
    scores: dict[str, list[float]] = {}
    only = f"--only-categories={','.join([*NEEDED, *TOLD])}"
    look = [*command, address, "--quiet", "--output=json", "--form-factor=mobile", only, f"--chrome-flags={FLAGS}"]
    for _ in range(runs):
        for name, category in json.loads(traced(look))["categories"].items():
            scores.setdefault(name, []).append(category["score"])
    return {name: statistics.median(found) for name, found in scores.items()}


def traced(look: list[str], tries: int = 3) -> str:
    """Return what Lighthouse saw. Where the browser lost its trace, as on a busy machine, it says itself to run it again."""
    try:
        return run(look, CHROME_PATH=chromium())
    except Trouble as trouble:
        if tries == 1 or "run Lighthouse again" not in str(trouble):
            raise
    return traced(look, tries - 1)


@contextlib.contextmanager
def demo() -> Iterator[str]:
    """The address of the demo that runs here, or of one that is started for this."""
    card = ROOT / ".palms" / "demo.json"
    with contextlib.suppress(OSError, ValueError, KeyError):
        site: str = json.loads(card.read_text())["site"]
        requests.get(f"{site}/health/live", timeout=5)
        yield site
        return
    ports = {"PORT": str(free_port()), "SANDBOX_PORT": str(free_port())}
    started = subprocess.Popen([sys.executable, "-m", "palms.embedded", "run"], cwd=ROOT, env=os.environ | ports)
    try:
        deadline = time.monotonic() + 180
        while not card.exists():
            if started.poll() is not None or time.monotonic() > deadline:
                raise Trouble("the demo did not start")
            time.sleep(0.5)
        yield str(json.loads(card.read_text())["site"])
    finally:
        started.send_signal(signal.SIGINT)
        started.wait(60)


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


class Table:
    """One line per page, as it is measured; what is over or below is marked and remembered."""

    def __init__(self, runs: int, command: list[str]) -> None:
        self.runs, self.command, self.failed = runs, command, False
        shown = ["page", *BUDGET, *([*NEEDED, *TOLD] if command else [])]
        self.print([shown[0], *shown[1:]])

    def print(self, cells: list[str]) -> None:
        sys.stdout.write("".join([f"{cells[0]:24}", *(f"{cell:>16}" for cell in cells[1:])]) + "\n")
        sys.stdout.flush()

    def line(self, visitor: Visitor, name: str, address: str, *, status: int = 200) -> None:
        weights = visitor.weigh(address, status=status).bytes
        cells = [self.mark(f"{weights[part] / KIB:.1f}", weights[part] <= most) for part, most in BUDGET.items()]
        if self.command and status == 200:  # Lighthouse refuses to look at refusals
            scores = looked_at(urljoin(visitor.site, address), command=self.command, runs=self.runs)
            cells += [self.mark(f"{scores[each]:.2f}", scores[each] >= least) for each, least in NEEDED.items()]
            cells += [f"{scores[each]:.2f}" for each in TOLD]
        self.print([name, *cells])

    def mark(self, text: str, is_good: bool) -> str:
        self.failed |= not is_good
        return text if is_good else f"! {text}"


def measure(site: str, table: Table) -> None:
    visitor = Visitor(site)
    pages, slot = public(visitor)
    for name, address in pages.items():
        table.line(visitor, name, address)
    table.line(visitor, "missing page", "/no/such/page/", status=404)
    table.line(visitor, "status, held", visitor.hold(slot))
    table.line(visitor, "status, declined", visitor.pay(DECLINED, leads_to="/checkout/"))
    visitor.hold(slot)
    booking = visitor.pay()
    table.line(visitor, "booking", booking)
    table.line(visitor, "taken", slot)
    table.line(visitor, "cancel", f"{booking}cancel/")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("benchmarks.pages", description="Weights and Lighthouse scores of customer pages")
    parser.add_argument("--base-url", help="a running demo; by default this folder's own, started where needed")
    parser.add_argument("--runs", type=int, default=3, help="how often Lighthouse looks at each page (median)")
    parser.add_argument("--no-lighthouse", action="store_true", help="weigh only")
    given = parser.parse_args(arguments)
    try:
        with contextlib.nullcontext(given.base_url) if given.base_url else demo() as site:
            table = Table(given.runs, [] if given.no_lighthouse else lighthouse())
            measure(site, table)
    except (Trouble, requests.RequestException) as trouble:
        sys.stderr.write(f"{trouble}\n")
        return 1
    return 1 if table.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
