"""Text from outside, made storable: PostgreSQL takes neither NUL nor half of a surrogate pair."""

from typing import Any


def storable(value: Any) -> Any:
    """Return the same JSON value, its texts without what PostgreSQL cannot store."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {storable(key): storable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [storable(inner) for inner in value]
    return value
