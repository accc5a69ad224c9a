"""A guest who stays past the end: they leave, they pay, the club waives; and what time alone brings. Domain section 6."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext as _

from bookings import rules
from bookings.errors import (
    BookingFinished,
    FeeNotOwed,
    OverdueUnpaid,
    ReasonRequired,
    TestMoneyOnly,
    TooEarlyToClose,
    TransitionRefused,
)
from bookings.models import Booking, Overdue
from bookings.services.asking import ask_for_page
from bookings.services.closing import try_complete_booking
from bookings.services.ending import LONGEST_REASON, on_living
from bookings.services.fees import drop_fee, leave_now, lock_fee, mark_paid, may_run, open_fee
from bookings.services.locking import Locked, Provided, allowed_events, in_any_case
from bookings.states import TERMINAL, S
from palms import intents
from palms.actors import SYSTEM, Actor
from palms.clock import now_utc
from palms.errors import NotPermitted, ValidationFailed
from payments import services as money
from payments.errors import ProviderUnavailable
from payments.models import Payment
from payments.selectors import account_of_club

F = Overdue.State


def leave(*, booking_id: int, actor: Actor, at: datetime | None = None, provided: Provided = in_any_case) -> Booking:
    """Record that the guest has left: now, or when the club says it was. What they owe for staying stands from then on.

    A guest says it once, repeats change nothing; the club may correct it until the fee is paid.

    Raises:
        TooEarlyToClose: the visit has not begun. TransitionRefused, BookingFinished: nobody is there, or it is over.
        ValidationFailed: `at` is before the visit or ahead. FeeNotOwed: the fee is paid. NotPermitted.
    """

    def go(locked: Locked, now: datetime) -> Booking:
        booking = locked.booking
        _require_confirmed(booking)
        _require_guest_or_club(booking, actor)
        if now < booking.date_from:
            raise TooEarlyToClose
        if not rules.serves_its_club(booking, actor):
            if booking.left_at is None:
                leave_now(booking, now, now)
            return booking
        moment = at or now
        if not booking.date_from <= moment <= now:
            raise ValidationFailed(errors={"left_at": [_("Enter a moment between the start of the visit and now")]})
        fee = lock_fee(booking.pk)
        if fee is not None and fee.state == F.PAID:
            raise FeeNotOwed(current_status=fee.state)
        leave_now(booking, moment, now)
        return booking

    return on_living(booking_id, actor, go, provided=provided)


def waive_fee(*, booking_id: int, actor: Actor, reason: str, provided: Provided = in_any_case) -> Overdue:
    """Let a guest off the fee, with a reason; a fee that was paid goes back. Said again, it answers what is true.

    Money that still comes for it is returned.

    Raises:
        FeeNotOwed: there is no fee. ReasonRequired. NotPermitted: the actor does not serve this club.
    """

    def go(locked: Locked, now: datetime) -> Overdue:
        if not rules.serves_its_club(locked.booking, actor):
            raise NotPermitted
        why = reason.replace("\0", "").strip()[:LONGEST_REASON]
        if not why:
            raise ReasonRequired
        open_fee(locked.booking, now)
        fee = drop_fee(locked, reason=why, now=now)
        if fee is None:
            raise FeeNotOwed
        return fee

    return on_living(booking_id, actor, go, provided=provided)


def record_fee_on_site(*, booking_id: int, actor: Actor, provided: Provided = in_any_case) -> Overdue:
    """Record that the club took the fee itself; a guest who was still there has left now.

    Raises:
        FeeNotOwed: there is none, or it is settled. TestMoneyOnly. NotPermitted: the actor does not serve this club.
    """

    def go(locked: Locked, now: datetime) -> Overdue:
        booking = locked.booking
        if not rules.serves_its_club(booking, actor):
            raise NotPermitted
        if booking.is_test:
            raise TestMoneyOnly
        fee = _fixed(locked, now)
        if fee is None or fee.state != F.DUE or fee.amount is None:
            raise FeeNotOwed(current_status=fee.state if fee else None)
        money.record_onsite(
            club_id=booking.club_id, client_id=booking.client_id, overdue_id=booking.pk, amount=fee.amount,
            currency=fee.currency, now=now,
        )  # fmt: skip
        mark_paid(fee, now)
        return fee

    return on_living(booking_id, actor, go, provided=provided)


def pay_fee(*, booking_id: int, actor: Actor, locale: str = "ru", patience: float = 10.0) -> str:
    """Return the bank's page for the fee, asking for one where there is none; a guest who pays is leaving now.

    Empty while the bank is silent, and where nothing is owed.

    Raises:
        NotPermitted, ProviderUnavailable.
    """

    def begin(locked: Locked, now: datetime) -> str | intents.Job:
        _require_guest_or_club(locked.booking, actor)
        fee = _fixed(locked, now)
        if fee is None or fee.state != F.DUE or fee.amount is None:
            return ""
        waiting = (p for p in locked.fees if p.status == Payment.Status.PENDING and p.amount == fee.amount)
        open_one = next(waiting, None)
        return open_one.confirmation_url if open_one is not None else _begin(locked, fee.amount, now, locale)

    begun = on_living(booking_id, actor, begin)
    return begun if isinstance(begun, str) else ask_for_page(begun, patience=patience)


def _begin(locked: Locked, amount: int, now: datetime, locale: str) -> intents.Job:
    booking = locked.booking
    account = account_of_club(booking.club_id, test_only=booking.is_test)
    if account is None:
        raise ProviderUnavailable
    payment = money.open_payment(
        money.Start(
            club_id=booking.club_id,
            client_id=booking.client_id,
            account=account,
            amount=amount,
            currency=booking.currency,
            two_stage=False,
            description=f"{booking.club.name}: {_('fee for staying')}, {booking.pk}",
            snapshot=None,
            overdue_id=booking.pk,
        )  # fmt: skip
    )
    return money.plan_page(payment, locale=locale, now=now)


def _fixed(locked: Locked, now: datetime) -> Overdue | None:
    """Return the locked fee; one that runs is fixed: the guest leaves now."""
    fee = open_fee(locked.booking, now)
    return leave_now(locked.booking, now, now) if fee is not None and fee.state == F.RUNNING else fee


def _require_confirmed(booking: Booking) -> None:
    if booking.status in TERMINAL:
        raise BookingFinished(current_status=booking.status, allowed_events=[])
    if booking.status != S.CONFIRMED:
        raise TransitionRefused(current_status=booking.status, allowed_events=allowed_events(booking))


def _require_guest_or_club(booking: Booking, actor: Actor) -> None:
    if not (rules.is_customer_of(booking, actor) or rules.serves_its_club(booking, actor)):
        raise NotPermitted


def look_after(booking: Booking, *, now: datetime) -> bool:
    """Write down what time alone has brought: a fee begins to run, a visit where nobody is on site closes.

    Whoever reads a booking calls this, and a job. Without either every answer is the same: what is owed is computed, and
    nothing is closed before its fee is settled. Returns whether anything was due.
    """
    if booking.status != S.CONFIRMED or now < booking.date_to:
        return False
    fee = Overdue.objects.filter(pk=booking.pk).first()
    if rules.overstays(booking, now) and may_run(fee):
        on_living(booking.pk, SYSTEM, lambda locked, later: open_fee(locked.booking, later))
        return True
    if not closes_by_itself(booking, fee):
        return False
    with suppress(OverdueUnpaid, TransitionRefused):  # somebody was faster
        try_complete_booking(booking_id=booking.pk, actor=SYSTEM)
    return True


def closes_by_itself(booking: Booking, fee: Overdue | None) -> bool:
    """Whether a CONFIRMED booking whose end has passed waits for nobody: not for its fee, nor to be told of the leaving."""
    if booking.area is None or not booking.area.self_service or rules.is_owed(fee):
        return False
    return booking.left_at is not None or rules.fee_terms(booking) is None or not may_run(fee)


def look_after_all(*, limit: int = 200) -> int:
    """Housekeeping: do for every booking what its next reader would. Returns for how many something was due."""
    now = now_utc()
    over = Booking.objects.filter(status=S.CONFIRMED, date_to__lte=now).exclude(overdue__state__in=[F.RUNNING, F.DUE])
    by_itself = Q(overdue__isnull=True) | Q(overdue__state=F.WAIVED, overdue__reason__in=rules.BY_ITSELF)
    runs = by_itself & Q(area__overdue_rate__isnull=False, policy__overdue__rate__gt=0, left_at__isnull=True)
    mine = over.filter(Q(area__self_service=True) | runs)
    found = list(mine.select_related("area").order_by("-date_to", "-pk")[:limit])
    return sum(look_after(booking, now=now) for booking in found)
