"""What staff do on the schedule board. Each step reads its form, calls one service and says what to show next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from django import forms
from django.db import OperationalError
from django.http import Http404
from django.utils.translation import gettext as _

from backoffice.board_desk import Desk, booking_here, client_with, places_of, slot_here
from backoffice.board_forms import NOW, BlockForm, NewTimeForm, Party, ReasonForm, refuse
from backoffice.board_moves import Aim, aim_of
from bookings import services as bookings
from bookings.models import Booking
from bookings.services import Typed
from clients.rules import normal_phone
from palms.errors import DatabaseUnavailable, DomainError, ValidationFailed, is_busy
from payments.services import CheckoutRepeated
from slots import blocking
from slots import services as slots
from slots.errors import SlotTaken
from slots.intervals import Interval, areas_by_interval
from slots.offers import Draft
from slots.publishing import publish_slot

Panel = Mapping[str, Any]  # the parameters of what is shown beside the board


class Refused(Exception):
    """A step was refused. `form` keeps what was typed, with the reason on it; `panel` is where to go on, if elsewhere."""

    def __init__(self, name: str, form: forms.Form, status: int, panel: Panel | None = None) -> None:
        super().__init__(name)
        self.name, self.form, self.status, self.panel = name, form, status, panel


@dataclass(frozen=True, slots=True)
class Done:
    words: str
    panel: Panel


def take(desk: Desk, data: Any, asked: Panel) -> Done:
    """Do what a form of the board asks. Raises Refused, Http404."""
    step = STEPS.get(data.get("do", ""))
    if step is None:
        raise Http404
    return step(desk, data, asked)


def _valid(name: str, form: forms.Form) -> forms.Form:
    if not form.is_valid():
        raise Refused(name, form, 400)
    return form


def _serve(name: str, form: forms.Form, call: Callable[[], Any], panel: Panel | None = None) -> Any:
    """Make one service call; its refusal goes to the form."""
    try:
        return call()
    except DomainError as refusal:
        refuse(form, refusal)
        raise Refused(name, form, refusal.status, panel) from refusal
    except OperationalError as error:
        if not is_busy(error):
            raise
        form.add_error(None, str(DatabaseUnavailable.title))
        raise Refused(name, form, DatabaseUnavailable.status, panel) from error


def book(desk: Desk, data: Any, asked: Panel) -> Done:
    slot = slot_here(desk.club, asked.get("slot"))
    form = _valid("party", Party(data, places=slot.capacity))
    booking = _serve("party", form, lambda: _book(desk, form.cleaned_data, slot_id=slot.pk))
    return Done(_("Booked"), {"booking": booking.pk})


def _book(desk: Desk, entered: dict[str, Any], **wanted: Any) -> Booking:
    """Book for whoever is at the desk; the same form again answers with the booking that it made."""
    mine = Booking.objects.filter(club=desk.club, checkout_key=entered["key"])
    made = mine.first()
    if made is not None:
        return made
    typed = Typed(_name(desk, entered), entered["phone"], entered["email"])
    try:
        return bookings.book_for_client(
            **wanted, club_id=desk.club.pk, typed=typed, participants_count=entered["participants"],
            actor=desk.actor, key=entered["key"], onsite_amount="full" if entered["paid"] == NOW else None,
        )  # fmt: skip
    except (SlotTaken, CheckoutRepeated):
        made = mine.first()  # by the same form, a moment ago
        if made is None:
            raise
        return made


def _name(desk: Desk, entered: dict[str, Any]) -> str:
    known = None if entered["full_name"] else client_with(desk.club, entered["phone"])
    return known.full_name if known else str(entered["full_name"])


def publish(desk: Desk, data: Any, asked: Panel) -> Done:
    """Offer a new time; where a phone is given too, book it at once. Where times are not offered: only book."""
    form = _valid("times", NewTimeForm(data, day=desk.day, zone=desk.zone, places=places_of(desk.club)))
    party = Party(data, places=1, use_required_attribute=False)
    spot = form.spot()  # type: ignore[attr-defined]
    by_interval = areas_by_interval(desk.club.pk).filter(pk=spot.area_id or 0).exists()
    is_booked = by_interval or bool(str(data.get("phone", "")).strip())
    if is_booked:
        _valid("party", party)
        _serve("party", party, lambda: _must_be_known(desk, party.cleaned_data))
    if by_interval:
        interval = Interval(spot.area_id, spot.date_from, spot.date_to)
        booking = _serve("party", party, lambda: _book(desk, party.cleaned_data, interval=interval))
        return Done(_("Booked"), {"booking": booking.pk})

    def offer() -> int:
        draft = Draft(
            date_from=spot.date_from, date_to=spot.date_to, area_id=spot.area_id, instructor_id=spot.instructor_id,
            price=form.minor(desk.club.currency),  # type: ignore[attr-defined]
        )  # fmt: skip
        return publish_slot(club_id=desk.club.pk, draft=draft, actor=desk.actor).slot_id or 0

    slot_id = _serve("times", form, offer)
    if not is_booked:
        return Done(_("Offered"), {"slot": slot_id})
    panel = {"slot": slot_id}  # it is offered by now, whatever becomes of the booking
    booking = _serve("party", party, lambda: _book(desk, party.cleaned_data, slot_id=slot_id), panel)
    return Done(_("Booked"), {"booking": booking.pk})


def _must_be_known(desk: Desk, entered: dict[str, Any]) -> None:
    """Refuse a party that could not be booked before a time is offered for it."""
    normal_phone(entered["phone"])
    if len(_name(desk, entered).strip()) < 2:
        raise ValidationFailed(errors={"full_name": [_("Enter your name, up to 200 letters")]})


def block(desk: Desk, data: Any, asked: Panel) -> Done:
    form = _valid("block", BlockForm(data, day=desk.day, zone=desk.zone, places=places_of(desk.club)))

    def keep() -> Any:
        reason = form.cleaned_data["reason"]
        return blocking.block(club_id=desk.club.pk, spot=form.spot(), reason=reason, actor=desk.actor)  # type: ignore[attr-defined]

    return Done(_("This time is kept by the club"), {"slot": _serve("block", form, keep).pk})


def unblock(desk: Desk, data: Any, asked: Panel) -> Done:
    slot = slot_here(desk.club, asked.get("slot"))
    call = partial(blocking.unblock, club_id=desk.club.pk, slot_id=slot.pk, actor=desk.actor)
    _serve("step", forms.Form(data), call)
    return Done(_("This time can be sold again"), {})


def close_slot(desk: Desk, data: Any, asked: Panel) -> Done:
    return _set_closed(desk, data, asked, is_closed=True)


def open_slot(desk: Desk, data: Any, asked: Panel) -> Done:
    return _set_closed(desk, data, asked, is_closed=False)


def _set_closed(desk: Desk, data: Any, asked: Panel, *, is_closed: bool) -> Done:
    slot = slot_here(desk.club, asked.get("slot"))
    _serve("step", forms.Form(data), partial(slots.set_closed, slot_id=slot.pk, closed=is_closed, actor=desk.actor))
    return Done(_("Closed") if is_closed else _("Opened"), {"slot": slot.pk})


def _on_booking(desk: Desk, data: Any, asked: Panel, words: str, call: Callable[..., Any]) -> Done:
    booking = booking_here(desk.club, asked.get("booking"))
    _serve("step", forms.Form(data), partial(call, booking_id=booking.pk, actor=desk.actor))
    return Done(words, {"booking": booking.pk})


def approve(desk: Desk, data: Any, asked: Panel) -> Done:
    return _on_booking(desk, data, asked, _("Approved"), bookings.approve)


def paid(desk: Desk, data: Any, asked: Panel) -> Done:
    return _on_booking(desk, data, asked, _("The payment is recorded"), bookings.record_payment_on_site)


def shown(desk: Desk, data: Any, asked: Panel) -> Done:
    close = partial(bookings.close, outcome=Booking.Status.SHOWN, charge="full")
    return _on_booking(desk, data, asked, _("Closed: they came"), close)


def not_shown(desk: Desk, data: Any, asked: Panel) -> Done:
    close = partial(bookings.close, outcome=Booking.Status.NOT_SHOWN, charge=data.get("charge"))
    return _on_booking(desk, data, asked, _("Closed: they did not come"), close)


def cancel(desk: Desk, data: Any, asked: Panel) -> Done:
    booking = booking_here(desk.club, asked.get("booking"))
    form = _valid("cancel", ReasonForm(data))
    reason = form.cleaned_data["reason"]
    call = partial(bookings.cancel_by_club, booking_id=booking.pk, actor=desk.actor, reason=reason)
    _serve("cancel", form, call)
    return Done(_("Canceled"), {"booking": booking.pk})


def move(desk: Desk, data: Any, asked: Panel) -> Done:
    """Move a booking where the confirm step says; its price follows only if asked."""
    aim = aim_of(desk, asked)
    if not isinstance(aim, Aim):
        raise Refused("where", aim, 400)
    _serve("step", forms.Form(data), lambda: aim.go(desk.actor, with_price=data.get("price") == "list"))
    return Done(_("Moved"), {"booking": aim.booking.pk})


STEPS: dict[str, Callable[[Desk, Any, Panel], Done]] = {
    "book": book, "publish": publish, "block": block, "unblock": unblock, "close": close_slot, "open": open_slot,
    "approve": approve, "paid": paid, "shown": shown, "not_shown": not_shown, "cancel": cancel, "move": move,
}  # fmt: skip
