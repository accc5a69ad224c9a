"""What several calls read, and the bodies that clubs send. Unknown fields are refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from bookings.services.party import LONGEST_EMAIL, LONGEST_NAME
from bookings.states import COMPLETED
from palms.api import BIGGEST_ID, Day, MomentIn, StrictIn, Text, Whole
from palms.clock import now_utc

UNKNOWN_BIRTH = date(1900, 1, 1)  # what B's forms send for "not given"
MOST_PEOPLE = 1000
MOST_MONEY = 10**15  # minor units
LONGEST_REASON = 500


PLACE = ("area_id", "date_from", "date_to")


class OnePlace(serializers.Serializer[Any]):
    """A body that names a slot, or all of a place and an interval, and not both; told together with all else that is wrong."""

    def to_internal_value(self, data: Any) -> Any:
        wrong = _wrong_place(data) if isinstance(data, Mapping) else {}
        try:
            found = super().to_internal_value(data)
        except serializers.ValidationError as error:
            fields: Any = error.detail
            raise serializers.ValidationError(wrong | fields) from error
        if wrong:
            raise serializers.ValidationError(wrong)
        return found


def _wrong_place(data: Mapping[str, Any]) -> dict[str, Any]:
    place = [name for name in PLACE if name in data]
    if "slot_id" in data and place:
        return {name: [_("Give either slot_id or a place and an interval")] for name in place}
    if "slot_id" not in data and len(place) < len(PLACE):
        return {"slot_id": [_("Give slot_id, or area_id with date_from and date_to")]}
    return {}


class BirthDate(Day):
    """A day in the past; 1900-01-01 reads as unknown."""

    default_error_messages = {"future": gettext_lazy("Enter a date in the past.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(first=UNKNOWN_BIRTH, required=False, allow_null=True, **kwargs)

    def to_internal_value(self, value: Any) -> date | None:  # type: ignore[override]
        day = super().to_internal_value(value)
        if day > now_utc().date():
            self.fail("future")
        return day if day > UNKNOWN_BIRTH else None


class Names(serializers.ListField):
    """Names of participants; one string with commas is read as a list."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            child=Text(max_length=LONGEST_NAME, allow_blank=True), max_length=MOST_PEOPLE, required=False, **kwargs
        )

    def to_internal_value(self, data: Any) -> list[Any]:
        return super().to_internal_value(data.split(",") if isinstance(data, str) else data)


class IntervalIn(StrictIn):
    """One of the club's times by its id, or both ends of an interval."""

    slot_id = Whole(min_value=1, max_value=BIGGEST_ID, required=False)
    date_from = MomentIn(required=False)
    date_to = MomentIn(required=False)


class ClubClientIn(StrictIn):
    """Who comes. A CRM may not know the email; `language` is that of the letters."""

    full_name = Text(max_length=LONGEST_NAME)
    phone = Text(max_length=40)
    email = Text(max_length=LONGEST_EMAIL, allow_blank=True, default="")
    birth_date = BirthDate()
    language = serializers.ChoiceField(
        choices=[code for code, _name in settings.LANGUAGES], default=settings.LANGUAGE_CODE
    )


class OnSiteIn(StrictIn):
    """Money that the club has taken itself, in minor units: what is missing unless told."""

    method = serializers.ChoiceField(choices=["onsite"])
    amount = Whole(min_value=1, max_value=MOST_MONEY, required=False)


class ClubBookingIn(OnePlace, IntervalIn):
    WORDS = {name: f"client.{name}" for name in ("full_name", "phone", "email", "birth_date")}

    area_id = Whole(min_value=1, max_value=BIGGEST_ID, required=False)
    client = ClubClientIn()
    participants_count = Whole(min_value=1, max_value=MOST_PEOPLE, default=1)
    participants_names = Names()
    payment = OnSiteIn(required=False)
    reference_id = Whole(min_value=0, max_value=BIGGEST_ID, allow_null=True, default=None)


class ClubStatusIn(StrictIn):
    status = Text(max_length=40)
    reason = Text(max_length=LONGEST_REASON, allow_blank=True, default="")
    payment = OnSiteIn(required=False)


class ClubDateIn(IntervalIn):
    pass


class ClubEditIn(StrictIn):
    """At least one of them. `price` is for the whole party, in minor units."""

    area_id = Whole(min_value=1, max_value=BIGGEST_ID, required=False)
    price = Whole(min_value=0, max_value=MOST_MONEY, required=False)
    reference_id = Whole(min_value=0, max_value=BIGGEST_ID, required=False, allow_null=True)

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        if not data:
            raise serializers.ValidationError(_("Say what to change"))
        return data


class Charge(serializers.Field[Any, Any, Any, Any]):
    """ "full", "none", or an amount in minor units."""

    default_error_messages = {"invalid": gettext_lazy('"full", "none" or a whole number of minor units, 0 or more')}

    def to_internal_value(self, data: Any) -> str | int:
        if data in ("full", "none"):
            return str(data)
        if type(data) is not int or not 0 <= data <= BIGGEST_ID:
            self.fail("invalid")
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class ClubCloseIn(StrictIn):
    outcome = serializers.ChoiceField(choices=[str(outcome) for outcome in COMPLETED])
    charge = Charge(required=False)
    reason = Text(max_length=LONGEST_REASON, allow_blank=True, default="")
