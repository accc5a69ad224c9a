"""What the back office shows of a booking: its word, its money, and the steps that are open at this moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from access import selectors as doors
from bookings import rules
from bookings.models import Booking
from bookings.selectors import events_for_club, fee_of, is_in_the_way
from bookings.states import TERMINAL, WAITING, S
from payments.models import Payment, Refund
from payments.services import uncollected

# word: (what it says, Material symbol, tone)
WORDS: dict[str, tuple[Any, str, str]] = {
    S.REQUESTED: (_("requested"), "pan_tool", "wait"),
    S.APPROVED: (_("waits for payment"), "hourglass_top", "wait"),
    S.CONFIRMED: (_("confirmed"), "check_circle", "good"),
    "late": (_("to be closed"), "task_alt", "warn"),
    "raised": (_("raised price is not paid"), "price_change", "warn"),
    "expired": (_("time ran out"), "timer_off", "off"),
    S.CANCELED_BY_CUSTOMER: (_("canceled by the customer"), "person_off", "off"),
    S.CANCELED_BY_CLUB: (_("canceled by the club"), "block", "off"),
    S.OTHER: (_("ended for another reason"), "do_not_disturb_on", "off"),
    S.SHOWN: (_("visited"), "how_to_reg", "done"),
    S.NOT_SHOWN: (_("not shown"), "person_remove", "bad"),
}
# of an action of the admin: the event of `events_for_club` that opens it
OPENED_BY = {
    "approve": "approve", "record_on_site": "confirm", "move": "move", "edit": "edit", "close_shown": "close_as_shown",
    "close_not_shown": "close_as_not_shown", "cancel_by_club": "cancel_by_club", "end_otherwise": "end_otherwise",
}  # fmt: skip
DANGEROUS = frozenset({"cancel_by_club", "end_otherwise", "force_complete"})


@dataclass(frozen=True, slots=True)
class Sums:
    """A booking's money, minor units. `held`: on cards, not taken; `returning`: on its way back; `owed`: to be handed back."""

    price: int
    raised: int | None
    secured: int
    held: int
    captured: int
    returned: int
    returning: int
    owed: int
    due: int


def word_of(booking: Booking, now: datetime) -> str:
    """Return the key of the word that says where a booking stands for its club at this moment."""
    if rules.has_expired(booking, now):
        return "expired"
    if booking.status == S.CONFIRMED and booking.date_to <= now:
        return "late"
    if booking.status == S.CONFIRMED and booking.raised_price is not None:
        return "raised"
    return str(booking.status)


def chip(word: str) -> SafeString:
    """Return a status as an icon and a word: the colour is never the only sign."""
    says, icon, tone = WORDS[word]
    return format_html(
        '<span class="desk-chip is-{}"><span class="material-symbols-outlined" aria-hidden="true">{}</span>{}</span>',
        tone, icon, says,
    )  # fmt: skip


def refunds_of(booking: Booking) -> list[Refund]:
    """Return the refunds of a booking's money, and of its fee for staying, oldest first."""
    mine = Q(payment__booking=booking) | Q(payment__overdue_id=booking.pk)
    return list(Refund.objects.filter(mine).order_by("pk"))


def sums_of(booking: Booking, payments: list[Payment], refunds: list[Refund], now: datetime) -> Sums:
    intended = [refund for refund in refunds if refund.state == Refund.State.INTENDED]
    waits = not rules.has_expired(booking, now) and booking.status not in TERMINAL
    return Sums(
        price=booking.price,
        raised=booking.raised_price,
        secured=booking.secured_amount,
        held=sum(p.amount for p in payments if p.status == Payment.Status.AUTHORIZED),
        captured=sum(p.captured for p in payments),
        returned=sum(r.amount for r in refunds if r.state == Refund.State.DONE),
        returning=sum(r.amount for r in intended if r.account_id is not None),
        owed=sum(r.amount for r in intended if r.account_id is None),
        due=rules.owed(booking) if waits else uncollected(payments),
    )


def steps_open(booking: Booking, payments: list[Payment], owed: int, now: datetime) -> set[str]:
    """Return the names of the admin's actions that would not be refused now."""
    events = set(events_for_club(booking, now=now, may_take_cash=not booking.is_test))
    found = {action for action, event in OPENED_BY.items() if event in events}
    if booking.status == S.CONFIRMED:
        found |= _of_a_stay(booking, now) | _of_a_door(booking, now)
    stands = sum(payment.standing for payment in payments)
    if booking.status not in WAITING and booking.raised_price is None and stands > 0:
        found.add("refund_part")
    if owed:
        found.add("hand_back")
    if booking.status in TERMINAL and uncollected(payments) and not booking.is_test:
        found.add("record_on_site")
    return found


def _of_a_door(booking: Booking, now: datetime) -> set[str]:
    """Return what people may do about the door code of a confirmed booking."""
    if booking.date_to <= now:
        return set()
    given = {"take_code"} if doors.living_grant(booking.pk) is not None else set()
    return given | ({"give_code"} if doors.has_lock(booking) else set())


def _of_a_stay(booking: Booking, now: datetime) -> set[str]:
    """Return what is open about the end of a visit: who stayed, what it costs, and how it closes in spite of that."""
    fee = fee_of(booking, now)
    owes, found = is_in_the_way(fee), set()
    if booking.date_from <= now and (fee is None or fee.state != "paid") and rules.fee_terms(booking) is not None:
        found.add("guest_left")
    if owes:
        found |= {"waive_fee"} if booking.is_test else {"waive_fee", "fee_on_site"}
    if owes or booking.date_to > now:
        found.add("force_complete")
    return found
