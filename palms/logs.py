"""What log lines must not tell: the tokens of secret links. Whoever read them could open and cancel strangers' bookings."""

from __future__ import annotations

import logging
import re

# A row's number in the back office (/admin/bookings/booking/12/) is no secret.
SECRET = re.compile(
    r"((?:/|%2f)(?:booking|checkout|invitation|forgotten|overdue|user/bookings|site/checkouts|locks/ttlock)(?:/|%2f)+)(?!\d{1,18}(?:[/?#%&\s\"'<>\\]|$))[^/?#%&\s\"'<>\\]+",
    re.IGNORECASE,
)


def hide(text: str) -> str:
    """Return the text with "***" where a secret link, right or mistyped, has its token."""
    return SECRET.sub(r"\1***", text)


class HidingFormatter(logging.Formatter):
    """Writes whole lines, tracebacks among them, without tokens. The record itself stays as it is for other handlers."""

    def format(self, record: logging.LogRecord) -> str:
        return hide(super().format(record))
