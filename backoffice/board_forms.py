"""What staff type on the schedule board: a walk-in, a new time, a block, a reason. Times by the club's clock."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from palms.errors import DomainError, ValidationFailed
from palms.money import Money, MoneyError
from slots.services import Spot

KEY = re.compile(r"board:[0-9a-f-]{36}")
DEAREST = 10_000_000
NOW, LATER = "now", "later"
FIELD_OF = {  # what services call a field: what it is called on the board
    "participants_count": "participants", "area_id": "place", "area": "place", "date_from": "at", "date_to": "to",
}  # fmt: skip


def new_key() -> str:
    return f"board:{uuid.uuid4()}"


def refuse(form: forms.Form, refusal: DomainError) -> None:
    """Put a refusal of a service on the form: beside its field, or above them all."""
    fields = refusal.facts.get("errors", {}) if isinstance(refusal, ValidationFailed) else {}
    if not fields:
        form.add_error(None, str(refusal))
    for name, texts in fields.items():
        known = FIELD_OF.get(name, name)
        form.add_error(known if known in form.fields else None, [str(text) for text in texts])


class Party(forms.Form):
    """Who comes, and whether they pay now. The name may be left to the client whom the phone belongs to."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=60)
    phone = forms.CharField(
        label=_("Phone"), max_length=40,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "off", "inputmode": "tel", "data-finds": ""}),
    )  # fmt: skip
    full_name = forms.CharField(
        label=_("Name"), max_length=200, required=False, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    email = forms.EmailField(
        label=_("Email, for letters and the link to pay"), max_length=254, required=False,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip
    participants = forms.IntegerField(label=_("Participants"), min_value=1, max_value=1000, initial=1)
    paid = forms.ChoiceField(
        label=_("Payment"), widget=forms.RadioSelect, initial=NOW,
        choices=[(NOW, _("paid on site, in full")), (LATER, _("to be paid later: the client gets a link by email"))],
    )  # fmt: skip

    def __init__(self, *args: Any, places: int = 1000, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["key"].initial = new_key()
        if places == 1:
            self.fields["participants"].widget = forms.HiddenInput()

    def clean_key(self) -> str:
        key: str = self.cleaned_data["key"]
        if not KEY.fullmatch(key):
            raise forms.ValidationError(_t("Open this form again"))
        return key


class Times(forms.Form):
    """A place of the club over some hours of one day; an end that is not after the start is the next day's."""

    place = forms.ChoiceField(label=_("Place"))
    at = forms.TimeField(label=_("From"), widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))
    to = forms.TimeField(label=_("To"), widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))

    def __init__(self, *args: Any, day: date, zone: ZoneInfo, places: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.day, self.zone = day, zone
        self.fields["place"].choices = places  # type: ignore[attr-defined]

    def spot(self) -> Spot:
        entered = self.cleaned_data
        start, end = self._moment(entered["at"]), self._moment(entered["to"])
        number = int(entered["place"][1:])
        is_area = entered["place"][0] == "a"
        area_id, instructor_id = (number, None) if is_area else (None, number)
        return Spot(area_id, instructor_id, start, end if start < end else end + timedelta(days=1))

    def _moment(self, clock: time) -> datetime:
        return datetime.combine(self.day, clock, self.zone)


class BlockForm(Times):
    """Its ids are its own: it stands beside the form of a new time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, auto_id="id_block_%s", **kwargs)

    reason = forms.CharField(label=_("Why"), max_length=120)


class NewTimeForm(Times):
    price = forms.DecimalField(
        label=_("Price per participant"), min_value=0, max_value=DEAREST, decimal_places=2, max_digits=12
    )

    def minor(self, currency: str) -> int:
        """Return the price in minor units. Raises ValidationFailed."""
        try:
            return Money.parse(self.cleaned_data["price"], currency).amount
        except MoneyError:
            raise ValidationFailed(errors={"price": [_t("This currency has no such part.")]}) from None


class ReasonForm(forms.Form):
    reason = forms.CharField(label=_("Reason"), max_length=500, help_text=_("The customer may read it."))
