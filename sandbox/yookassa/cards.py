"""The documented test cards of a YooKassa test shop. Any other number is unknown."""

import re
from dataclasses import dataclass

SUCCESS: dict[str, bool] = {  # number -> with 3-D Secure
    "5555555555554477": True,
    "5555555555554444": False,
    "4793128161644804": True,
    "4111111111111111": False,
    "2200000000000004": True,
    "2202474301322987": False,
}
_BY_NETWORK = """
3d_secure_failed 5555555555554592 4839665499603842 2200000000000012
call_issuer 5555555555554535 4926946416239025 2200000000000020
card_expired 5555555555554543 4141435412630840 2200000000000038
fraud_suspected 5555555555554568 4483274282299972 2200000000000046
general_decline 5555555555554527 4889971706588753 2202202212312379
insufficient_funds 5555555555554600 4562265587712390 2200000000000053
invalid_card_number 5555555555554618 4951017853630544 2201382000000013
invalid_csc 5555555555554626 4194180666146368 2200770212727079
issuer_unavailable 5555555555554501 4654130848359150 2201382000000021
payment_method_limit_exceeded 5555555555554576 4565231022577548 2201382000000039
payment_method_restricted 5555555555554550 4233961169071671 2201382000000047
"""
_BY_YOO_MONEY = """
country_forbidden 5555555555554584 4969751510013864 2201382000000054
fraud_suspected 5555555555554634 4119098878796485 2201696981989955
"""
_SYSTEMS = {"2": "Mir", "4": "Visa", "5": "MasterCard"}


@dataclass(frozen=True, slots=True)
class Card:
    """`party` and `reason` are None for a card that pays."""

    number: str
    three_d_secure: bool
    party: str | None = None
    reason: str | None = None

    @property
    def system(self) -> str:
        return _SYSTEMS[self.number[0]]


def _declines(table: str, party: str) -> list[Card]:
    rows = [line.split() for line in table.split("\n") if line]
    return [
        Card(number, reason == "3d_secure_failed", party, reason) for reason, *numbers in rows for number in numbers
    ]


DECLINES = _declines(_BY_NETWORK, "payment_network") + _declines(_BY_YOO_MONEY, "yoo_money")
CARDS = {card.number: card for card in [*(Card(number, secure) for number, secure in SUCCESS.items()), *DECLINES]}


def find_card(typed: str) -> Card | None:
    """Find a test card by what a person typed: spaces and dashes between the digits are fine."""
    return CARDS.get(re.sub(r"[\s\u00a0-]", "", typed))


def grouped(number: str) -> str:
    return " ".join(number[i : i + 4] for i in range(0, len(number), 4))
