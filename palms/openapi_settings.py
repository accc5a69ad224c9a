"""What the API's document says as a whole. Read by the settings, so it imports nothing of ours."""

from typing import Any

Json = dict[str, Any]
TEXT: Json = {"type": "string"}
VERSION = "1.0.0"
TAGS = {
    "Slots": "What the club offers.",
    "Bookings": "What came of it, and what the club does with it.",
    "Reference": "What the ids in other calls may be, and a report.",
    "Webhooks": "Endpoints that are told what happens. See also the webhooks of this document.",
    "Customer": "For a club's site or an application: what is free, checkout, the booking behind its token.",
    "Older addresses": "For sites that were there before Palms.",
    "Providers": "Where banks send their notifications.",
    "Document": "This document.",
}
PROBLEM: Json = {
    "type": "object",
    "description": "A refusal (RFC 9457). `code` and the names of facts are a contract; titles are prose, by Accept-Language.",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": TEXT,
        "status": {"type": "integer"},
        "detail": TEXT,
        "code": {"type": "string"},
        "errors": {
            "type": "object",
            "description": "Messages by dotted path: `client.phone`, `participants_names.1`, a parameter, a header, `body`.",
            "additionalProperties": {"type": "array", "items": TEXT},
        },
        "current_status": {"type": "string"},
        "allowed_events": {"type": "array", "items": TEXT},
        "conflicts_with": {"type": "integer"},
    },
    "required": ["type", "title", "status", "detail", "code"],
}
SECURITY: Json = {
    "key": {"type": "http", "scheme": "bearer", "description": "A club's key: `palms_live_...` or `palms_test_...`."},
    "session": {
        "type": "apiKey", "in": "cookie", "name": "sessionid",
        "description": "A person of the staff who has signed in to the back office; writes also need X-CSRFToken.",
    },
}  # fmt: skip
SETTINGS: Json = {
    "OAS_VERSION": "3.1.1",
    "TITLE": "Palms",
    "VERSION": VERSION,
    "DESCRIPTION": (
        "Booking for sports clubs. Money is an integer in minor units beside its currency, times are ISO 8601 with their "
        "offset. Every refusal is application/problem+json. Beside the codes of an operation any address may answer "
        "405 `method_not_allowed`, and 500 `internal_error` when Palms itself is at fault."
    ),
    "SERVERS": [{"url": "/"}],
    "TAGS": [{"name": name, "description": words} for name, words in TAGS.items()],
    "COMPONENT_SPLIT_PATCH": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "PREPROCESSING_HOOKS": ["palms.document.discover"],
    "POSTPROCESSING_HOOKS": ["palms.document.finish"],
    "SORT_OPERATION_PARAMETERS": False,
}
