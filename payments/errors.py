"""Refusals about money."""

from django.utils.translation import gettext_lazy as _

from palms.errors import DomainError


class ProviderUnavailable(DomainError):
    code, title, status = (
        "provider_unavailable",
        _("The bank does not take payments right now. Nothing was charged"),
        503,
    )
