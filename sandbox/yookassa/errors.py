"""Refusals of the API, shaped as YooKassa shapes them."""

import uuid
from typing import Any


class ApiError(Exception):
    """One refusal. `parameter` names the field or header at fault; `retry_after` is milliseconds."""

    def __init__(
        self,
        status: int,
        code: str | None,
        description: str,
        parameter: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(description)
        self.status = status
        self._fields = {"code": code, "description": description, "parameter": parameter, "retry_after": retry_after}

    def body(self) -> dict[str, Any]:
        given = {name: value for name, value in self._fields.items() if value is not None}
        return {"type": "error", "id": str(uuid.uuid4()), **given}


def invalid(parameter: str | None, description: str) -> ApiError:
    return ApiError(400, "invalid_request", description, parameter)


def not_found(parameter: str, what: str) -> ApiError:
    return ApiError(404, "not_found", f"Incorrect {parameter}. {what} doesn't exist or access denied", parameter)
