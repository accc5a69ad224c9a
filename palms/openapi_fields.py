"""How our own fields are described. Found by their import: `palms.document` does it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension


class MomentExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "palms.api.Moment"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}


class MomentInExtension(MomentExtension):  # type: ignore[no-untyped-call]
    target_class = "palms.api.MomentIn"
