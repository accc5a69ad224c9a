"""Shops: who may call, in which currency, and where their notifications go."""

import argparse
import hmac
from dataclasses import dataclass

from sandbox.yookassa.work import Work


@dataclass(frozen=True, slots=True)
class Shop:
    """`receipts`: 54-FZ data is demanded. `partial_amount`: what `amount` shows after a partial capture, captured | original."""

    id: str
    secret: str
    notify_url: str | None = None
    currency: str = "RUB"
    receipts: int = 0
    partial_amount: str = "captured"

    @property
    def test(self) -> bool:
        """Objects say test: true unless the secret looks like a live one."""
        return not self.secret.startswith("live_")


DEFAULT_SHOP = Shop("100500", "test_sandbox_secret")


def shop_from_option(text: str) -> Shop:
    """ID:SECRET[:NOTIFY_URL]"""
    number, _, rest = text.partition(":")
    secret, _, url = rest.partition(":")
    if not (number.isascii() and number.isdigit() and secret):
        raise argparse.ArgumentTypeError("ID:SECRET[:NOTIFY_URL], the id in digits")
    return Shop(number, secret, url or None)


def find_shop(work: Work, shop_id: str) -> Shop | None:
    row = work.db.execute("SELECT * FROM shops WHERE id = ?", (shop_id,)).fetchone()
    return Shop(**row) if row else None


def all_shops(work: Work) -> list[Shop]:
    return [Shop(**row) for row in work.db.execute("SELECT * FROM shops ORDER BY id")]


def save_shop(work: Work, shop: Shop) -> None:
    work.db.execute(
        "INSERT INTO shops VALUES (:id, :secret, :notify_url, :currency, :receipts, :partial_amount) ON CONFLICT (id) DO UPDATE SET"
        " secret = :secret, notify_url = :notify_url, currency = :currency, receipts = :receipts, partial_amount = :partial_amount",
        {name: getattr(shop, name) for name in Shop.__dataclass_fields__},
    )


def authenticate(work: Work, shop_id: str | None, secret: str | None) -> Shop | None:
    shop = find_shop(work, shop_id) if shop_id else None
    known = bool(
        shop and secret is not None and hmac.compare_digest(shop.secret.encode(), secret.encode("utf-8", "replace"))
    )
    return shop if known else None
