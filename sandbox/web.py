"""What every room needs to speak HTTP: JSON answers, tolerant reading of a JSON or form body, one page layout."""

import json
from pathlib import Path
from typing import Any

from markupsafe import Markup
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request, Response

Json = dict[str, Any]
LARGEST_BODY = 1_000_000  # bytes


class BadInput(Exception):
    """A control call or a body that cannot be understood; the text says why."""


def make_request(environ: Any) -> Request:
    request = Request(environ)
    request.max_content_length = LARGEST_BODY
    request.max_form_memory_size = LARGEST_BODY
    return request


def json_response(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), status, content_type="application/json; charset=utf-8")


def html_response(body: Markup, status: int = 200) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(str(body), status, headers, content_type="text/html; charset=utf-8")


def parse_json(raw: bytes) -> Any:
    """Parse strictly: UTF-8, no NaN, no lone surrogates (sqlite and the wire cannot carry them), no absurd nesting.

    Raises:
        BadInput: anything else.
    """
    try:
        parsed = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
        json.dumps(parsed, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (ValueError, RecursionError) as problem:
        raise BadInput("the body is not valid JSON") from problem
    return parsed


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def body_of(request: Request) -> bytes:
    """The raw body.

    Raises:
        BadInput: longer than LARGEST_BODY.
    """
    try:
        return request.get_data(cache=True)
    except RequestEntityTooLarge as problem:
        raise BadInput("the body is too large") from problem


def is_form(request: Request) -> bool:
    return request.mimetype in ("application/x-www-form-urlencoded", "multipart/form-data")


def read_input(request: Request) -> Json:
    """A control call's input: a JSON object, or a form's filled fields (the last of each name, as text).

    Raises:
        BadInput: neither.
    """
    if is_form(request):
        return read_form(request)
    raw = body_of(request)
    parsed = parse_json(raw) if raw.strip() else {}
    if not isinstance(parsed, dict):
        raise BadInput("the body must be a JSON object")
    return parsed


def read_form(request: Request) -> Json:
    try:
        return {name: value.strip() for name, value in request.form.items() if value.strip()}
    except RequestEntityTooLarge as problem:
        raise BadInput("the form is too large") from problem


STYLE = Markup((Path(__file__).parent / "style.css").read_text("utf-8"))  # noqa: S704 - our own file


def page(title: str, body: Markup, *, narrow: bool = False) -> Markup:
    return Markup(
        '<!doctype html><html lang="ru"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,'
        'initial-scale=1"><title>{title}</title><link rel="icon" href="data:,"><style>{style}</style></head>'
        '<body><main class="{width}">{body}</main></body></html>'
    ).format(title=title, style=STYLE, width="narrow" if narrow else "", body=body)
