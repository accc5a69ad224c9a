"""The control surface under /_control: what tests and people do to the bank from outside the protocol."""

from collections.abc import Callable
from typing import Any

from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from sandbox.web import BadInput, Json, is_form, json_response, read_input
from sandbox.yookassa import operations
from sandbox.yookassa.cards import find_card
from sandbox.yookassa.control_input import NUMBERS, coerced, notification_of, number_of, payment_of, read_shop
from sandbox.yookassa.errors import ApiError
from sandbox.yookassa.faults import add_fault, list_faults, remove_faults
from sandbox.yookassa.notifications import enqueue_forced
from sandbox.yookassa.records import Payment, payment_object, refund_object, shop_of
from sandbox.yookassa.requests import NewRefund
from sandbox.yookassa.shops import save_shop
from sandbox.yookassa.state import full_state, payment_state
from sandbox.yookassa.work import Work
from sandbox.yookassa.works import Works

Action = Callable[[Work, Json], Any]


def respond(works: Works, request: Request) -> Response:
    path = request.path.removeprefix("/_control").strip("/")
    try:
        with works.open() as work:
            done = _run(work, request, path)
    except BadInput as problem:
        return json_response({"error": str(problem)}, 400)
    except ApiError as refusal:  # raised before anything is written
        return json_response(refusal.body() | {"error": str(refusal)}, refusal.status)
    return redirect("/", 303) if is_form(request) else json_response(done)


def _run(work: Work, request: Request, path: str) -> Any:
    name, _, rest = path.partition("/")
    if request.method == "GET":
        return _read(work, name, rest)
    if request.method == "DELETE" and name == "faults":
        return {"removed": remove_faults(work, number_of(rest) if rest else None)}
    action = ACTIONS.get(path)
    if request.method != "POST" or action is None:
        raise ApiError(404, "not_found", f"no such control call; POST: {', '.join(ACTIONS)}")
    given = read_input(request)
    return action(work, coerced(given, NUMBERS) if is_form(request) else given)


def _read(work: Work, name: str, rest: str) -> Any:
    if name == "state" and not rest:
        return full_state(work)
    if name == "faults" and not rest:
        return list_faults(work)
    if name == "payments" and rest:
        return payment_state(work, payment_of(work, {"payment_id": rest}))
    raise ApiError(404, "not_found", "no such control call; GET: state, faults, payments/<id>, clock")


def _pay(work: Work, given: Json) -> Json:
    payment = payment_of(work, given)
    card = find_card(str(given.get("card_number", "4111111111111111")))
    if card is None:
        raise BadInput("not one of the documented test cards")
    if payment.status != "pending":
        raise ApiError(409, "invalid_request", f"the payment is {payment.status}")
    return payment_object(work, operations.pay(work, payment, card, ("12", "2030"), "control"))


def _refund(work: Work, given: Json) -> Json:
    """The cabinet: a refund the merchant's people make. `amount` is minor units; without it, all that remains."""
    payment = payment_of(work, given)
    remains = payment_state(work, payment)["money"]["refundable"]
    amount = given.get("amount", remains)
    if isinstance(amount, bool) or not isinstance(amount, int) or amount <= 0:
        raise BadInput("amount is a whole number of minor units above zero; nothing may remain")
    wanted = NewRefund(payment.id, amount, "Возврат из кабинета", None, None)
    return refund_object(operations.refund(work, shop_of(work, payment), wanted, "cabinet"))


def _capture(work: Work, given: Json) -> Json:
    payment = payment_of(work, given)
    return payment_object(work, operations.capture(work, shop_of(work, payment), payment.id, {}))


def _cancel(work: Work, given: Json) -> Json:
    payment = payment_of(work, given)
    return payment_object(work, operations.cancel(work, shop_of(work, payment), payment.id, {}))


def _expire(work: Work, given: Json) -> Json:
    """End a pending payment or a hold now, as its deadline would."""
    payment: Payment = payment_of(work, given)
    if payment.status not in ("pending", "waiting_for_capture"):
        raise ApiError(409, "invalid_request", f"the payment is {payment.status}")
    reason = "expired_on_capture" if payment.held else "expired_on_confirmation"
    return payment_object(work, operations.void(work, payment, "yoo_money", reason, "control"))


def _notify(work: Work, given: Json) -> Json:
    shop_id, event, told, times = notification_of(work, given)
    enqueue_forced(work, shop_id, event, told, times)
    return {"queued": times, "body": {"type": "notification", "event": event, "object": told}}


def _add_fault(work: Work, given: Json) -> Json:
    return {"id": add_fault(work, given)}


def _clear_faults(work: Work, given: Json) -> Json:
    return {"removed": remove_faults(work, number_of(given["id"]) if "id" in given else None)}


def _shop(work: Work, given: Json) -> Json:
    shop = read_shop(work, given)
    save_shop(work, shop)
    if shop.notify_url:
        work.db.execute(
            "UPDATE notifications SET state = 'queued' WHERE state = 'no_address' AND shop = ? AND ?",
            (shop.id, bool(given.get("resend"))),
        )
    return {
        "id": shop.id,
        "notify_url": shop.notify_url,
        "currency": shop.currency,
        "receipts": bool(shop.receipts),
        "test": shop.test,
    }


ACTIONS: dict[str, Action] = {
    "pay": _pay,
    "refund": _refund,
    "capture": _capture,
    "cancel": _cancel,
    "expire": _expire,
    "notify": _notify,
    "faults": _add_fault,
    "faults/clear": _clear_faults,
    "shops": _shop,
}
