"""Secrets at rest: provider credentials are stored encrypted with the keys of PALMS_FIELD_KEYS (newest first)."""

import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class SecretUnreadable(Exception):
    """No key of PALMS_FIELD_KEYS opens this value: a key was dropped too early, or the value was tampered with."""


def _box() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.PALMS_FIELD_KEYS])


def seal(value: dict[str, Any]) -> str:
    """Encrypt a small JSON object with the newest key."""
    return _box().encrypt(json.dumps(value).encode()).decode()


def unseal(sealed: str) -> dict[str, Any]:
    """Decrypt what `seal` made. Raises SecretUnreadable."""
    try:
        opened: dict[str, Any] = json.loads(_box().decrypt(sealed.encode()))
    except InvalidToken:
        raise SecretUnreadable from None
    return opened
