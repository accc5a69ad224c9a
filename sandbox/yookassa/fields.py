"""Reading one field of a request body: exact types, exact limits, the parameter named as YooKassa names it."""

import re
from collections.abc import Set as AbstractSet
from typing import Any
from urllib.parse import urlsplit

from sandbox.web import Json
from sandbox.yookassa.errors import invalid
from sandbox.yookassa.money import parse_value

EMPTY: tuple[Any, ...] = (None, [], {}, False)


def text(given: Json, name: str, longest: int, *, path: str = "", shortest: int = 0) -> str | None:
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not shortest <= len(value) <= longest:
        raise invalid(
            path + name, f"Incorrect value of {path}{name}: a string of {shortest} to {longest} characters is expected"
        )
    return value


def required_text(given: Json, name: str, longest: int, *, path: str = "") -> str:
    value = text(given, name, longest, path=path, shortest=1)
    if value is None:
        raise invalid(path + name, f"Required parameter {path}{name} is missing")
    return value


def boolean(given: Json, name: str, default: bool, *, path: str = "") -> bool:
    value = given.get(name, default)
    if not isinstance(value, bool):
        raise invalid(path + name, f"Incorrect value of {path}{name}: true or false is expected")
    return value


def one_of(given: Json, name: str, allowed: tuple[str, ...], *, path: str = "") -> str | None:
    value = given.get(name)
    if value is not None and value not in allowed:
        raise invalid(path + name, f"Incorrect value of {path}{name}: one of {', '.join(allowed)} is expected")
    return value


def mapping(given: Json, name: str) -> Json | None:
    value = given.get(name)
    if value is not None and not isinstance(value, dict):
        raise invalid(name, f"Incorrect value of {name}: an object is expected")
    return value


def amount(given: Json, name: str, currency: str, *, path: str = "") -> int:
    """Return minor units of a required {"value": "100.00", "currency": "RUB"}."""
    full = path + name
    value = given.get(name)
    if value is None:
        raise invalid(full, f"Required parameter {full} is missing")
    if not isinstance(value, dict) or set(value) - {"value", "currency"}:
        raise invalid(full, f"Incorrect value of {full}: an object with value and currency is expected")
    minor = parse_value(value["value"]) if isinstance(value.get("value"), str) else None
    if minor is None:
        raise invalid(full + ".value", f"Incorrect value of {full}.value: a string with two decimals is expected")
    if value.get("currency") != currency:
        raise invalid(full + ".currency", f"Incorrect value of {full}.currency: the shop works in {currency}")
    return minor


def positive_amount(given: Json, name: str, currency: str, *, path: str = "") -> int:
    minor = amount(given, name, currency, path=path)
    if minor == 0:
        raise invalid(f"{path}{name}.value", f"Incorrect value of {path}{name}.value: it must be above zero")
    return minor


def metadata(given: Json) -> dict[str, str] | None:
    value = mapping(given, "metadata")
    if value is None:
        return None
    if len(value) > 16:
        raise invalid("metadata", "Incorrect value of metadata: at most 16 keys are allowed")
    for key, item in value.items():
        if not 1 <= len(key) <= 32:
            raise invalid("metadata", "Incorrect value of metadata: a key has 1 to 32 characters")
        if not isinstance(item, str) or len(item) > 512:
            raise invalid(
                "metadata", f"Incorrect value of metadata.{key[:32]}: a string of at most 512 characters is expected"
            )
    return value


def web_address(given: Json, name: str, *, path: str) -> str:
    value = required_text(given, name, 2048, path=path)
    if not is_web_address(value):
        raise invalid(path + name, f"Incorrect value of {path}{name}: an absolute http(s) address is expected")
    return value


def is_web_address(value: str) -> bool:
    if re.search(r"[\s\x00-\x1f\x7f]", value):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def only(given: Json, known: AbstractSet[str], unsupported: AbstractSet[str] = frozenset(), *, path: str = "") -> None:
    """Refuse unknown names, and documented ones this stand-in does not play unless they are sent empty, as the SDK does."""
    for name, value in given.items():
        if name in unsupported and value in EMPTY:
            continue
        if name in unsupported:
            raise invalid(path + name, f"{path}{name[:64]} is not supported by this shop")
        if name not in known:
            raise invalid((path + name)[:128], f"Unknown parameter {(path + name)[:128]}")
