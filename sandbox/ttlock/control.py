"""The control surface under /_control/ttlock: what tests and people do at the site, from outside the protocol."""

from collections.abc import Callable
from typing import Any

from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from sandbox.clock import iso
from sandbox.ttlock.faults import add_fault
from sandbox.ttlock.site import DEFAULTS, Site, Work, add_gateway, add_lock, type_code
from sandbox.web import BadInput, Json, is_form, json_response, read_input

OF_LOCK = {"skew": int, "capacity": int, "battery": int, "gateway": (int, type(None)), "zone": int}
OF_GATEWAY = {"online": bool, "latency": (int, float)}


def respond(site: Site, request: Request, path: str) -> Response:
    try:
        with site.open() as work:
            done = _run(work, request, path)
    except BadInput as problem:
        return json_response({"error": str(problem)}, 400)
    return redirect("/", 303) if is_form(request) else json_response(done)


def _run(work: Work, request: Request, path: str) -> Any:
    if request.method == "GET" and path == "state":
        return full_state(work)
    if request.method == "DELETE" and path == "faults":
        return {"removed": work.db.execute("DELETE FROM faults").rowcount}
    action = ACTIONS.get(path)
    if request.method != "POST" or action is None:
        raise BadInput(f"no such control call; POST: {', '.join(ACTIONS)}; GET: state")
    given = read_input(request)
    return action(work, {name: _meant(value) for name, value in given.items()} if is_form(request) else given)


def _meant(text: str) -> Any:
    """Return what a button of the page means: a form has only texts."""
    words = {"yes": True, "no": False}
    return words[text] if text in words else int(text) if text.removeprefix("-").isdecimal() else text


def full_state(work: Work) -> Json:
    """Return everything, the locks' own memory among it: what the cloud says is not what a lock accepts."""
    rows = {
        table: [dict(row) for row in work.db.execute(f"SELECT * FROM {table} ORDER BY 1")]  # noqa: S608
        for table in ("gateways", "locks", "memory", "passcodes", "entries", "calls", "faults")
    }
    settings = {name: work.setting(name) for name in ("quota", "used", "callback_url")}
    return {"now": iso(work.now), "now_ms": work.now, **settings, **rows}


def _change(table: str, allowed: dict[str, Any]) -> Callable[[Work, Json], Json]:
    def change(work: Work, given: Json) -> Json:
        changes = {name: value for name, value in given.items() if name != "id"}
        wrong = [name for name, value in changes.items() if name not in allowed or not isinstance(value, allowed[name])]
        if wrong or not changes or not isinstance(given.get("id"), int):
            raise BadInput(f"id and any of {', '.join(allowed)} are expected")
        for name, value in changes.items():
            work.db.execute(f"UPDATE {table} SET {name} = ? WHERE id = ?", (value, given["id"]))  # noqa: S608
        return {"changed": given["id"]}

    return change


def _set(work: Work, given: Json) -> Json:
    if set(given) - set(DEFAULTS):
        raise BadInput(f"any of {', '.join(DEFAULTS)} is expected")
    for name, value in given.items():
        work.set(name, str(value))
    return {"set": sorted(given)}


def _type(work: Work, given: Json) -> Json:
    try:
        lock_id = int(given.get("lock", ""))
    except (TypeError, ValueError) as problem:
        raise BadInput("lock is a number") from problem
    return {"opened": type_code(work, lock_id, str(given.get("code", ""))[:20])}


def _revoke(work: Work, given: Json) -> Json:
    """End every access token; the refresh tokens too with {"refresh": true}."""
    if given.get("refresh"):
        return {"revoked": work.db.execute("DELETE FROM tokens").rowcount}
    return {"revoked": work.db.execute("UPDATE tokens SET revoked = 1").rowcount}


def _forget(work: Work, given: Json) -> Json:
    """Change batteries and lose the memory, as locks do when they are reset."""
    return {"forgotten": work.db.execute("DELETE FROM memory WHERE lock = ?", (given.get("id"),)).rowcount}


ACTIONS: dict[str, Callable[[Work, Json], Any]] = {
    "faults": add_fault,
    "faults/clear": lambda work, _given: {"removed": work.db.execute("DELETE FROM faults").rowcount},
    "gateways": lambda work, given: {"id": add_gateway(work, given)},
    "locks": lambda work, given: {"id": add_lock(work, given)},
    "gateway": _change("gateways", OF_GATEWAY),
    "lock": _change("locks", OF_LOCK),
    "settings": _set,
    "type": _type,
    "revoke": _revoke,
    "forget": _forget,
}
