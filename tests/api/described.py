"""Whether an answer is one that the API's document tells of. Every answer that a test of the API sees is looked at."""

from __future__ import annotations

import re
from functools import cache
from threading import Lock
from typing import Any

import jsonschema_rs

from palms.document import build

UNTOLD = (405, 500)  # of any address, and of defects: the document says so in its first words


_building = Lock()  # crowds ask at once, and what builds the document loads itself when first asked


@cache
def _addresses() -> list[tuple[re.Pattern[str], str]]:
    """Return a pattern for each path, those without parameters first."""
    paths = sorted(build()["paths"], key=lambda path: path.count("{"))
    return [
        (re.compile(re.sub(r"\{\w+\}", "[^/]+", re.escape(path).replace(r"\{", "{").replace(r"\}", "}"))), path)
        for path in paths
    ]


@cache
def _validator(path: str, method: str, status: str, kind: str) -> Any:
    contents = build()["paths"][path][method]["responses"][status]["content"]
    return jsonschema_rs.validator_for(contents[kind]["schema"] | {"components": build()["components"]})


def path_of(address: str) -> str | None:
    """Return the documented path of an address, None where there is none."""
    bare = address.split("?")[0]
    with _building:
        addresses = _addresses()
    return next((path for pattern, path in addresses if pattern.fullmatch(bare)), None)


def check(method: str, address: str, answer: Any) -> None:
    """Compare status, content type and body with the document."""
    path = path_of(address)
    if path is None or answer.status_code in UNTOLD:
        return
    operation = build()["paths"][path].get(method.lower())
    assert operation is not None, f"{method} {path} answers {answer.status_code} and is not described"
    where, status = f"{method} {path}", str(answer.status_code)
    assert status in operation["responses"], f"{where}: {status} is not described: {answer.content!r}"
    kinds = operation["responses"][status].get("content", {})
    if not kinds:
        assert answer.content == b"", where
        return
    kind = answer["Content-Type"].split(";")[0]
    assert kind in kinds, f"{where}: {kind} is not described"
    wrong = [
        f"{'/'.join(map(str, error.instance_path))}: {error.message}"
        for error in _validator(path, method.lower(), status, kind).iter_errors(answer.json())
    ]
    assert not wrong, f"{where} {status}: {wrong[:5]}"
