"""Money in the domain: an integer of minor units beside an ISO 4217 currency. Decimals exist on pages and wires only."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

EXPONENTS = {"RUB": 2, "USD": 2, "EUR": 2, "KZT": 2, "BYN": 2, "AMD": 2, "GEL": 2, "KGS": 2, "UZS": 2, "JPY": 0}


class MoneyError(ValueError):
    """An amount that cannot be read, or two currencies mixed: always a defect or a bad outside value, never a refusal."""


def exponent(currency: str) -> int:
    """Return how many decimals a currency has. Raises MoneyError for a currency that Palms does not know."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise MoneyError(f"unknown currency {currency!r}") from None


@dataclass(frozen=True, slots=True)
class Money:
    amount: int  # minor units: kopecks, cents, whole yen
    currency: str  # ISO 4217

    def __add__(self, other: Money) -> Money:
        if self.currency != other.currency:
            raise MoneyError(f"cannot add {other.currency} to {self.currency}")
        return Money(self.amount + other.amount, self.currency)

    def split(self, parts: int) -> list[Money]:
        """Divide without losing a unit: the first shares carry the remainder."""
        share, rest = divmod(self.amount, parts)
        return [Money(share + (i < rest), self.currency) for i in range(parts)]

    @property
    def decimal(self) -> Decimal:
        """The amount in major units, with the currency's exact number of decimals."""
        return Decimal(self.amount).scaleb(-exponent(self.currency))

    @classmethod
    def parse(cls, value: object, currency: str) -> Money:
        """Read an amount written in major units ("1000.00").

        Raises:
            MoneyError: not a finite number, or more decimals than the currency has.
        """
        try:
            units = Decimal(str(value)).scaleb(exponent(currency))
            if not units.is_finite() or units != units.to_integral_value():
                raise MoneyError(f"not an amount of {currency}: {value!r}")
            return cls(int(units), currency)
        except InvalidOperation:
            raise MoneyError(f"not an amount: {value!r}") from None
