"""What the API's rooms share: how bodies are read, strict fields, and the shapes that several rooms show."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from time import monotonic
from typing import IO, Any, NoReturn

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from palms.clock import to_zone
from palms.errors import NotFound
from palms.filters import aware
from palms.problems import MalformedRequest, RequestTooLarge

LARGEST = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 1_000_000  # bytes
MOST_DRAINED, CHUNK, PATIENCE = 32 * 1024 * 1024, 64 * 1024, 10.0  # bytes, bytes, seconds
DEEPEST = 32  # levels of nesting; far below what Python's own stack bears
BIGGEST_ID = 2**63 - 1
ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class StrictJson(BaseParser):
    """Read UTF-8 JSON of at most `largest` bytes: no NaN, no endless nesting, no name twice in one object.

    Raises:
        MalformedRequest, RequestTooLarge.
    """

    media_type = "application/json"
    largest = LARGEST

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        raw = stream.read(self.largest + 1)
        if len(raw) > self.largest:
            _let_finish(stream)
            raise RequestTooLarge
        try:
            body = json.loads(raw.decode("utf-8"), parse_constant=_refuse, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:  # ValueError: not UTF-8, not JSON, or an absurdly long number
            raise MalformedRequest from error
        if _is_too_deep(body):
            raise MalformedRequest
        return body


def _let_finish(stream: IO[Any]) -> None:
    """Read on a while and keep nothing: whoever is cut off while they still write may never see the answer."""
    until = monotonic() + PATIENCE
    for _chunk in range(MOST_DRAINED // CHUNK):
        if not stream.read(CHUNK) or monotonic() > until:
            return


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object whose names stand in it once: of two prices neither is the one that was meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _is_too_deep(body: Any) -> bool:
    level = [body]
    for _depth in range(DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return bool(level)


class ApiView(APIView):
    """A view of the API: JSON in, JSON out."""

    parser_classes = [StrictJson]


class SecretApiView(ApiView):
    """Behind an unguessable address: stored by nobody on the way, indexed by nobody."""

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Cache-Control"] = "no-store, private"
        response["X-Robots-Tag"] = "noindex, nofollow"
        return response


class AnyAccept(DefaultContentNegotiation):
    """Answer whatever Accept says: banks send all sorts, and get an empty body."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class UnknownAddress(ApiView):
    """Any address below /api/ that is not there, by any method."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound


class Text(serializers.CharField):
    """A JSON string; numbers are not read as one."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if data is not serializers.empty and data is not None and not isinstance(data, str):
            self.fail("invalid")
        return super().run_validation(data)


class Whole(serializers.IntegerField):
    """A JSON integer; "3", 3.0 and true are not read as one."""

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data


class Flag(serializers.BooleanField):
    """true or false; "yes" and 1 are not read as one."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class StrictIn(serializers.Serializer[Any]):
    """A body with the declared fields only: a misspelt name must not pass for one left out."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = [name for name in data if name not in self.fields] if isinstance(data, Mapping) else []
        errors: dict[str, Any] = {name: [_("There is no such field")] for name in unknown[:20]}
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as wrong:
            if not errors:
                raise
            errors |= dict(wrong.detail)  # type: ignore[arg-type]
        if errors:
            raise serializers.ValidationError(errors)
        return value


class Day(serializers.DateField):
    """A calendar day as YYYY-MM-DD, within [first, last]."""

    default_error_messages = {"range": _("Enter a date between {first} and {last}.")}

    def __init__(self, *, first: date = date.min, last: date = date.max, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.first, self.last = first, last

    def to_internal_value(self, value: Any) -> date:
        if not isinstance(value, str) or not ISO_DAY.fullmatch(value):
            self.fail("invalid", format="YYYY-MM-DD")
        day: date = super().to_internal_value(value)
        if not self.first <= day <= self.last:
            self.fail("range", first=self.first, last=self.last)
        return day


class MomentIn(serializers.Field[datetime, Any, str, Any]):
    """A moment as ISO 8601 with an offset. Raises TimezoneRequired for one without."""

    default_error_messages = {"invalid": _("Not a moment in ISO 8601, for example 2026-11-21T18:00:00+03:00")}

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str):
            self.fail("invalid")
        try:
            return aware(data)
        except ValueError:
            self.fail("invalid")

    def to_representation(self, value: datetime) -> str:
        return value.isoformat()


class Moment(serializers.Field[datetime, Any, str, Any]):
    """A moment as ISO 8601 with the offset of the club's zone (`context["zone"]`). For output only."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def to_representation(self, value: datetime) -> str:
        return to_zone(value, self.context["zone"]).isoformat()


class AreaOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.CharField()
    location = serializers.CharField()


class InstructorOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()


class SlotOut(serializers.Serializer[Any]):
    """An offer as seen by somebody: A's Slot, and what is left of it. Shown from an `OfferView`.

    `price` is per participant, in minor units. Context: `zone`, `club`.
    """

    id = serializers.IntegerField(source="slot.id")
    title = serializers.CharField(source="slot.title")
    date_from = Moment(source="slot.date_from")
    date_to = Moment(source="slot.date_to")
    cancelation_time = serializers.SerializerMethodField()
    status = serializers.CharField()
    price = serializers.IntegerField(source="slot.price")
    currency = serializers.CharField(source="slot.currency")
    area = AreaOut(source="slot.area")
    instructor = InstructorOut(source="slot.instructor")
    capacity = serializers.IntegerField(source="slot.capacity")
    places_left = serializers.IntegerField()

    def get_cancelation_time(self, offer: Any) -> str:
        """Return the slot's own moment, or the club's lead before its start."""
        lead = timedelta(minutes=self.context["club"].free_cancel_lead_minutes)
        moment = offer.slot.cancelation_time or offer.slot.date_from - lead
        return to_zone(moment, self.context["zone"]).isoformat()


def cacheable(body: dict[str, Any], *, seconds: int = 5) -> Response:
    """Return a success that anybody on the way may keep for seconds."""
    return Response(body, headers={"Cache-Control": f"public, max-age={seconds}"})
