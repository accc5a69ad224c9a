"""Every operation, driven from the document with what it allows and what it does not: no 5xx, nothing that is not described."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.openapi import from_dict
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from palms.document import build
from palms.wsgi import application
from tests.api.world import World, make_world, operations
from tests.bank import Bank

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip
EXAMPLES = 12  # of each operation and kind
BOUNDED = hypothesis.settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)


@pytest.fixture(autouse=True)
def _one_connection() -> Iterator[None]:
    """Let the requests of a test be part of its transaction, as Django's own test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@cache
def described() -> Any:
    found = from_dict(copy.deepcopy(build()))
    found.app = application
    return found


def aim(case: schemathesis.Case, world: World) -> None:
    """Let a case be about what exists."""
    for name in case.path_parameters or {}:
        case.path_parameters[name] = world.ids[name]
    if isinstance(case.body, dict):
        case.body = world.about(case.body)


def drives() -> Iterator[Any]:
    """Yield an operation and how to drive it. Wrongly: only where there is an input that can be wrong."""
    for method, path, operation in operations():
        asks_a_bank = "provider_unavailable" in operation["responses"].get("503", {})["description"]
        has_input = "requestBody" in operation or any(one["in"] == "query" for one in operation.get("parameters", []))
        for kind in GenerationMode if has_input else [GenerationMode.POSITIVE]:
            mark = pytest.mark.django_db(transaction=asks_a_bank)  # no call to a bank inside a transaction
            yield pytest.param(method, path, kind, marks=mark, id=f"{method} {path} {kind.value}")


@pytest.mark.parametrize(("method", "path", "kind"), list(drives()))
def test_an_operation_answers_as_described(method: str, path: str, kind: GenerationMode, bank: Bank) -> None:
    world = make_world()
    operation = described()[path][method]

    @BOUNDED
    @hypothesis.given(case=operation.as_strategy(generation_mode=kind), is_aimed=st.booleans())
    def drive(case: schemathesis.Case, is_aimed: bool) -> None:
        if is_aimed:
            aim(case, world)
        headers = {"Accept-Encoding": "identity"}
        if operation.definition.raw.get("security"):
            headers["Authorization"] = f"Bearer {world.secret}"
        response = case.call(headers=headers)
        case.validate_response(response, checks=CHECKS)

    drive()
