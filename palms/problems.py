"""Refusals as application/problem+json (RFC 9457). `code` and the names of facts are a contract, titles are prose.

Every answer of the API that is not a success comes through here; anything unexpected stays a logged 500 without details.
"""

from __future__ import annotations

import sys
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import DatabaseError
from django.http import Http404, UnreadablePostError
from django.utils.log import log_response
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions as rest
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import set_rollback

from palms.errors import DatabaseUnavailable, DomainError, NotFound, NotPermitted, ValidationFailed, is_busy

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER = 5  # seconds, as on the pages
WHOLE = "body"  # where an error is about the whole input and not about one of its fields
CODES = {  # of the framework, where ours is another
    "parse_error": "malformed_request",
    "authentication_failed": "not_authenticated",
}


class MalformedRequest(DomainError):
    """Not JSON, not UTF-8, nested beyond reason, or with one name twice in an object."""

    code, title, status = "malformed_request", _("Malformed request."), 400


class RequestTooLarge(DomainError):
    code, title, status = "request_too_large", _("The request is too large"), 413


class Unexpected(DomainError):
    """A defect of ours. It is logged, and nothing of it is told."""

    code, title, status = "internal_error", _("A server error occurred."), 500


def problem_handler(exc: Exception, context: dict[str, Any]) -> Response:
    """Give every refusal one body. Called by the framework for whatever a view has raised."""
    set_rollback()  # a refusal turned into a response would otherwise commit an open request transaction
    response = _answer(exc)
    if response is not None:
        return response
    response = problem(Unexpected())
    request = context["request"]._request
    got_request_exception.send(sender=None, request=request)  # as Django does: error trackers and tests listen
    error = exc if sys.exc_info()[1] is exc else None
    log_response("Internal Server Error: %s", request.path, response=response, request=request, exception=error)
    return response


def problem(refusal: DomainError) -> Response:
    """Return the response of a refusal of ours."""
    return _respond(refusal.status, refusal.code, str(refusal), refusal.facts)


def _answer(exc: Exception) -> Response | None:
    """Return the response of a refusal, ours, Django's or the framework's; None for anything unexpected."""
    if isinstance(exc, rest.APIException):
        return _framework(exc)
    refusal = exc if isinstance(exc, DomainError) else _meant(exc)
    return problem(refusal) if refusal is not None else None


def _meant(exc: Exception) -> DomainError | None:
    """Return the refusal that an exception of Django or of the database stands for."""
    if isinstance(exc, DatabaseError) and is_busy(exc):
        return DatabaseUnavailable()
    if isinstance(exc, RequestDataTooBig):
        return RequestTooLarge()
    if isinstance(exc, SuspiciousOperation | BadRequest | UnreadablePostError):
        return MalformedRequest()
    if isinstance(exc, Http404):
        return NotFound()
    return NotPermitted() if isinstance(exc, PermissionDenied) else None


def _framework(exc: rest.APIException) -> Response:
    if isinstance(exc, rest.ValidationError):
        return problem(ValidationFailed(errors=flat(exc.detail)))
    name = str(exc.default_code)
    status = type(exc).status_code  # the framework lowers 401 to 403 where a view names no way to sign in
    response = _respond(status, CODES.get(name, name), str(exc.detail), {})
    if status == 401:
        response["WWW-Authenticate"] = getattr(exc, "auth_header", "Bearer")
    wait = getattr(exc, "wait", None)  # of Throttled, in seconds
    if wait is not None:
        response["Retry-After"] = f"{wait:.0f}"
    return response


def flat(detail: Any, path: str = "") -> dict[str, list[str]]:
    """Return {"client.phone": [messages], "participants_names.1": [...], "body": [...]}."""
    if isinstance(detail, dict):
        pairs = (
            (path if key == api_settings.NON_FIELD_ERRORS_KEY else _join(path, key), detail[key]) for key in detail
        )
    elif isinstance(detail, list) and any(isinstance(part, dict | list) for part in detail):
        pairs = ((_join(path, number), part) for number, part in enumerate(detail))
    else:
        return {path or WHOLE: [str(message) for message in (detail if isinstance(detail, list) else [detail])]}
    found: dict[str, list[str]] = {}
    for where, part in pairs:
        found |= flat(part, where) if part else {}
    return found


def _join(path: str, step: object) -> str:
    return f"{path}.{step}" if path else str(step)


def _respond(status: int, code: str, title: str, facts: dict[str, Any]) -> Response:
    body = {"type": f"/problems/{code}", "title": title, "status": status, "detail": title, "code": code, **facts}
    headers = {"Cache-Control": "no-store"}
    if status == 503:
        headers["Retry-After"] = str(RETRY_AFTER)
    return Response(body, status=status, headers=headers, content_type=PROBLEM_JSON)
