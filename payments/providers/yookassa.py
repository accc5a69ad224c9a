"""YooKassa, API v3: a club's shop. How it is called is in yookassa_client, how its answers are read in yookassa_reading.

What a refusal means here. A 400, 404 or 410 is the provider's word about the operation: nothing was done, final. A 401 or 403
is its word about our credentials. For a new payment that is final too: the customer is told at once, and nothing is owed. A
capture, a void or a refund is still owed, and a payment that could not be read is still there: so it is "unknown", and the
same call with the same key is made again until somebody mends the credentials.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from palms import points
from palms.money import Money
from payments.providers import yookassa_reading as reading
from payments.providers.base import (
    Capabilities,
    NewPayment,
    PaymentSeen,
    ProviderRefused,
    ProviderUnknown,
    Receipt,
    RefundSeen,
    Seen,
)
from payments.providers.yookassa_client import Json, NotLetIn, Shop, ShopClient

LOCALES = {"ru": "ru_RU", "en": "en_US"}
DESCRIPTION_LIMIT = 128  # characters
PAGE_SIZE = "100"
MOST_PAGES = 200
LISTED = points.call("yookassa.list")


class YooKassa:
    """One club's shop. Holds no connection and no state: any number of threads may share it."""

    capabilities = Capabilities(two_stage=True, partial_capture=True, cancel_unpaid=False, idempotency_keys=True)

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    @points.call("yookassa.create")
    def create(self, new: NewPayment, *, key: str, patience: float) -> PaymentSeen:
        made = reading.payment_seen(self._client(patience).post("/payments", _payment_body(new), key=key))
        if made.status is Seen.PENDING and not made.confirmation_url:
            raise ProviderUnknown("a new payment without a page to pay on")
        return made

    @points.call("yookassa.read")
    def read(self, payment_id: str, *, patience: float) -> PaymentSeen:
        path = _path(payment_id)
        try:
            return reading.payment_seen(self._client(patience).get(path))
        except NotLetIn as no:
            raise _owed(no) from no

    def find(self, token: str, *, since: datetime, until: datetime, patience: float) -> PaymentSeen | None:
        """Look at all payments created from `since` to `until`, newest first. No refusal proves that there is none."""
        for raw in self._listed("/payments", _window(since, until), patience):
            if reading.token_of(raw) == token:
                return reading.payment_seen(raw)
        return None

    def listed(self, *, since: datetime, until: datetime, patience: float) -> Iterator[PaymentSeen]:
        for raw in self._listed("/payments", _window(since, until), patience):
            yield reading.payment_seen(raw)

    def returned(self, *, since: datetime, until: datetime, patience: float) -> Iterator[RefundSeen]:
        for raw in self._listed("/refunds", _window(since, until), patience):
            yield reading.refund_seen(raw)

    @points.call("yookassa.capture")
    def capture(
        self, payment_id: str, amount: Money, *, key: str, patience: float, receipt: Receipt | None = None
    ) -> PaymentSeen:
        """Take the amount, named even where it is all that is held; the rest of the hold returns to the payer."""
        path = _path(payment_id) + "/capture"
        body = {"amount": _wire(amount)} | _receipt(receipt, amount)
        return reading.payment_seen(self._act(path, body, key, patience))

    @points.call("yookassa.void")
    def void(self, payment_id: str, *, key: str, patience: float) -> PaymentSeen:
        """Let go of a hold. A payment nobody has paid yet cannot be cancelled: refused."""
        return reading.payment_seen(self._act(_path(payment_id) + "/cancel", None, key, patience))

    @points.call("yookassa.refund")
    def refund(
        self, payment_id: str, amount: Money, *, our_id: int, key: str, patience: float, receipt: Receipt | None = None
    ) -> RefundSeen:
        _path(payment_id)
        body = {"payment_id": payment_id, "amount": _wire(amount), "metadata": {reading.REFUND_ID: str(our_id)}}
        made = self._act("/refunds", body | _receipt(receipt, amount), key, patience)
        return reading.refund_seen(made, payment_id=payment_id)

    def refunds(self, payment_id: str, *, patience: float) -> list[RefundSeen]:
        _path(payment_id)
        listed = self._listed("/refunds", {"payment_id": payment_id}, patience)
        return [reading.refund_seen(raw, payment_id=payment_id) for raw in listed]

    @points.call("yookassa.check")
    def check(self, *, patience: float) -> None:
        """Raises ProviderRefused where the credentials are wrong."""
        if reading.shop_of(self._client(patience).get("/me")) != self._shop.id:
            raise ProviderUnknown("another shop answered")

    def _client(self, patience: float) -> ShopClient:
        return ShopClient(self._shop, patience=patience)

    def _act(self, path: str, body: Json | None, key: str, patience: float) -> Json:
        try:
            return self._client(patience).post(path, body, key=key)
        except NotLetIn as no:
            raise _owed(no) from no

    def _listed(self, path: str, query: dict[str, str], patience: float) -> Iterator[Any]:
        """Yield the items of a list, page after page, within one patience; half a list is never taken for the whole."""
        deadline = time.monotonic() + patience
        cursors = {""}
        page = query | {"limit": PAGE_SIZE}
        while True:
            try:
                with LISTED:
                    answer = self._client(deadline - time.monotonic()).get(path, page)
            except ProviderRefused as no:
                raise _owed(no) from no
            items, cursor = reading.page_of(answer)
            yield from items
            if not cursor:
                return
            if cursor in cursors or len(cursors) >= MOST_PAGES:
                raise ProviderUnknown("a list without an end")
            cursors.add(cursor)
            page = query | {"limit": PAGE_SIZE, "cursor": cursor}


def _owed(no: ProviderRefused) -> ProviderUnknown:
    return ProviderUnknown(f"to be asked again, refused now: {no}")


def _path(payment_id: str) -> str:
    """Raises ProviderRefused for what is no id at all: it may come from a forged notification, and must not bend the path."""
    if not reading.OBJECT_ID.fullmatch(payment_id):
        raise ProviderRefused("not_found", "no such payment id")
    return f"/payments/{payment_id}"


def _payment_body(new: NewPayment) -> Json:
    body: Json = {
        "amount": _wire(new.amount),
        "capture": not new.two_stage,
        "confirmation": {
            "type": "redirect",
            "return_url": new.return_url,
            "locale": LOCALES.get(new.locale, LOCALES["ru"]),
        },
        "metadata": {reading.TOKEN: new.token},
    } | _receipt(new.receipt, new.amount)
    description = new.description[:DESCRIPTION_LIMIT]
    return body | {"description": description} if description else body


def _receipt(receipt: Receipt | None, amount: Money) -> Json:
    """One line that adds up to the amount, whatever part of the payment it is."""
    if receipt is None:
        return {}
    customer = {"email": receipt.email, "phone": "".join(digit for digit in receipt.phone if digit.isdecimal())}
    line: Json = {
        "description": receipt.description[:DESCRIPTION_LIMIT], "quantity": 1, "amount": _wire(amount),
        "vat_code": receipt.vat_code, "measure": "piece", "payment_subject": "service", "payment_mode": receipt.mode,
    }  # fmt: skip
    taxes = {"tax_system_code": receipt.tax_system} if receipt.tax_system else {}
    return {"receipt": {"customer": {name: said for name, said in customer.items() if said}, "items": [line]} | taxes}


def _wire(amount: Money) -> dict[str, str]:
    return {"value": format(amount.decimal, "f"), "currency": amount.currency}


def _window(since: datetime, until: datetime) -> dict[str, str]:
    return {"created_at.gte": _iso(since), "created_at.lte": _iso(until)}


def _iso(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError("a naive moment has no place on the time line")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
