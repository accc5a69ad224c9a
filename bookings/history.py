"""What happened to one booking, as people tell it: its row, its money, its letters and its door codes, merged by time.

Everything is read from the append-only history that triggers write, and from the intents. A constant number of queries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from bookings.models import Booking, Overdue
from bookings.states import EXPIRED, S
from clubs.models import Area, Instructor
from notifications.models import Notification
from notifications.selectors import words_of
from palms.models import Intent
from palms.templatetags.palms import in_zone, money
from palms.who import THROUGH, name_of, names_of
from payments.models import Decision, Payment, Refund

MOST = 400  # of each kind
CALLS: dict[str, Any] = {
    "payments.create": _("the bank's page is asked for"), "payments.capture": _("the bank takes the money"),
    "payments.void": _("the bank lets the hold go"), "payments.refund": _("the bank sends money back"),
    "payments.watch": _("the bank is asked how the payment stands"),
}  # fmt: skip
REASONS: dict[str, Any] = {EXPIRED: _("the time ran out"), "payment_lost": _("the money left at the bank")}


@dataclass(slots=True)
class Change:
    """One thing that changed: `before` is empty where it is new."""

    what: Any
    before: Any = ""
    after: Any = ""


@dataclass(slots=True)
class Moment:
    """What one hand did at one moment (UTC)."""

    at: datetime
    who: Any
    through: Any
    reason: str = ""
    changes: list[Change] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Raw:
    at: datetime
    order: int
    context: Any
    change: Change


def history_of(booking: Booking) -> list[Moment]:
    """Return what happened to a booking, oldest first; one entry for what one hand did at once."""
    payments = list(Payment.objects.filter(Q(booking=booking) | Q(overdue_id=booking.pk)).order_by("pk"))
    raws = [
        *_of_booking(booking),
        *_of_payments(booking, payments),
        *_of_refunds(booking, payments),
        *_of_letters(booking, payments),
        *_of_doors(booking),
        *_of_calls(booking, payments),
        *_of_stay(booking),
    ]
    raws.sort(key=lambda raw: (raw.at, raw.order))
    return _grouped(raws)


def _events(label: str, **where: Any) -> list[Any]:
    rows = apps.get_model(label).objects.select_related("pgh_context").filter(**where)
    return list(rows.order_by("pgh_id")[:MOST])


def _pairs(events: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield (the row before, the row after), row by row; None before its first event."""
    last: dict[Any, Any] = {}
    for event in events:
        yield last.get(event.pgh_obj_id), event
        last[event.pgh_obj_id] = event


SHOWN: tuple[tuple[str, Any], ...] = (
    ("status", _("status")), ("date_from", _("from")), ("date_to", _("to")), ("area_id", _("area")),
    ("instructor_id", _("instructor")), ("price", _("price")), ("raised_price", _("raised price, not paid yet")),
    ("expires_at", _("waits until")), ("reference_id", _("id in the club's CRM")), ("reason", _("reason")),
)  # fmt: skip
AT_BIRTH = frozenset({"status", "date_from", "area_id", "price", "expires_at"})


def _of_booking(booking: Booking) -> Iterator[_Raw]:
    events = _events("bookings.BookingEvent", pgh_obj=booking)
    names: dict[str, dict[Any, str]] = {
        "area_id": _named(Area, {event.area_id for event in events}),
        "instructor_id": _named(Instructor, {event.instructor_id for event in events}),
    }
    for before, event in _pairs(events):
        for name, words in SHOWN:
            was, now = getattr(before, name, None), getattr(event, name)
            if was != now and (before is not None or name in AT_BIRTH):
                yield _raw(
                    event, 0, Change(words, _said(name, was, booking, names), _said(name, now, booking, names) or "-")
                )


def _named(model: Any, ids: set[Any]) -> dict[Any, str]:
    return dict(model.objects.filter(pk__in=ids - {None}).values_list("pk", "name"))


def _said(name: str, value: Any, booking: Booking, names: dict[str, dict[Any, str]]) -> Any:
    """Return a value of a booking's row for people."""
    if value in (None, ""):
        return ""
    if name == "status":
        return S(value).label
    if name in names:
        return names[name].get(value, value)
    if isinstance(value, datetime):
        return f"{in_zone(value, booking.club):%d.%m.%Y %H:%M}"
    return money(value, booking.currency) if name.endswith("price") else REASONS.get(value, value)


def _raw(event: Any, order: int, change: Change) -> _Raw:
    return _Raw(event.pgh_created_at, order, event.pgh_context, change)


def _of_payments(booking: Booking, payments: list[Payment]) -> Iterator[_Raw]:
    ids = [payment.pk for payment in payments]
    if not ids:
        return
    for before, event in _pairs(_events("payments.PaymentEvent", pgh_obj_id__in=ids)):
        what = _("payment %(id)d, %(sum)s") % {"id": event.pgh_obj_id, "sum": money(event.amount, event.currency)}
        if before is None or before.status != event.status:
            was = Payment.Status(before.status).label if before is not None else ""
            yield _raw(event, 1, Change(what, was, Payment.Status(event.status).label))
        if event.decision and (before is None or before.decision != event.decision):
            yield _raw(event, 2, Change(what, "", Decision(event.decision).label))
        if before is not None and before.keep is not None and before.keep != event.keep:
            amounts = money(before.keep, event.currency), money(event.keep, event.currency)
            yield _raw(event, 3, Change(_("%(payment)s: to be kept") % {"payment": what}, *amounts))
        if event.trouble and (before is None or before.trouble != event.trouble):
            yield _raw(event, 4, Change(_("%(payment)s: trouble") % {"payment": what}, "", event.trouble))


def _of_refunds(booking: Booking, payments: list[Payment]) -> Iterator[_Raw]:
    ids = [payment.pk for payment in payments]
    for before, event in _pairs(_events("payments.RefundEvent", payment_id__in=ids) if ids else []):
        if before is not None and before.state == event.state:
            continue
        where = _("hand back %(sum)s") if event.account_id is None else _("refund %(sum)s")
        by_hand = event.account_id is None and event.state == Refund.State.INTENDED
        was = Refund.State(before.state).label if before is not None else ""
        now = _("owed to the customer") if by_hand else Refund.State(event.state).label
        yield _raw(event, 5, Change(where % {"sum": money(event.amount, booking.currency)}, was, now))


def _of_letters(booking: Booking, payments: list[Payment]) -> Iterator[_Raw]:
    mine = Q(booking=booking) | Q(payment__in=[payment.pk for payment in payments])
    for row in Notification.objects.filter(mine).order_by("pk")[:MOST]:
        what = words_of(row.event)
        end = row.sent_at if row.state == Notification.State.SENT else None
        state = Notification.State(row.state).label
        yield _Raw(end or row.created_at, 6, None, Change(what, "", f"{state} {row.error}".strip()))


def _of_doors(booking: Booking) -> Iterator[_Raw]:
    states = dict(apps.get_model("access.AccessGrant")._meta.get_field("state").choices or [])
    for before, event in _pairs(_events("access.AccessGrantEvent", booking_id=booking.pk)):
        if before is None or before.state != event.state:
            was = states.get(before.state, "") if before is not None else ""
            yield _raw(event, 7, Change(_("door code"), was, states.get(event.state, event.state)))


def _of_stay(booking: Booking) -> Iterator[_Raw]:
    for before, event in _pairs(_events("bookings.OverdueEvent", pgh_obj_id=booking.pk)):
        if before is None or before.state != event.state:
            was = Overdue.State(before.state).label if before is not None else ""
            sum_ = money(event.amount, event.currency) if event.amount is not None else ""
            yield _raw(
                event, 1, Change(_("fee for staying"), was, f"{Overdue.State(event.state).label} {sum_}".strip())
            )


def _of_calls(booking: Booking, payments: list[Payment]) -> Iterator[_Raw]:
    """Calls to the outside that are open or were refused; those that went well show in what they led to."""
    ids = [payment.pk for payment in payments]
    if not ids:
        return
    rows = Intent.objects.filter(club_id=booking.club_id, kind__startswith="payments.", subject_id__in=ids)
    rows = rows.exclude(state=Intent.State.DONE).exclude(kind="payments.watch", last_error="")
    for intent in rows.order_by("pk")[:MOST]:
        state = Intent.State(intent.state).label
        after = f"{state}: {intent.last_error}" if intent.last_error else state
        yield _Raw(
            intent.finished_at or intent.created_at, 8, None, Change(CALLS.get(intent.kind, intent.kind), "", after)
        )


def _grouped(raws: list[_Raw]) -> list[Moment]:
    moments: list[Moment] = []
    keys: list[Any] = []
    told = [raw.context.metadata if raw.context else {} for raw in raws]
    names = names_of(told)
    for raw, context in zip(raws, told, strict=True):
        key = raw.context.pk if raw.context else ("", raw.at.replace(microsecond=0))
        if not keys or keys[-1] != key:
            keys.append(key)
            through = THROUGH.get(context.get("through", ""), "")
            moments.append(Moment(raw.at, name_of(context, names), through, context.get("reason", "")))
        moments[-1].changes.append(raw.change)
    return moments
