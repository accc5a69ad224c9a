"""Checkout and where it stands, for customers' applications."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

from django.conf import settings
from django.core.cache import cache
from django.urls import reverse
from django.utils.crypto import salted_hmac
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from bookings import selectors, services
from bookings.api.inputs import MOST_PEOPLE, PLACE, BirthDate, Names, OnePlace
from bookings.api.shapes import show
from bookings.errors import HoldExpired
from bookings.models import Booking, BookingContact
from bookings.services import Typed
from bookings.services.party import LONGEST_EMAIL, LONGEST_KEY, LONGEST_NAME
from clients.rules import normal_phone
from clubs.models import Club
from clubs.selectors import zone_of
from palms.actors import Actor, Kind
from palms.api import BIGGEST_ID, Moment, MomentIn, SecretApiView, Text, Whole
from palms.clock import now_utc
from palms.errors import IdempotencyMismatch, ValidationFailed
from slots.errors import SlotNotFound
from slots.intervals import Interval, made_for

MAY_CHANGE = ("preparing", "held", "checking", "refunding")
LOOK_EVERY = 2  # seconds between two questions to the bank about one checkout


@dataclass(frozen=True, slots=True)
class Order:
    """A checkout as it was asked for: of a slot by its id, or of an interval."""

    wanted: int | Interval
    count: int
    typed: Typed

    @property
    def place(self) -> dict[str, Any]:
        """The same as a service takes it."""
        return {"interval": self.wanted} if isinstance(self.wanted, Interval) else {"slot_id": self.wanted}

    @property
    def slot_id(self) -> int | None:
        """The id of its slot; an interval's is known once it has been made."""
        made = made_for(self.wanted) if isinstance(self.wanted, Interval) else None
        return made.pk if made else self.wanted if isinstance(self.wanted, int) else None


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

    def _order(self, wanted: int | Interval, full_name: str, phone: str, email: str, birth_date: date | None) -> Order:
        data = self.validated_data
        names = tuple(data.get("participants_names", ()))
        typed = Typed(full_name, phone, email, birth_date, names, get_language() or settings.LANGUAGE_CODE)
        return Order(wanted, data["participants_count"], typed)

    def order(self) -> Order:
        raise NotImplementedError


class CheckoutIn(OnePlace, PartyIn):
    WORDS = {name: f"client.{name}" for name in ("full_name", "phone", "email", "birth_date")}

    slot_id = Whole(min_value=1, max_value=BIGGEST_ID, required=False)
    area_id = Whole(min_value=1, max_value=BIGGEST_ID, required=False)
    date_from = MomentIn(required=False)
    date_to = MomentIn(required=False)
    client = ClientIn()

    def order(self) -> Order:
        data = self.validated_data
        who = data["client"]
        wanted = data["slot_id"] if "slot_id" in data else Interval(*(data[name] for name in PLACE))
        return self._order(wanted, who["full_name"], who["phone"], who["email"], who.get("birth_date"))


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
    WORDS = KuligaIn.WORDS | {"slot_id": "group_training_id"}
    group_training_id = Whole(min_value=1, max_value=BIGGEST_ID)


class CheckoutOut(serializers.Serializer[Any]):
    payment_url = serializers.CharField()
    hold_until = Moment()
    status_url = serializers.CharField()


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
        club = _club_of(order.wanted)
        try:
            made = services.checkout(
                **order.place,
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


def _club_of(wanted: int | Interval) -> Club:
    """Return the public club that offers a slot or has an area. Raises SlotNotFound."""
    public = Club.objects.filter(is_public=True)
    mine = {"areas": wanted.area_id} if isinstance(wanted, Interval) else {"slots": wanted}
    club = public.filter(**mine).first()
    if club is None:
        raise SlotNotFound
    return club


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
