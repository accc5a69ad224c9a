"""Intervals that customers choose themselves: what may be chosen, and the slot that is made with the first claim.

There is one slot for one interval of an area (`slot_made_once`). It is offered to nobody: whoever chooses the same interval
later, after a cancellation or a dead hold, gets the same row again, at the price of that day. Nothing has to be cleaned up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from clubs.models import Area, Club, Hours
from clubs.selectors import zone_of
from palms.errors import ValidationFailed
from slots.errors import SlotClosed, SlotInPast, SlotNotFound
from slots.models import LONGEST_MINUTES, Slot
from slots.rules import may_start
from slots.timetable import MINUTE, Timetable, timetable


@dataclass(frozen=True, slots=True)
class Interval:
    """A stay on an area that is booked by interval: [date_from, date_to), aware, whole minutes."""

    area_id: int
    date_from: datetime
    date_to: datetime


def areas_by_interval(club_id: int) -> QuerySet[Area]:
    """Return the club's areas in use whose customers choose start and length, in the club's order."""
    return Area.objects.filter(club_id=club_id, booked_by=Area.BookedBy.INTERVAL, is_active=True)


def timetables(areas: Iterable[Area], club: Club) -> dict[int, Timetable]:
    """Return the rules of areas by id: one query, none for no areas."""
    rows, zone = list(areas), zone_of(club)
    hours: dict[int, list[Hours]] = defaultdict(list)
    for row in Hours.objects.filter(area__in=rows) if rows else ():
        hours[row.area_id].append(row)
    return {area.pk: timetable(area, hours[area.pk], zone) for area in rows}


def slot_of_interval(interval: Interval, *, club: Club) -> Slot:
    """Return the slot of an interval, stored or not yet; a plain read. Raises SlotNotFound: no such area by interval."""
    area = areas_by_interval(club.pk).filter(pk=interval.area_id).first()
    if area is None:
        raise SlotNotFound
    return _slot(interval, area, club, made_for(interval))


def made_for(interval: Interval) -> Slot | None:
    """Return the slot that this interval has made already."""
    return _made(interval).first()


def lock_interval(interval: Interval, *, club: Club) -> Slot:
    """Lock the area of an interval and the slot that it has made already, if any; return that slot, or one to be stored.

    Must run inside a transaction. Whoever holds the area's lock is alone in making slots of it.

    Raises:
        SlotNotFound: the club has no such area in use, or it is not booked by interval (any more).
    """
    area = areas_by_interval(club.pk).select_for_update(no_key=True).filter(pk=interval.area_id).first()
    if area is None:
        raise SlotNotFound
    return _slot(interval, area, club, _made(interval).select_for_update(no_key=True).first())


def _made(interval: Interval) -> QuerySet[Slot]:
    return Slot.objects.filter(
        area_id=interval.area_id, date_from=interval.date_from, date_to=interval.date_to, origin=Slot.Origin.INTERVAL
    )


def _slot(interval: Interval, area: Area, club: Club, made: Slot | None) -> Slot:
    slot = made or Slot(
        club=club, area=area, date_from=interval.date_from.astimezone(UTC), date_to=interval.date_to.astimezone(UTC),
        origin=Slot.Origin.INTERVAL, exclusive=area.exclusive, currency=club.currency, price=0,
    )  # fmt: skip
    slot.club, slot.area = club, area
    return slot


def judge_interval(slot: Slot, *, now: datetime, for_customer: bool = True) -> None:
    """Refuse an interval that cannot be chosen, and set the price of the others: 1 query.

    Staff are bound neither by opening hours and steps nor by notice and horizon; outside the hours the usual price counts.

    Raises:
        ValidationFailed: `errors` under date_from or date_to. SlotInPast. SlotClosed: notice or horizon hide it.
    """
    (table,) = timetables([slot.area] if slot.area else [], slot.club).values()
    errors = _wrong_span(slot) or (_wrong_for_customers(slot, table) if for_customer else {})
    if errors:
        raise ValidationFailed(errors={name: [words] for name, words in errors.items()})
    if slot.date_to <= now or (for_customer and table.is_late(slot.date_from, slot.date_to, now=now)):
        raise SlotInPast
    if for_customer and not _is_shown(slot, now):
        raise SlotClosed
    slot.price, slot.currency = table.price(slot.date_from, slot.date_to), slot.club.currency


def _is_shown(slot: Slot, now: datetime) -> bool:
    if slot.date_from <= now:
        return slot.club.notice_minutes == 0
    return may_start(slot.date_from, slot.club, now)


def _wrong_span(slot: Slot) -> dict[str, str]:
    start, span = slot.date_from, slot.date_to - slot.date_from
    if not timedelta() < span <= timedelta(minutes=LONGEST_MINUTES):
        return {"date_to": _("The end must come after the start, within 31 days")}
    if not 1970 < start.year < 2199:
        return {"date_from": _("This date is too far away.")}
    if start.second or start.microsecond or span % MINUTE:
        return {"date_from": _("Whole minutes only")}
    return {}


def _wrong_for_customers(slot: Slot, table: Timetable) -> dict[str, str]:
    """Return what is wrong with an interval by the area's own rules. One that nobody may choose for its hours is no 409."""
    if not table.is_length(slot.date_to - slot.date_from):
        words = _("It lasts %(shortest)s to %(longest)s minutes here, in steps of %(step)s")
        return {"date_to": words % {"shortest": table.shortest, "longest": table.longest, "step": table.step}}
    if not table.is_on_step(slot.date_from):
        return {
            "date_from": _("It cannot begin at this time: only at steps of %(step)s minutes") % {"step": table.step}
        }
    if not table.is_open_throughout(slot.date_from, slot.date_to):
        return {"date_to": _("The place is not open for so long")}
    return {}


def keep_interval(slot: Slot) -> None:
    """Store the slot of an interval for whoever takes it now. The area is locked, and room was found."""
    if slot._state.adding:
        slot.save()
    else:
        slot.save(update_fields=["price", "currency"])
