"""Killed between any two steps: started again, bank and books come to an agreeing end, with every effect once."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.bank import Bank
from tests.crashes import cases
from tests.crashes.cases import LEASE, Make, come_back
from tests.crashes.conftest import Victim

pytestmark = pytest.mark.django_db(transaction=True)
CASES = [
    cases.a_checkout,
    cases.a_return,
    cases.a_late_payment,
    cases.a_late_payment_in_one_stage,
    cases.a_cancel,
    cases.a_close,
    cases.a_close_of_money_taken,
    cases.a_move,
    cases.a_lower_price,
    cases.a_paid_raise,
    cases.a_fee,
]


@pytest.mark.parametrize("make", CASES)
def test_killed_at_any_step_it_comes_to_the_same_end(
    victim: Victim, bank: Bank, make: Make, record_property: Callable[[str, object], None]
) -> None:
    unharmed = make(bank)
    told = victim.run(unharmed.act, ahead=unharmed.ahead, **unharmed.args)
    assert (told["error"], told["killed"]) == ("", False)
    come_back(unharmed, bank)
    steps = told["steps"]
    for number, step in enumerate(steps, start=1):
        for moment in ("before", "after"):
            case = make(bank)
            told = victim.run(case.act, ahead=case.ahead, kill=(number, moment), **case.args)
            where = f"killed {moment} step {number} ({step}) of {steps}"
            assert (told["killed"], told["error"], told["steps"]) == (True, "", steps[:number]), where
            try:
                come_back(case, bank)
            except AssertionError as wrong:
                raise AssertionError(where) from wrong
    record_property("kills", 2 * len(steps))


@pytest.mark.parametrize("make", CASES)
def test_killed_again_and_again_it_comes_to_the_same_end(victim: Victim, bank: Bank, make: Make) -> None:
    """Whoever picks up after a dead process may die too."""
    rng = random.Random(7)
    case, ahead = make(bank), 0.0
    victim.run(case.act, ahead=case.ahead, kill=(rng.randint(1, 4), "after"), **case.args)
    for _death in range(1 if make is cases.a_checkout else 6):  # a hold does not outlive many leases
        ahead += LEASE
        kill = (rng.randint(1, 6), rng.choice(["before", "after"]))
        assert victim.run("sweep", ahead=case.ahead + ahead, kill=kill)["error"] == ""
    come_back(case, bank, ahead=ahead)
