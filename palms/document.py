"""The whole document: built once per process from the views, served as JSON and as a page for people."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.module_loading import autodiscover_modules
from django.views import View
from drf_spectacular.generators import SchemaGenerator
from rest_framework.request import Request
from rest_framework.response import Response

from palms import openapi_fields  # noqa: F401  registers itself
from palms.api import ApiView
from palms.openapi import Json, Operation, document, problem_of, refusals
from palms.openapi_settings import PROBLEM, SECURITY, TAGS

WEBHOOKS: Json = {}  # of the document, by type of event


def discover(endpoints: list[Any]) -> list[Any]:
    """Import what the rooms say about their views, before they are described."""
    autodiscover_modules("schema")
    return endpoints


def finish(result: Json, generator: Any, request: Any, public: bool) -> Json:
    """Add what belongs to no single view."""
    told = set(re.findall(r"#/components/examples/(\w+)", json.dumps(result["paths"])))
    result["components"]["schemas"]["Problem"] = PROBLEM
    result["components"]["securitySchemes"] = SECURITY
    result["components"]["examples"] = {
        code: {"value": problem_of(code)} for code in sorted(refusals()) if code in told
    }
    return result | {"webhooks": WEBHOOKS}


@cache
def build() -> Json:
    """Return the document, always in English."""
    with translation.override("en"):
        found: Json = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return found


class ShowDocument(ApiView):
    """The document as JSON; it changes with releases only."""

    def get(self, request: Request) -> Response:
        return Response(build(), headers={"Cache-Control": "public, max-age=300"})


document(
    ShowDocument,
    get=Operation("This document", "OpenAPI 3.1.", answers={"type": "object"}, tag="Document"),
)


class BrowseDocument(View):
    """The same for people: operations by tag."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "palms/api.html", {"document": build(), "groups": _groups()})


@cache
def _groups() -> list[Json]:
    """Return the operations by tag, as the page shows them."""
    shown = [
        _shown(path, method, operation)
        for path, methods in build()["paths"].items()
        for method, operation in methods.items()
    ]
    return [
        {"name": name, "words": words, "operations": [one for one in shown if name in one["tags"]]}
        for name, words in TAGS.items()
    ]


def _shown(path: str, method: str, operation: Json) -> Json:
    parameters = [one | {"kind": _kind(one["schema"])} for one in operation.get("parameters", [])]
    bodies = operation.get("requestBody", {}).get("content", {})
    answers = [
        {
            "status": status,
            "words": answer["description"].replace("`", ""),
            "example": _example(answer.get("content", {})),
        }
        for status, answer in operation["responses"].items()
    ]
    return operation | {
        "path": path,
        "method": method.upper(),
        "parameters": parameters,
        "body": {"fields": _fields(bodies), "example": _example(bodies)} if bodies else None,
        "answers": answers,
    }


def _fields(bodies: Json) -> list[Json]:
    schema = _resolved(next(iter(bodies.values()))["schema"])
    needed = schema.get("required", [])
    return [
        {"name": name, "kind": _kind(inner), "required": name in needed}
        for name, inner in schema.get("properties", {}).items()
    ]


def _resolved(schema: Json) -> Json:
    name = schema.get("$ref", "").rsplit("/", 1)[-1]
    return build()["components"]["schemas"][name] if name else schema


def _kind(schema: Json) -> str:
    """Return a schema in a few words."""
    schema = _resolved(schema)
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"] if value is not None)
    if "oneOf" in schema:
        return " / ".join(_kind(part) for part in schema["oneOf"])
    kinds = schema.get("type", "any")
    words = " / ".join(kinds) if isinstance(kinds, list) else kinds
    return f"{words} {schema.get('format', '')}".strip()


def _example(contents: Json) -> str:
    """Return the example of a success as text; a refusal's codes say enough."""
    found = contents.get("application/json", {}).get("examples", {}).get("usual")
    return json.dumps(found["value"], ensure_ascii=False, indent=2) if found else ""
