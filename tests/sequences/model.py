"""What the machine's model knows: of each purchase, of each payment for a raised price."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import strategies as st

from payments.models import Payment
from slots.models import Slot

PRICE, PART, RAISE = 150_000, 50_000, 40_000
LATER = timedelta(minutes=15)
EVENTS = ("payment.waiting_for_capture", "payment.succeeded", "payment.canceled")
KEEPS_ITS_PLACE = {"CONFIRMED", "SHOWN", "NOT_SHOWN"}

which = st.integers(0, 5)


@dataclass
class Rise:
    """What the model knows of one payment for a raised price."""

    id: int
    price: int  # once it is paid
    amount: int
    paid: bool = False
    decision: str | None = None
    keep: int = 0

    @property
    def row(self) -> Payment:
        return Payment.objects.get(pk=self.id)


@dataclass
class Purchase:
    """What the model knows of one checkout. `keep` is how much of its first payment the books keep, if it was paid at all."""

    id: int
    token: str
    key: str
    home: Slot  # where it was bought
    held_until: datetime
    slot: Slot = field(init=False)  # where it is
    paid: bool = False
    returned_by_people: bool = False
    decision: str | None = None
    booking: str = ""  # its status
    keep: int = 0
    price: int = PRICE
    raised: int | None = None
    rises: list[Rise] = field(default_factory=list)
    free_until: datetime = field(init=False)
    closed: tuple[str, int | str] | None = None

    def __post_init__(self) -> None:
        self.slot = self.home
        self.free_until = self.home.cancelation_time or self.home.date_from

    def keep_at_most(self, total: int) -> None:
        """The oldest money stays first."""
        self.keep = min(self.keep, total)
        total -= self.keep
        for rise in self.rises:
            rise.keep = min(rise.keep, total)
            total -= rise.keep

    def ends(self, status: str, total: int = 0) -> None:
        self.booking, self.raised = status, None
        self.keep_at_most(total)

    def has_its_place(self, now: datetime) -> bool:
        return self.booking in KEEPS_ITS_PLACE or (self.decision is None and now < self.held_until)

    @property
    def row(self) -> Payment:
        return Payment.objects.get(pk=self.id)

    @property
    def page(self) -> str:
        return self.row.provider_payment_id or ""


def meet(one: Slot, other: Slot) -> bool:
    """Whether two slots want one court at one time."""
    return one.area_id == other.area_id and one.date_from < other.date_to and other.date_from < one.date_to
