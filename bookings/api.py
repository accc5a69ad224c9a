"""Checkout, its state, and the booking under its secret token, for customers' applications."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

from django.conf import settings
from django.core.cache import cache
from django.urls import path, reverse
from django.utils.crypto import salted_hmac
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from bookings import rules, selectors, services
from bookings.errors import HoldExpired
from bookings.messages import address_of
from bookings.models import Booking, BookingContact
from bookings.services import Typed
from bookings.services.party import LONGEST_EMAIL, LONGEST_KEY, LONGEST_NAME
from bookings.states import EXPIRED, S
from clients.rules import normal_phone
from clubs.models import Club
from clubs.selectors import zone_of
from palms.actors import Actor, Kind
from palms.api import BIGGEST_ID, AreaOut, Day, InstructorOut, Moment, SecretApiView, SlotOut, Text, Whole
from palms.clock import now_utc
from palms.errors import IdempotencyMismatch, ValidationFailed
from slots.errors import SlotNotFound
from slots.models import Slot
from slots.selectors import claims_between, views_of

UNKNOWN_BIRTH = date(1900, 1, 1)  # what B's forms send for "not given"
MOST_PEOPLE = 1000
MAY_CHANGE = ("preparing", "held", "checking", "refunding")
LOOK_EVERY = 2  # seconds between two questions to the bank about one checkout


@dataclass(frozen=True, slots=True)
class Order:
    """A checkout as it was asked for."""

    slot_id: int
    count: int
    typed: Typed


class BirthDate(Day):
    """A day in the past; 1900-01-01 reads as unknown."""

    default_error_messages = {"future": _("Enter a date in the past.")}

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


class ClientIn(serializers.Serializer[Any]):
    full_name = Text(max_length=LONGEST_NAME)
    phone = Text(max_length=40)
    email = Text(max_length=LONGEST_EMAIL)
    birth_date = BirthDate()


class PartyIn(serializers.Serializer[Any]):
    """How many come, and who they are."""

    WORDS: ClassVar[dict[str, str]] = {}  # a service's field: its name here

    participants_count = Whole(min_value=1, max_value=MOST_PEOPLE, default=1)
    participants_names = Names()

    def _order(self, slot_id: int, full_name: str, phone: str, email: str, birth_date: date | None) -> Order:
        data = self.validated_data
        names = tuple(data.get("participants_names", ()))
        typed = Typed(full_name, phone, email, birth_date, names, get_language() or settings.LANGUAGE_CODE)
        return Order(slot_id, data["participants_count"], typed)

    def order(self) -> Order:
        raise NotImplementedError


class CheckoutIn(PartyIn):
    WORDS = {name: f"client.{name}" for name in ("full_name", "phone", "email", "birth_date")}

    slot_id = Whole(min_value=1, max_value=BIGGEST_ID)
    client = ClientIn()

    def order(self) -> Order:
        who = self.validated_data["client"]
        slot_id = self.validated_data["slot_id"]
        return self._order(slot_id, who["full_name"], who["phone"], who["email"], who.get("birth_date"))


class KuligaIn(PartyIn):
    """The same by B's names. Its two tables of offers are one here, so the ids are of one kind."""

    WORDS = {"full_name": "client_name", "phone": "client_phone", "email": "client_email"}
    OFFER: ClassVar[str]

    client_name = Text(max_length=LONGEST_NAME)
    client_phone = Text(max_length=40)
    client_email = Text(max_length=LONGEST_EMAIL)
    birth_date = BirthDate()

    def order(self) -> Order:
        data = self.validated_data
        birth_date = data.get("birth_date")
        return self._order(
            data[self.OFFER], data["client_name"], data["client_phone"], data["client_email"], birth_date
        )


class KuligaIndividualIn(KuligaIn):
    OFFER = "slot_id"
    slot_id = Whole(min_value=1, max_value=BIGGEST_ID)


class KuligaGroupIn(KuligaIn):
    OFFER = "group_training_id"
    group_training_id = Whole(min_value=1, max_value=BIGGEST_ID)


class CancelIn(serializers.Serializer[Any]):
    reason = Text(max_length=500, allow_blank=True, default="")


class CheckoutOut(serializers.Serializer[Any]):
    payment_url = serializers.CharField()
    hold_until = Moment()
    status_url = serializers.CharField()


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


class CheckoutStateOut(serializers.Serializer[Any]):
    state = serializers.CharField()
    payment_url = serializers.CharField()
    hold_until = Moment()
    booking = serializers.DictField()


class CheckoutView(SecretApiView):
    """Hold places of a slot, begin their payment and say where to pay."""

    reads: type[PartyIn] = CheckoutIn
    booking_type: Booking.Type

    def post(self, request: Request) -> Response:
        data = self.reads(data=request.data)
        data.is_valid(raise_exception=True)
        order, given = data.order(), request.headers.get("Idempotency-Key")
        club = _club_of(order.slot_id)
        try:
            made = services.checkout(
                slot_id=order.slot_id,
                club_id=club.pk,
                typed=order.typed,
                participants_count=order.count,
                key=_key(given, order.typed.phone),
                visitor="",
                actor=Actor(Kind.CLIENT, through="api"),
                booking_type=self.booking_type,
            )
        except ValidationFailed as refusal:
            errors = refusal.facts.get("errors", {})
            raise ValidationFailed(errors={data.WORDS.get(name, name): errors[name] for name in errors}) from refusal
        if given is not None:
            _require_same(made, order, self.booking_type)
        status_url = settings.BASE_URL + reverse("api-checkout", args=[made.token])
        found = {"payment_url": made.payment_url, "hold_until": made.hold_until, "status_url": status_url}
        return Response(CheckoutOut(found, context={"zone": zone_of(club)}).data, status=201)


class BookIndividual(CheckoutView):
    booking_type = Booking.Type.INDIVIDUAL


class BookGroup(CheckoutView):
    booking_type = Booking.Type.GROUP


class KuligaIndividual(BookIndividual):
    reads = KuligaIndividualIn


class KuligaGroup(BookGroup):
    reads = KuligaGroupIn


class ShowCheckout(SecretApiView):
    """Where a checkout stands. `?look=1` asks the bank first, where its word is awaited: once in two seconds."""

    def get(self, request: Request, token: str) -> Response:
        state = selectors.checkout_state(token=token, now=now_utc())
        if "look" in request.query_params and state.state in MAY_CHANGE and cache.add(f"look:{token}", 1, LOOK_EVERY):
            services.look_again(token=token)
            state = selectors.checkout_state(token=token, now=now_utc())
        booking = show(selectors.booking_by_token(state.booking.token)) if state.booking else None
        found = {
            "state": state.state,
            "payment_url": state.payment_url or None,
            "hold_until": state.hold_until,
            "booking": booking,
        }
        return Response(CheckoutStateOut(found, context={"zone": zone_of(state.club)}).data)


class ShowBooking(SecretApiView):
    def get(self, request: Request, token: str) -> Response:
        return Response(show(selectors.booking_by_token(token)))


class CancelBooking(SecretApiView):
    """The customer cancels: by the policy that the booking was made with."""

    def post(self, request: Request, token: str) -> Response:
        data = CancelIn(data=request.data)
        data.is_valid(raise_exception=True)
        booking = selectors.booking_by_token(token)
        actor = Actor(Kind.CLIENT, booking.client_id, through="api")
        services.cancel_by_customer(booking_id=booking.pk, actor=actor, **data.validated_data)
        return Response(show(selectors.booking_by_token(token)))


def show(booking: Booking) -> dict[str, Any]:
    """Return the JSON of a booking. One past its deadline is shown as ended, whatever its row still says."""
    now = now_utc()
    ended = rules.has_expired(booking, now)
    claims = claims_between(booking.club_id, booking.slot.date_from, booking.slot.date_to, now)
    found = {
        "booking": booking,
        "status": S.OTHER if ended else booking.status,
        "reason": EXPIRED if ended else booking.reason,
        "finished_at": booking.expires_at if ended else booking.finished_at,
        "payments": selectors.payments_of(booking),
        "slot": views_of([booking.slot], claims, booking.club, now)[0],
        "user": _user(booking),
        "cancel": selectors.cancel_offer(booking, now),
        "access_url": None,  # no place has a door of its own yet
        "page_url": address_of("booking", booking.token),
    }
    shown: dict[str, Any] = BookingOut(found, context={"zone": zone_of(booking.club), "club": booking.club}).data
    return shown


def _user(booking: Booking) -> dict[str, Any]:
    """Return who booked, as typed: whoever types a stranger's phone must not learn the stranger's name."""
    contact: BookingContact | None = getattr(booking, "contact", None)
    name, phone = (contact.full_name, contact.phone) if contact else (booking.client.full_name, booking.client.phone)
    return {"id": booking.client_id, "name": name, "phone_number": phone}


def _club_of(slot_id: int) -> Club:
    """Return the public club that offers a slot. Raises SlotNotFound."""
    slot = Slot.objects.select_related("club").filter(pk=slot_id, club__is_public=True).first()
    if slot is None:
        raise SlotNotFound
    return slot.club


def _key(given: str | None, phone: str) -> str:
    """Return the checkout's key: made new, or the caller's own, which counts together with the phone that is booking.

    So a key that two strangers happen to share shows neither of them the other's checkout.

    Raises:
        ValidationFailed: empty, too long or not printable.
    """
    if given is None:
        return f"api:{uuid.uuid4()}"
    if not 1 <= len(given) <= LONGEST_KEY or not given.isprintable():
        raise ValidationFailed(errors={"Idempotency-Key": [_("The key must have 1 to 255 printable characters")]})
    with suppress(ValidationFailed):  # the service refuses it, with everything else that is wrong
        phone = normal_phone(phone)
    return f"api:{salted_hmac('palms.api.checkout', f'{phone} {given}', algorithm='sha256').hexdigest()}"


def _require_same(made: services.Checkout, order: Order, booking_type: str) -> None:
    """Refuse a known key that came with another request, and one whose hold has died: it takes a new key.

    Raises:
        IdempotencyMismatch, HoldExpired.
    """
    state = selectors.checkout_state(token=made.token, now=now_utc())
    paid_first = state.payment is not None and state.payment.snapshot is not None
    first: Any = state.payment if paid_first else state.booking
    asked = first.snapshot if paid_first else vars(first)
    contact: BookingContact = first.contact
    typed = order.typed
    stored = (contact.full_name, contact.email, contact.birth_date, [who.name for who in contact.participants.all()])
    names = [name for name in (" ".join(given.split()) for given in typed.participants_names) if name]
    wanted = (" ".join(typed.full_name.split()), typed.email.strip(), typed.birth_date, names)
    bought = (asked["slot_id"], asked["participants_count"], asked["booking_type"])
    if stored != wanted or bought != (order.slot_id, order.count, booking_type):
        raise IdempotencyMismatch
    if made.state in ("expired", "failed"):
        raise HoldExpired


urlpatterns = [
    path("v1/site/bookings/individual", BookIndividual.as_view(), name="api-book-individual"),
    path("v1/site/bookings/group", BookGroup.as_view(), name="api-book-group"),
    path("v1/site/checkouts/<slug:token>", ShowCheckout.as_view(), name="api-checkout"),
    path("v1/user/bookings/<slug:token>", ShowBooking.as_view(), name="api-booking"),
    path("v1/user/bookings/<slug:token>/cancel", CancelBooking.as_view(), name="api-booking-cancel"),
    path("kuliga/bookings/individual", KuligaIndividual.as_view(), name="kuliga-individual"),
    path("kuliga/bookings/group", KuligaGroup.as_view(), name="kuliga-group"),
]
