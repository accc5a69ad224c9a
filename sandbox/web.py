"""What every room needs to speak HTTP: JSON answers, tolerant reading of a JSON or form body, one page layout."""

import json
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


STYLE = Markup("""
:root{--ink:#1b1f24;--soft:#5d6773;--line:#dfe4ea;--paper:#fff;--back:#f3f5f8;--main:#0b63ce;--good:#15703a;--bad:#b3261e;--warn:#8a5a00}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1160px;margin:0 auto;padding:24px 16px 64px}main.narrow{max-width:520px}
h1{font-size:26px;line-height:1.25;margin:0 0 4px}h2{font-size:19px;margin:0 0 12px}p{margin:0 0 12px}
.soft,small{color:var(--soft);font-size:14px}.card{background:var(--paper);border:1px solid var(--line);border-radius:14px;padding:20px;margin:16px 0}
.band{background:#fff6dd;border:1px solid #f0dca2;color:#6b4b00;border-radius:10px;padding:8px 14px;font-size:14px;margin-bottom:16px}
.error{background:#fdecea;border:1px solid #f3bfba;color:var(--bad);border-radius:10px;padding:10px 14px;margin-bottom:16px}
.sum{font-size:34px;font-weight:700;line-height:1.2;margin:8px 0;font-variant-numeric:tabular-nums}
label{display:block;font-size:14px;color:var(--soft);margin:0 0 4px}
input,select{font:inherit;width:100%;min-height:46px;padding:8px 12px;border:1px solid #b9c2cd;border-radius:10px;background:#fff;color:var(--ink)}
input:focus,select:focus,button:focus-visible,a:focus-visible,summary:focus-visible{outline:3px solid #9cc4f5;outline-offset:1px}
button,.button{font:inherit;font-weight:600;min-height:44px;padding:8px 16px;border-radius:10px;border:1px solid #b9c2cd;background:#fff;color:var(--ink);cursor:pointer;
text-decoration:none;display:inline-flex;align-items:center;justify-content:center}
button:hover{border-color:var(--main)}button.main{background:var(--main);border-color:var(--main);color:#fff;width:100%;min-height:52px;font-size:17px}
button.main:hover{background:#09519f}a{color:var(--main)}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:12px;margin:12px 0 16px}
.row{display:flex;flex-wrap:wrap;gap:8px;align-items:end}.row>*{flex:0 1 auto}.row input,.row select{width:auto;max-width:100%}
.cards{display:grid;gap:8px}.cards button{width:100%;justify-content:space-between;gap:10px;font-weight:400;text-align:left;flex-wrap:wrap}
.num{font-variant-numeric:tabular-nums;white-space:nowrap;font-weight:600}
summary{cursor:pointer;min-height:44px;display:flex;align-items:center;font-weight:600}summary::before{content:"▸";margin-right:8px}details[open]>summary::before{content:"▾"}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:15px}th,td{text-align:left;padding:8px 10px;border-bottom:1px solid var(--line);vertical-align:top}
th{font-size:13px;color:var(--soft);font-weight:600;white-space:nowrap}td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
code{font-size:13px;overflow-wrap:anywhere}.badge{display:inline-block;padding:1px 9px;border-radius:99px;font-size:13px;font-weight:600;background:#e8ecf1;white-space:nowrap}
.succeeded{background:#dcf3e4;color:var(--good)}.canceled{background:#fdecea;color:var(--bad)}.waiting_for_capture{background:#e2eefc;color:#0a4ea3}.pending{background:#fff1cc;color:var(--warn)}
@media(max-width:640px){.sum{font-size:30px}.card{padding:16px}.stack thead{display:none}.stack tr{display:block;border:1px solid var(--line);border-radius:10px;margin-bottom:10px;padding:4px 0}
.stack td{display:flex;justify-content:space-between;gap:16px;border:0;padding:5px 12px;text-align:right}.stack td::before{content:attr(data-t);color:var(--soft);font-size:13px;text-align:left;flex:none}}
""")


def page(title: str, body: Markup, *, narrow: bool = False) -> Markup:
    return Markup(
        '<!doctype html><html lang="ru"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,'
        'initial-scale=1"><title>{title}</title><link rel="icon" href="data:,"><style>{style}</style></head>'
        '<body><main class="{width}">{body}</main></body></html>'
    ).format(title=title, style=STYLE, width="narrow" if narrow else "", body=body)
