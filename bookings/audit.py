"""The audit: every rule that a query can state, as a query that must return nothing. Domain section 11, first edition.

Most of it cannot happen, since constraints and triggers refuse it (INVARIANTS.md). The audit says so aloud, and finds what no
constraint can: calls that nobody makes, and money that nobody collected.
"""

from __future__ import annotations

from django.db import connection

from slots.rules import living_sql

GONE = "('CANCELED_BY_CUSTOMER', 'CANCELED_BY_CLUB', 'OTHER')"
RULES: dict[str, str] = {
    "no two living claims overlap on an exclusive area": f"""
        SELECT a.id, b.id FROM slots_claim a JOIN slots_claim b ON a.id < b.id AND a.slot_id <> b.slot_id
        WHERE a.area_id = b.area_id AND a.exclusive AND b.exclusive AND a.period && b.period
          AND {living_sql("a")} AND {living_sql("b")}
    """,  # noqa: S608  constants of ours
    "no two living claims overlap for an instructor": f"""
        SELECT a.id, b.id FROM slots_claim a JOIN slots_claim b ON a.id < b.id AND a.slot_id <> b.slot_id
        WHERE a.instructor_id = b.instructor_id AND a.period && b.period
          AND {living_sql("a")} AND {living_sql("b")}
    """,  # noqa: S608  constants of ours
    "one party per place": "SELECT slot_id, place FROM slots_claim GROUP BY 1, 2 HAVING count(*) > 1",
    "no more places taken than there are": """
        SELECT s.id FROM slots_slot s JOIN slots_claim c ON c.slot_id = s.id
        GROUP BY s.id HAVING count(*) > s.capacity OR max(c.place) >= s.capacity OR min(c.place) < 0
    """,
    "a claim is where its slot is": """
        SELECT c.id FROM slots_claim c JOIN slots_slot s ON s.id = c.slot_id
        WHERE (c.area_id, c.instructor_id, c.period, c.exclusive, c.capacity, c.club_id)
           IS DISTINCT FROM (s.area_id, s.instructor_id, s.period, s.exclusive, s.capacity, s.club_id)
    """,
    "a claim has one owner, and only a booking's is firm": """
        SELECT id FROM slots_claim
        WHERE (payment_id IS NULL) = (booking_id IS NULL) OR payment_id IS NOT NULL AND held_until IS NULL
    """,
    "a payment's claim belongs to one that is pending and undecided": """
        SELECT c.id FROM slots_claim c JOIN payments_payment p ON p.id = c.payment_id
        WHERE p.status <> 'PENDING' OR p.decision IS NOT NULL
    """,
    "a held payment has as many claims as places asked for, or none": """
        SELECT p.id FROM payments_payment p JOIN slots_claim c ON c.payment_id = p.id
        GROUP BY p.id HAVING count(*) <> (p.snapshot ->> 'participants_count')::int
    """,
    "a booking and its claims agree": f"""
        SELECT b.id FROM bookings_booking b LEFT JOIN slots_claim c ON c.booking_id = b.id
        GROUP BY b.id
        HAVING count(c.id) <> CASE WHEN b.status IN {GONE} THEN 0 ELSE b.participants_count END
            OR bool_or(c.slot_id <> b.slot_id) OR bool_or(c.held_until IS DISTINCT FROM b.expires_at)
    """,  # noqa: S608  constants of ours
    "a live booking is where its slot is": """
        SELECT b.id FROM bookings_booking b JOIN slots_slot s ON s.id = b.slot_id
        WHERE b.finished_at IS NULL AND (b.area_id, b.instructor_id, b.date_from, b.date_to)
           IS DISTINCT FROM (s.area_id, s.instructor_id, s.date_from, s.date_to)
    """,
    "money stands behind every CONFIRMED booking": """
        SELECT b.id FROM bookings_booking b LEFT JOIN payments_payment p ON p.booking_id = b.id AND p.decision = 'USED'
        WHERE b.status = 'CONFIRMED' GROUP BY b.id
        HAVING b.price > coalesce(sum(CASE p.status WHEN 'AUTHORIZED' THEN p.keep
                                      WHEN 'CAPTURED' THEN least(p.keep, p.captured - p.refunded) ELSE 0 END), 0)
    """,
    "what a live booking counts is what its payments say": """
        SELECT b.id FROM bookings_booking b LEFT JOIN payments_payment p ON p.booking_id = b.id
        WHERE b.finished_at IS NULL GROUP BY b.id HAVING b.secured_amount <> coalesce(sum(p.standing), 0)
    """,
    "money that came is decided": """
        SELECT id FROM payments_payment WHERE status IN ('AUTHORIZED', 'CAPTURED') AND decision IS NULL
    """,
    "money that is kept serves a booking": f"""
        SELECT p.id FROM payments_payment p LEFT JOIN bookings_booking b ON b.id = p.booking_id
        WHERE p.decision = 'USED' AND p.keep > 0 AND p.status IN ('AUTHORIZED', 'CAPTURED')
          AND (b.id IS NULL OR b.status IN {GONE} AND p.decision_reason <> 'cancel')
    """,  # noqa: S608  constants of ours
    "money that is not kept is going back": """
        SELECT p.id FROM payments_payment p
        WHERE p.keep IS NOT NULL AND (p.status = 'AUTHORIZED' AND p.keep = 0
           OR p.status = 'CAPTURED' AND p.captured - p.refunded > p.keep)
          AND NOT EXISTS (SELECT FROM palms_intent i WHERE i.lane = 'payment:' || p.id AND i.state = 'OPEN')
    """,
    "a refund that is intended has its call, or is owed on site": """
        SELECT r.id FROM payments_refund r WHERE r.state = 'INTENDED' AND r.account_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM palms_intent i WHERE i.state = 'OPEN' AND (i.payload ->> 'refund_id')::bigint = r.id)
    """,
    "refunds add up, and never beyond what was taken": """
        SELECT p.id FROM payments_payment p LEFT JOIN payments_refund r ON r.payment_id = p.id AND r.state <> 'REFUSED'
        GROUP BY p.id HAVING p.refunded <> coalesce(sum(r.amount), 0) OR p.refunded > p.captured OR p.captured > p.amount
    """,
    "one payment secures one booking at most": """
        SELECT payment_id FROM bookings_bookingcontact WHERE payment_id IS NOT NULL GROUP BY 1 HAVING count(*) > 1
    """,
    "a finished booking says when, and why where it must": f"""
        SELECT id FROM bookings_booking
        WHERE (finished_at IS NULL) <> (status IN ('REQUESTED', 'APPROVED', 'CONFIRMED'))
           OR status IN {GONE} AND reason = ''
    """,  # noqa: S608  constants of ours
    "no call to the outside is stuck": """
        SELECT id, kind, last_error FROM palms_intent
        WHERE state = 'OPEN' AND (attempts > 10 OR due_at < now() - interval '10 minutes')
    """,
    "no payment is in trouble": "SELECT id, trouble FROM payments_payment WHERE trouble <> '' AND decision IS NULL",
    "what was charged for a visit is collected": """
        SELECT p.id FROM payments_payment p JOIN bookings_booking b ON b.id = p.booking_id
        WHERE b.finished_at < now() - interval '1 hour' AND p.decision = 'USED' AND p.keep > 0
          AND p.status IN ('AUTHORIZED', 'VOIDED', 'FAILED')
    """,
    "one client per phone": "SELECT club_id, phone FROM clients_client GROUP BY 1, 2 HAVING count(*) > 1",
    "a client has one wallet, as full as its entries": """
        SELECT c.id FROM clients_client c LEFT JOIN clients_wallet w ON w.client_id = c.id
        GROUP BY c.id HAVING count(w.id) <> 1
        UNION ALL
        SELECT w.id FROM clients_wallet w LEFT JOIN clients_walletentry e ON e.wallet_id = w.id
        GROUP BY w.id HAVING w.balance <> coalesce(sum(e.amount), 0)
    """,
}


def broken() -> dict[str, list[tuple[object, ...]]]:
    """Return the rows that break a rule, by rule: nothing where all is well."""
    found: dict[str, list[tuple[object, ...]]] = {}
    with connection.cursor() as cursor:
        for rule, query in RULES.items():
            cursor.execute(query)
            if rows := cursor.fetchall():
                found[rule] = rows
    return found
