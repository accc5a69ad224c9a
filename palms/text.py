"""Text from outside, made storable: PostgreSQL takes neither NUL nor half of a surrogate pair."""

import json
from typing import Any


def storable(value: Any) -> Any:
    """Return the same JSON value without what PostgreSQL cannot store."""
    text = json.dumps(value, ensure_ascii=False).replace("\\u0000", "")
    return json.loads(text.encode("utf-8", "replace").decode())
