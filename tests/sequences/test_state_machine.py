"""Any sequence of what may happen keeps places and money right; and the machine that says so finds planted bugs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from bookings.services import confirming
from payments import rules as money_rules
from slots import rules as slot_rules
from tests.bank import Bank
from tests.sequences.machine import Machine
from tests.sequences.vault import Vault

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]


def run_machine(bank: Bank | Vault, examples: int, steps: int, *phases: Phase) -> None:
    """Play this many sequences; raise what the first failing one raised."""
    Machine.bank, Machine.is_clean = bank, False
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            report_multiple_bugs=False,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_any_sequence_with_the_sandbox_bank(bank: Bank) -> None:
    run_machine(bank, 6, 14, Phase.generate)


def test_any_sequence(vault: Vault) -> None:
    run_machine(vault, 25, 20, Phase.generate)


def never_refunds(payment: Any, now: Any) -> Any:
    step = NEXT_STEP(payment, now)
    return None if step is money_rules.Step.REFUND else step


NEXT_STEP = money_rules.next_step
PLANTED = {
    "a claim never dies": (slot_rules.is_alive, "__code__", (lambda claim, now: True).__code__),
    "captured money is never refunded": (money_rules, "next_step", never_refunds),
    "the door ignores the clock": (confirming, "_holds", lambda claim, asked, now: claim.slot_id == asked["slot_id"]),
}


@pytest.mark.parametrize("bug", PLANTED)
@pytest.mark.breaks_rules("money that is not kept is going back")
def test_a_planted_bug_is_found(vault: Vault, monkeypatch: pytest.MonkeyPatch, bug: str) -> None:
    monkeypatch.setattr(*PLANTED[bug])
    with pytest.raises(AssertionError):
        run_machine(vault, 200, 20, Phase.generate)
