"""Refusals about money."""

from django.utils.translation import gettext_lazy as _

from palms.errors import DomainError


class ProviderUnavailable(DomainError):
    code, title, status = (
        "provider_unavailable",
        _("The bank does not take payments right now. Nothing was charged"),
        503,
    )


class RefundNotOwed(DomainError):
    """Facts: `current_status`."""

    code, title = "transition_not_allowed", _("This money is not handed back by the club")


class ComparedAlready(DomainError):
    code, title = "transition_not_allowed", _("This account is being compared already")
