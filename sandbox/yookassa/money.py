"""Money on the wire is {"value": "1000.00", "currency": "RUB"}; inside it is integer minor units."""

import re

VALUE = re.compile(r"(0|[1-9][0-9]{0,11})\.([0-9]{2})")


def parse_value(text: str) -> int | None:
    """'1000.00' -> 100000; None for anything that is not exactly digits, a dot, two digits."""
    found = VALUE.fullmatch(text)
    return int(found[1]) * 100 + int(found[2]) if found else None


def format_value(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"


def wire(minor: int, currency: str) -> dict[str, str]:
    return {"value": format_value(minor), "currency": currency}


def spoken(minor: int) -> str:
    """'1 000,00 ₽' with no-break spaces, for pages."""
    return f"{minor // 100:,}".replace(",", "\u00a0") + f",{minor % 100:02d}\u00a0₽"
