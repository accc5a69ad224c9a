"""Refusals about clients."""

from django.utils.translation import gettext_lazy as _

from palms.errors import DomainError, NotFound


class ClientNotFound(NotFound):
    title = _("There is no such client")


class ClientBlocked(DomainError):
    """The customer hears whom to call, and neither that there is a block nor why."""

    code, title = "call_the_club", _("This time cannot be booked online. Please call the club")


class BlockedAlready(DomainError):
    code, title = "transition_not_allowed", _("This client is blocked already")


class NotBlocked(DomainError):
    code, title = "transition_not_allowed", _("This client is not blocked")
