"""Refusals about bookings."""

from django.utils.translation import gettext_lazy as _

from palms.errors import DomainError, NotFound, NotPermitted, ValidationFailed


class BookingNotFound(NotFound):
    title = _("There is no such booking")


class TransitionRefused(DomainError):
    """Facts: `current_status`, `allowed_events`."""

    code, title = "transition_not_allowed", _("The booking cannot do this now")


class BookingFinished(TransitionRefused):
    code, title = "booking_finished", _("This booking is over and does not change any more")


class PaymentRequired(DomainError):
    code, title = "payment_required", _("The booking is not paid")


class PaymentInProgress(PaymentRequired):
    """The customer has opened the bank's page for just this sum, and may be paying at this moment."""

    code, title = "payment_in_progress", _("The customer is paying right now")


class WrongType(ValidationFailed):
    """An individual booking was asked of a group's time, or the other way round."""


class HoldExpired(DomainError):
    code, title = "hold_expired", _("The time for paying has run out")


class TooEarlyToClose(DomainError):
    code, title = "too_early_to_close", _("The visit has not begun yet")


class ChargeRequired(DomainError):
    code, title, status = "charge_required", _("Say how much to charge for a visit that did not happen"), 400


class ChargeExceedsAuthorization(DomainError):
    code, title = "charge_exceeds_authorization", _("More than was secured cannot be charged")


class ReasonRequired(DomainError):
    code, title, status = "reason_required", _("Give a reason"), 400


class StatusNotSettable(DomainError):
    """Facts: `settable`, the statuses that a club may ask for here."""

    code, title, status = "status_not_settable", _("This status is not set by hand: visits are closed"), 400


class TestMoneyOnly(NotPermitted):
    """Money taken on site is real: no test key records it, and no booking made by one is paid with it."""

    title = _("A test booking takes test money only")


class OverdueUnpaid(DomainError):
    """Facts: `amount` owed now, minor units, and its `currency`."""

    code, title = "overdue_unpaid", _("The guest stayed past the end, and the fee for it is not paid")


class FeeNotOwed(DomainError):
    """Facts: `current_status` of the fee, where there is one."""

    code, title = "transition_not_allowed", _("There is no fee to settle")


class NothingOwed(DomainError):
    code, title = "transition_not_allowed", _("Nothing is owed to the customer here")


class SeenFirst(DomainError):
    code, title = "transition_not_allowed", _("Open the booking first: money is sent back from its own page")
