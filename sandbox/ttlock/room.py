"""The room: the cloud under /ttlock, keypads under /ttlock/doors, and its control surface."""

import re
from pathlib import Path

from markupsafe import Markup
from werkzeug.wrappers import Request, Response

from sandbox.clock import Clock
from sandbox.storage import Storage
from sandbox.ttlock import control, keypad
from sandbox.ttlock.api import Api
from sandbox.ttlock.callbacks import Teller
from sandbox.ttlock.panel import panel
from sandbox.ttlock.schema import FORGOTTEN, SCHEMA
from sandbox.ttlock.site import Site

DOOR = re.compile(r"/ttlock/doors/([0-9]{1,15})")


class TTLock:
    prefixes: tuple[str, ...] = ("/ttlock", "/_control/ttlock")

    def __init__(self, file: Path, clock: Clock, *, callback_url: str | None = None) -> None:
        self._site = Site(Storage(file, SCHEMA), clock, callback_url=callback_url)
        self._api = Api(self._site)
        self._teller = Teller(self._site)
        self._site.furnish()

    def respond(self, request: Request) -> Response:
        if request.path.startswith("/_control/"):
            return control.respond(self._site, request, request.path.removeprefix("/_control/ttlock").strip("/"))
        door = DOOR.fullmatch(request.path)
        if door:
            return keypad.respond(self._site, request, door[1])
        return self._api.respond(request, request.path.removeprefix("/ttlock"))

    def panel(self) -> Markup:
        with self._site.open() as work:
            return panel(work)

    def settle(self) -> None:
        """Nothing happens by itself: locks look at the clock when somebody stands before them."""

    def reset(self) -> None:
        with self._site.open() as work:
            for table in FORGOTTEN:
                work.db.execute(f"DELETE FROM {table}")  # noqa: S608
        self._site.furnish()

    def start(self) -> None:
        self._teller.start()

    def stop(self) -> None:
        self._api.stopping.set()
        self._teller.stopping.set()
        self._teller.join(timeout=6)
        self._site.switch_off()
