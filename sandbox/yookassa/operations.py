"""What the bank does with money. Each function runs inside one transaction and looks before it writes."""

import secrets
from collections.abc import Mapping

from sandbox.web import Json
from sandbox.yookassa.cards import Card
from sandbox.yookassa.errors import invalid, not_found
from sandbox.yookassa.faults import OUTCOMES, take_fault
from sandbox.yookassa.notifications import tell_payment, tell_refund
from sandbox.yookassa.records import REFUND_YEARS, Payment, Refund, find_payment, find_refund, get_payment, refundable
from sandbox.yookassa.requests import NewPayment, NewRefund, read_cancel, read_capture
from sandbox.yookassa.shops import Shop
from sandbox.yookassa.work import Work, dump, new_id

PAYERS_HOUR = 3600 * 1000  # ms
HOLD = 7 * 24 * 3600 * 1000  # ms


def create(work: Work, shop: Shop, wanted: NewPayment, base_url: str) -> Payment:
    payment_id = new_id(work.now, "000f")
    values = {
        "id": payment_id, "shop": shop.id, "status": "pending", "amount": wanted.amount, "currency": shop.currency,
        "capture": wanted.capture, "description": wanted.description, "metadata_json": dump(wanted.metadata),
        "merchant_customer_id": wanted.merchant_customer_id, "receipt_json": dump(wanted.receipt),
        "return_url": wanted.return_url, "page_url": f"{base_url}/pay/{payment_id}", "created_at": work.now,
        "expires_at": work.now + PAYERS_HOUR,
    }  # fmt: skip
    _insert(work, "payments", values)
    return get_payment(work, payment_id)


def pay(work: Work, payment: Payment, card: Card, expiry: tuple[str, str], made_by: str) -> Payment:
    """The payer has sent a card for a pending payment: it is held, taken or declined."""
    details = _means(card, expiry)
    if card.reason:
        return _change(work, payment, status="canceled", party=card.party, reason=card.reason, **details)
    effect = "captured" if payment.capture else "held"
    _note(work, payment.id, effect, payment.amount, made_by)
    if payment.capture:
        details |= {"status": "succeeded", "captured": payment.amount, "captured_at": work.now}
    else:
        details |= {"status": "waiting_for_capture", "expires_at": work.now + HOLD}
    return _change(work, payment, paid_at=work.now, **details)


def _means(card: Card, expiry: tuple[str, str]) -> Json:
    first, last = card.number[:6], card.number[-4:]
    method = {
        "type": "bank_card", "id": new_id(secrets.randbelow(2**40), "0000"), "saved": False, "status": "inactive",
        "title": f"Bank card *{last}",
        "card": {"first6": first, "last4": last, "expiry_month": expiry[0], "expiry_year": expiry[1], "card_type": card.system,
                 "issuer_country": "RU", "issuer_name": "Sandbox Bank"},
    }  # fmt: skip
    authorization = {"rrn": _digits(12), "auth_code": _digits(6), "three_d_secure": {"applied": card.three_d_secure}}
    return {"method_json": dump(method), "authorization_json": dump(authorization)}


def capture(work: Work, shop: Shop, payment_id: str, body: Json) -> Payment:
    payment = _own(work, shop, payment_id)
    _require_hold(payment)
    amount, receipt = read_capture(body, shop, payment.held)
    released = payment.amount - amount
    _note(work, payment.id, "captured", amount, "api")
    if released:
        _note(work, payment.id, "voided", released, "api")
    stored = dump(receipt) or payment.receipt_json
    changes = {
        "status": "succeeded",
        "captured": amount,
        "voided": released,
        "captured_at": work.now,
        "receipt_json": stored,
    }
    return _change(work, payment, **changes)


def cancel(work: Work, shop: Shop, payment_id: str, body: Json) -> Payment:
    payment = _own(work, shop, payment_id)
    _require_hold(payment)
    read_cancel(body)
    return void(work, payment, "merchant", "canceled_by_merchant", "api")


def void(work: Work, payment: Payment, party: str, reason: str, made_by: str) -> Payment:
    """End a pending payment or a hold; held money returns to the payer."""
    if payment.held:
        _note(work, payment.id, "voided", payment.held, made_by)
    return _change(work, payment, status="canceled", party=party, reason=reason, voided=payment.held)


def _require_hold(payment: Payment) -> None:
    if payment.status != "waiting_for_capture":
        raise invalid(None, f"Incorrect payment status. Expected waiting_for_capture, actual {payment.status}")


def _own(work: Work, shop: Shop, payment_id: str) -> Payment:
    payment = find_payment(work, payment_id, shop.id)
    if payment is None:
        raise not_found("payment_id", "Payment")
    return payment


def refund(work: Work, shop: Shop, wanted: NewRefund, made_by: str) -> Refund:
    payment = find_payment(work, wanted.payment_id, shop.id)
    if payment is None:
        raise not_found("payment_id", "Payment")
    _require_refundable(work, payment, wanted.amount)
    refund_id = new_id(work.now, "0015")
    outcome: Mapping[str, object] = _refund_outcome(work, payment)
    values = {
        "id": refund_id, "shop": shop.id, "payment_id": payment.id, "amount": wanted.amount, "currency": payment.currency,
        "description": wanted.description, "metadata_json": dump(wanted.metadata), "receipt_json": dump(wanted.receipt),
        "created_at": work.now, "rrn": _digits(12), "made_by": made_by, "status": "pending",
    }  # fmt: skip
    _insert(work, "refunds", values | dict(outcome))
    made = _get_refund(work, refund_id)
    return made if outcome.get("settles_at") else settle_refund(work, made)


def _require_refundable(work: Work, payment: Payment, amount: int) -> None:
    if payment.status != "succeeded":
        raise invalid("payment_id", f"Incorrect payment status. Expected succeeded, actual {payment.status}")
    if work.now - payment.created_at > REFUND_YEARS * 365 * 24 * 3600 * 1000:
        raise invalid("payment_id", "The refund period is over")
    if amount > refundable(work, payment):
        raise invalid("amount", "Incorrect value of amount: it is above what remains of the payment")


def _refund_outcome(work: Work, payment: Payment) -> Mapping[str, object]:
    fault = take_fault(work, "refund", OUTCOMES, {"shop_id": payment.shop, "payment_id": payment.id})
    if fault is None:
        return {"settles_to": "succeeded"}
    canceled = {
        "settles_to": "canceled",
        "party": fault.options.get("party", "yoo_money"),
        "reason": fault.options.get("reason", "insufficient_funds"),
    }
    if fault.kind == "refund_canceled":
        return canceled
    later = canceled if fault.options.get("then") == "canceled" else {"settles_to": "succeeded"}
    return later | {"settles_at": work.now + int(fault.seconds(3600) * 1000)}


def settle_refund(work: Work, pending: Refund) -> Refund:
    """Give a pending refund its final word."""
    work.db.execute("UPDATE refunds SET status = settles_to, settles_at = NULL WHERE id = ?", (pending.id,))
    settled = _get_refund(work, pending.id)
    if settled.status == "succeeded":
        work.db.execute(
            "UPDATE payments SET refunded = refunded + ? WHERE id = ?", (settled.amount, settled.payment_id)
        )
        _note(work, settled.payment_id, "refunded", settled.amount, settled.made_by, settled.id)
    tell_refund(work, settled)
    return settled


def expire_due(work: Work) -> None:
    """What the clock alone decides: unpaid payments, dead holds, refunds under way."""
    rows = work.db.execute(
        "SELECT * FROM payments WHERE status IN ('pending', 'waiting_for_capture') AND expires_at <= ? ORDER BY expires_at",
        (work.now,),
    ).fetchall()
    for payment in [Payment(**row) for row in rows]:
        reason = "expired_on_capture" if payment.held else "expired_on_confirmation"
        void(work, payment, "yoo_money", reason, "clock")
    due = work.db.execute(
        "SELECT * FROM refunds WHERE status = 'pending' AND settles_at <= ? ORDER BY settles_at", (work.now,)
    ).fetchall()
    for pending in [Refund(**row) for row in due]:
        settle_refund(work, pending)


def _get_refund(work: Work, refund_id: str) -> Refund:
    found = find_refund(work, refund_id)
    if found is None:
        raise LookupError(refund_id)
    return found


def _insert(work: Work, table: str, values: Json) -> None:
    marks = ", ".join("?" * len(values))
    names = ", ".join(values)  # column names are our own
    work.db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))  # noqa: S608


def _change(work: Work, payment: Payment, **changes: object) -> Payment:
    columns = ", ".join(f"{name} = ?" for name in changes)
    work.db.execute(f"UPDATE payments SET {columns} WHERE id = ?", (*changes.values(), payment.id))  # noqa: S608
    changed = get_payment(work, payment.id)
    tell_payment(work, changed)
    return changed


def _note(work: Work, payment_id: str, kind: str, amount: int, made_by: str, refund_id: str | None = None) -> None:
    """Append one movement of money to the journal tests count."""
    values = {
        "payment_id": payment_id,
        "refund_id": refund_id,
        "kind": kind,
        "amount": amount,
        "at": work.now,
        "made_by": made_by,
    }
    _insert(work, "effects", values)


def _digits(count: int) -> str:
    return str(secrets.randbelow(10**count)).zfill(count)
