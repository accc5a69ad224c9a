"""The API's description (OpenAPI 3.1): what each operation reads, answers and refuses, said in the `schema` module of its room.

Refusals are named by their codes; status and title come from the classes that are raised.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any, Literal

import django_filters
from django.utils import translation
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions as rest
from rest_framework import serializers
from rest_framework.views import APIView

from palms.api import StrictIn
from palms.errors import DomainError
from palms.filters import MomentFilter, StrictFilterSet, WholeFilter
from palms.paging import MOST, USUAL
from palms.problems import CODES, PROBLEM_JSON

Json = dict[str, Any]
JSON = "application/json"
BIG = 2**63 - 1
READS, EDITS, REMOVES = "GET", ("POST", "PATCH", "PUT"), "DELETE"
OF_ALL = "not_acceptable database_unavailable"
OF_QUERIES = "validation_failed malformed_request"
OF_BODIES = "malformed_request validation_failed request_too_large unsupported_media_type"
OF_CLUBS = "not_authenticated permission_denied not_found validation_failed malformed_request throttled"
OF_KEYS = "validation_failed idempotency_mismatch"
OF_REPEATS = f"{OF_KEYS} idempotency_in_progress"
FRAMEWORK = (
    rest.NotAuthenticated,
    rest.NotAcceptable,
    rest.MethodNotAllowed,
    rest.UnsupportedMediaType,
    rest.Throttled,
)
FACTS: dict[str, Json] = {  # what a refusal carries, by code
    "validation_failed": {"errors": {"client.phone": ["Enter a phone number, for example +7 912 345-67-89"]}},
    "permission_denied": {"scope": "bookings:write"},
    "status_not_settable": {"settable": ["AVAILABLE", "CLOSED"]},
    "slot_duplicate": {"conflicts_with": 4821},
    "stale_version": {"version": 4},
    "transition_not_allowed": {"current_status": "REQUESTED", "allowed_events": ["approve", "cancel_by_club"]},
    "booking_finished": {"current_status": "SHOWN", "allowed_events": []},
    "payment_required": {"due": 150_000, "currency": "RUB", "current_status": "APPROVED"},
    "payment_in_progress": {"due": 150_000, "currency": "RUB", "current_status": "APPROVED"},
    "charge_exceeds_authorization": {"secured": 150_000},
}
MOMENT: Json = {"type": "string", "format": "date-time"}
TEXT: Json = {"type": "string"}
COUNT: Json = {"type": "integer", "minimum": 0}


def enum(*values: Any) -> Json:
    return {"type": "string", "enum": [str(value) for value in values]}


def array(items: Any) -> Json:
    return {"type": "array", "items": items}


def record(**properties: Any) -> Json:
    """Return the schema of an object with exactly these properties."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def nullable(schema: Json) -> Json:
    if "$ref" in schema or "oneOf" in schema:
        return {"oneOf": [schema, {"type": "null"}]}
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    found = schema | {"type": list(dict.fromkeys([*kinds, "null"]))}
    return found | {"enum": [*schema["enum"], None]} if "enum" in schema else found


def page_of(serializer: type[serializers.BaseSerializer[Any]], *, feed: bool = False) -> Json:
    """Return the schema of a page; `feed`: its `meta.as_of` is the next `updated_since`."""
    meta = {"limit": COUNT, "next": nullable(TEXT | {"format": "uri"}), "previous": nullable(TEXT | {"format": "uri"})}
    return record(meta=record(**meta, **({"as_of": MOMENT} if feed else {})), data=array(serializer))


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address.

    `answers` is a serializer or a schema in which serializers may stand; None: an empty body. `refusals` are codes beyond those
    that `_codes` derives. `is_paged` and `query` give its parameters, `guarded` reads If-Match and answers an ETag.
    """

    summary: str
    description: str = ""
    reads: Any = None
    answers: Any = None
    statuses: tuple[int, ...] = (200,)
    refusals: str = ""
    query: Any = None
    parameters: tuple[OpenApiParameter, ...] = ()
    is_paged: bool = False
    is_tagged: bool = False  # answers an ETag
    is_guarded: bool = False  # reads If-Match
    takes_key: bool = False  # Idempotency-Key, where no club calls
    asks: Any = None  # examples, of a request and of an answer
    shows: Any = None
    tag: str = ""


OPERATIONS: dict[tuple[type[APIView], str], Operation] = {}
REFINED: dict[type[serializers.BaseSerializer[Any]], tuple[frozenset[str], Json]] = {}
WORDS: dict[str, str] = {
    "limit": f"Rows of a page, {USUAL} unless told.",
    "cursor": "Where the page begins: as given in `meta.next` and `meta.previous`.",
    "club": "The club's slug. People who work for several clubs must name one; a key knows its own.",
    "date_from": "Starts at or after this moment.",
    "date_to": "Starts before this moment.",
    "updated_since": "Changed at or after this moment: the `meta.as_of` of the last time.",
    "phone": "In any spelling; without a country Russia is assumed.",
}


def document(view: type[APIView], **methods: Operation) -> None:
    """State what a view's methods do: document(ClubSlots, get=Operation(...))."""
    for method, operation in methods.items():
        OPERATIONS[view, method.upper()] = operation


def refine(serializer: type[serializers.BaseSerializer[Any]], nullables: str = "", **properties: Any) -> None:
    """State what the fields of a serializer cannot: which are null at times, and schemas of properties."""
    REFINED[serializer] = frozenset(nullables.split()), properties


@cache
def refusals() -> dict[str, tuple[int, str]]:
    """Return {code: (status, title)} of everything that is ever refused."""
    with translation.override("en"):
        found = {kind.code: (kind.status, str(kind.title)) for kind in _kinds(DomainError) if "code" in vars(kind)}
        for kind in FRAMEWORK:
            code = str(kind.default_code)
            title = str(kind.default_detail).format(method="PUT", media_type="text/plain")
            found[CODES.get(code, code)] = (kind.status_code, title)
    return found


def _kinds(kind: type[DomainError]) -> Iterator[type[DomainError]]:
    for inner in kind.__subclasses__():
        yield inner
        yield from _kinds(inner)


def problem_of(code: str) -> Json:
    """Return a refusal as it is answered."""
    status, title = refusals()[code]
    body = {"type": f"/problems/{code}", "title": title, "status": status, "detail": title, "code": code}
    return body | FACTS.get(code, {})


def _of_filters(filters: type[StrictFilterSet]) -> Iterator[OpenApiParameter]:
    for name, one in filters.base_filters.items():
        yield OpenApiParameter(name, _of_filter(one), description=WORDS.get(name, ""))


def _of_filter(one: django_filters.Filter) -> Json:
    if isinstance(one, MomentFilter):
        return MOMENT
    if isinstance(one, WholeFilter):
        return COUNT | {"maximum": BIG}
    return enum(*(value for value, _label in one.extra["choices"])) if "choices" in one.extra else TEXT


class Schema(AutoSchema):
    """Describes a view by its `Operation`."""

    @property
    def about(self) -> Operation:
        return OPERATIONS[type(self.view), self.method]

    @property
    def is_clubs(self) -> bool:
        return bool(self.view.authentication_classes)

    def is_excluded(self) -> bool:
        return self.method not in (READS, *EDITS, REMOVES)

    def get_operation_id(self) -> str:
        path = self.path.removeprefix("/api/v1/") if self.path.startswith("/api/v1/") else f"older{self.path}"
        return "_".join([self.method.lower(), *re.findall(r"[a-z_]+", path)])

    def get_summary(self) -> str:
        return self.about.summary

    def get_description(self) -> str:  # type: ignore[override]
        scope = f"{getattr(self.view, 'scope', '')}:{'read' if self.method == READS else 'write'}"
        owners = ", or an owner who is signed in" if getattr(self.view, "owners_only", False) else ""
        needs = f"Needs the scope `{scope}`{owners}." if self.is_clubs else ""
        return "\n\n".join(part for part in (self.about.description, needs) if part)

    def get_tags(self) -> list[str]:
        return [self.about.tag]

    def get_auth(self) -> list[Json]:
        return [{"key": []}, {"session": []}] if self.is_clubs else []

    def get_request_serializer(self) -> Any:
        return self.about.reads if self.method in EDITS and not isinstance(self.about.reads, dict) else None

    def get_response_serializers(self) -> Any:
        return None

    def map_parsers(self) -> list[str]:
        return [JSON]

    def map_renderers(self, attribute: str) -> list[str]:
        return [JSON] if attribute == "media_type" else []

    def get_override_parameters(self) -> list[Any]:
        about, query = self.about, self.about.query
        found: list[Any] = list(about.parameters)
        if query is not None:
            found += _of_filters(query) if issubclass(query, django_filters.FilterSet) else [query]
        if about.is_paged:
            limit = {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL}
            found += [OpenApiParameter(name, kind, description=WORDS[name]) for name, kind in
                      (("limit", limit), ("cursor", TEXT))]  # fmt: skip
        if self.is_clubs:
            found.append(OpenApiParameter("club", TEXT, description=WORDS["club"]))
        return found + list(self._headers())

    def _headers(self) -> Iterator[OpenApiParameter]:
        header: Literal["header"] = "header"
        if self._takes_key():
            schema = TEXT | {"minLength": 1, "maxLength": 255, "pattern": r"^[\x20-\x7e]+$"}
            words = "New for each effect; a repeat is answered as the first was. Kept for 30 days."
            yield OpenApiParameter("Idempotency-Key", schema, header, description=words)
        if self.about.is_guarded:
            words = 'The ETag of what was read, for example "3"; `stale_version` when another is stored.'
            yield OpenApiParameter("If-Match", TEXT | {"maxLength": 1000}, header, description=words)

    def _takes_key(self) -> bool:
        return self.about.takes_key or (self.is_clubs and self.method != READS)

    def get_operation(self, *args: Any, **kwargs: Any) -> Json | None:
        operation: Json | None = super().get_operation(*args, **kwargs)
        if operation is not None:
            self._read(operation)
            operation["responses"] = self._answers() | self._refusals()
        return operation

    def _read(self, operation: Json) -> None:
        """Add a body that no serializer reads, and the example."""
        if isinstance(self.about.reads, dict):
            operation["requestBody"] = {"required": True, "content": {JSON: {"schema": self.about.reads}}}
        if self.about.asks is not None:
            operation["requestBody"]["content"][JSON]["examples"] = {"usual": {"value": self.about.asks}}

    def _answers(self) -> Json:
        about = self.about
        answer: Json = {}
        if about.answers is not None:
            shown: Json = {"schema": self._resolved(about.answers)}
            shown |= {"examples": {"usual": {"value": about.shows}}} if about.shows is not None else {}
            answer["content"] = {JSON: shown}
        if about.is_tagged:
            words = "The version of what is shown, for If-Match."
            answer["headers"] = {"ETag": {"schema": TEXT, "description": words}}
        return {str(status): {"description": HTTPStatus(status).phrase} | answer for status in about.statuses}

    def _resolved(self, schema: Any) -> Any:
        """Return the schema with each serializer in it replaced by a reference to its component."""
        if isinstance(schema, type):
            return self.resolve_serializer(schema, "response").ref
        if isinstance(schema, Mapping):
            return {name: self._resolved(inner) for name, inner in schema.items()}
        return [self._resolved(inner) for inner in schema] if isinstance(schema, list) else schema

    def _codes(self) -> set[str]:
        about = self.about
        words = [OF_ALL, about.refusals, OF_CLUBS if self.is_clubs else ""]
        words.append(OF_QUERIES if about.query is not None or about.is_paged else "")
        words.append(OF_BODIES if about.reads is not None else "")
        words.append((OF_REPEATS if self.is_clubs else OF_KEYS) if self._takes_key() else "")
        words.append("stale_version validation_failed" if about.is_guarded else "")
        words.append("not_found" if "{" in self.path else "")
        return set(" ".join(words).split())

    def _refusals(self) -> Json:
        by_status: dict[int, list[str]] = {}
        for code in sorted(self._codes()):
            by_status.setdefault(refusals()[code][0], []).append(code)
        return {str(status): _problem(status, by_status[status]) for status in sorted(by_status)}

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Json:
        schema: Json = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        kind = serializer if isinstance(serializer, type) else type(serializer)
        for one in reversed(kind.__mro__):
            nullables, properties = REFINED.get(one, (frozenset(), {}))
            schema["properties"] |= {name: self._resolved(inner) for name, inner in properties.items()}
            schema["properties"] |= {name: nullable(schema["properties"][name]) for name in nullables}
        for inner in schema["properties"].values():
            inner.pop("readOnly", None)
        if issubclass(kind, StrictIn):
            schema["additionalProperties"] = False
        return schema


def _problem(status: int, codes: list[str]) -> Json:
    narrowed = {"properties": {"code": enum(*codes), "status": {"const": status}}}
    schema = {"allOf": [{"$ref": "#/components/schemas/Problem"}, narrowed]}
    examples = {code: {"$ref": f"#/components/examples/{code}"} for code in codes}
    answer: Json = {
        "description": ", ".join(f"`{code}`" for code in codes),
        "content": {PROBLEM_JSON: {"schema": schema, "examples": examples}},
    }
    if status in (429, 503):
        answer["headers"] = {"Retry-After": {"schema": COUNT, "description": "Seconds."}}
    return answer
