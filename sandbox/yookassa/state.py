"""Everything the bank knows, as JSON for tests and people. Money here is integer minor units."""

from typing import Any

from sandbox.clock import iso
from sandbox.web import Json
from sandbox.yookassa.faults import list_faults
from sandbox.yookassa.records import Payment, Refund, payment_object, refund_object, refundable
from sandbox.yookassa.shops import all_shops
from sandbox.yookassa.work import Work, load

SUMS = ("amount", "held", "captured", "refunded", "voided", "net")


def full_state(work: Work) -> Json:
    payments = [payment_state(work, Payment(**row)) for row in work.db.execute("SELECT * FROM payments ORDER BY seq")]
    return {
        "now": iso(work.now),
        "shops": [
            {
                "id": s.id,
                "notify_url": s.notify_url,
                "currency": s.currency,
                "receipts": bool(s.receipts),
                "test": s.test,
            }
            | {"partial_amount": s.partial_amount}
            for s in all_shops(work)
        ],
        "payments": payments,
        "refunds": [_refund_state(Refund(**row)) for row in work.db.execute("SELECT * FROM refunds ORDER BY seq")],
        "totals": {name: sum(payment["money"][name] for payment in payments) for name in SUMS},
        "effects": _effects(work),
        "notifications": [_notification(row) for row in work.db.execute("SELECT * FROM notifications ORDER BY id")],
        "calls": [_call(row) for row in work.db.execute("SELECT * FROM calls ORDER BY id")],
        "faults": list_faults(work),
    }


def payment_state(work: Work, payment: Payment) -> Json:
    """The object as the API shows it, with its money, its page, its refunds and its movements of money."""
    refunds = work.db.execute("SELECT * FROM refunds WHERE payment_id = ? ORDER BY seq", (payment.id,)).fetchall()
    return {
        "id": payment.id,
        "shop_id": payment.shop,
        "status": payment.status,
        "object": payment_object(work, payment),
        "money": money_of(work, payment),
        "page_url": payment.page_url,
        "receipt": load(payment.receipt_json),
        "refunds": [_refund_state(Refund(**row)) for row in refunds],
        "effects": _effects(work, payment.id),
    }


def money_of(work: Work, payment: Payment) -> dict[str, int]:
    """`held` is held now; `voided` went back without being taken; `refundable` may still be refunded."""
    return {
        "amount": payment.amount,
        "held": payment.held,
        "captured": payment.captured,
        "refunded": payment.refunded,
        "voided": payment.voided,
        "net": payment.captured - payment.refunded,
        "refundable": refundable(work, payment),
    }


def _refund_state(refund: Refund) -> Json:
    receipt = load(refund.receipt_json)
    return {"object": refund_object(refund), "made_by": refund.made_by, "amount": refund.amount, "receipt": receipt}


def _effects(work: Work, payment_id: str | None = None) -> list[Json]:
    rows = work.db.execute(
        "SELECT * FROM effects WHERE ? IS NULL OR payment_id = ? ORDER BY id", (payment_id, payment_id)
    )
    return [dict(row) | {"at": iso(row["at"])} for row in rows]


def _notification(row: Any) -> Json:
    known = {name: row[name] for name in ("id", "shop", "event", "object_id", "attempts", "state", "fault")}
    history = [{"at": iso(item["at"]), "answer": item["answer"]} for item in load(row["history_json"])]
    return known | {
        "forced": bool(row["forged"]),
        "created_at": iso(row["created_at"]),
        "next_at": iso(row["next_at"]) if row["state"] == "queued" else None,
        "history": history,
        "body": load(row["body_json"]),
    }


def _call(row: Any) -> Json:
    moments = {name: iso(row[name]) if row[name] is not None else None for name in ("at", "answered_at")}
    return dict(row) | moments
