"""The fake provider, in the place where providers are found by account."""

import pytest

from tests.sequences.vault import Vault


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Vault:
    """An empty vault that answers for every account."""
    vault = Vault()
    monkeypatch.setattr("payments.services.asking.provider_for", lambda account: vault)
    monkeypatch.setattr("payments.services.inbox.provider_for", lambda account: vault)
    return vault
