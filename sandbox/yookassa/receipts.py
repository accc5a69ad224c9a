"""54-FZ data inside create, capture and refund calls. Only checked and stored: a test shop imitates receipts."""

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.web import Json
from sandbox.yookassa import fields
from sandbox.yookassa.errors import ApiError, invalid

KNOWN = {
    "customer", "items", "tax_system_code", "internet", "timezone", "email", "phone",
    "receipt_industry_details", "receipt_operational_details",
}  # fmt: skip
ITEM = {
    "description", "quantity", "amount", "vat_code", "measure", "payment_subject", "payment_mode", "mark_quantity", "mark_mode",
    "mark_code_info", "product_code", "country_of_origin_code", "customs_declaration_number", "excise", "supplier",
    "agent_type", "payment_subject_industry_details", "planned_status", "additional_payment_subject_props",
}  # fmt: skip
MODES = (
    "full_prepayment", "partial_prepayment", "advance", "full_payment", "partial_payment", "credit", "credit_payment",
)  # fmt: skip


def read_receipt(given: Json, total: int, currency: str, *, demanded: bool) -> Json | None:
    """Return the receipt as sent. `total` is what its lines must add up to, minor units."""
    receipt = fields.mapping(given, "receipt")
    if receipt is None:
        if demanded:
            raise invalid("receipt", "Receipt is missing or illegal")
        return None
    fields.only(receipt, KNOWN, path="receipt.")
    _check_customer(receipt)
    _check_number(receipt, "tax_system_code", 1, 6, path="receipt.")
    items = receipt.get("items")
    if not isinstance(items, list) or not 1 <= len(items) <= 100:
        raise invalid("receipt.items", "Incorrect value of receipt.items: 1 to 100 items are expected")
    lines = sum(
        (_line_total(item, f"receipt.items[{index}].", currency) for index, item in enumerate(items)), Decimal(0)
    )
    if lines != total:
        raise invalid("receipt", "Receipt is missing or illegal")
    return receipt


def _check_customer(receipt: Json) -> None:
    customer = receipt.get("customer", receipt)
    if not isinstance(customer, dict):
        raise invalid("receipt.customer", "Incorrect value of receipt.customer: an object is expected")
    email = fields.text(customer, "email", 254, path="receipt.customer.")
    phone = fields.text(customer, "phone", 15, path="receipt.customer.")
    inn = fields.text(customer, "inn", 12, path="receipt.customer.")
    fields.text(customer, "full_name", 256, path="receipt.customer.")
    if not (email or phone):
        raise invalid("receipt.customer", "Receipt is missing or illegal: email or phone is required")
    if email and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", email):
        raise invalid("receipt.customer.email", "Incorrect value of receipt.customer.email")
    if phone and not re.fullmatch(r"[0-9]{4,15}", phone):
        raise invalid(
            "receipt.customer.phone", "Incorrect value of receipt.customer.phone: 4 to 15 digits are expected"
        )
    if inn and not re.fullmatch(r"[0-9]{10}|[0-9]{12}", inn):
        raise invalid("receipt.customer.inn", "Incorrect value of receipt.customer.inn: 10 or 12 digits are expected")


def _check_number(given: Json, name: str, lowest: int, highest: int, *, path: str) -> None:
    value = given.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest):
        raise invalid(path + name, f"Incorrect value of {path}{name}: {lowest} to {highest} is expected")


def _line_total(item: Any, path: str, currency: str) -> Decimal:
    if not isinstance(item, dict):
        raise invalid(path.rstrip("."), "An object is expected")
    fields.only(item, ITEM, path=path)
    fields.required_text(item, "description", 128, path=path)
    fields.one_of(item, "payment_mode", MODES, path=path)
    for name in ("measure", "payment_subject"):
        fields.text(item, name, 32, path=path, shortest=1)
    if item.get("vat_code") is None:
        raise invalid(path + "vat_code", f"Required parameter {path}vat_code is missing")
    _check_number(item, "vat_code", 1, 12, path=path)
    return fields.amount(item, "amount", currency, path=path) * _quantity(item.get("quantity"), path)


def _quantity(value: Any, path: str) -> Decimal:
    """A number, or one written as text (the SDK sends decimals so): above 0, at most 99999.999, three decimals."""
    refusal: ApiError = invalid(path + "quantity", f"Incorrect value of {path}quantity")
    if isinstance(value, bool) or not isinstance(value, int | float | str) or len(str(value)) > 20:
        raise refusal
    try:
        quantity = Decimal(str(value))
    except InvalidOperation as problem:
        raise refusal from problem
    if not quantity.is_finite() or not 0 < quantity <= Decimal("99999.999") or quantity != round(quantity, 3):
        raise refusal
    return quantity
