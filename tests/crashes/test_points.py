"""Every commit and every outside call on the way of money has a name; a process killed at any of them leaves nothing wrong."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from palms import points
from payments.providers import yookassa
from tests import guard
from tests.bank import Bank
from tests.crashes import cases
from tests.crashes.cases import Make, come_back
from tests.crashes.conftest import Victim

ROOT = Path(__file__).resolve().parents[2]
MONEY = ("palms/intents.py", "palms/wake.py", "clients/services.py", "payments", "bookings")
BESIDE = (*(f"{room}." for room in guard.BESIDE), "ttlock.")  # points that move no money
NESTED = ("management", "migrations", "demo.py")  # of those: the demo's data, and no service
WHERE: dict[str, Make] = {
    "clients.make": cases.a_checkout,
    "bookings.checkout": cases.a_checkout,
    "yookassa.create": cases.a_checkout,
    "payments.create applied": cases.a_checkout,
    "intents.postpone": cases.an_unanswered_checkout,
    "yookassa.read": cases.a_return,
    "payments.look_again": cases.a_return,
    "payments.receive": cases.a_notification,
    "payments.read_event applied": cases.a_notification,
    "payments.watch applied": cases.a_hold_that_ran_out,
    "slots.drop_dead_holds": cases.a_hold_that_ran_out,
    "bookings.ask_club applied": cases.a_request_that_waits,
    "bookings.expire": cases.a_request_that_ran_out,
    "bookings.release_hold": cases.a_release,
    "bookings.book_for_client": cases.a_booking_by_staff,
    "bookings.door": cases.a_reconciliation,
    "bookings.fee_door": cases.a_reconciled_fee,
    "yookassa.list": cases.a_reconciliation,
    "payments.ask_to_compare": cases.a_comparison_asked_for,
    "payments.compare applied": cases.a_comparison_asked_for,
    "intents.claim": cases.a_late_payment,
    "yookassa.void": cases.a_late_payment,
    "payments.void applied": cases.a_late_payment,
    "yookassa.refund": cases.a_late_payment_in_one_stage,
    "payments.refund applied": cases.a_late_payment_in_one_stage,
    "bookings.on_living": cases.a_cancel,
    "mail.send": cases.a_cancel,
    "notifications.send applied": cases.a_cancel,
    "broker.send": cases.a_cancel_with_a_dead_broker,
    "bookings.close": cases.a_close,
    "yookassa.capture": cases.a_close,
    "payments.capture applied": cases.a_close,
    "bookings.try_complete_booking": cases.a_completion,
    "payments.handed_back": cases.a_handing_back,
    "yookassa.check": cases.a_test_of_credentials,
}


def test_a_death_is_arranged_for_every_point() -> None:
    assert {name for name in points.POINTS if not name.startswith(BESIDE)} == set(WHERE)
    assert yookassa.LISTED  # providers are loaded when first asked, and then list theirs


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", sorted(WHERE))
def test_killed_at_a_named_point_it_comes_to_the_same_end(victim: Victim, bank: Bank, name: str) -> None:
    for moment in ("before", "after"):
        case = WHERE[name](bank)
        told = victim.run(case.act, ahead=case.ahead, kill=(name, moment), **case.args)
        assert (told["killed"], told["error"]) == (True, ""), f"{moment}: {told}"
        come_back(case, bank)


def sources() -> Iterator[Path]:
    for name in MONEY:
        path = ROOT / name
        files = [path] if path.is_file() else sorted(path.rglob("*.py"))
        yield from (file for file in files if not set(NESTED) & set(file.relative_to(ROOT).parts))


def unnamed(tree: ast.Module) -> list[int]:
    """Return the lines that open a transaction by Django's own name."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr == "atomic")
        or (isinstance(node, ast.ImportFrom) and any(name.name == "atomic" for name in node.names))
    ]


def test_on_the_way_of_money_every_transaction_has_a_name() -> None:
    found = {str(file.relative_to(ROOT)): unnamed(ast.parse(file.read_text())) for file in sources()}
    assert len(found) > 40
    assert {file: lines for file, lines in found.items() if lines} == {}


def test_a_planted_transaction_without_a_name_is_found() -> None:
    assert unnamed(ast.parse("def pay():\n    with transaction.atomic():\n        pass")) == [2]
    assert unnamed(ast.parse("from django.db.transaction import atomic")) == [1]


def test_nothing_in_the_product_can_be_told_to_die() -> None:
    """Only `watch` reaches a point, and nothing but tests calls it; the module reads no setting and no environment."""
    source = (ROOT / "palms/points.py").read_text()
    assert not {"environ", "settings", "getenv", "kill", "_exit"} & {
        getattr(node, "attr", getattr(node, "id", "")) for node in ast.walk(ast.parse(source))
    }
    rooms = (*guard.MONEY, *guard.BESIDE)
    product = [file for room in rooms for file in (ROOT / room).rglob("*.py") if file.name != "points.py"]
    assert [
        str(file) for file in product if "points.watch" in file.read_text() or "_watchers" in file.read_text()
    ] == []
