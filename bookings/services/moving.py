"""Moving: a booking's claims go to another slot in one transaction, or nothing changes. Domain sections 1 to 3."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils.translation import gettext as _

from access import services as access
from bookings.errors import BookingFinished
from bookings.models import Booking
from bookings.services.ending import on_living
from bookings.services.fees import drop_fee
from bookings.services.locking import Beside, Locked, Provided, in_any_case
from bookings.states import TERMINAL, S
from clubs.models import Area
from notifications import services as notifications
from palms.actors import Actor
from palms.errors import NotPermitted, ValidationFailed
from payments import services as money
from slots import services as slots
from slots.errors import SlotClosed, SlotInPast, SlotNotFound
from slots.models import Slot
from slots.selectors import slots_for_moves

LONGEST, END_OF_TIME = timedelta(days=31), datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Aim:
    """Where a move wants to go: a slot, or an area and an interval, each as it is where not given."""

    slot_id: int | None = None
    area_id: int | None = None
    date_from: datetime | None = None
    date_to: datetime | None = None

    def spot(self, booking: Booking) -> slots.Spot:
        return slots.Spot(
            booking.area_id if self.area_id is None else self.area_id,
            booking.instructor_id,
            self.date_from or booking.date_from,
            self.date_to or booking.date_to,
        )

    def beside(self, booking: Booking) -> Beside:
        """Return what must be locked beside the booking's own place; another club's is not."""
        spot = self.spot(booking)
        if self.slot_id is not None:
            found = Slot.objects.filter(pk=self.slot_id, club_id=booking.club_id)
        else:
            found = slots_for_moves(
                club_id=booking.club_id, area_id=spot.area_id, instructor_id=spot.instructor_id,
                date_from=spot.date_from, date_to=spot.date_to,
            )  # fmt: skip
        areas = Area.objects.filter(pk=self.area_id or 0, club_id=booking.club_id)
        return Beside(frozenset(found.values_list("pk", flat=True)), frozenset(areas.values_list("pk", flat=True)))


def move(
    *,
    booking_id: int,
    actor: Actor,
    date_from: datetime | None = None,
    date_to: datetime | None = None,
    slot_id: int | None = None,
    area_id: int | None = None,
    provided: Provided = in_any_case,
) -> Booking:
    """Move a booking to a slot, or to an interval and an area: the slot offered there, else one made for it.

    Price, type and participants stay; a raised price that nobody has paid is withdrawn. Free cancellation ends no earlier
    than it did, and no shorter before the start. A move to where it is changes nothing. Staff also move into closed slots.

    Raises:
        SlotTaken, SlotInPast, SlotClosed: it cannot be had; nothing has changed. SlotClosed: the area is not in use.
        SlotNotFound: the slot or area is not this club's. ValidationFailed: `errors` names the fields.
        HoldExpired: its deadline has passed. BookingFinished. NotPermitted: the actor does not serve this club.
    """
    aim = aimed_at(Aim(slot_id, area_id, date_from, date_to))

    def go(locked: Locked, now: datetime) -> Booking:
        require_changeable(locked.booking, actor)
        move_locked(locked, aim, now)
        return locked.booking

    on_living(booking_id, actor, go, aim.beside, provided)
    return Booking.objects.select_related("club").get(pk=booking_id)


def aimed_at(aim: Aim) -> Aim:
    """Return the aim if it makes sense. Raises ValidationFailed."""
    wrong: dict[str, list[str]] = {}
    span = (aim.date_from, aim.date_to)
    if aim.slot_id is not None and (aim.area_id is not None or span != (None, None)):
        wrong["slot_id"] = [_("Give either a time that is offered, or a place and an interval")]
    elif aim.slot_id is None and aim.area_id is None and span == (None, None):
        wrong["date_from"] = [_("Say where to move the booking")]
    elif (aim.date_from is None) != (aim.date_to is None):
        wrong["date_to" if aim.date_to is None else "date_from"] = [_("Give both ends of the interval")]
    elif aim.date_from is not None and aim.date_to is not None:
        wrong |= _wrong_interval(aim.date_from, aim.date_to)
    if wrong:
        raise ValidationFailed(errors=wrong)
    return aim


def _wrong_interval(date_from: datetime, date_to: datetime) -> dict[str, list[str]]:
    if date_from.tzinfo is None or date_to.tzinfo is None:
        return {"date_from" if date_from.tzinfo is None else "date_to": [_("Give the offset from UTC")]}
    if not date_from < date_to:
        return {"date_to": [_("The end must come after the start")]}
    if date_to - date_from > LONGEST:
        return {"date_to": [_("A booking is at most 31 days long")]}
    return {} if date_to < END_OF_TIME else {"date_to": [_("This is too far ahead")]}


def require_changeable(booking: Booking, actor: Actor) -> None:
    """Refuse to move or edit what is over (409), then who does not serve the club (403)."""
    if booking.status in TERMINAL:
        raise BookingFinished(current_status=booking.status, allowed_events=[])
    if not actor.serves(booking.club_id):
        raise NotPermitted


def move_locked(locked: Locked, aim: Aim, now: datetime) -> None:
    """Move a locked booking; whatever is refused must roll the caller back. Raises as `move`."""
    booking, left = locked.booking, locked.slot
    spot, is_there = aim.spot(booking), aim.slot_id == left.pk
    if is_there or (aim.slot_id is None and spot == Aim().spot(booking)):
        return
    _require_known(locked, aim)
    count = booking.participants_count
    if aim.slot_id is not None:
        (target,) = locked.beside
        places = slots.find_room(target, count=count, now=now, for_customer=False, moving=booking.pk)
    else:
        target, places = slots.make_room(spot, locked.beside, like=left, count=count, now=now, moving=booking.pk)
    if target.date_from <= now and booking.expires_at is not None:  # an interval that has begun waits for nobody
        raise SlotInPast
    slots.release(booking_ids=[booking.pk])
    access.clear_access(booking_id=booking.pk, reason="moved", now=now)
    drop_fee(locked, reason="moved", now=now, paid=False)
    _settle_in(booking, target)
    slots.claim(target, places, held_until=booking.expires_at, booking_id=booking.pk)
    if left.origin == Slot.Origin.MOVE:
        slots.withdraw_if_empty(left, now=now)
    if booking.status == S.CONFIRMED:
        money.take_before_the_hold_dies(locked.payments, visit_ends=booking.date_to, now=now)
        access.plan_grant(booking, now)
    event = f"booking_moved:{booking.version}"
    notifications.tell(club_id=booking.club_id, booking_id=booking.pk, event=event, now=now)


def _require_known(locked: Locked, aim: Aim) -> None:
    """Refuse another club's slot or area, and an area that is out of use. Its own area may stay what it is."""
    booking = locked.booking
    if aim.slot_id is not None and not locked.beside:
        raise SlotNotFound
    area_id = locked.beside[0].area_id if aim.slot_id is not None else aim.area_id
    if area_id is None or area_id == booking.area_id:
        return
    area = Area.objects.filter(pk=area_id, club_id=booking.club_id).first()
    if area is None:
        raise SlotNotFound
    if not area.is_active:
        raise SlotClosed


def _settle_in(booking: Booking, target: Slot) -> None:
    """Write down where a booking is now, all at once: the database compares it with its slot at every statement."""
    if booking.cancelation_time is not None:
        shown, lead = booking.cancelation_time, booking.date_from - booking.cancelation_time
        kindest = max(shown, target.date_from - lead, target.cancelation_time or shown)
        booking.cancelation_time = min(kindest, target.date_from)
    if booking.expires_at is not None:
        booking.expires_at = min(booking.expires_at, target.date_from)
    booking.slot, booking.area_id, booking.instructor_id = target, target.area_id, target.instructor_id
    booking.date_from, booking.date_to = target.date_from, target.date_to
    booking.raised_price, booking.left_at = None, None
    booking.save(
        update_fields=[
            "slot", "area", "instructor", "date_from", "date_to", "cancelation_time", "expires_at", "raised_price",
            "left_at",
        ]
    )  # fmt: skip
