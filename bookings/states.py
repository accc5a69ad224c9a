"""The states of a booking and how documents A and C name their groups."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class S(models.TextChoices):
    REQUESTED = "REQUESTED", _("requested")
    APPROVED = "APPROVED", _("approved, waiting for payment")
    CONFIRMED = "CONFIRMED", _("confirmed")
    CANCELED_BY_CUSTOMER = "CANCELED_BY_CUSTOMER", _("canceled by the customer")
    CANCELED_BY_CLUB = "CANCELED_BY_CLUB", _("canceled by the club")
    OTHER = "OTHER", _("ended for another reason")
    SHOWN = "SHOWN", _("visited")
    NOT_SHOWN = "NOT_SHOWN", _("not shown")


WAITING = (S.REQUESTED, S.APPROVED)
ACTIVE = (*WAITING, S.CONFIRMED)
CANCELLED = (S.CANCELED_BY_CUSTOMER, S.CANCELED_BY_CLUB, S.OTHER)
COMPLETED = (S.SHOWN, S.NOT_SHOWN)
TERMINAL = (*CANCELLED, *COMPLETED)
MOVES = frozenset(
    {(S.REQUESTED, S.APPROVED), (S.REQUESTED, S.CONFIRMED), (S.APPROVED, S.CONFIRMED)}
    | {(old, new) for old in ACTIVE for new in CANCELLED}
    | {(S.CONFIRMED, new) for new in COMPLETED}
)
EXPIRED = "expired"  # the reason of an OTHER whose deadline passed
