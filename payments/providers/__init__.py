"""Providers, by account."""

from __future__ import annotations

from django.conf import settings

from palms.secrets import SecretUnreadable, unseal
from payments.models import ProviderAccount
from payments.providers.base import Provider, ProviderRefused
from payments.providers.yookassa import YooKassa
from payments.providers.yookassa_client import Shop


def provider_for(account: ProviderAccount) -> Provider:
    """Return the provider that speaks for this account. Asks neither the database nor the provider.

    Raises:
        ProviderRefused: code "not_configured": there are no credentials to call with, or they cannot be read.
    """
    if account.provider != "yookassa":
        raise _not_configured(account, f"{account.provider} is not a provider to call")
    shop_id, secret = _credentials(account)
    if not (isinstance(shop_id, str) and isinstance(secret, str) and shop_id and secret):
        raise _not_configured(account, "shop id and secret key are needed")
    if shop_id != account.account_id:  # every answer would be about another shop, and no money could be believed
        raise _not_configured(account, "the credentials are another shop's")
    return YooKassa(Shop(shop_id, secret, settings.YOOKASSA_API_URL))


def _credentials(account: ProviderAccount) -> tuple[object, object]:
    if not account.credentials:
        return settings.YOOKASSA_SHOP_ID, settings.YOOKASSA_SECRET_KEY
    try:
        opened = unseal(account.credentials)
    except SecretUnreadable:
        raise _not_configured(account, "no key opens the stored credentials") from None
    if not opened:
        return settings.YOOKASSA_SHOP_ID, settings.YOOKASSA_SECRET_KEY
    return opened.get("shop_id"), opened.get("secret_key")


def _not_configured(account: ProviderAccount, why: str) -> ProviderRefused:
    return ProviderRefused("not_configured", f"account {account.pk}: {why}")
