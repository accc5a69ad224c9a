"""Refusals about bookings."""

from django.utils.translation import gettext_lazy as _

from palms.errors import DomainError, NotFound


class BookingNotFound(NotFound):
    title = _("There is no such booking")


class TransitionRefused(DomainError):
    """Facts: `current_status`, `allowed_events`."""

    code, title = "transition_not_allowed", _("The booking cannot do this now")


class BookingFinished(TransitionRefused):
    code, title = "booking_finished", _("This booking is over and does not change any more")


class PaymentRequired(DomainError):
    code, title = "payment_required", _("The booking is not paid")


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
