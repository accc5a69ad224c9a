"""What a changed API document breaks for those who call it: compared as they would meet it, not as text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
UPPER = ("maximum", "maxLength", "maxItems")
LOWER = ("minimum", "minLength", "minItems")
PARTS = ("allOf", "oneOf", "anyOf")
METHODS = ("get", "post", "put", "patch", "delete")


def breaking(old: Json, new: Json) -> list[str]:
    """Return what those who rely on `old` would stumble over in `new`, one line each."""
    found = _Comparison(old, new)
    return [*found.operations(), *found.events()]


@dataclass(frozen=True, slots=True)
class _Comparison:
    old: Json
    new: Json

    def operations(self) -> Iterator[str]:
        for path, methods in self.old["paths"].items():
            for method in set(METHODS) & set(methods):
                where = f"{method.upper()} {path}"
                if method in self.new["paths"].get(path, {}):
                    yield from self._operation(where, methods[method], self.new["paths"][path][method])
                else:
                    yield f"{where}: removed"

    def events(self) -> Iterator[str]:
        for name, methods in self.old.get("webhooks", {}).items():
            where = f"webhook {name}"
            if name not in self.new.get("webhooks", {}):
                yield f"{where}: removed"
            else:
                old, new = methods["post"]["requestBody"], self.new["webhooks"][name]["post"]["requestBody"]
                yield from self._bodies(where, old, new, is_input=False)

    def _operation(self, where: str, old: Json, new: Json) -> Iterator[str]:
        if not old.get("security") and new.get("security"):
            yield f"{where}: asks for credentials"
        yield from self._parameters(where, old.get("parameters", []), new.get("parameters", []))
        yield from self._bodies(f"{where} body", old.get("requestBody"), new.get("requestBody"), is_input=True)
        for status, answer in old["responses"].items():
            if status not in new["responses"]:
                yield f"{where}: no {status} any more"
            else:
                yield from self._bodies(f"{where} {status}", answer, new["responses"][status], is_input=False)

    def _parameters(self, where: str, old: list[Json], new: list[Json]) -> Iterator[str]:
        before, after = ({(one["in"], one["name"]): one for one in side} for side in (old, new))
        for key, one in after.items():
            if one.get("required") and not before.get(key, {}).get("required"):
                yield f"{where}: parameter {key[1]} is required now"
        for key, one in before.items():
            if key not in after:
                yield f"{where}: parameter {key[1]} removed"
            else:
                yield from self._schemas(f"{where} ?{key[1]}", one["schema"], after[key]["schema"], is_input=True)

    def _bodies(self, where: str, old: Json | None, new: Json | None, *, is_input: bool) -> Iterator[str]:
        before, after = (old or {}).get("content", {}), (new or {}).get("content", {})
        if is_input and after and not before:
            yield f"{where}: asked for now"
        for kind in before:
            if kind not in after:
                yield f"{where}: no {kind} any more"
            else:
                yield from self._schemas(where, before[kind]["schema"], after[kind]["schema"], is_input=is_input)

    def _schemas(self, where: str, old: Any, new: Any, *, is_input: bool) -> Iterator[str]:
        old, new = _resolved(self.old, old), _resolved(self.new, new)
        yield from _kinds(where, old, new, is_input=is_input)
        yield from _values(where, old, new)
        if is_input:
            yield from _bounds(where, old, new)
        yield from self._properties(where, old, new, is_input=is_input)
        for inner in ("items", "additionalProperties"):
            if isinstance(old.get(inner), dict) and isinstance(new.get(inner), dict):
                yield from self._schemas(f"{where}[]", old[inner], new[inner], is_input=is_input)
        for name in PARTS:
            before, after = old.get(name, []), new.get(name, [])
            if len(before) != len(after):
                yield f"{where}: {name} of {len(before)} is of {len(after)} now"
            for one, other in zip(before, after, strict=False):
                yield from self._schemas(where, one, other, is_input=is_input)

    def _properties(self, where: str, old: Json, new: Json, *, is_input: bool) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        needed, given = set(new.get("required", [])), set(old.get("required", []))
        for name in sorted(needed - given if is_input else given - needed):
            if is_input or name in after:
                yield f"{where}.{name}: {'required now' if is_input else 'not always there any more'}"
        for name, schema in before.items():
            if name not in after:
                yield f"{where}.{name}: removed"
            else:
                yield from self._schemas(f"{where}.{name}", schema, after[name], is_input=is_input)


def _resolved(document: Json, schema: Any) -> Json:
    while isinstance(schema, dict) and "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema if isinstance(schema, dict) else {}


def _kinds(where: str, old: Json, new: Json, *, is_input: bool) -> Iterator[str]:
    """Callers may go on sending what they sent, and are answered nothing of a kind that they never saw."""
    before, after = (_types(side) for side in (old, new))
    lost = before - after if is_input else after - before
    if before and after and lost or bool(before) != bool(after) or old.get("format") != new.get("format"):
        yield f"{where}: type {_told(old)} is {_told(new)} now"


def _types(schema: Json) -> set[str]:
    given = schema.get("type", [])
    return set([given] if isinstance(given, str) else given)


def _told(schema: Json) -> str:
    return " ".join([*sorted(_types(schema)), schema.get("format", "")]).strip() or "any"


def _values(where: str, old: Json, new: Json) -> Iterator[str]:
    if "enum" in new and "enum" not in old:
        yield f"{where}: only some values now"
    for value in old.get("enum", []):
        if "enum" in new and value not in new["enum"]:
            yield f"{where}: no value {value!r} any more"
    if old.get("const") != new.get("const"):
        yield f"{where}: {old.get('const')!r} is {new.get('const')!r} now"


def _bounds(where: str, old: Json, new: Json) -> Iterator[str]:
    for name in (*UPPER, *LOWER):
        if name not in new:
            continue
        tighter = (
            new[name] < old.get(name, new[name] + 1) if name in UPPER else new[name] > old.get(name, new[name] - 1)
        )
        if tighter:
            yield f"{where}: {name} {old.get(name)} is {new[name]} now"
    if "pattern" in new and new["pattern"] != old.get("pattern"):
        yield f"{where}: another pattern"
    if new.get("additionalProperties") is False and old.get("additionalProperties") is not False:
        yield f"{where}: other fields are refused now"
