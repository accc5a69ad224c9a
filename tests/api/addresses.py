"""Addresses for tests of what views may raise."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import IntegrityError, OperationalError
from django.http import Http404, UnreadablePostError
from django.urls import path
from rest_framework import exceptions as rest
from rest_framework.request import Request

from palms import urls as site
from palms.api import ApiView
from palms.errors import DatabaseUnavailable, DomainError, NotPermitted, ValidationFailed

RAISED: dict[str, Callable[[], Exception]] = {
    "not-found": lambda: Http404("a secret path"),
    "denied": lambda: PermissionDenied("secret"),
    "not-permitted": lambda: NotPermitted(),
    "too-big": lambda: RequestDataTooBig(),
    "suspicious": lambda: SuspiciousOperation("secret"),
    "bad": lambda: BadRequest("secret"),
    "gone": lambda: UnreadablePostError("secret"),
    "busy": lambda: OperationalError("secret: canceling statement due to lock timeout"),
    "unavailable": lambda: DatabaseUnavailable(),
    "throttled": lambda: rest.Throttled(wait=7.4),
    "parse": lambda: rest.ParseError(),
    "stranger": lambda: rest.NotAuthenticated(),
    "forged": lambda: rest.AuthenticationFailed(),
    "rest-denied": lambda: rest.PermissionDenied(),
    "rest-not-found": lambda: rest.NotFound(),
    "input": lambda: rest.ValidationError(
        {"a": {"b": [["wrong"], []], "non_field_errors": ["whole"]}, "c": [{}, {"d": ["bad"]}]}
    ),
    "one": lambda: rest.ValidationError("just wrong"),
    "facts": lambda: ValidationFailed(errors={"phone": ["wrong"]}),
    "refused": lambda: DomainError(allowed_events=["approve"], current_status="REQUESTED"),
    "integrity": lambda: IntegrityError("secret: Failing row contains (Anna)"),
    "defect": lambda: ZeroDivisionError("secret"),
}


class Raise(ApiView):
    def get(self, request: Request, name: str) -> Any:
        raise RAISED[name]()


handler404, handler500 = site.handler404, site.handler500
urlpatterns = [path("api/raise/<str:name>", Raise.as_view()), *site.urlpatterns]
