"""The queue of notifications: what is told to a shop, when next, and what came of it. Durable; the sender only reads it."""

import copy
from typing import Any

from sandbox.web import Json
from sandbox.yookassa.faults import NOTIFY, Fault, take_fault
from sandbox.yookassa.records import Payment, Refund, payment_object, refund_object
from sandbox.yookassa.shops import find_shop
from sandbox.yookassa.work import Work, dump, load

PAUSES = (2, 4, 8, 15, 30, 60, 120, 300, 600, 1800, 3600)  # seconds between attempts; the last one repeats
LIFETIME = 24 * 3600 * 1000  # ms from the event
HELD_AT_MOST = 30.0  # seconds a reordered one waits for another to overtake it
EVENTS = ("payment.waiting_for_capture", "payment.succeeded", "payment.canceled", "refund.succeeded")


def tell_payment(work: Work, payment: Payment) -> None:
    event = f"payment.{payment.status}"
    if event in EVENTS:
        enqueue(work, payment.shop, event, payment_object(work, payment), payment.id)


def tell_refund(work: Work, refund: Refund) -> None:
    """Only success is told; a canceled or pending refund has no event."""
    if refund.status == "succeeded":
        enqueue(work, refund.shop, "refund.succeeded", refund_object(refund), refund.payment_id)


def enqueue(work: Work, shop_id: str, event: str, told: Json, payment_id: str | None) -> None:
    facts = {"shop_id": shop_id, "payment_id": payment_id, "event": event}
    fault = take_fault(work, "notify", NOTIFY, facts)
    copies = 1 + int(fault.options.get("copies", 1)) if fault and fault.kind == "duplicate" else 1
    if fault and fault.kind == "lie":
        told = merged(told, fault.options.get("set", {}))
    for _ in range(copies):
        _insert(work, shop_id, event, told, fault)


def enqueue_forced(work: Work, shop_id: str, event: str, told: Json, times: int) -> None:
    """Told because somebody asked, true or not; faults do not touch it."""
    for _ in range(times):
        _insert(work, shop_id, event, told, None, forged=True)


def _insert(work: Work, shop_id: str, event: str, told: Json, fault: Fault | None, *, forged: bool = False) -> None:
    shop = find_shop(work, shop_id)
    kind = fault.kind if fault else None
    state = "queued" if shop and shop.notify_url else "no_address"
    state = "missing" if kind == "missing" else state
    wait = fault.seconds(HELD_AT_MOST if kind == "reorder" else 0) if fault and kind in ("late", "reorder") else 0
    body = {"type": "notification", "event": event, "object": told}
    work.db.execute(
        "INSERT INTO notifications (shop, event, object_id, body_json, created_at, next_at, state, held, fault, forged)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            shop_id,
            event,
            str(told.get("id")),
            dump(body),
            work.now,
            work.now + int(wait * 1000),
            state,
            kind == "reorder",
            kind,
            forged,
        ),
    )


def merged(truth: Json, changes: Json) -> Json:
    """Lay `changes` over `truth`, objects key by key; null removes a field."""
    result = copy.deepcopy(truth)
    for name, value in changes.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict) and isinstance(result.get(name), dict):
            result[name] = merged(result[name], value)
        else:
            result[name] = value
    return result


DUE = (
    "SELECT n.id, n.object_id, n.body_json, s.notify_url FROM notifications n JOIN shops s ON s.id = n.shop"
    " WHERE n.state = 'queued' AND n.next_at <= ? AND s.notify_url IS NOT NULL"
)


def due(work: Work) -> list[Any]:
    """Give up what is a day old; return the rows to send now, oldest first."""
    work.db.execute(
        "UPDATE notifications SET state = 'given_up' WHERE state = 'queued' AND created_at + ? <= ?",
        (LIFETIME, work.now),
    )
    return work.db.execute(f"{DUE} ORDER BY n.next_at, n.id", (work.now,)).fetchall()


def due_now(work: Work, notification_id: int) -> Any:
    """The row, or None when it is not to be sent any more."""
    return work.db.execute(f"{DUE} AND n.id = ?", (work.now, notification_id)).fetchone()


def record_attempt(work: Work, notification_id: int, answer: int | str) -> None:
    """Note what the shop answered: an HTTP status, or the text of a network failure. Exactly 200 ends it."""
    row = work.db.execute("SELECT * FROM notifications WHERE id = ?", (notification_id,)).fetchone()
    if row is None or row["state"] != "queued":
        return
    pause = PAUSES[min(row["attempts"], len(PAUSES) - 1)] * 1000
    history = [*load(row["history_json"]), {"at": work.now, "answer": answer}]
    state = "delivered" if answer == 200 else "queued"
    work.db.execute(
        "UPDATE notifications SET state = ?, attempts = attempts + 1, next_at = ?, history_json = ? WHERE id = ?",
        (state, work.now + pause, dump(history), notification_id),
    )
    if state == "delivered":  # what was held back has been overtaken now
        work.db.execute(
            "UPDATE notifications SET held = 0, next_at = ? WHERE held = 1 AND state = 'queued' AND shop = ? AND id <> ?",
            (work.now, row["shop"], notification_id),
        )
