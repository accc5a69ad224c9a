"""Hours and peaks of areas by interval: read from lines, written back the same, and guarded by the database."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from clubs.hours import Stretch, read, set_hours, written
from clubs.models import Area, Hours
from palms.errors import ValidationFailed
from tests.factories import AreaFactory, ClubFactory, IntervalAreaFactory


def test_lines_are_read_as_people_write_them() -> None:
    assert read(" 1-2 8:00 - 9:30 ;\n\n7 00:00–24:00", kind="open", currency="RUB") == [
        Stretch("open", 1, 480, 570), Stretch("open", 2, 480, 570), Stretch("open", 7, 0, 1440),
    ]  # fmt: skip
    assert read("6-1 12:00-13:00 800,50", kind="peak", currency="RUB")[0] == Stretch("peak", 1, 720, 780, 80_050)
    assert read("1 12:00-13:00 800", kind="peak", currency="JPY")[0].price_per_hour == 800


def test_what_is_written_is_read_the_same() -> None:
    random = Random(5)
    for _ in range(100):
        stretches = []
        for day in range(1, 8):
            cuts = sorted(random.sample(range(0, 1441, 5), 4))
            pairs = [(cuts[0], cuts[1]), (cuts[2], cuts[3])][: random.randint(0, 2)]
            stretches += [Stretch("peak", day, a, b, random.choice([100, 90_050, 0])) for a, b in pairs]
        assert read(written(stretches, "RUB"), kind="peak", currency="RUB") == sorted(stretches)


@pytest.mark.parametrize(
    "text", ["1 08:00-12:00;1 11:59-14:00", "1-7 08:00-12:00;3 08:00-09:00", "0 08:00-12:00", "1 8-12"]
)
def test_lines_that_make_no_sense_are_named(text: str) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        read(text, kind="open", currency="RUB")
    assert set(refusal.value.facts["errors"]) == {"open"}


@pytest.mark.django_db
def test_setting_hours_touches_only_what_changes() -> None:
    area = IntervalAreaFactory()
    kept = area.hours.get(weekday=1).pk
    set_hours(area=area, stretches=[Stretch("open", 1, 480, 1320), Stretch("peak", 1, 600, 660, 5)])
    assert set(area.hours.values_list("pk", "kind")) == {(kept, "open"), (area.hours.get(kind="peak").pk, "peak")}


@pytest.mark.django_db
def test_the_database_refuses_hours_and_steps_that_make_no_sense() -> None:
    area = IntervalAreaFactory(open_hours=None)
    good: dict[str, Any] = {"club": area.club, "area": area, "kind": "open", "weekday": 1, "starts": 480, "ends": 600}
    Hours.objects.create(**good)
    for rule, changes in (
        ("hours_no_overlap", {"starts": 599, "ends": 700}),
        ("hours_within_the_day", {"starts": 700, "ends": 700}),
        ("hours_within_the_day", {"starts": 700, "ends": 1441}),
        ("hours_weekday_known", {"weekday": 8}),
        ("hours_kind_known", {"kind": "ajar", "weekday": 2}),
        ("hours_price_of_a_peak_only", {"weekday": 2, "price_per_hour": 1}),
        ("hours_price_of_a_peak_only", {"weekday": 2, "kind": "peak"}),
        ("hours_price_of_a_peak_only", {"weekday": 2, "kind": "peak", "price_per_hour": -1}),
        ("hours_area_of_same_club", {"weekday": 2, "club": ClubFactory()}),
    ):
        with pytest.raises(IntegrityError, match=rule), transaction.atomic():
            Hours.objects.create(**good | changes)
    Hours.objects.create(**good | {"starts": 600, "ends": 700})  # hours that touch do not overlap
    for rule, steps in (
        ("area_interval_is_one_party_and_complete", {"exclusive": False}),
        ("area_interval_is_one_party_and_complete", {"price_per_hour": None}),
        ("area_interval_lasts_whole_steps", {"min_minutes": 45}),
        ("area_interval_lasts_whole_steps", {"max_minutes": 250}),
        ("area_interval_lasts_whole_steps", {"min_minutes": 300}),
        ("area_interval_lasts_whole_steps", {"step_minutes": 0}),
        ("area_interval_lasts_whole_steps", {"step_minutes": 1, "min_minutes": 1}),
        ("area_interval_lasts_whole_steps", {"max_minutes": 1470}),
        ("area_price_not_negative", {"price_per_hour": -1}),
        ("area_booked_by_known", {"booked_by": "dance"}),
    ):
        with pytest.raises(IntegrityError, match=rule), transaction.atomic():
            Area.objects.filter(pk=area.pk).update(**steps)
    with pytest.raises(IntegrityError, match="area_interval_is_one_party_and_complete"), transaction.atomic():
        AreaFactory(booked_by="interval")
