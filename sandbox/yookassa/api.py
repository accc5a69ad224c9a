"""API v3: authentication, routing, idempotency, faults; the same under /v3 and /yookassa/v3."""

from collections.abc import Callable
from typing import Any

from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from sandbox.web import BadInput, Json, body_of, parse_json
from sandbox.yookassa import operations
from sandbox.yookassa.answers import respond
from sandbox.yookassa.errors import ApiError, invalid, not_found
from sandbox.yookassa.faults import CALL, Fault, take_fault
from sandbox.yookassa.journal import close_call, open_call
from sandbox.yookassa.lists import list_payments, list_refunds
from sandbox.yookassa.memory import Answer, fingerprint, read_key, recall, remember
from sandbox.yookassa.records import find_payment, find_refund, payment_object, refund_object
from sandbox.yookassa.requests import read_payment, read_refund
from sandbox.yookassa.shops import Shop, authenticate
from sandbox.yookassa.work import Work
from sandbox.yookassa.works import Works

ROUTES = Map(
    [
        Rule("/payments", methods=["POST"], endpoint="create"),
        Rule("/payments", methods=["GET"], endpoint="list_payments"),
        Rule("/payments/<payment_id>", methods=["GET"], endpoint="get_payment"),
        Rule("/payments/<payment_id>/capture", methods=["POST"], endpoint="capture"),
        Rule("/payments/<payment_id>/cancel", methods=["POST"], endpoint="cancel"),
        Rule("/refunds", methods=["POST"], endpoint="refund"),
        Rule("/refunds", methods=["GET"], endpoint="list_refunds"),
        Rule("/refunds/<refund_id>", methods=["GET"], endpoint="get_refund"),
        Rule("/me", methods=["GET"], endpoint="me"),
    ],
    merge_slashes=False,
)
FAULTED_AS = {"list_payments": "list", "list_refunds": "list", "get_payment": "get", "get_refund": "get"}


class Api:
    def __init__(self, works: Works, base_url: str | None) -> None:
        self._works = works
        self._base_url = base_url

    def respond(self, request: Request, path: str) -> Response:
        """Answer one call; `path` is what follows the version prefix."""
        with self._works.open() as work:
            call_id = open_call(work, request)
        fault: Fault | None = None
        answer: Answer | None
        try:
            shop, operation, names = self._recognise(request, path)
            key, body = _read(request) if request.method == "POST" else (None, {})
            fault = self._fault(shop, operation, key, names, body)
            do = self._effect(request, shop, operation, names, body)
            if fault and fault.kind == "delay":
                self._works.wait(fault.seconds())
            answer = (
                self._execute(shop, key, fingerprint(path, body), do, fault) if not fault or fault.has_effect else None
            )
        except ApiError as refusal:
            answer, fault = Answer(refusal.status, refusal.body(), "refused"), None
        return self._finish(request, call_id, answer, fault)

    def _finish(self, request: Request, call_id: int, answer: Answer | None, fault: Fault | None) -> Response:
        response = respond(self._works, request, answer, fault)
        outcome = answer.outcome if answer else "not done"
        with self._works.open() as work:
            text = response.get_data(as_text=True) if response else None
            close_call(
                work, call_id, response.status_code if response else None, text, outcome, fault.kind if fault else None
            )
        return response or Response("", 500)  # the socket is closed by then: nobody reads this

    def _recognise(self, request: Request, path: str) -> tuple[Shop, str, dict[str, str]]:
        """Return the calling shop, the operation and the names in the path."""
        given = request.authorization
        basic = given if given and given.type == "basic" else None
        with self._works.open() as work:
            shop = authenticate(work, basic.username, basic.password) if basic else None
        if shop is None:
            raise ApiError(
                401,
                "invalid_credentials",
                "Basic authentication failed: unknown shop id or secret key",
                "Authorization",
            )
        if path.startswith(
            "//"
        ):  # the map would forgive it; YooKassa's own answer is what a trailing slash in the address earns
            raise ApiError(404, "not_found", "Nothing lives at this address")
        try:
            operation, names = ROUTES.bind("").match(path, request.method)
        except MethodNotAllowed as problem:
            raise ApiError(405, None, "Method is not allowed here") from problem
        except NotFound as problem:
            raise ApiError(404, "not_found", "Nothing lives at this address") from problem
        return shop, str(operation), dict(names)

    def _fault(self, shop: Shop, operation: str, key: str | None, names: dict[str, str], body: Json) -> Fault | None:
        named = names.get("payment_id") or body.get("payment_id")
        with self._works.open() as work:
            facts = {"shop_id": shop.id, "payment_id": named, "key": key}
            return take_fault(work, FAULTED_AS.get(operation, operation), CALL, facts)

    def _execute(
        self, shop: Shop, key: str | None, data: str, do: Callable[[Work], Json], fault: Fault | None
    ) -> Answer:
        """Do it, or recall that it was done. One transaction: two calls with one key never both execute."""
        with self._works.open() as work:
            known = recall(work, shop.id, key, data) if key else None
            if known:
                return known
            try:
                if fault and fault.kind == "refuse":
                    raise _refusal(fault)
                answer = Answer(200, do(work), "executed" if key else "read")
            except ApiError as refusal:
                answer = Answer(refusal.status, refusal.body(), "refused")
            if key:
                remember(work, shop.id, key, data, answer)
            return answer

    def _effect(
        self, request: Request, shop: Shop, operation: str, names: dict[str, str], body: Json
    ) -> Callable[[Work], Json]:
        base_url = self._base_url or request.host_url.rstrip("/")
        given = _query(request)

        def payment(work: Work) -> Json:
            return payment_object(work, operations.create(work, shop, read_payment(body, shop), base_url))

        effects: dict[str, Callable[[Work], Json]] = {
            "create": payment,
            "capture": lambda work: payment_object(work, operations.capture(work, shop, names["payment_id"], body)),
            "cancel": lambda work: payment_object(work, operations.cancel(work, shop, names["payment_id"], body)),
            "refund": lambda work: refund_object(operations.refund(work, shop, read_refund(body, shop), "api")),
            "get_payment": lambda work: _one_payment(work, shop, names["payment_id"]),
            "get_refund": lambda work: _one_refund(work, shop, names["refund_id"]),
            "list_payments": lambda work: list_payments(work, shop, given),
            "list_refunds": lambda work: list_refunds(work, shop, given),
            "me": lambda work: _me(shop),
        }
        return effects[operation]


def _query(request: Request) -> dict[str, str]:
    given: MultiDict[str, str] = request.args
    return given.to_dict()


def _read(request: Request) -> tuple[str, Json]:
    """Return the Idempotence-Key and the body; an empty body is an empty object."""
    try:
        raw = body_of(request)
        if request.mimetype != "application/json" and (raw or request.content_type):
            raise ApiError(415, None, "Content-Type must be application/json")
        key = read_key(request.headers.get("Idempotence-Key"))
        body: Any = parse_json(raw) if raw.strip() else {}
    except BadInput as problem:
        raise invalid(None, f"Incorrect request: {problem}") from problem
    if body is None:
        return key, {}
    if not isinstance(body, dict):
        raise invalid(None, "Incorrect request: the body must be a JSON object")
    return key, body


def _refusal(fault: Fault) -> ApiError:
    given = fault.options
    return ApiError(
        given.get("status", 400),
        given.get("code", "invalid_request"),
        given.get("description", "Refused by a sandbox fault"),
        given.get("parameter"),
        given.get("retry_after"),
    )


def _one_payment(work: Work, shop: Shop, payment_id: str) -> Json:
    payment = find_payment(work, payment_id, shop.id)
    if payment is None:
        raise not_found("payment_id", "Payment")
    return payment_object(work, payment)


def _one_refund(work: Work, shop: Shop, refund_id: str) -> Json:
    refund = find_refund(work, refund_id, shop.id)
    if refund is None:
        raise not_found("refund_id", "Refund")
    return refund_object(refund)


def _me(shop: Shop) -> Json:
    return {
        "account_id": shop.id,
        "status": "enabled",
        "test": shop.test,
        "fiscalization_enabled": bool(shop.receipts),
        "payment_methods": ["bank_card"],
    }
