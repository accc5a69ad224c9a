"""What the calls of this room read and answer, for the API's document."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema_field

from bookings import reports_api
from bookings.api import checkout, club, customer, inputs, shapes, steps
from bookings.api.filters import PHASES, ClubBookingFilters
from bookings.models import Booking
from bookings.states import S
from clubs.models import Club
from palms.openapi import COUNT, MOMENT, TEXT, Operation, array, document, enum, nullable, page_of, record, refine
from payments.models import Payment, Refund

STATES = (
    "preparing", "held", "checking", "requested", "approved", "confirmed", "expired", "failed", "refunding", "refunded",
    "canceled",
)  # fmt: skip
EVENTS = (
    "approve", "cancel_by_club", "close_as_not_shown", "close_as_shown", "confirm", "edit", "end_otherwise", "move",
)  # fmt: skip
SITE = "https://book.example.com"
AREA = {"id": 7, "name": "Корт 1", "kind": "court", "location": ""}
SPAN = {"date_from": "2026-11-24T18:00:00+03:00", "date_to": "2026-11-24T19:00:00+03:00"}
MADE = "2026-11-21T10:00:00+03:00"
FREE_UNTIL = "2026-11-23T18:00:00+03:00"
ANNA = {"full_name": "Анна Петрова", "phone": "+79123456789", "email": "anna@example.com"}
PAYMENT = {
    "id": 31, "status": "AUTHORIZED", "amount": 150_000, "captured": 0, "refunded": 0, "currency": "RUB",
    "provider": "yookassa", "method": "bank_card", "created_at": MADE, "captured_at": None,
}  # fmt: skip
BOOKING: dict[str, Any] = {
    "id": 17, "token": "Yb2o0Jp5m8WkXq1cVd3eRg", "status": "CONFIRMED", "reason": "", **SPAN, "participants_count": 1,
    "price": 150_000, "currency": "RUB", "payments": [PAYMENT], "area": AREA, "instructor": None,
    "slot": {
        "id": 4821, "title": "", **SPAN, "cancelation_time": FREE_UNTIL, "status": "BOOKED", "price": 150_000,
        "currency": "RUB", "area": AREA, "instructor": None, "capacity": 1, "places_left": 0,
    },
    "user": {"id": 12, "name": "Анна Петрова", "phone_number": "+79123456789"},
    "cancel": {"allowed": True, "returned": 150_000, "kept": 0, "until": FREE_UNTIL},
    "access_url": f"{SITE}/api/v1/user/bookings/Yb2o0Jp5m8WkXq1cVd3eRg/access",
    "page_url": f"{SITE}/booking/Yb2o0Jp5m8WkXq1cVd3eRg/", "reference_id": None, "created_at": MADE, "updated_at": MADE,
    "finished_at": None, "overdue": None,
}  # fmt: skip
CLUB_BOOKING = BOOKING | {
    "booking_type": "individual", "phase": "confirmed", "expires_at": None, "raised_price": None, "paid": True,
    "payment_url": None, "refunds": [],
    "contact": {"name": "Анна Петрова", "phone": "+79123456789", "email": "anna@example.com"}, "participants_names": [],
    "policy": {"customer_cancel": "until_cancelation_time", "late_cancel_fee_percent": 0, "reopen": "auto"},
    "cancelation_time": FREE_UNTIL, "allowed_events": ["cancel_by_club", "edit", "end_otherwise", "move"], "is_test": False,
    "version": 1,
}  # fmt: skip
USER = record(id=COUNT, name=TEXT, phone_number=TEXT)
CHARGE = {"oneOf": [enum("full", "none"), COUNT | {"maximum": 2**63 - 1}]}
BY_STATUS, BY_PHASE = (
    record(**{one.value: reports_api.OutcomeOut for one in S}),
    record(**dict.fromkeys(PHASES, reports_api.OutcomeOut)),
)
OF_CHANGES = "transition_not_allowed booking_finished hold_expired timezone_required"
OF_TIMES = "slot_taken slot_closed slot_in_past"
OF_CHECKOUTS = (
    f"not_found timezone_required {OF_TIMES} hold_expired call_the_club provider_unavailable idempotency_in_progress"
)

refine(shapes.PaymentOut, "captured_at", status=enum(*Payment.Status.values), provider=enum("yookassa", "onsite"))
refine(shapes.RefundOut, "finished_at", status=enum(*Refund.State.values))
refine(shapes.FeeOut, "left_at settled_at payment_url", state=enum("running", "due", "paid", "waived"))
refine(shapes.CancelOut, "until")
refine(
    shapes.BookingOut,
    "instructor area reference_id finished_at",
    status=enum(*S.values),
    user=USER,
)
refine(
    shapes.PolicyOut,
    customer_cancel=enum(*Club.CustomerCancel.values),
    reopen=enum(*Club.Reopen.values),
)
refine(
    shapes.ClubBookingOut,
    "expires_at raised_price payment_url contact cancelation_time",
    booking_type=enum(*Booking.Type.values),
    phase=enum(*PHASES),
    allowed_events=array(enum(*EVENTS)),
)
refine(checkout.CheckoutOut, "payment_url hold_until")
refine(
    checkout.CheckoutStateOut,
    "payment_url hold_until",
    state=enum(*STATES),
    booking=nullable({"oneOf": [shapes.BookingOut]}),
)
refine(inputs.ClubStatusIn, status=enum(S.APPROVED, S.CONFIRMED, S.CANCELED_BY_CLUB, S.OTHER))
extend_schema_field(CHARGE)(inputs.Charge)
refine(reports_api.SummaryOut, by_status=BY_STATUS, by_phase=BY_PHASE)


def _checkout(summary: str, reads: Any, asks: dict[str, Any], tag: str = "Customer") -> Operation:
    return Operation(
        summary,
        "Holds the place and begins the payment. Where customers choose start and length themselves, `area_id`, `date_from` and "
        "`date_to` stand in place of `slot_id`. `payment_url` is null where nothing is to be paid, where the club has to approve "
        "first, and while the bank is slow: `status_url` tells which. A key counts together with the phone.",
        reads=reads,
        answers=checkout.CheckoutOut,
        statuses=(201,),
        asks=asks,
        shows={
            "payment_url": "https://yoomoney.ru/checkout/payments/v2/contract?orderId=22d6d597",
            "hold_until": "2026-11-21T10:10:00+03:00",
            "status_url": f"{SITE}/api/v1/site/checkouts/Zc9f",
        },
        refusals=OF_CHECKOUTS,
        takes_key=True,
        tag=tag,
    )


OLDER = {"client_name": ANNA["full_name"], "client_phone": ANNA["phone"], "client_email": ANNA["email"]}
document(
    checkout.BookIndividual,
    post=_checkout("Book a time for one party", checkout.CheckoutIn, {"slot_id": 4821, "client": ANNA}),
)
document(
    checkout.BookGroup,
    post=_checkout(
        "Book places of a group",
        checkout.CheckoutIn,
        {"slot_id": 4821, "client": ANNA, "participants_count": 2, "participants_names": ["Анна", "Иван"]},
    ),
)
document(
    checkout.KuligaIndividual,
    post=_checkout(
        "Book a time for one party, by the older names",
        checkout.KuligaIndividualIn,
        {"slot_id": 4821} | OLDER,
        "Older addresses",
    ),
)
document(
    checkout.KuligaGroup,
    post=_checkout(
        "Book places of a group, by the older names",
        checkout.KuligaGroupIn,
        {"group_training_id": 4821, "participants_count": 2} | OLDER,
        "Older addresses",
    ),
)
document(
    checkout.ShowCheckout,
    get=Operation(
        "Show where a checkout stands",
        answers=checkout.CheckoutStateOut,
        shows={"state": "confirmed", "payment_url": None, "hold_until": None, "booking": BOOKING},
        parameters=(
            OpenApiParameter(
                "look",
                TEXT,
                description="Given, the bank is asked first where its word is awaited, once in two seconds.",
            ),
        ),
        tag="Customer",
    ),
)
document(
    customer.ShowBooking,
    get=Operation("Show a booking", answers=shapes.BookingOut, shows=BOOKING, tag="Customer"),
)
document(
    customer.CancelBooking,
    post=Operation(
        "Cancel a booking",
        "By the policy that it was made with; `cancel` of the booking says beforehand what would come back.",
        reads=customer.CancelIn,
        answers=shapes.BookingOut,
        asks={"reason": "It will rain"},
        shows=BOOKING | {"status": "CANCELED_BY_CUSTOMER", "reason": "It will rain", "finished_at": MADE},
        refusals="reason_required transition_not_allowed booking_finished hold_expired idempotency_in_progress",
        takes_key=True,
        tag="Customer",
    ),
)
document(
    customer.ShowAccess,
    get=Operation(
        "Show the door code",
        "Inside the booking's time only.",
        answers=customer.AccessOut,
        shows={"code": "482913", "valid_from": "2026-11-24T17:45:00+03:00", "valid_to": "2026-11-24T19:00:00+03:00"},
        refusals="access_not_open access_preparing",
        tag="Customer",
    ),
)
document(
    club.ClubBookings,
    get=Operation(
        "List the club's bookings",
        "By start; with `updated_since` by their last change. `paid`: the money that is there now covers the price.",
        answers=page_of(shapes.ClubBookingOut, feed=True),
        shows={"meta": {"limit": 50, "next": None, "previous": None, "as_of": MADE}, "data": [CLUB_BOOKING]},
        query=ClubBookingFilters,
        refusals="timezone_required",
        is_paged=True,
        tag="Bookings",
    ),
    post=Operation(
        "Book for a client",
        "Give `slot_id`, or `area_id` with `date_from` and `date_to` of a time that is offered. APPROVED with a page to pay on, "
        "or CONFIRMED where it is free or paid on site (`amount` is what is missing unless told).",
        reads=inputs.ClubBookingIn,
        answers=shapes.ClubBookingOut,
        statuses=(201,),
        asks={"slot_id": 4821, "client": ANNA, "payment": {"method": "onsite"}},
        shows=CLUB_BOOKING,
        refusals=f"{OF_TIMES} payment_required provider_unavailable timezone_required",
        is_tagged=True,
        tag="Bookings",
    ),
)
document(
    steps.ClubBooking,
    get=Operation(
        "Show a booking", answers=shapes.ClubBookingOut, shows=CLUB_BOOKING, is_tagged=True, tag="Bookings"
    ),
    patch=Operation(
        "Change area, price or CRM id",
        "A raised price of a CONFIRMED booking waits for its payment: 409 `payment_required` until then.",
        reads=inputs.ClubEditIn,
        answers=shapes.ClubBookingOut,
        asks={"price": 120_000, "reference_id": 900},
        shows=CLUB_BOOKING | {"price": 120_000, "reference_id": 900, "version": 2},
        refusals=f"{OF_CHANGES} {OF_TIMES} payment_required",
        is_tagged=True,
        is_guarded=True,
        tag="Bookings",
    ),
)  # fmt: skip
document(
    steps.ClubBookingStatus,
    post=Operation(
        "Approve, confirm, cancel, or end otherwise",
        "CANCELED_BY_CLUB and OTHER need a `reason`, and everything goes back. CONFIRMED needs its money, or `payment`.",
        reads=inputs.ClubStatusIn,
        answers=shapes.ClubBookingOut,
        asks={"status": "CANCELED_BY_CLUB", "reason": "The roof leaks"},
        shows=CLUB_BOOKING | {"status": "CANCELED_BY_CLUB", "phase": "cancelled", "finished_at": MADE, "version": 2},
        refusals="transition_not_allowed booking_finished hold_expired payment_required payment_in_progress reason_required "
        "status_not_settable",
        is_tagged=True,
        is_guarded=True,
        tag="Bookings",
    ),
)
document(
    steps.ClubBookingDate,
    post=Operation(
        "Move a booking",
        "To another of the club's times, or to an interval at the same place. The price stays.",
        reads=inputs.ClubDateIn,
        answers=shapes.ClubBookingOut,
        asks=SPAN,
        shows=CLUB_BOOKING | {"version": 2},
        refusals=f"{OF_CHANGES} {OF_TIMES}",
        is_tagged=True,
        is_guarded=True,
        tag="Bookings",
    ),
)
document(
    steps.CloseClubBooking,
    post=Operation(
        "Close a visit",
        "Not before it begins. SHOWN charges in full unless told; for NOT_SHOWN say `charge`. A fee for "
        "staying that is owed stands in the way of SHOWN until it is paid, or waived in the back office. The same close again "
        "answers the same. The bank is asked after the answer.",
        reads=inputs.ClubCloseIn,
        answers=shapes.ClosingOut,
        asks={"outcome": "SHOWN"},
        shows={
            "booking": CLUB_BOOKING | {"status": "SHOWN", "phase": "completed", "finished_at": MADE, "version": 2},
            "charged": 150_000, "returned": 0, "overdue": None, "payments": [PAYMENT],
        },
        refusals="transition_not_allowed booking_finished hold_expired overdue_unpaid too_early_to_close charge_required "
        "charge_exceeds_authorization",
        is_tagged=True,
        is_guarded=True,
        tag="Bookings",
    ),
)  # fmt: skip
document(
    reports_api.ShowSummary,
    get=Operation(
        "Sum up a span of days",
        "Of the visits that begin in these days of the club's calendar, `date_to` not included, 400 days at most.",
        answers=record(meta=record(date_from=MOMENT, date_to=MOMENT, as_of=MOMENT), data=reports_api.SummaryOut),
        shows={
            "meta": {"date_from": "2026-11-01T00:00:00+03:00", "date_to": "2026-12-01T00:00:00+03:00", "as_of": MADE},
            "data": {
                "by_status": {one.value: {"bookings": 0, "participants": 0} for one in S},
                "by_phase": {phase: {"bookings": 0, "participants": 0} for phase in PHASES},
                "money": [
                    {"currency": "RUB", "held": 0, "captured": 150_000, "returned": 0, "owed": 0, "kept": 150_000}
                ],
                "occupancy": [{"area_id": 7, "name": "Корт 1", "booked_minutes": 60, "offered_minutes": 840}],
            },
        },
        query=reports_api.SummaryIn,
        tag="Reference",
    ),
)
