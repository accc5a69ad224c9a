"""The API's document: valid, complete, as committed, and readable as a page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import translation
from django.utils.html import escape
from rest_framework.views import APIView

from palms.api import UnknownAddress
from palms.compatibility import breaking
from palms.document import TAGS, BrowseDocument, build
from palms.openapi import OPERATIONS, problem_of, refusals
from tests.api import described
from webhooks.rules import TEST, TYPES

COMMITTED = Path(settings.BASE_DIR) / "docs" / "openapi.json"
PAGES = (BrowseDocument,)


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in build()["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def addresses(resolver: Any = None, before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every address that the resolver knows, as the document writes it, with its view."""
    for one in (resolver or get_resolver()).url_patterns:
        path = before + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(one.pattern))
        if isinstance(one, URLResolver):
            yield from addresses(one, path)
        elif isinstance(one, URLPattern):
            yield f"/{path}", getattr(one.callback, "view_class", getattr(one.callback, "cls", None))


def is_api(path: str, view: Any) -> bool:
    below = path.startswith(("/api/", "/^api/")) or (isinstance(view, type) and issubclass(view, APIView))
    return below and view not in (UnknownAddress, *PAGES)


def test_the_document_is_valid_and_warns_of_nothing(tmp_path: Path) -> None:
    call_command("spectacular", "--fail-on-warn", "--validate", "--lang", "en", "--file", str(tmp_path / "x.yaml"))

    assert build()["openapi"].startswith("3.1")


def test_every_address_of_the_resolver_is_described_and_no_other() -> None:
    known = {(path, method) for path, methods in build()["paths"].items() for method in methods}
    served = {
        (path, method)
        for path, view in addresses()
        if is_api(path, view)
        for method in ("get", "post", "put", "patch", "delete")
        if hasattr(view, method)
    }

    assert known == served
    assert len(known) > 35
    described = {(view, method) for view, method in OPERATIONS}
    assert len(described) == len({(view, m.upper()) for p, view in addresses() for q, m in known if p == q})


def test_what_is_committed_is_what_the_code_says() -> None:
    committed, found = json.loads(COMMITTED.read_text()), json.loads(json.dumps(build()))
    assert breaking(committed, found) == [], "this breaks callers"

    assert committed == found, "run manage.py openapi and commit docs/openapi.json"


def test_the_language_of_whoever_asks_first_changes_nothing() -> None:
    build.cache_clear()
    refusals.cache_clear()
    with translation.override("ru"):
        assert json.loads(json.dumps(build())) == json.loads(COMMITTED.read_text())


def test_the_command_writes_and_refuses_to_break(tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    call_command("openapi", "--file", str(file))
    assert file.read_text() == COMMITTED.read_text()

    promised = json.loads(file.read_text())
    promised["paths"]["/api/v1/promised"] = promised["paths"]["/api/v1/clubs"]
    file.write_text(json.dumps(promised))
    with pytest.raises(CommandError, match=r"GET /api/v1/promised: removed"):
        call_command("openapi", "--file", str(file))
    assert json.loads(file.read_text()) == promised
    call_command("openapi", "--break", "--file", str(file))
    assert file.read_text() == COMMITTED.read_text()


@pytest.mark.parametrize(("where", "operation"), [pytest.param(*one, id=one[0]) for one in operations()])
def test_an_operation_says_what_it_is_and_its_examples_are_true(where: str, operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert set(operation["tags"]) <= set(TAGS)
    contents = [
        *operation.get("requestBody", {}).get("content", {}).values(),
        *(kind for answer in operation["responses"].values() for kind in answer.get("content", {}).values()),
    ]
    assert any(status.startswith("2") for status in operation["responses"])
    for content in contents:
        examples = content.get("examples", {})
        assert examples or where == "GET /api/v1/openapi.json"
        schema = content["schema"] | {"components": build()["components"]}
        for name, example in examples.items():
            value = problem_of(name) if "$ref" in example else example["value"]
            wrong = [f"{e.instance_path}: {e.message}" for e in jsonschema_rs.validator_for(schema).iter_errors(value)]
            assert not wrong, (where, name)


def test_what_we_send_is_described() -> None:
    assert set(build()["webhooks"]) == {*TYPES, TEST}


@pytest.mark.django_db
def test_it_is_served_to_anybody() -> None:
    answer = Client().get("/api/v1/openapi.json")

    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"
    assert answer.json() == json.loads(COMMITTED.read_text())


@pytest.mark.django_db
@pytest.mark.parametrize(("language", "words"), [("ru", "Параметры"), ("en", "Parameters")])
def test_people_can_read_it_without_anything_from_elsewhere(language: str, words: str) -> None:
    answer = Client().get("/api/docs/", headers={"accept-language": language})
    page = answer.content.decode()

    assert answer.status_code == 200
    assert words in page
    for _where, operation in operations():
        assert f'id="{operation["operationId"]}"' in page
        assert escape(operation["summary"]) in page
    assert not re.search(r'(?:src|href)="https?://', page.split("<main")[0])
    assert not re.search(r"<script(?![^>]*src=)|style=|<style", page)


class Answer:
    """An answer as the test client gives it."""

    def __init__(self, status: int, body: Any, kind: str = "application/json") -> None:
        self.status_code, self.kind, self.content = status, kind, json.dumps(body).encode()

    def __getitem__(self, _name: str) -> str:
        return self.kind

    def json(self) -> Any:
        return json.loads(self.content)


ENDS = {"limit": None, "next": None, "previous": None}
REFUSED = problem_of("not_found")


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("GET", Answer(200, {"meta": ENDS, "data": [{"slug": "x"}]})),
        ("GET", Answer(200, {"meta": ENDS})),
        ("GET", Answer(200, {"meta": ENDS, "data": []}, "text/html")),
        ("GET", Answer(404, REFUSED, "application/problem+json")),
        ("GET", Answer(406, REFUSED, "application/problem+json")),
        ("GET", Answer(406, problem_of("not_acceptable"))),
        ("POST", Answer(200, {"meta": ENDS, "data": []})),
    ],
)
def test_an_answer_that_is_not_described_fails_the_test_that_sees_it(method: str, answer: Answer) -> None:
    with pytest.raises(AssertionError):
        described.check(method, "/api/v1/clubs?x=1", answer)


def test_an_answer_that_is_described_passes() -> None:
    described.check("GET", "/api/v1/clubs", Answer(200, {"meta": ENDS, "data": []}))
    described.check("GET", "/api/v1/clubs", Answer(406, problem_of("not_acceptable"), "application/problem+json"))
