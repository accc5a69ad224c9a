"""What bookings look like, to their customers and to their club. Amounts in minor units, moments with the club's offset."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db.models import Prefetch, prefetch_related_objects
from rest_framework import serializers

from bookings import rules, selectors
from bookings.api.filters import phase_of
from bookings.messages import address_of
from bookings.models import Booking, BookingContact
from bookings.states import EXPIRED, S
from clubs.models import Club
from clubs.selectors import zone_of
from palms.api import AreaOut, InstructorOut, Moment, SlotOut
from palms.clock import now_utc
from payments.models import Payment, Refund
from slots.selectors import claims_between, views_of


class PaymentOut(serializers.Serializer[Any]):
    """Amounts in minor units."""

    id = serializers.IntegerField()
    status = serializers.CharField()
    amount = serializers.IntegerField()
    captured = serializers.IntegerField()
    refunded = serializers.IntegerField()
    currency = serializers.CharField()
    provider = serializers.CharField()
    method = serializers.CharField(source="payment_method")
    created_at = Moment()
    captured_at = Moment()


class RefundOut(serializers.Serializer[Any]):
    """Money going back on one payment, minor units."""

    id = serializers.IntegerField()
    payment_id = serializers.IntegerField()
    amount = serializers.IntegerField()
    status = serializers.CharField(source="state")
    cause = serializers.CharField()
    created_at = Moment()
    finished_at = Moment()


class FeeOut(serializers.Serializer[Any]):
    """The fee for staying past the end, minor units: `running` (so far), `due`, `paid` or `waived`.

    `payments` and `refunds` are its own and never the booking's; null without the scope payments:read. `payment_url` is the
    customer's page where it is paid, while it is owed.
    """

    state = serializers.CharField()
    amount = serializers.IntegerField()
    currency = serializers.CharField()
    counts_from = Moment()
    rate = serializers.IntegerField()
    cap = serializers.IntegerField()
    left_at = Moment()
    settled_at = Moment()
    reason = serializers.CharField()
    payment_url = serializers.CharField()
    payments = PaymentOut(many=True, allow_null=True)
    refunds = RefundOut(many=True, allow_null=True)


class CancelOut(serializers.Serializer[Any]):
    """What a cancellation by the customer would do now, minor units; `until`: the end of free cancellation."""

    allowed = serializers.BooleanField()
    returned = serializers.IntegerField()
    kept = serializers.IntegerField()
    until = Moment()


class BookingOut(serializers.Serializer[Any]):
    """A's Booking as its customer sees it. `price` is for the whole party, in minor units."""

    id = serializers.IntegerField(source="booking.id")
    token = serializers.CharField(source="booking.token")
    status = serializers.CharField()
    reason = serializers.CharField()
    date_from = Moment(source="booking.date_from")
    date_to = Moment(source="booking.date_to")
    participants_count = serializers.IntegerField(source="booking.participants_count")
    price = serializers.IntegerField(source="booking.price")
    currency = serializers.CharField(source="booking.currency")
    payments = PaymentOut(many=True)
    overdue = FeeOut(allow_null=True)
    area = AreaOut(source="booking.area")
    instructor = InstructorOut(source="booking.instructor")
    slot = SlotOut()
    user = serializers.DictField()
    cancel = CancelOut()
    access_url = serializers.CharField()
    page_url = serializers.CharField()
    reference_id = serializers.IntegerField(source="booking.reference_id")
    created_at = Moment(source="booking.created_at")
    updated_at = Moment(source="booking.updated_at")
    finished_at = Moment()


class ContactOut(serializers.Serializer[Any]):
    """How to reach the party, as typed when it was booked."""

    name = serializers.CharField(source="full_name")
    phone = serializers.CharField()
    email = serializers.CharField()


class PolicyOut(serializers.Serializer[Any]):
    """The club's policy that this booking was made with."""

    customer_cancel = serializers.CharField()
    late_cancel_fee_percent = serializers.IntegerField()
    reopen = serializers.CharField()


class ClubBookingOut(BookingOut):
    """A's Booking as its club sees it. `payments` and `refunds` are null without the scope payments:read.

    `overdue` is null where nobody stayed past the end, or staying is free.
    """

    booking_type = serializers.CharField(source="booking.booking_type")
    phase = serializers.CharField()
    expires_at = Moment(source="booking.expires_at")
    updated_at = Moment(source="booking.shown_updated_at")
    raised_price = serializers.IntegerField(source="booking.raised_price")
    paid = serializers.BooleanField()
    payment_url = serializers.CharField()
    payments = PaymentOut(many=True, allow_null=True)
    refunds = RefundOut(many=True, allow_null=True)
    contact = ContactOut(source="booking.contact", default=None)
    participants_names = serializers.ListField(child=serializers.CharField())
    policy = PolicyOut(source="booking.policy")
    cancelation_time = Moment(source="booking.cancelation_time")
    allowed_events = serializers.ListField(child=serializers.CharField())
    is_test = serializers.BooleanField(source="booking.is_test")
    version = serializers.IntegerField(source="booking.version")


class ClosingOut(serializers.Serializer[Any]):
    """The summary of a close, minor units: `charged` ends with the club, `returned` goes back."""

    booking = ClubBookingOut()
    charged = serializers.IntegerField()
    returned = serializers.IntegerField()
    overdue = FeeOut(allow_null=True)
    payments = PaymentOut(many=True, allow_null=True)


@dataclass(frozen=True, slots=True)
class Eyes:
    """What a caller of the club API may see and do. `club` is theirs."""

    club: Club
    sees_payments: bool
    may_act: bool
    is_test: bool

    @property
    def context(self) -> dict[str, Any]:
        return {"zone": zone_of(self.club), "club": self.club}


def show(booking: Booking) -> dict[str, Any]:
    """Return the JSON of a booking. One past its deadline is shown as ended, whatever its row still says."""
    now = now_utc()
    claims = claims_between(booking.club_id, booking.slot.date_from, booking.slot.date_to, now)
    found = _common(booking, now) | {
        "payments": selectors.payments_of(booking),
        "overdue": _fee(booking, now, sees_payments=True),
        "slot": views_of([booking.slot], claims, booking.club, now)[0],
        "user": _user(booking),
    }
    shown: dict[str, Any] = BookingOut(found, context={"zone": zone_of(booking.club), "club": booking.club}).data
    return shown


def show_to_club(bookings: Iterable[Booking], eyes: Eyes) -> list[dict[str, Any]]:
    """Return the JSON of rows of `selectors.bookings_of_club`."""
    return list(ClubBookingOut(seen_by_club(bookings, eyes), many=True, context=eyes.context).data)


def seen_by_club(bookings: Iterable[Booking], eyes: Eyes) -> list[dict[str, Any]]:
    """Return what ClubBookingOut is made of: 4 queries, however many they are, 2 without payments; 2 more with fees."""
    rows = list(bookings)
    prefetch_related_objects(rows, "contact__participants")
    if eyes.sees_payments:
        payments = Payment.objects.order_by("created_at", "pk")
        refunds = Prefetch("refunds", Refund.objects.order_by("pk"))
        prefetch_related_objects(rows, Prefetch("payments", payments.prefetch_related(refunds)))
        fees = [booking.overdue for booking in rows if getattr(booking, "overdue", None) is not None]
        prefetch_related_objects(fees, Prefetch("payments", payments.prefetch_related(refunds)))
    slots = selectors.slots_of(rows)
    return [_for_club(booking, eyes) | {"slot": slots[booking.slot_id]} for booking in rows]


def _for_club(booking: Any, eyes: Eyes) -> dict[str, Any]:
    contact, client, now = getattr(booking, "contact", None), booking.client, booking.seen_at
    payments = list(booking.payments.all()) if eyes.sees_payments else None
    events = selectors.events_for_club(booking, now=now, may_take_cash=not eyes.is_test and not booking.is_test)
    return _common(booking, now) | {
        "phase": phase_of(booking.shown_status),
        "paid": booking.stands >= booking.price,
        "payment_url": _payment_url(booking, now),
        "payments": payments,
        "refunds": None if payments is None else [refund for payment in payments for refund in payment.refunds.all()],
        "overdue": _fee(booking, now, sees_payments=eyes.sees_payments),
        "participants_names": [who.name for who in contact.participants.all()] if contact else [],
        "user": {"id": client.pk, "name": client.full_name, "phone_number": client.phone},
        "allowed_events": events if eyes.may_act else [],
    }


def _fee(booking: Booking, now: datetime, *, sees_payments: bool = False) -> dict[str, Any] | None:
    """Return the fee for staying as its club sees it, its payments prefetched; as its customer does without them."""
    fee = selectors.fee_of(booking, now)
    if fee is None:
        return None
    row = getattr(booking, "overdue", None)
    payments = list(row.payments.all()) if row is not None and sees_payments else []
    owed = selectors.is_in_the_way(fee)
    return asdict(fee) | {
        "payment_url": address_of("booking", booking.token) if owed else None,
        "payments": payments if sees_payments else None,
        "refunds": [refund for payment in payments for refund in payment.refunds.all()] if sees_payments else None,
    }


def _payment_url(booking: Booking, now: datetime) -> str | None:
    """Return the customer's page where something is to be paid now."""
    due = booking.status == S.APPROVED or booking.raised_price is not None
    if not due or rules.has_expired(booking, now) or not rules.owed(booking):
        return None
    return address_of("booking", booking.token)


def _common(booking: Booking, now: datetime) -> dict[str, Any]:
    ended = rules.has_expired(booking, now)
    return {
        "booking": booking,
        "status": S.OTHER if ended else booking.status,
        "reason": EXPIRED if ended else booking.reason,
        "finished_at": booking.expires_at if ended else booking.finished_at,
        "cancel": selectors.cancel_offer(booking, now),
        "access_url": address_of("api-booking-access", booking.token),
        "page_url": address_of("booking", booking.token),
    }


def _user(booking: Booking) -> dict[str, Any]:
    """Return who booked, as typed: whoever types a stranger's phone must not learn the stranger's name."""
    contact: BookingContact | None = getattr(booking, "contact", None)
    name, phone = (contact.full_name, contact.phone) if contact else (booking.client.full_name, booking.client.phone)
    return {"id": booking.client_id, "name": name, "phone_number": phone}
