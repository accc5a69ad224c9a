"""Reading the input of control calls."""

import dataclasses
from typing import Any

from sandbox.web import BadInput, Json
from sandbox.yookassa.fields import is_web_address
from sandbox.yookassa.money import VALUE, parse_value
from sandbox.yookassa.notifications import EVENTS, merged
from sandbox.yookassa.records import Payment, find_payment, find_refund, payment_object, refund_object
from sandbox.yookassa.shops import Shop, all_shops, find_shop
from sandbox.yookassa.work import Work

NUMBERS = ("times", "seconds", "skip", "copies", "retry_after", "status", "amount")
MOST = 1000  # notifications one call may force


def coerced(given: Json, numbers: tuple[str, ...]) -> Json:
    """A form knows only text: turn its numbers into numbers, roubles into kopecks, `always` into None."""
    return {name: _coerced(value) if name in numbers else value for name, value in given.items()}


def _coerced(value: str) -> Any:
    if value == "always":
        return None
    if VALUE.fullmatch(value.replace(",", ".")):
        return parse_value(value.replace(",", "."))
    return number_of(value)


def number_of(value: Any) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise BadInput(f"a whole number is expected, not {text[:40]!r}")
    return int(text)


def payment_of(work: Work, given: Json) -> Payment:
    payment_id = given.get("payment_id")
    payment = find_payment(work, payment_id) if isinstance(payment_id, str) else None
    if payment is None:
        raise BadInput("no payment with this payment_id")
    return payment


def notification_of(work: Work, given: Json) -> tuple[str, str, Json, int]:
    """Return (shop id, event, object, times): of a stored payment or refund, or of an `object` made up by the caller."""
    shop_id, event, told = _subject(work, given)
    forge = given.get("forge", {})
    times = given.get("times", 1)
    if not isinstance(forge, dict) or isinstance(times, bool) or not isinstance(times, int) or not 1 <= times <= MOST:
        raise BadInput(f"forge is an object, times 1 to {MOST}")
    chosen = given.get("event", event)
    if not isinstance(chosen, str):
        raise BadInput("event is a text")
    return shop_id, chosen, merged(told, forge), times


def _subject(work: Work, given: Json) -> tuple[str, str, Json]:
    if "object" in given:
        if not isinstance(given["object"], dict):
            raise BadInput("object is an object")
        return _shop_id(work, given), EVENTS[1], given["object"]
    if "refund_id" in given:
        refund = find_refund(work, str(given["refund_id"]))
        if refund is None:
            raise BadInput("no refund with this refund_id")
        return refund.shop, f"refund.{refund.status}", refund_object(refund)
    payment = payment_of(work, given)
    return payment.shop, f"payment.{payment.status}", payment_object(work, payment)


def _shop_id(work: Work, given: Json) -> str:
    wanted = given.get("shop_id", all_shops(work)[0].id)
    shop = find_shop(work, wanted) if isinstance(wanted, str) else None
    if shop is None:
        raise BadInput("no such shop_id")
    return shop.id


def read_shop(work: Work, given: Json) -> Shop:
    """A shop as it shall be: the stored one with the given fields changed, or a new one."""
    known = {"shop_id", "secret", "notify_url", "currency", "receipts", "partial_amount", "resend"}
    shop_id = given.get("shop_id", all_shops(work)[0].id)
    if (
        set(given) - known
        or not isinstance(shop_id, str)
        or not (shop_id.isascii() and shop_id.isdigit() and len(shop_id) <= 20)
    ):
        raise BadInput(f"fields: {', '.join(sorted(known))}; shop_id in digits, as text")
    stored = find_shop(work, shop_id) or Shop(shop_id, "")
    shop = dataclasses.replace(
        stored, **{name: value for name, value in given.items() if name not in ("shop_id", "resend")}
    )
    texts = (shop.secret, shop.currency, shop.notify_url or "-")
    if not all(isinstance(value, str) and value for value in texts) or len(shop.currency) != 3:
        raise BadInput("secret and a currency of three letters are texts; notify_url is a text or null")
    if shop.notify_url and not is_web_address(shop.notify_url):
        raise BadInput("notify_url is an absolute http(s) address")
    if not isinstance(shop.receipts, bool | int) or shop.partial_amount not in ("captured", "original"):
        raise BadInput("receipts is true or false; partial_amount is captured or original")
    return dataclasses.replace(shop, receipts=int(bool(shop.receipts)))
