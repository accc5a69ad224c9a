"""What customers type: the checkout form, and the ways it is carried from page to page without losing a letter."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from bookings.models import BookingContact
from bookings.services import Typed
from clients.rules import normal_phone
from palms.errors import ValidationFailed

NAME_LIMIT = 200
NAMES_SHOWN = 8  # as many rows for names as fit on a page without script; more people can come without names
KEY = re.compile(r"[A-Za-z0-9-]{16,64}")


def describe(form: forms.Form) -> None:
    """Tie each field to its hint and to its error, for those who hear the page."""
    for name, field in form.fields.items():
        words = [f"{name}-hint"] if field.help_text else []
        words += [f"{name}-error"] if form.is_bound and name in form.errors else []
        if words:
            field.widget.attrs["aria-describedby"] = " ".join(words)


def checked_phone(text: str) -> str:
    """Return the E.164 form of a typed phone, or refuse it beside its field."""
    try:
        return normal_phone(text)
    except ValidationFailed as refusal:
        raise forms.ValidationError(refusal.facts["errors"]["phone"]) from refusal


class CheckoutForm(forms.Form):
    """Who comes. `places` is how many may be taken together; names of participants are optional rows `name_1`...."""

    full_name = forms.CharField(
        label=_("Full name"),
        max_length=NAME_LIMIT,
        error_messages={"required": _("Enter your name")},
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    phone = forms.CharField(
        label=_("Phone"),
        max_length=40,
        error_messages={"required": _("Enter your phone number")},
        help_text=_("For example, +7 912 345-67-89. The club calls only about this booking."),
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel", "inputmode": "tel"}),
    )
    email = forms.EmailField(
        label=_("Email"),
        max_length=254,
        error_messages={"required": _("Enter your email address")},
        help_text=_("The link to your booking goes there."),
        widget=forms.EmailInput(attrs={"autocomplete": "email", "inputmode": "email"}),
    )
    consent = forms.BooleanField(
        error_messages={
            "required": _("Without your consent the club may not keep your name and phone, so it cannot book.")
        }
    )

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, places: int, initial: dict[str, Any] | None = None
    ) -> None:
        super().__init__(data, initial=initial)
        self.places = places
        self.use_required_attribute = True
        if places > 1:
            self.fields["participants_count"] = forms.IntegerField(
                label=_("How many people"),
                min_value=1,
                max_value=places,
                initial=1,
                widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
            )
            for number in range(1, min(places, NAMES_SHOWN) + 1):
                self.fields[f"name_{number}"] = forms.CharField(
                    label=_("Participant %(number)d") % {"number": number},
                    required=False,
                    max_length=NAME_LIMIT,
                )
        describe(self)

    @property
    def name_rows(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith("name_")]

    def clean_full_name(self) -> str:
        return " ".join(str(self.cleaned_data["full_name"]).split())

    def clean_phone(self) -> str:
        return checked_phone(self.cleaned_data["phone"])

    def count(self) -> int:
        return int(self.cleaned_data.get("participants_count", 1))

    def typed(self, language: str) -> Typed:
        """Return what the service takes; names beyond the number of people are left out."""
        names = [self.cleaned_data.get(f"name_{number}", "") for number in range(1, self.count() + 1)]
        return Typed(
            full_name=self.cleaned_data["full_name"],
            phone=self.cleaned_data["phone"],
            email=self.cleaned_data["email"],
            participants_names=tuple(name for name in names if name),
            language=language,
        )

    def leave_only(self, places: int) -> None:
        """Say that fewer places are left than were asked for."""
        name = "participants_count" if "participants_count" in self.fields else None
        self.add_error(
            name, ngettext("Only %(count)d place is left", "Only %(count)d places are left", places) % {"count": places}
        )
        describe(self)

    def refuse(self, refusal: ValidationFailed) -> None:
        """Put a service's refusal beside the fields it speaks of."""
        for name, messages in refusal.facts.get("errors", {}).items():
            self.add_error(name if name in self.fields else None, messages)
        if not self.errors:
            self.add_error(None, str(refusal))
        describe(self)


class FindForm(forms.Form):
    """How the customer was reachable when booking: whose bookings are looked for."""

    email = forms.EmailField(
        label=_("Email"),
        max_length=254,
        error_messages={"required": _("Enter your email address")},
        help_text=_("As it was given with the booking: the letter goes there."),
        widget=forms.EmailInput(attrs={"autocomplete": "email", "inputmode": "email"}),
    )
    phone = forms.CharField(
        label=_("Phone"),
        max_length=40,
        error_messages={"required": _("Enter your phone number")},
        help_text=_("As it was given with the booking, for example +7 912 345-67-89."),
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel", "inputmode": "tel"}),
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, initial: dict[str, Any] | None = None) -> None:
        super().__init__(data, initial=initial)
        self.use_required_attribute = True
        describe(self)

    def clean_phone(self) -> str:
        return checked_phone(self.cleaned_data["phone"])


class CancelForm(forms.Form):
    """Why the customer cancels."""

    reason = forms.CharField(
        label=_("Why do you cancel? (the club reads it)"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


def carried(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what was typed as pairs for hidden fields, so that choosing another time loses nothing."""
    names = ["full_name", "phone", "email", "consent", "participants_count"]
    names += [f"name_{number}" for number in range(1, NAMES_SHOWN + 1)]
    return [(name, str(data[name])) for name in names if data.get(name)]


def carried_from(contact: BookingContact, names: list[str], count: int) -> list[tuple[str, str]]:
    """Return the same pairs from what an earlier hold has stored: the visitor typed it and has given consent."""
    data: dict[str, object] = {
        "full_name": contact.full_name,
        "phone": contact.phone,
        "email": contact.email,
        "consent": "on",
        "participants_count": count,
    }
    data |= {f"name_{number}": name for number, name in enumerate(names, start=1)}
    return carried(data)


def key_of(data: MultiValueDict[str, Any] | Mapping[str, Any]) -> str:
    """Return the form's idempotency key, or a new one where it is missing or not ours."""
    key = str(data.get("key", ""))
    return key if KEY.fullmatch(key) else new_key()


def new_key() -> str:
    """Return the key of one rendered form: sending it twice holds one place once."""
    return str(uuid.uuid4())
