"""A fake provider in this process, for runs that the sandbox bank is too slow for. It keeps every sum to the end.

It is both sides of the counter: what Palms asks of a provider, and what payers and people at the bank do there.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from palms.clock import now_utc
from palms.money import Money
from payments.providers.base import (
    Capabilities,
    NewPayment,
    PaymentSeen,
    ProviderRefused,
    ProviderUnknown,
    Receipt,
    RefundSeen,
    Seen,
    SeenRefund,
)
from tests.factories import SHOP

PAGE_LIFE, HOLD_LIFE = timedelta(hours=1), timedelta(days=7)


@dataclass
class Account:
    """One payment in the vault. `seen` is what the provider shows."""

    seen: PaymentSeen
    two_stage: bool
    dies_at: datetime
    refunds: list[RefundSeen] = field(default_factory=list)


class Vault:
    capabilities = Capabilities(two_stage=True, partial_capture=True, cancel_unpaid=False, idempotency_keys=True)

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._answers: dict[str, Any] = {}  # by idempotency key
        self._numbers = itertools.count(1)
        self._fault = ""

    # What Palms asks.

    def create(self, new: NewPayment, *, key: str, patience: float) -> PaymentSeen:
        self._stumble("before")
        if key not in self._answers:
            name = f"v{next(self._numbers)}"
            seen = PaymentSeen(
                id=name, status=Seen.PENDING, amount=new.amount, taken=0, refunded=0, account_id=SHOP, is_test=True,
                token=new.token, confirmation_url=f"https://bank.example/{name}",
            )  # fmt: skip
            self._accounts[name] = Account(seen, new.two_stage, now_utc() + PAGE_LIFE)
            self._answers[key] = seen
        self._stumble("after")
        found: PaymentSeen = self._answers[key]
        return found

    def read(self, payment_id: str, *, patience: float) -> PaymentSeen:
        self._stumble("before", "after")
        return self._account(payment_id).seen

    def find(self, token: str, *, since: datetime, until: datetime, patience: float) -> PaymentSeen | None:
        return next((account.seen for account in self._accounts.values() if account.seen.token == token), None)

    def capture(
        self, payment_id: str, amount: Money, *, key: str, patience: float, receipt: Receipt | None = None
    ) -> PaymentSeen:
        return self._move(payment_id, key, Seen.HELD, status=Seen.TAKEN, taken=amount.amount, captured_at=now_utc())

    def void(self, payment_id: str, *, key: str, patience: float) -> PaymentSeen:
        return self._move(payment_id, key, Seen.HELD, status=Seen.CANCELED)

    def refund(
        self, payment_id: str, amount: Money, *, our_id: int, key: str, patience: float, receipt: Receipt | None = None
    ) -> RefundSeen:
        self._stumble("before")
        if key not in self._answers:
            self._answers[key] = self._give_back(payment_id, amount.amount, our_id)
        self._stumble("after")
        found: RefundSeen = self._answers[key]
        return found

    def refunds(self, payment_id: str, *, patience: float) -> list[RefundSeen]:
        return list(self._account(payment_id).refunds)

    def check(self, *, patience: float) -> None:
        """Nothing to prove."""

    # What people do, in the words of tests.bank.Bank.

    def pay(self, payment_id: str) -> None:
        """Pay as the payer would. Raises ProviderRefused when the page is dead or the money there already."""
        account = self._account(payment_id)
        if account.seen.status is not Seen.PENDING:
            raise ProviderRefused("invalid_request")
        if account.two_stage:
            account.dies_at = now_utc() + HOLD_LIFE
            account.seen = replace(account.seen, status=Seen.HELD, hold_expires_at=account.dies_at)
        else:
            sums = {"taken": account.seen.amount.amount, "captured_at": now_utc()}
            account.seen = replace(account.seen, status=Seen.TAKEN, **sums)

    def refund_in_cabinet(self, payment_id: str) -> None:
        """Give back whatever is left."""
        self._give_back(payment_id, self.money(payment_id)["refundable"], None)

    def money(self, payment_id: str) -> dict[str, int]:
        seen = self._account(payment_id).seen
        held = seen.amount.amount if seen.status is Seen.HELD else 0
        net = seen.taken - seen.refunded
        return {"held": held, "net": net, "refundable": net}

    def advance(self, seconds: float) -> None:
        """Nothing to do: its clock is the one that the test moves."""

    def reset(self) -> None:
        """Forget everything but the numbers already given."""
        self._accounts, self._answers = {}, {}

    def fault(self, *, kind: str, **_: Any) -> None:
        """Answer the next call with silence: kind drop_before (nothing done) or drop_after (done)."""
        self._fault = kind.removeprefix("drop_")

    def clear_faults(self) -> None:
        self._fault = ""

    def _stumble(self, *moments: str) -> None:
        if self._fault in moments:
            self._fault = ""
            raise ProviderUnknown("no answer")

    def _account(self, payment_id: str) -> Account:
        account = self._accounts[payment_id]
        if account.seen.status in (Seen.PENDING, Seen.HELD) and account.dies_at <= now_utc():
            account.seen = replace(account.seen, status=Seen.CANCELED)
        return account

    def _move(self, payment_id: str, key: str, source: Seen, **changes: Any) -> PaymentSeen:
        self._stumble("before")
        account = self._account(payment_id)
        if key not in self._answers:
            if account.seen.status is not source:
                raise ProviderRefused("invalid_request")
            self._answers[key] = account.seen = replace(account.seen, **changes)
        self._stumble("after")
        found: PaymentSeen = self._answers[key]
        return found

    def _give_back(self, payment_id: str, amount: int, our_id: int | None) -> RefundSeen:
        account = self._account(payment_id)
        if amount > account.seen.taken - account.seen.refunded:
            raise ProviderRefused("invalid_request")
        money = Money(amount, account.seen.amount.currency)
        made = RefundSeen(f"r{next(self._numbers)}", payment_id, SeenRefund.DONE, money, our_id)
        account.refunds.append(made)
        account.seen = replace(account.seen, refunded=account.seen.refunded + amount)
        return made
