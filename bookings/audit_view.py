"""The rules of the audit as people look at them: whose rows they find, in words, and never for longer than somebody waits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any

from django.db import OperationalError, connection
from django.utils.translation import gettext_lazy as _

from bookings.audit import RULES

MOST, PATIENCE, ALTOGETHER = 50, 3.0, 25.0  # rows of a rule; seconds for one, and for all
CLAIM, SLOT, BOOKING, PAYMENT = "slots_claim", "slots_slot", "bookings_booking", "payments_payment"
REFUND, GRANT, CLIENT = "payments_refund", "access_accessgrant", "clients_client"
# of a rule: the table whose id its first column is, and the rule in the reader's language
ABOUT: dict[str, tuple[str, Any]] = {
    "no two living claims overlap on an exclusive area": (CLAIM, _("no two living claims overlap on an exclusive area")),
    "no two living claims overlap for an instructor": (CLAIM, _("no two living claims overlap for an instructor")),
    "one party per place": (SLOT, _("one party per place")),
    "no more places taken than there are": (SLOT, _("no more places taken than there are")),
    "a claim is where its slot is": (CLAIM, _("a claim is where its slot is")),
    "a claim has one owner, and a payment's is never firm": (
        CLAIM, _("a claim has one owner, and a payment's is never firm")
    ),
    "a payment's claim belongs to one that is pending and undecided": (
        CLAIM, _("a payment's claim belongs to one that is pending and undecided")
    ),
    "a held payment has as many claims as places asked for, or none": (
        PAYMENT, _("a held payment has as many claims as places asked for, or none")
    ),
    "a booking and its claims agree": (BOOKING, _("a booking and its claims agree")),
    "a live booking is where its slot is": (BOOKING, _("a live booking is where its slot is")),
    "a test booking has test money only": (BOOKING, _("a test booking has test money only")),
    "money stands behind every CONFIRMED booking": (BOOKING, _("money stands behind every confirmed booking")),
    "a raised price waits on a CONFIRMED booking for money that is missing": (
        BOOKING, _("a raised price waits on a confirmed booking for money that is missing")
    ),
    "a slot that moves made is withdrawn when nobody has it": (
        SLOT, _("a slot that moves made is withdrawn when nobody has it")
    ),
    "a slot of an interval is one party's, once, on an area": (
        SLOT, _("a slot of an interval is one party's, once, on an area")
    ),
    "an area booked by interval has its rules": ("clubs_area", _("an area booked by interval has its rules")),
    "what a live booking counts is what its payments say": (
        BOOKING, _("what a live booking counts is what its payments say")
    ),
    "money that came is decided": (PAYMENT, _("money that came is decided")),
    "money that is kept serves a booking": (PAYMENT, _("money that is kept serves a booking")),
    "a customer who canceled leaves the agreed fee at most": (
        BOOKING, _("a customer who canceled leaves the agreed fee at most")
    ),
    "money that is not kept is going back": (PAYMENT, _("money that is not kept is going back")),
    "a refund that is intended has its call, or is owed on site": (
        REFUND, _("a refund that is intended has its call, or is owed on site")
    ),
    "money that was handed back on site was handed by somebody": (
        REFUND, _("money that was handed back on site was handed by somebody")
    ),
    "money owed on site is handed back within a month": (REFUND, _("money owed on site is handed back within a month")),
    "refunds add up, and never beyond what was taken": (PAYMENT, _("refunds add up, and never beyond what was taken")),
    "one payment secures one booking at most": (PAYMENT, _("one payment secures one booking at most")),
    "a finished booking says when, and why where it must": (
        BOOKING, _("a finished booking says when, and why where it must")
    ),
    "no call to the outside is stuck": ("palms_intent", _("no call to the outside is stuck")),
    "no payment is in trouble": (PAYMENT, _("no payment is in trouble")),
    "what was charged for a visit is collected": (PAYMENT, _("what was charged for a visit is collected")),
    "a payment is for a booking or for a fee, never for both": (
        PAYMENT, _("a payment is for a booking or for a fee, never for both")
    ),
    "a fee for staying is paid once, by exactly what it came to": (
        BOOKING, _("a fee for staying is paid once, by exactly what it came to")
    ),
    "no more for staying than its terms allow": (BOOKING, _("no more for staying than its terms allow")),
    "a visit is closed with its fee settled, or by force": (
        BOOKING, _("a visit is closed with its fee settled, or by force")
    ),
    "a living door code is of a confirmed, paid booking in its own time and place": (
        GRANT, _("a living door code is of a confirmed, paid booking in its own time and place")
    ),
    "no code was on a lock before its time": (GRANT, _("no code was on a lock before its time")),
    "no two living codes of a lock are equal": ("access_lock", _("no two living codes of a lock are equal")),
    "digits are kept only while they may be on a lock": (GRANT, _("digits are kept only while they may be on a lock")),
    "a code that is not removed yet has its call": (GRANT, _("a code that is not removed yet has its call")),
    "a code is out of its lock within a day of its end": (GRANT, _("a code is out of its lock within a day of its end")),
    "one client per phone": ("clubs_club", _("one client per phone")),
    "a client has one wallet, as full as its entries": (CLIENT, _("a client has one wallet, as full as its entries")),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """How one rule stands. `rows`: (id, the rest in words), at most MOST and one more; `unfinished`: it took too long."""

    title: Any
    table: str
    rows: list[tuple[Any, str]]
    unfinished: bool
    seconds: float

    @property
    def is_green(self) -> bool:
        return not self.rows and not self.unfinished


def ask_all(*, club_ids: Iterable[int] | None) -> Iterator[Asked]:
    """Ask every rule about some clubs, or about all (None). A rule that nobody has placed yet is for the platform only."""
    clubs, end = None if club_ids is None else sorted(int(pk) for pk in club_ids), monotonic() + ALTOGETHER
    for rule, query in RULES.items():
        table, title = ABOUT.get(rule, ("", rule))
        if clubs is not None and not table:
            continue
        began = monotonic()
        rows = _ask(query, table, clubs) if began < end else None
        yield Asked(title, table, rows or [], rows is None, monotonic() - began)


def _ask(query: str, table: str, clubs: list[int] | None) -> list[tuple[Any, str]] | None:
    """Return the rows that break a rule; None where the database would not say in time."""
    whose = ""
    if clubs is not None:
        mine = "id" if table == "clubs_club" else "club_id"
        ids = ", ".join(str(pk) for pk in clubs) or "NULL"
        whose = f"WHERE found.about IN (SELECT id FROM {table} WHERE {mine} IN ({ids}))"  # noqa: S608  ours, and numbers
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SET statement_timeout = {int(PATIENCE * 1000)}")
            cursor.execute(f"SELECT found.* FROM ({query}) AS found(about) {whose} LIMIT {MOST + 1}")  # noqa: S608
            return [(row[0], " · ".join(str(one) for one in row[1:])) for row in cursor.fetchall()]
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != "57014":  # cancelled: too slow
            raise
        return None
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")
