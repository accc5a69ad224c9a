"""The server's generic part: gives each address to its room, owns the landing page, the clock and the reset of everything."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from markupsafe import Markup
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from sandbox.clock import Clock, iso
from sandbox.web import BadInput, Json, html_response, is_form, json_response, make_request, page, read_input

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Room(Protocol):
    """One stand-in. `prefixes` are the addresses it answers; the longest match wins, so rooms may share `/_control`."""

    prefixes: tuple[str, ...]

    def respond(self, request: Request) -> Response: ...
    def panel(self) -> Markup: ...  # its part of the landing page
    def settle(self) -> None: ...  # the clock has moved
    def reset(self) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


class Shell:
    def __init__(self, clock: Clock, rooms: list[Room]) -> None:
        self._clock = clock
        self._rooms = rooms

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = make_request(environ)
        return self._respond(request)(environ, start_response)

    def start(self) -> None:
        for room in self._rooms:
            room.start()

    def stop(self) -> None:
        for room in self._rooms:
            room.stop()

    def _respond(self, request: Request) -> Response:
        if request.path == "/":
            return self._landing() if request.method == "GET" else json_response({"error": "GET only"}, 405)
        if request.path in ("/_control/clock", "/_control/reset"):
            return self._control(request)
        room = self._room_at(request.path)
        return room.respond(request) if room else json_response({"error": "nothing lives at this address"}, 404)

    def _room_at(self, path: str) -> Room | None:
        found = [
            (len(p), i) for i, r in enumerate(self._rooms) for p in r.prefixes if path == p or path.startswith(p + "/")
        ]
        return self._rooms[max(found)[1]] if found else None

    def _control(self, request: Request) -> Response:
        if request.method == "GET" and request.path.endswith("clock"):
            return json_response(self._clock_state())
        if request.method != "POST":
            return json_response({"error": "POST only"}, 405)
        try:
            given = read_input(request)
            if request.path.endswith("reset"):
                self._reset()
            else:
                self._move(given)
        except BadInput as problem:
            return json_response({"error": str(problem)}, 400)
        return redirect("/", 303) if is_form(request) else json_response(self._clock_state())

    def _move(self, given: Json) -> None:
        if given.get("reset") in (True, "true"):
            self._clock.reset()
        else:
            try:
                self._clock.advance(float(given.get("advance", "")))
            except (ValueError, TypeError, OverflowError) as problem:
                raise BadInput('give {"advance": seconds} or {"reset": true}') from problem
        for room in self._rooms:
            room.settle()

    def _reset(self) -> None:
        self._clock.reset()
        for room in self._rooms:
            room.reset()

    def _clock_state(self) -> Json:
        return {"now": iso(self._clock.now()), "offset_seconds": self._clock.offset / 1000}

    def _landing(self) -> Response:
        hours = self._clock.offset / 3_600_000
        body = Markup(
            "<h1>Песочница Palms</h1><p class='soft'>Stand-ins for banks, locks and messengers. No real money.</p>"
            "<section class='card'><h2>Часы</h2><p>{now} <span class='soft'>(UTC, сдвиг {hours:+.2f} ч)</span></p>"
            "<form class='row' method='post' action='/_control/clock'>{moves}"
            "<button name='reset' value='true'>Настоящее время</button></form>"
            "</section>{panels}<section class='card'><h2>Начать сначала</h2>"
            "<p class='soft'>Удаляет платежи, возвраты, уведомления, журнал и сбои; "
            "магазины остаются. Reset of everything.</p>"
            "<form method='post' action='/_control/reset'><button>Очистить всё</button></form></section>"
        ).format(
            now=iso(self._clock.now())[:19].replace("T", " "),
            hours=hours,
            moves=Markup("").join(
                Markup("<button name='advance' value='{}'>{}</button>").format(seconds, name)
                for seconds, name in ((600, "+10 мин"), (3600, "+1 час"), (86400, "+1 день"), (604800, "+7 дней"))
            ),
            panels=Markup("").join(room.panel() for room in self._rooms),
        )
        return html_response(page("Песочница Palms", body))
