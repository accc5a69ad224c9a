"""What the staff are asked before a step is taken on a booking. Each form ends in one service call."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from access import services as access
from access.selectors import living_grant
from bookings import services
from bookings.errors import NothingOwed, SeenFirst
from bookings.models import Booking
from bookings.states import TERMINAL, S
from clubs.models import Area
from palms.actors import Actor
from palms.errors import ValidationFailed
from palms.money import Money, MoneyError
from palms.steps import StepForm
from payments import services as money
from payments.models import Refund

MOST, BIGGEST_ID = 10_000_000, 2**63 - 1
AMOUNT = {"min_value": 0, "max_value": MOST, "decimal_places": 2}


def minor(entered: Any, booking: Booking, field: str = "amount") -> int:
    """Return an entered amount in minor units of the booking's currency. Raises ValidationFailed."""
    try:
        return Money.parse(entered, booking.currency).amount
    except MoneyError:
        raise ValidationFailed(errors={field: [_t("This currency has no such part.")]}) from None


class CancelForm(StepForm):
    reason = forms.CharField(label=_("reason"), max_length=500, help_text=_("The customer may read it."))
    keep = forms.DecimalField(
        label=_("what the club keeps"), required=False, **AMOUNT,  # type: ignore[arg-type]
        help_text=_("Empty: everything goes back to the customer."),
    )  # fmt: skip

    def take(self, booking: Booking, actor: Actor) -> None:
        kept = self.cleaned_data.get("keep")
        services.cancel_by_club(
            booking_id=booking.pk, actor=actor, reason=self.cleaned_data["reason"],
            keep=minor(kept, booking, "keep") if kept else 0, provided=self.provided,
        )  # fmt: skip


class EndForm(StepForm):
    note = _(
        "For what is neither a visit nor a cancellation. Everything goes back to the customer, and the place is free."
    )
    reason = forms.CharField(label=_("reason"), max_length=500, help_text=_("The customer may read it."))

    def take(self, booking: Booking, actor: Actor) -> None:
        services.end_otherwise(
            booking_id=booking.pk, actor=actor, reason=self.cleaned_data["reason"], provided=self.provided
        )


class ChargeForm(StepForm):
    outcome = ""
    charge = forms.ChoiceField(
        label=_("charge"), widget=forms.RadioSelect,
        choices=[("full", _("in full")), ("none", _("nothing")), ("amount", _("this amount"))],
    )  # fmt: skip
    amount = forms.DecimalField(label=_("amount"), required=False, **AMOUNT)  # type: ignore[arg-type]

    def clean(self) -> dict[str, Any]:
        entered = super().clean() or self.cleaned_data
        if entered.get("charge") == "amount" and entered.get("amount") is None and not self.errors:
            self.add_error("amount", _t("Enter how much to charge."))
        return entered

    def take(self, booking: Booking, actor: Actor) -> None:
        charge = self.cleaned_data["charge"]
        wanted: str | int = minor(self.cleaned_data["amount"], booking) if charge == "amount" else charge
        services.close(booking_id=booking.pk, actor=actor, outcome=self.outcome, charge=wanted, provided=self.provided)


class ShownForm(ChargeForm):
    outcome = S.SHOWN

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("charge", "full")


class NotShownForm(ChargeForm):
    outcome = S.NOT_SHOWN


class OnSiteForm(StepForm):
    amount = forms.DecimalField(
        label=_("amount"), required=False, help_text=_("Empty: what is still to be paid."), **AMOUNT  # type: ignore[arg-type]
    )  # fmt: skip

    def take(self, booking: Booking, actor: Actor) -> None:
        entered = self.cleaned_data["amount"]
        amount = None if entered is None else minor(entered, booking)
        take = services.collect_on_site if booking.status in TERMINAL else services.record_payment_on_site
        take(booking_id=booking.pk, actor=actor, amount=amount, provided=self.provided)


class MoveForm(StepForm):
    """To another time or place. Moments are read by the club's clock."""

    note = _("The price stays. The customer gets a letter; a door code is made anew.")
    area = forms.ModelChoiceField(label=_("area"), queryset=Area.objects.none(), required=False)
    date_from = forms.DateTimeField(
        label=_("from"), widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    )
    date_to = forms.DateTimeField(
        label=_("to"), widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    )

    def prepare(self, rows: list[Any]) -> None:
        if rows:
            _offer_areas(self, rows[0])
            self.initial.update(date_from=rows[0].date_from, date_to=rows[0].date_to)

    def take(self, booking: Booking, actor: Actor) -> None:
        area: Area | None = self.cleaned_data["area"]
        start: datetime = self.cleaned_data["date_from"]
        services.move(
            booking_id=booking.pk, actor=actor, date_from=start, date_to=self.cleaned_data["date_to"],
            area_id=area.pk if area else None, provided=self.provided,
        )  # fmt: skip


class EditForm(StepForm):
    """Another area, another price, another id in the club's CRM."""

    note = _(
        "A lower price sends the difference back. A higher price of a confirmed booking waits until the customer has paid it."
    )
    area = forms.ModelChoiceField(label=_("area"), queryset=Area.objects.none(), required=False)
    price = forms.DecimalField(label=_("price of the whole booking"), **AMOUNT)  # type: ignore[arg-type]
    reference_id = forms.IntegerField(
        label=_("id in the club's CRM"), required=False, min_value=0, max_value=BIGGEST_ID
    )

    def prepare(self, rows: list[Any]) -> None:
        if rows:
            row = rows[0]
            _offer_areas(self, row)
            price = row.raised_price if row.raised_price is not None else row.price
            self.initial.update(price=Money(price, row.currency).decimal, reference_id=row.reference_id)

    def take(self, booking: Booking, actor: Actor) -> None:
        area: Area | None = self.cleaned_data["area"]
        wanted = minor(self.cleaned_data["price"], booking, "price")
        stands = booking.raised_price if booking.raised_price is not None else booking.price
        services.edit(
            booking_id=booking.pk, actor=actor, area_id=area.pk if area and area.pk != booking.area_id else None,
            price=wanted if wanted != stands else None, reference_id=self.cleaned_data["reference_id"],
            provided=self.provided,
        )  # fmt: skip


def _offer_areas(form: forms.Form, booking: Any) -> None:
    """Offer the areas of the booking's club that are in use, and its own."""
    used: Any = Area.objects.filter(club_id=booking.club_id, is_active=True) | Area.objects.filter(pk=booking.area_id)
    form.fields["area"].queryset = used  # type: ignore[attr-defined]
    form.initial["area"] = booking.area_id


class RefundPartForm(StepForm):
    note = _("Part of the money goes back to where it came from. A confirmed booking costs that much less from now on.")
    amount = forms.DecimalField(label=_("amount"), **AMOUNT)  # type: ignore[arg-type]
    reason = forms.CharField(label=_("reason"), max_length=200, help_text=_("For the staff; it stands in the history."))

    def take(self, booking: Booking, actor: Actor) -> None:
        if self.version is None:
            raise SeenFirst  # a repeat could not be told from a second refund
        services.refund_part(
            booking_id=booking.pk, actor=actor, amount=minor(self.cleaned_data["amount"], booking),
            reason=self.cleaned_data["reason"], provided=self.provided,
        )  # fmt: skip


class LeftForm(StepForm):
    left_at = forms.DateTimeField(
        label=_("when they left"), required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=_("By the club's clock. Empty: now."),
    )  # fmt: skip

    def take(self, booking: Booking, actor: Actor) -> None:
        at = self.cleaned_data["left_at"]
        services.leave(booking_id=booking.pk, actor=actor, at=at, provided=self.provided)


class WaiveForm(StepForm):
    reason = forms.CharField(label=_("reason"), max_length=500, help_text=_("The customer may read it."))

    def take(self, booking: Booking, actor: Actor) -> None:
        services.waive_fee(
            booking_id=booking.pk, actor=actor, reason=self.cleaned_data["reason"], provided=self.provided
        )


class ForceForm(StepForm):
    note = _("Closed as visited and charged in full, though the visit is not over, or a fee for staying is owed.")
    reason = forms.CharField(label=_("reason"), max_length=500, help_text=_("The customer may read it."))

    def take(self, booking: Booking, actor: Actor) -> None:
        services.try_complete_booking(
            booking_id=booking.pk, actor=actor, force=True, reason=self.cleaned_data["reason"]
        )


class GiveCodeForm(StepForm):
    note = _("The guest's page shows a new code, inside the time of the booking; one that there is stops opening.")
    reason = forms.CharField(label=_("reason"), max_length=200, help_text=_("For the staff; it stands in the history."))

    def take(self, booking: Booking, actor: Actor) -> None:
        access.issue(booking_id=booking.pk, actor=actor, reason=self.cleaned_data["reason"])


class TakeCodeForm(StepForm):
    note = _("The code stops opening, and the guest's page shows none. The booking and its money stay as they are.")
    reason = forms.CharField(label=_("reason"), max_length=200, help_text=_("For the staff; it stands in the history."))

    def take(self, booking: Booking, actor: Actor) -> None:
        grant = living_grant(booking.pk)
        if grant is not None:
            access.revoke(grant_id=grant.pk, actor=actor, reason=self.cleaned_data["reason"])


class HandBackForm(StepForm):
    """Money taken on site that was owed back: somebody has put it into the customer's hands."""

    note = _("Say so only when the customer has the money. It is written down with your name and cannot be taken back.")
    sure = forms.BooleanField(label=_("the customer has the money"))

    def take(self, booking: Booking, actor: Actor) -> None:
        owed = list(owed_on_site(booking.pk).values_list("pk", flat=True))
        if not owed:
            raise NothingOwed
        for refund_id in owed:
            money.handed_back(refund_id=refund_id, actor=actor)


def owed_on_site(booking_id: int) -> Any:
    """Return the refunds of a booking that people hand back."""
    mine = Q(payment__booking_id=booking_id) | Q(payment__overdue_id=booking_id)
    return Refund.objects.filter(mine, account__isnull=True, state=Refund.State.INTENDED).order_by("pk")
