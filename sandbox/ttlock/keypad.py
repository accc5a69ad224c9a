"""The keypad of a lock, for people: type a code and see whether the door opens at the sandbox's time."""

import sqlite3

from markupsafe import Markup
from werkzeug.wrappers import Request, Response

from sandbox.clock import iso
from sandbox.ttlock.errors import Refusal
from sandbox.ttlock.site import Site, Work, clock_of, type_code
from sandbox.web import BadInput, html_response, page, read_form


def respond(site: Site, request: Request, lock_id: str) -> Response:
    try:
        given = read_form(request) if request.method == "POST" else {}
        with site.open() as work:
            lock = work.lock(int(lock_id))
            typed = str(given.get("code", "")).strip("*#")[:20]
            opened = type_code(work, lock["id"], typed) if request.method == "POST" else None
            body = _body(work, lock, opened)
    except (ValueError, OverflowError, Refusal):
        return html_response(page("Замок", Markup("<h1>Такого замка нет</h1>"), narrow=True), 404)
    except BadInput:
        return html_response(page("Замок", Markup("<h1>Слишком длинный ввод</h1>"), narrow=True), 400)
    return html_response(page(f"Замок {lock['alias']}", body, narrow=True))


def _body(work: Work, lock: sqlite3.Row, opened: bool | None) -> Markup:
    verdict = {
        None: Markup("<p class='band' role='status'>Дверь закрыта. <span lang='en'>The door is shut.</span></p>"),
        True: Markup(
            "<p class='band' role='status'><b>Дверь открыта.</b> <span lang='en'>The door is open.</span></p>"
        ),
        False: Markup("<p class='error' role='status'>Код не подошёл. <span lang='en'>The door stays shut.</span></p>"),
    }[opened]
    return Markup(
        "<h1>{alias}</h1><p class='soft'>Часы замка: {clock} UTC</p>{verdict}"
        "<form class='card' method='post'><label for='code'>Код</label>"
        "<input id='code' name='code' inputmode='numeric' autocomplete='off' autofocus required maxlength='20'>"
        "<p></p><button class='main'>Открыть дверь</button></form><p><a href='/'>Все замки</a></p>"
    ).format(alias=lock["alias"], clock=iso(clock_of(work, lock))[:19].replace("T", " "), verdict=verdict)
