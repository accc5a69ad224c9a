"""Providers, by account."""

from payments.models import ProviderAccount
from payments.providers.base import Provider


def provider_for(account: ProviderAccount) -> Provider:
    from payments.providers.yookassa import provider_for as make

    return make(account)
