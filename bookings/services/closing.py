"""The visit is over: the club says how it ended and what it charges. The transition and the capture commit together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from access import services as access
from bookings.errors import (
    BookingFinished,
    ChargeExceedsAuthorization,
    ChargeRequired,
    ReasonRequired,
    TooEarlyToClose,
)
from bookings.models import Booking
from bookings.services.fees import drop_fee, settle_stay
from bookings.services.locking import Locked, Provided, in_any_case, lock_booking, require
from bookings.states import COMPLETED, S
from palms import points
from palms.actors import Actor, acting
from palms.clock import now_utc
from palms.errors import settle_constraints
from payments import services as money


@dataclass(frozen=True, slots=True)
class Closing:
    """The summary of a close, minor units. `charged` ends with the club, `returned` goes back."""

    booking: Booking
    charged: int
    returned: int


@points.commit("bookings.close")
def close(
    *,
    booking_id: int,
    actor: Actor,
    outcome: str,
    charge: str | int | None = None,
    reason: str = "",
    provided: Provided = in_any_case,
) -> Closing:
    """Close a visit as SHOWN or NOT_SHOWN and charge "full", "none" or an amount in minor units.

    SHOWN charges in full unless told otherwise; for NOT_SHOWN the club must say, and who did not come owes nothing for
    staying. The same close again answers what is true; another is refused. Source: domain section 6.

    Raises:
        TooEarlyToClose: the visit has not begun. ChargeRequired, ChargeExceedsAuthorization: about `charge`.
        OverdueUnpaid: they stayed past the end, and the fee for it is neither paid nor waived.
        TransitionRefused, BookingFinished: it cannot be closed (so). NotPermitted: the actor does not serve this club.
    """
    locked = lock_booking(booking_id)
    provided(locked)
    now = now_utc()
    booking = locked.booking
    if booking.status in COMPLETED and booking.status == outcome and actor.serves(booking.club_id):
        return _again(locked, charge)
    step = booking.close_as_shown if outcome == S.SHOWN else booking.close_as_not_shown
    require(booking, step, actor)
    if now < booking.date_from:
        raise TooEarlyToClose
    keep = _charge(booking, outcome, charge)
    with acting(actor):
        if outcome == S.SHOWN:
            settle_stay(locked, force=False, now=now)
        else:
            drop_fee(locked, reason="not_shown", now=now, paid=False)
    booking.reason = reason.replace("\0", "").strip()
    return _finish(locked, step, actor, keep)


def _charge(booking: Booking, outcome: str, charge: str | int | None) -> int:
    """Return how much ends with the club. Raises ChargeRequired, ChargeExceedsAuthorization."""
    if charge is None and outcome == S.NOT_SHOWN:
        raise ChargeRequired
    if charge is None or charge == "full":
        return booking.price
    if charge == "none":
        return 0
    if not isinstance(charge, int) or isinstance(charge, bool) or charge < 0:
        raise ChargeRequired
    if charge > booking.secured_amount:
        raise ChargeExceedsAuthorization(secured=booking.secured_amount)
    return charge


def _finish(locked: Locked, step: Callable[..., Any], actor: Actor, keep: int) -> Closing:
    now, booking = now_utc(), locked.booking
    with acting(actor):
        step(at=now)
        booking.save(update_fields=["status", "reason", "is_forced", "finished_at", "raised_price"])
        access.clear_access(booking_id=booking.pk, reason="closed", now=now)
        returned = money.give_back(locked.payments, keep=keep, cause="close", now=now)
        settle_constraints()
    return Closing(Booking.objects.get(pk=booking.pk), keep, returned)


def _again(locked: Locked, charge: str | int | None) -> Closing:
    """Answer a repeated close. Another charge than the one taken is another close, and refused."""
    kept = sum(payment.keep or 0 for payment in locked.payments if payment.decision == "USED")
    words: dict[str | int | None, int] = {None: kept, "full": locked.booking.price, "none": 0}
    wanted = words.get(charge, charge)
    if wanted != kept:
        raise BookingFinished(current_status=locked.booking.status, allowed_events=[])
    return Closing(locked.booking, kept, locked.booking.secured_amount - kept)


@points.commit("bookings.try_complete_booking")
def try_complete_booking(*, booking_id: int, actor: Actor, force: bool = False, reason: str = "") -> Closing:
    """Close a visit as SHOWN, charged in full: after its end, or earlier by force, with a reason, by staff.

    `force` passes the clock and a fee that is owed for staying, never the state machine; such a fee stays owed. A booking
    completed already is answered as it is.

    Raises:
        TooEarlyToClose: the visit is not over, and nobody forces. ReasonRequired: force without a reason.
        OverdueUnpaid: the fee for staying is not settled, and nobody forces.
        TransitionRefused, BookingFinished, NotPermitted.
    """
    locked = lock_booking(booking_id)
    booking = locked.booking
    if booking.status == S.SHOWN and actor.serves(booking.club_id):
        return _again(locked, None)
    require(booking, booking.close_as_shown, actor)
    if force and not reason.replace("\0", "").strip():
        raise ReasonRequired
    if not force and now_utc() < booking.date_to:
        raise TooEarlyToClose
    with acting(actor):
        settle_stay(locked, force=force, now=now_utc())
    if force:
        booking.reason, booking.is_forced = reason.replace("\0", "").strip()[:500], True
    return _finish(locked, booking.close_as_shown, actor, booking.price)
