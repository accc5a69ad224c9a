"""Slots and programs for a club's CRM and its staff."""

from __future__ import annotations

from typing import Any

import django_filters
from django.conf import settings
from django.db.models import F, QuerySet
from django.urls import path, reverse
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from clubs.callers import ClubApiView
from clubs.selectors import zone_of
from palms.api import (
    BIGGEST_ID,
    AreaOut,
    Flag,
    InstructorOut,
    Moment,
    MomentIn,
    SlotOut,
    StrictIn,
    StrictJson,
    Text,
    Whole,
)
from palms.clock import now_utc, to_zone
from palms.errors import DomainError, TimezoneRequired, ValidationFailed
from palms.feeds import as_of
from palms.filters import MomentFilter, StrictFilterSet, WholeFilter
from palms.paging import page
from palms.preconditions import etag_of, required_version
from palms.problems import flat
from slots.editing import change_slot
from slots.errors import SlotNotFound, StatusNotSettable
from slots.models import Program, Slot
from slots.offers import DEAREST, MOST_PLACES, Draft
from slots.publishing import Outcome, publish_slot, publish_slots
from slots.rules import SlotStatus
from slots.selectors import OfferView, standing, view_of

MOST_AT_ONCE = 10_000
SETTABLE = {"AVAILABLE": False, "CLOSED": True}  # status: closed
DAY = 24 * 60


def _id() -> Whole:
    return Whole(min_value=1, max_value=BIGGEST_ID, required=False, allow_null=True)


class ClubSlotIn(StrictIn):
    """What to offer; null is the same as left out. `price` is due unless a program gives it."""

    date_from = MomentIn()
    date_to = MomentIn()
    area_id = _id()
    instructor_id = _id()
    program_id = _id()
    price = Whole(min_value=0, max_value=DEAREST, required=False, allow_null=True)
    currency = Text(max_length=3, required=False, allow_null=True)
    capacity = Whole(min_value=1, max_value=MOST_PLACES, required=False, allow_null=True)
    title = Text(max_length=120, required=False, allow_null=True, allow_blank=True)
    sport_type = Text(max_length=40, required=False, allow_null=True, allow_blank=True)
    cancelation_time = MomentIn(required=False, allow_null=True)
    reference_id = Whole(min_value=0, max_value=BIGGEST_ID, required=False, allow_null=True)


class ClubSlotChangeIn(StrictIn):
    status = Text(required=False)
    date_from = MomentIn(required=False)
    date_to = MomentIn(required=False)
    price = Whole(min_value=0, max_value=DEAREST, required=False)
    area_id = Whole(min_value=1, max_value=BIGGEST_ID, required=False)
    capacity = Whole(min_value=1, max_value=MOST_PLACES, required=False)


class ClubSlotsBulkIn(StrictIn):
    slots: Any = serializers.ListField(allow_empty=False, max_length=MOST_AT_ONCE)
    partial: Any = Flag(default=False)


class ProgramBriefOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()


class ClubSlotOut(SlotOut):
    """A slot as its club sees it. `closed` is the club's intention, `status` what follows from it, the claims, the clock."""

    reference_id = serializers.IntegerField(source="slot.reference_id")
    program = ProgramBriefOut(source="slot.program")
    origin = serializers.CharField(source="slot.origin")
    sport_type = serializers.CharField(source="slot.sport_type")
    closed = serializers.BooleanField(source="slot.closed")
    version = serializers.IntegerField(source="slot.version")
    created_at = Moment(source="slot.created_at")
    updated_at = Moment(source="slot.updated_at")


class ClubSlotFilters(StrictFilterSet):
    """`date_from` and `date_to` bound the start, half-open. `places_left`: at least so many."""

    area_id = WholeFilter()
    instructor_id = WholeFilter()
    program_id = WholeFilter()
    status = django_filters.ChoiceFilter(field_name="standing", choices=[(one.value, one.value) for one in SlotStatus])
    date_from = MomentFilter(lookup_expr="gte")
    date_to = MomentFilter(field_name="date_from", lookup_expr="lt")
    places_left = WholeFilter(method="with_places")
    updated_since = MomentFilter(field_name="updated_at", lookup_expr="gte")

    def with_places(self, rows: QuerySet[Any], _name: str, count: int) -> QuerySet[Slot]:
        return rows.filter(standing=SlotStatus.AVAILABLE.value, capacity__gte=F("taken") + count) if count else rows


class _SlotView(ClubApiView):
    scope = "slots"

    def rows(self) -> QuerySet[Any]:
        rows = Slot.objects.filter(club=self.caller.club).select_related("area", "instructor", "program")
        return standing(rows, now_utc())

    def shown(self, offers: Any, *, many: bool = False) -> Any:
        club = self.caller.club
        return ClubSlotOut(offers, many=many, context={"zone": zone_of(club), "club": club}).data

    def one(self, slot_id: int, status: int = 200) -> Response:
        slot = self.rows().filter(pk=slot_id).first()
        if slot is None:
            raise SlotNotFound
        return Response(self.shown(view_of(slot)), status, headers={"ETag": etag_of(slot.version)})


class ClubSlots(_SlotView):
    def get(self, request: Request) -> Response:
        moment = as_of()  # before the rows are read
        made_for_nobody = {"origin": Slot.Origin.INTERVAL, "taken": 0}  # any more
        rows = ClubSlotFilters.apply(self.rows().exclude(**made_for_nobody), request)
        found = page(rows, request, by="updated_at" if "updated_since" in request.query_params else "date_from")
        offers: list[OfferView] = [view_of(slot) for slot in found.rows]
        shown = to_zone(moment, zone_of(self.caller.club)).isoformat()
        return Response(found.answer(self.shown(offers, many=True), as_of=shown))

    def post(self, request: Request) -> Response:
        given = ClubSlotIn(data=request.data)
        given.is_valid(raise_exception=True)
        outcome = publish_slot(
            club_id=self.caller.club.pk, draft=Draft(**given.validated_data), actor=self.caller.actor
        )
        response = self.one(outcome.slot_id or 0, 201 if outcome.state == "created" else 200)
        response["Location"] = settings.BASE_URL + reverse("api-club-slot", args=[outcome.slot_id])
        return response


class ClubSlot(_SlotView):
    def get(self, request: Request, slot_id: int) -> Response:
        return self.one(slot_id)

    def post(self, request: Request, slot_id: int) -> Response:
        given = ClubSlotChangeIn(data=request.data)
        given.is_valid(raise_exception=True)
        changes = dict(given.validated_data)
        if "status" in changes:
            status = changes.pop("status")
            if status not in SETTABLE:
                raise StatusNotSettable(settable=list(SETTABLE))
            changes["closed"] = SETTABLE[status]
        change_slot(
            club_id=self.caller.club.pk, slot_id=slot_id, changes=changes, actor=self.caller.actor,
            version=required_version(request),
        )  # fmt: skip
        return self.one(slot_id)


class BulkJson(StrictJson):
    largest = 5_000_000


class ClubSlotsBulk(_SlotView):
    """Publish many: all or nothing, or with `partial` (also `?partial=true`) a result per row."""

    parser_classes = [BulkJson]

    def post(self, request: Request) -> Response:
        given = ClubSlotsBulkIn(data=request.data)
        given.is_valid(raise_exception=True)
        reader = ClubSlotIn()
        outcomes = publish_slots(
            club_id=self.caller.club.pk, drafts=[_draft(reader, row) for row in given.validated_data["slots"]],
            actor=self.caller.actor,
            partial=given.validated_data["partial"] or request.query_params.get("partial") == "true",
        )  # fmt: skip
        states = [outcome.state for outcome in outcomes]
        meta = {state: states.count(state) for state in ("created", "unchanged", "refused")}
        rows = [_result(index, outcome) for index, outcome in enumerate(outcomes)]
        return Response({"meta": meta, "data": rows}, 201 if meta["created"] else 200)


def _draft(reader: ClubSlotIn, row: Any) -> Draft | DomainError:
    try:
        return Draft(**reader.run_validation(row))
    except ValidationError as wrong:
        return ValidationFailed(errors=flat(wrong.detail))
    except TimezoneRequired as wrong:
        return wrong


def _result(index: int, outcome: Outcome) -> dict[str, Any]:
    refusal = outcome.refusal
    if refusal is None:
        return {"index": index, "status": outcome.state, "id": outcome.slot_id}
    error = {"code": refusal.code, "title": str(refusal), **refusal.facts}
    return {"index": index, "status": outcome.state, "error": error}


class ProgramOut(ProgramBriefOut):
    """`price` per participant, minor units; `duration` in minutes; `weekly` by the club's clock, Monday is 1."""

    description = serializers.CharField()
    sport_type = serializers.CharField()
    price = serializers.IntegerField()
    currency = serializers.CharField()
    capacity = serializers.IntegerField()
    duration = serializers.IntegerField(source="duration_minutes")
    weekly = serializers.SerializerMethodField()
    area = AreaOut()
    instructor = InstructorOut()
    is_active = serializers.BooleanField()

    def get_weekly(self, program: Program) -> list[dict[str, Any]]:
        return [
            {"weekday": start // DAY + 1, "time": f"{start % DAY // 60:02}:{start % 60:02}"}
            for start in sorted(program.weekly)
        ]


class ListPrograms(ClubApiView):
    """The club's programs: what `program_id` may be."""

    scope = "slots"

    def get(self, request: Request) -> Response:
        rows = Program.objects.filter(club=self.caller.club).select_related("area", "instructor")
        found = page(StrictFilterSet.apply(rows, request), request, by="id")
        return Response(found.answer(ProgramOut(found.rows, many=True).data))


urlpatterns = [
    path("club/slots", ClubSlots.as_view(), name="api-club-slots"),
    path("club/slots/bulk", ClubSlotsBulk.as_view(), name="api-club-slots-bulk"),
    path("club/slots/<int:slot_id>", ClubSlot.as_view(), name="api-club-slot"),
    path("club/programs", ListPrograms.as_view(), name="api-club-programs"),
]
