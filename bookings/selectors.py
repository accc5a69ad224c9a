"""Reads of bookings and of checkouts on their way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import (
    BigIntegerField,
    Case,
    CharField,
    DateTimeField,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Greatest

from bookings import rules
from bookings.errors import BookingNotFound
from bookings.models import Booking, Overdue
from bookings.states import CANCELLED, EXPIRED, TERMINAL, WAITING, S
from clubs.models import Club
from payments.models import Decision, Payment, ProviderAccount
from payments.selectors import payments_of as payments_of_booking
from slots.errors import SlotNotFound
from slots.models import MADE, Claim, Slot
from slots.rules import living, status_of
from slots.selectors import OfferView


@dataclass(frozen=True, slots=True)
class CheckoutState:
    """Where a checkout stands, in api.md's words; amounts in minor units, moments in UTC."""

    state: str
    club: Club
    slot: Slot | None
    payment: Payment | None
    booking: Booking | None
    payment_url: str
    hold_until: datetime | None
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class CancelOffer:
    """What a cancellation by the customer would do now. `until` is the end of free cancellation."""

    allowed: bool
    returned: int
    kept: int
    until: datetime | None


@dataclass(frozen=True, slots=True)
class FeeView:
    """The fee for staying as it stands now: `state` in small letters, `amount` in minor units, moments in UTC."""

    state: str
    amount: int
    currency: str
    counts_from: datetime
    rate: int
    cap: int
    reason: str
    settled_at: datetime | None
    left_at: datetime | None


def fee_of(booking: Booking, now: datetime) -> FeeView | None:
    """Return the fee for staying by its row, or by the clock where it runs and nobody has written that yet."""
    fee: Overdue | None = getattr(booking, "overdue", None)
    by_itself = fee is None or (fee.state == "WAIVED" and fee.reason in rules.BY_ITSELF)
    terms = rules.fee_terms(booking) if by_itself and rules.overstays(booking, now) else None
    if terms is not None:
        amount = rules.fee_at(terms, now)
        return FeeView("running", amount, booking.currency, terms.counts_from, terms.rate, terms.cap, "", None, None)
    if fee is None:
        return None
    return FeeView(
        fee.state.lower(), rules.fee_now(fee, fee.settled_at or now), fee.currency, fee.counts_from, fee.rate, fee.cap,
        fee.reason, fee.settled_at, booking.left_at,
    )  # fmt: skip


def is_in_the_way(fee: FeeView | None) -> bool:
    """Whether a fee is owed, so that its visit does not close as usual."""
    return fee is not None and fee.state in ("running", "due")


def fee_payments_of(booking: Booking) -> list[Payment]:
    """Return the payments of a booking's fee with their refunds, oldest first."""
    rows = Payment.objects.filter(overdue_id=booking.pk).prefetch_related("refunds")
    return list(rows.order_by("created_at", "pk"))


def booking_by_token(token: str) -> Booking:
    """Return the booking behind an unguessable link, with what its page shows. Raises BookingNotFound."""
    return _whole(token=token)


def booking_by_id(booking_id: int) -> Booking:
    """Return a booking with what a letter about it says. Raises BookingNotFound."""
    return _whole(pk=booking_id)


def _whole(**which: Any) -> Booking:
    rows = Booking.objects.select_related("club", "area", "instructor", "client", "contact", "slot", "overdue")
    booking = rows.filter(**which).first()
    if booking is None:
        raise BookingNotFound
    return booking


def payments_of(booking: Booking) -> list[Payment]:
    """Return the booking's payments with their refunds, oldest first."""
    return payments_of_booking(booking.pk)


def free_until(slot: Slot, club: Club) -> datetime:
    """Return until when a cancellation of this slot costs nothing: its own moment, or the club's lead before the start."""
    return slot.cancelation_time or slot.date_from - timedelta(minutes=club.free_cancel_lead_minutes)


def cancel_offer(booking: Booking, now: datetime) -> CancelOffer:
    """Return whether the customer may cancel at this moment, and what comes back."""
    if booking.status in (S.REQUESTED, S.APPROVED):
        alive = not rules.has_expired(booking, now)
        return CancelOffer(alive, booking.secured_amount, 0, booking.expires_at)
    if booking.status != S.CONFIRMED or not rules.customer_may_cancel_now(booking, now):
        return CancelOffer(False, 0, 0, booking.cancelation_time)
    kept = 0 if rules.is_free_to_cancel(booking, now) else rules.late_fee(booking)
    return CancelOffer(True, booking.secured_amount - kept, kept, booking.cancelation_time)


def repeated(*, club_id: int, slot_id: int, key: str, visitor: str, now: datetime) -> Payment | Booking | None:
    """Return what this checkout has made already: by its key, or this visitor's own living hold or request on the slot."""
    payments = Payment.objects.filter(club_id=club_id).exclude(decision_reason="never_created")
    known = payments.filter(checkout_key=key).first()
    known = known or Booking.objects.filter(club_id=club_id, checkout_key=key).first()
    if known is not None or not visitor:
        return known
    held = Claim.objects.filter(living(now), slot_id=slot_id, payment__visitor=visitor, payment__status="PENDING")
    mine = payments.filter(pk__in=held.values("payment_id")).order_by("-pk").first()
    waiting = Booking.objects.filter(slot_id=slot_id, visitor=visitor, status__in=["REQUESTED", "APPROVED"])
    return mine or waiting.filter(expires_at__gt=now).order_by("-pk").first()


def checkout_state(*, token: str, now: datetime) -> CheckoutState:
    """Return where the checkout behind a secret token stands: a payment's token, or a booking's. Raises BookingNotFound."""
    payment = (
        Payment.objects.select_related("club", "booking__slot__area", "booking__slot__instructor", "booking__contact")
        .filter(token=token, purpose=Payment.Purpose.BOOKING)
        .first()
    )
    if payment is not None:
        return state_of_payment(payment, now)
    return state_of_booking(booking_by_token(token), now)


def state_of_payment(payment: Payment, now: datetime) -> CheckoutState:
    booking = payment.booking
    slot = booking.slot if booking else None
    if booking is None and payment.snapshot:
        slot = Slot.objects.select_related("area", "instructor").filter(pk=payment.snapshot["slot_id"]).first()
    held = [c.held_until for c in Claim.objects.filter(living(now), payment_id=payment.pk)] if booking is None else []
    hold_until = held[0] if held else None
    state = word_for(payment, booking, hold_until, now)
    url = payment.confirmation_url if state == "held" else ""
    return CheckoutState(state, payment.club, slot, payment, booking, url, hold_until, payment.amount, payment.currency)


def word_for(payment: Payment, booking: Booking | None, hold_until: datetime | None, now: datetime) -> str:
    """Return api.md's word for a payment: what happened to the money decides, then what happens to the place."""
    if payment.decision == Decision.RETURN:
        back = payment.status in ("VOIDED", "FAILED") or (
            payment.status == "CAPTURED" and payment.refunded == payment.captured and not _under_way(payment)
        )
        return "refunded" if back else "refunding"
    if booking is not None and payment.decision == Decision.USED:
        return word_of_booking(booking, now)
    if payment.status == "FAILED":
        return "failed"
    if payment.status in ("AUTHORIZED", "CAPTURED"):
        return "checking"
    if booking is not None:
        return "held" if word_of_booking(booking, now) == "approved" else word_of_booking(booking, now)
    if hold_until is None:
        return "expired"
    return "held" if payment.confirmation_url else "preparing"


def _under_way(payment: Payment) -> bool:
    return payment.refunds.filter(state="INTENDED").exists()


def word_of_booking(booking: Booking, now: datetime) -> str:
    """Return api.md's word for a booking: requested, approved, confirmed (also once visited), expired or canceled."""
    if rules.has_expired(booking, now) or (booking.status == S.OTHER and booking.reason == EXPIRED):
        return "expired"
    if booking.status in CANCELLED:
        return "canceled"
    return {S.REQUESTED: "requested", S.APPROVED: "approved"}.get(S(booking.status), "confirmed")


def state_of_booking(booking: Booking, now: datetime) -> CheckoutState:
    """Return where a booking that came without a payment stands: by request, free, or made by staff."""
    asked = Payment.objects.filter(booking=booking, status="PENDING", snapshot__isnull=True)  # not for a raised price
    pending = asked.filter(amount=rules.owed(booking)).order_by("-pk").first()
    url = pending.confirmation_url if pending and booking.status == S.APPROVED else ""
    return CheckoutState(
        word_of_booking(booking, now), booking.club, booking.slot, pending, booking, url, booking.expires_at,
        rules.owed(booking) if booking.status == S.APPROVED else booking.price, booking.currency,
    )  # fmt: skip


def bookings_of_club(*, club_id: int, now: datetime, test_only: bool) -> QuerySet[Booking]:
    """Return a club's bookings as they are at `now` (`seen_at`), with what a list shows of them.

    `shown_status` is OTHER past the deadline of a request, whatever its row says, and `shown_updated_at` not before it.
    `stands` is the money there now, minor units. `test_only`: only where nothing but test money is or could now be in it.
    """
    ended = When(expires_at__lte=now, then=Value(S.OTHER))
    payments = Payment.objects.filter(booking=OuterRef("pk"))
    any_money = Payment.objects.filter(Q(booking=OuterRef("pk")) | Q(overdue=OuterRef("pk")))
    stands = payments.order_by().values("booking").annotate(total=Sum("standing")).values("total")
    rows = Booking.objects.filter(club_id=club_id).annotate(
        seen_at=Value(now, output_field=DateTimeField()),
        shown_status=Case(ended, default=F("status"), output_field=CharField()),
        shown_updated_at=Case(
            When(expires_at__lte=now, then=Greatest("updated_at", "expires_at")), default=F("updated_at")
        ),
        stands=Case(
            When(expires_at__lte=now, then=Value(0)),
            default=Coalesce(Subquery(stands), Value(0), output_field=BigIntegerField()),
            output_field=BigIntegerField(),
        ),
    )
    rows = rows.select_related(
        "club", "area", "instructor", "client", "contact", "slot__area", "slot__instructor", "overdue"
    )
    if not test_only:
        return rows
    is_test, real = Q(account__is_test=True), Q(account__isnull=True) | Q(account__is_test=False)
    sells_for_test = ProviderAccount.objects.filter(club_id=club_id, is_default=True, is_test=True)
    return rows.filter(
        ~Exists(any_money.filter(real)), Q(is_test=True) | Exists(any_money.filter(is_test)) | Exists(sells_for_test)
    )


def booking_of_club(*, club_id: int, booking_id: int, now: datetime, test_only: bool) -> Booking:
    """Return one of them. Raises BookingNotFound."""
    booking = bookings_of_club(club_id=club_id, now=now, test_only=test_only).filter(pk=booking_id).first()
    if booking is None:
        raise BookingNotFound
    return booking


def offered_slot(*, club_id: int, area_id: int, date_from: datetime, date_to: datetime) -> Slot:
    """Return the slot that the club offers of exactly this area and interval. Raises SlotNotFound."""
    rows = Slot.objects.filter(club_id=club_id, area_id=area_id, date_from=date_from, date_to=date_to, closed=False)
    slot = rows.exclude(origin__in=MADE).order_by("instructor_key", "pk").first()
    if slot is None:
        raise SlotNotFound
    return slot


NEAR = """
    SELECT c.slot_id AS of_slot, c.* FROM slots_claim c WHERE c.slot_id = ANY(%(ids)s)
    UNION ALL SELECT s.id, c.* FROM slots_slot s JOIN slots_claim c ON c.area_id = s.area_id AND c.period && s.period
        WHERE s.id = ANY(%(ids)s) AND s.exclusive AND c.exclusive AND c.slot_id <> s.id
    UNION ALL SELECT s.id, c.* FROM slots_slot s JOIN slots_claim c
        ON c.instructor_id = s.instructor_id AND c.period && s.period WHERE s.id = ANY(%(ids)s) AND c.slot_id <> s.id
"""  # a join on slot_id alone would be made by an exclusion constraint's index, at two milliseconds a slot


def slots_of(bookings: Iterable[Any]) -> dict[int, OfferView]:
    """Return the slots of bookings that a club has seen, as it sees them, by id: one query."""
    slots = {booking.slot_id: (booking.slot, booking.seen_at) for booking in bookings}
    near: dict[int, list[Claim]] = defaultdict(list)
    claims: Iterable[Any] = Claim.objects.raw(NEAR, {"ids": list(slots)}) if slots else ()
    for claim in claims:
        near[claim.of_slot].append(claim)
    return {pk: OfferView(slot, *status_of(slot, near[pk], now)) for pk, (slot, now) in slots.items()}


def events_for_club(booking: Booking, *, now: datetime, may_take_cash: bool) -> list[str]:
    """Return what a club may do with a booking at this moment without being refused, by name, sorted."""
    if booking.status in TERMINAL or rules.has_expired(booking, now):
        return []
    waits, is_confirmed = booking.status in WAITING, booking.status == S.CONFIRMED
    is_raised = is_confirmed and booking.raised_price is not None
    fee = fee_of(booking, now)
    open_now = {
        "approve": booking.status == S.REQUESTED,
        "cancel_by_club": True,
        "close_as_not_shown": is_confirmed and booking.date_from <= now,
        "close_as_shown": is_confirmed and booking.date_from <= now and not is_in_the_way(fee),
        "confirm": (waits and rules.is_secured(booking)) or (may_take_cash and (waits or is_raised)),
        "edit": True,
        "end_otherwise": True,
        "move": True,
    }
    return [name for name, is_open in open_now.items() if is_open]
