"""Views whose writes may carry an Idempotency-Key: repeats are answered as the first was (palms/repeats.py)."""

from __future__ import annotations

import json
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.permissions import SAFE_METHODS
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from palms import repeats
from palms.api import ApiView
from palms.clock import now_utc
from palms.errors import ValidationFailed
from palms.problems import PROBLEM_JSON

LONGEST_KEY = 255
KEPT_HEADERS = ("ETag", "Location")


class RepeatableView(ApiView):
    """Call `once` at the end of `initial`, when it is known who calls and that they may."""

    _claim: repeats.Claim | None = None

    def once(self, request: Request, holder: str) -> None:
        """Go on as the first of this holder's writes with this Idempotency-Key, or answer as the first one did."""
        given = request.headers.get("Idempotency-Key")
        if given is None or request.method in SAFE_METHODS:
            return
        if not 1 <= len(given) <= LONGEST_KEY or not given.isprintable():
            raise ValidationFailed(errors={"Idempotency-Key": [_("The key must have 1 to 255 printable characters")]})
        asked = repeats.fingerprint(request.method, request.get_full_path(), request.data)
        found = repeats.begin(holder=holder, key=given, fingerprint=asked, now=now_utc())
        if isinstance(found, repeats.Answer):
            raise _Answered(found)
        self._claim = found

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, _Answered):
            first = exc.answer
            kind = first.headers.pop("Content-Type", None)
            headers = first.headers | {"Idempotent-Replayed": "true"}
            return Response(first.body, first.status, headers=headers, content_type=kind)
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        if self._claim is not None:
            _keep(self._claim, response)
        return response


def _keep(claim: repeats.Claim, response: Response) -> None:
    """Keep a final answer for repeats; after a 5xx the key is free again."""
    if response.status_code >= 500:
        repeats.give_up(claim)
        return
    headers = {name: response[name] for name in KEPT_HEADERS if name in response.headers}
    if response.status_code >= 400:
        headers["Content-Type"] = PROBLEM_JSON
    body = json.loads(JSONRenderer().render(response.data) or "null")
    repeats.end(claim, repeats.Answer(response.status_code, body, headers))


class _Answered(Exception):
    """The first run of this Idempotency-Key has answered already."""

    def __init__(self, answer: repeats.Answer) -> None:
        super().__init__()
        self.answer = answer
