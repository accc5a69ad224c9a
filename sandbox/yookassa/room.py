"""The room: one bank with its storage, API, pages, control surface and sender."""

import dataclasses
import re
from pathlib import Path

from markupsafe import Markup
from werkzeug.wrappers import Request, Response

from sandbox.clock import Clock
from sandbox.storage import Storage
from sandbox.web import json_response
from sandbox.yookassa import control, pages
from sandbox.yookassa.api import Api
from sandbox.yookassa.panel import panel
from sandbox.yookassa.schema import EVERYTHING_BUT_SHOPS, SCHEMA
from sandbox.yookassa.sender import Sender
from sandbox.yookassa.shops import Shop, find_shop, save_shop
from sandbox.yookassa.works import Works

API_PATH = re.compile(r"(?:/yookassa)?/v3(/.*)?", re.DOTALL)


class YooKassa:
    prefixes: tuple[str, ...] = ("/v3", "/yookassa", "/pay", "/_control")

    def __init__(
        self, file: Path, clock: Clock, shops: list[Shop], *, notify_url: str | None, base_url: str | None
    ) -> None:
        self._storage = Storage(file, SCHEMA)
        self._works = Works(self._storage, clock)
        self._api = Api(self._works, base_url.rstrip("/") if base_url else None)
        self._sender = Sender(self._works)
        self._know(shops, notify_url)

    def respond(self, request: Request) -> Response:
        api = API_PATH.fullmatch(request.path)
        if api:
            return self._api.respond(request, api[1] or "/")
        if request.path.startswith("/pay/"):
            return pages.respond(self._works, request)
        if request.path.startswith("/_control/"):
            return control.respond(self._works, request)
        return json_response({"error": "nothing lives at this address"}, 404)

    def panel(self) -> Markup:
        with self._works.peek() as work:
            return panel(work)

    def settle(self) -> None:
        with self._works.open():
            pass

    def reset(self) -> None:
        with self._works.open() as work:
            for table in EVERYTHING_BUT_SHOPS:
                work.db.execute(f"DELETE FROM {table}")  # noqa: S608

    def start(self) -> None:
        self._sender.start()

    def stop(self) -> None:
        self._works.stopping.set()
        self._sender.stop()
        self._storage.close()

    def _know(self, shops: list[Shop], notify_url: str | None) -> None:
        """Store the shops named at start; what a control call changed since survives a restart that does not name it."""
        with self._works.open() as work:
            for shop in shops:
                stored = find_shop(work, shop.id)
                address = shop.notify_url or notify_url or (stored.notify_url if stored else None)
                known = dataclasses.replace(stored, secret=shop.secret) if stored else shop
                save_shop(work, dataclasses.replace(known, notify_url=address))
