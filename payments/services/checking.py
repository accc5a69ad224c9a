"""Proving that an account's credentials are accepted, when people ask."""

from __future__ import annotations

from palms import intents
from palms.intents import Done, Refused, Unknown
from payments.models import ProviderAccount
from payments.providers import provider_for
from payments.providers.base import ProviderRefused, ProviderUnknown


def check_account(*, account_id: int, patience: float) -> Done | Refused | Unknown:
    """Ask the provider who we are. Outside any transaction; `Refused` carries the provider's code."""
    account = ProviderAccount.objects.get(pk=account_id)
    intents.let_go()
    try:
        provider_for(account).check(patience=patience)
    except ProviderRefused as no:
        return Refused(no.code)
    except ProviderUnknown as unknown:
        return Unknown(str(unknown))
    return Done()
