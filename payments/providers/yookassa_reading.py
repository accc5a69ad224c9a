"""YooKassa's objects, read strictly. Whatever is missing, of another type or impossible raises ProviderUnknown, nothing else."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from palms.money import Money, MoneyError
from payments.providers.base import PaymentSeen, ProviderUnknown, RefundSeen, Seen, SeenRefund

Json = dict[str, Any]
T = TypeVar("T")
OBJECT_ID = re.compile(r"[0-9A-Za-z\-]{1,64}")
SHOP_ID = re.compile(r"[0-9]{1,64}")
WORD = re.compile(r"[0-9A-Za-z_.\-]{1,64}")  # statuses, methods, reasons: open lists of plain words
VALUE = re.compile(r"[0-9]{1,15}(\.[0-9]{1,4})?")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
OUR_ID = re.compile(r"[1-9][0-9]{0,17}")
TOKEN, REFUND_ID = "payment_token", "refund_id"
STATUSES = {
    "pending": Seen.PENDING,
    "waiting_for_capture": Seen.HELD,
    "succeeded": Seen.TAKEN,
    "canceled": Seen.CANCELED,
}
REFUND_STATUSES = {"pending": SeenRefund.PENDING, "succeeded": SeenRefund.DONE, "canceled": SeenRefund.REFUSED}


def payment_seen(raw: object) -> PaymentSeen:
    """Translate a payment.

    `taken` is what `amount` shows of a succeeded payment: after a partial capture that is what was captured (not documented).
    """
    found = _object(raw, "payment")
    word = _text(found, "status", WORD)
    status = _one_of(STATUSES, word)
    amount = _money(found, "amount")
    if amount.amount == 0:
        raise _unreadable("amount")
    refunded = _refunded(found, amount)
    hold_expires_at, captured_at = _moment(found, "expires_at"), _moment(found, "captured_at")
    _flag(found, "paid")
    return PaymentSeen(
        id=_text(found, "id", OBJECT_ID),
        status=status,
        amount=amount,
        taken=amount.amount if status is Seen.TAKEN else 0,
        refunded=refunded,
        account_id=_inner_text(found, "recipient", "account_id", SHOP_ID),
        is_test=_flag(found, "test"),
        token=token_of(found),
        hold_expires_at=hold_expires_at if status is Seen.HELD else None,
        captured_at=captured_at,
        method=_inner_text(found, "payment_method", "type", WORD),
        provider_status=word,
        cancel_reason=_inner_text(found, "cancellation_details", "reason", WORD),
        confirmation_url=_page(found),
        raw=found,
    )


def refund_seen(raw: object, *, payment_id: str | None = None) -> RefundSeen:
    """Translate a refund, of this payment where it is named."""
    found = _object(raw, "refund")
    of = _text(found, "payment_id", OBJECT_ID)
    if payment_id is not None and of != payment_id:
        raise ProviderUnknown("unreadable answer: a refund of another payment")
    amount = _money(found, "amount")
    if amount.amount == 0:
        raise _unreadable("amount")
    return RefundSeen(
        id=_text(found, "id", OBJECT_ID),
        payment_id=of,
        status=_one_of(REFUND_STATUSES, _text(found, "status", WORD)),
        amount=amount,
        our_id=_our_id(found),
        reason=_inner_text(found, "cancellation_details", "reason", WORD),
        raw=found,
    )


def page_of(raw: object) -> tuple[list[Any], str]:
    """Return the items of one page of a list, newest first, and the next page's cursor; empty when it was the last."""
    found = _object(raw, "list")
    items, cursor = found.get("items"), found.get("next_cursor")
    if found.get("type", "list") != "list" or not isinstance(items, list):
        raise _unreadable("items")
    if cursor is not None and not (isinstance(cursor, str) and 0 < len(cursor) <= 1000):
        raise _unreadable("next_cursor")
    return items, cursor or ""


def token_of(raw: object) -> str:
    """Return our token from a payment's metadata; empty when it has none: somebody else's."""
    token = _inner(_object(raw, "payment"), "metadata").get(TOKEN, "")
    if not isinstance(token, str):
        raise _unreadable(f"metadata.{TOKEN}")
    return token


def shop_of(raw: object) -> str:
    """Return the shop that /me tells us we are."""
    return _text(_object(raw, "me"), "account_id", SHOP_ID)


def _unreadable(path: str) -> ProviderUnknown:
    return ProviderUnknown(f"unreadable answer: {path}")


def _object(value: object, path: str) -> Json:
    if not isinstance(value, dict):
        raise _unreadable(path)
    return value


def _inner(found: Json, name: str) -> Json:
    """Return an object inside; empty when it is not there."""
    value = found.get(name)
    return {} if value is None else _object(value, name)


def _text(found: Json, name: str, form: re.Pattern[str]) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise _unreadable(name)
    return value


def _inner_text(found: Json, name: str, field: str, form: re.Pattern[str]) -> str:
    """Return a text of an object inside; empty when the object is not there. An object without the text is garbage."""
    value = _inner(found, name)
    return _text(value, field, form) if value else ""


def _one_of(known: dict[str, T], word: str) -> T:
    if word not in known:
        raise _unreadable(f"status {word}")
    return known[word]


def _flag(found: Json, name: str) -> bool:
    value = found.get(name)
    if not isinstance(value, bool):
        raise _unreadable(name)
    return value


def _money(found: Json, name: str) -> Money:
    given = _object(found.get(name), name)
    value, currency = given.get("value"), given.get("currency")
    if not isinstance(value, str) or not VALUE.fullmatch(value) or not isinstance(currency, str):
        raise _unreadable(name)
    try:
        return Money.parse(value, currency)
    except MoneyError as broken:
        raise _unreadable(name) from broken


def _refunded(found: Json, amount: Money) -> int:
    """Return what went back; it is not shown before the first refund."""
    if found.get("refunded_amount") is None:
        return 0
    refunded = _money(found, "refunded_amount")
    if refunded.currency != amount.currency or refunded.amount > amount.amount:
        raise _unreadable("refunded_amount")
    return refunded.amount


def _moment(found: Json, name: str) -> datetime | None:
    if found.get(name) is None:
        return None
    text = _text(found, name, MOMENT)
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as broken:
        raise _unreadable(name) from broken


def _page(found: Json) -> str:
    """Return the address the payer is sent to; empty when nothing is awaited of him."""
    confirmation = _inner(found, "confirmation")
    if confirmation.get("type") != "redirect":
        return ""
    url = confirmation.get("confirmation_url")
    if not isinstance(url, str) or len(url) > 2048 or not re.fullmatch(r"https?://[!-~]+", url) or not _has_host(url):
        raise _unreadable("confirmation.confirmation_url")
    return url


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False


def _our_id(found: Json) -> int | None:
    """Return the refund's id at Palms. Another text than a number cannot be ours: made by other software."""
    value = _inner(found, "metadata").get(REFUND_ID, "")
    if not isinstance(value, str):
        raise _unreadable(f"metadata.{REFUND_ID}")
    return int(value) if OUR_ID.fullmatch(value) else None
