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
    "a claim has one owner, and a payment's is never firm": """
        SELECT id FROM slots_claim
        WHERE num_nonnulls(payment_id, booking_id) + is_block::int <> 1 OR payment_id IS NOT NULL AND held_until IS NULL
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
    "a test booking has test money only": """
        SELECT b.id FROM bookings_booking b JOIN payments_payment p ON b.id IN (p.booking_id, p.overdue_id)
        LEFT JOIN payments_provideraccount a ON a.id = p.account_id
        WHERE b.is_test AND a.is_test IS NOT TRUE
    """,
    "money stands behind every CONFIRMED booking": """
        SELECT b.id FROM bookings_booking b LEFT JOIN payments_payment p ON p.booking_id = b.id AND p.decision = 'USED'
        WHERE b.status = 'CONFIRMED' GROUP BY b.id
        HAVING b.price > coalesce(sum(CASE p.status WHEN 'AUTHORIZED' THEN p.keep
                                      WHEN 'CAPTURED' THEN least(p.keep, p.captured - p.refunded) ELSE 0 END), 0)
    """,
    "a raised price waits on a CONFIRMED booking for money that is missing": """
        SELECT id FROM bookings_booking
        WHERE raised_price IS NOT NULL AND (status <> 'CONFIRMED' OR raised_price <= greatest(price, secured_amount))
    """,
    "a slot that moves made is withdrawn when nobody has it": """
        SELECT s.id FROM slots_slot s WHERE s.origin = 'move' AND NOT s.closed
          AND NOT EXISTS (SELECT FROM slots_claim c WHERE c.slot_id = s.id)
    """,
    "a slot of an interval is one party's, once, on an area": """
        SELECT s.id FROM slots_slot s WHERE s.origin = 'interval'
          AND (s.area_id IS NULL OR s.instructor_id IS NOT NULL OR s.capacity <> 1 OR s.closed OR EXISTS (
            SELECT FROM slots_slot o WHERE o.origin = 'interval' AND o.id <> s.id
              AND (o.area_id, o.date_from, o.date_to) = (s.area_id, s.date_from, s.date_to)))
    """,
    "an area booked by interval has its rules": """
        SELECT id FROM clubs_area WHERE booked_by = 'interval'
          AND (NOT exclusive OR price_per_hour IS NULL OR min_minutes % step_minutes <> 0 OR max_minutes % step_minutes <> 0)
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
        WHERE p.decision = 'USED' AND p.keep > 0 AND p.status IN ('AUTHORIZED', 'CAPTURED') AND p.purpose = 'booking'
          AND (b.id IS NULL OR b.status IN {GONE} AND p.decision_reason !~ '^(cancel$|staff:)')
    """,  # noqa: S608  constants of ours
    "a customer who canceled leaves the agreed fee at most": """
        SELECT b.id FROM bookings_booking b JOIN payments_payment p ON p.booking_id = b.id AND p.decision = 'USED'
        WHERE b.status = 'CANCELED_BY_CUSTOMER' GROUP BY b.id
        HAVING sum(p.keep) > CASE WHEN b.finished_at < coalesce(b.cancelation_time, 'infinity') THEN 0
            ELSE b.price * coalesce((b.policy ->> 'late_cancel_fee_percent')::bigint, 100) / 100 END
    """,
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
    "money that was handed back on site was handed by somebody": """
        SELECT r.id FROM payments_refund r WHERE r.state = 'DONE' AND r.account_id IS NULL AND NOT EXISTS (
            SELECT FROM payments_refundevent e JOIN pghistory_context c ON c.id = e.pgh_context_id
            WHERE e.pgh_obj_id = r.id AND e.state = 'DONE' AND c.metadata ->> 'actor' IN ('staff', 'crm', 'system'))
    """,
    "money owed on site is handed back within a month": """
        SELECT id FROM payments_refund
        WHERE state = 'INTENDED' AND account_id IS NULL AND created_at < now() - interval '30 days'
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
    "a payment is for a booking or for a fee, never for both": """
        SELECT id FROM payments_payment
        WHERE (purpose = 'overdue') <> (overdue_id IS NOT NULL) OR overdue_id IS NOT NULL AND (booking_id IS NOT NULL
           OR snapshot IS NOT NULL) OR overdue_id IS NULL AND booking_id IS NULL AND snapshot IS NULL
    """,
    "a fee for staying is paid once, by exactly what it came to": """
        SELECT f.booking_id FROM bookings_overdue f
        LEFT JOIN payments_payment p ON p.overdue_id = f.booking_id AND p.decision = 'USED' AND p.keep > 0
        GROUP BY f.booking_id
        HAVING count(p.id) <> (f.state = 'PAID')::int
            OR count(p.id) = 1 AND max(p.keep) IS DISTINCT FROM f.amount OR bool_or(p.status <> 'CAPTURED' OR p.standing <= 0)
    """,
    "no more for staying than its terms allow": """
        SELECT f.booking_id FROM bookings_overdue f JOIN bookings_booking b ON b.id = f.booking_id
        WHERE f.amount > f.cap OR f.state IN ('RUNNING', 'DUE') AND f.counts_from < b.date_to
           OR (f.rate, f.cap) IS DISTINCT FROM
              ((b.policy #>> '{overdue,rate}')::bigint, (b.policy #>> '{overdue,cap}')::bigint)
           OR f.state IN ('DUE', 'PAID') AND b.left_at <= f.counts_from
           OR f.state = 'DUE' AND f.amount <> least(f.cap, floor(f.rate
              * floor(extract(epoch FROM b.left_at - f.counts_from) / 60) / 60))
    """,
    "a visit is closed with its fee settled, or by force": """
        SELECT b.id FROM bookings_overdue f JOIN bookings_booking b ON b.id = f.booking_id
        WHERE b.finished_at IS NOT NULL AND (f.state = 'RUNNING' OR f.state = 'DUE' AND NOT b.is_forced
           OR f.state <> 'WAIVED' AND b.status NOT IN ('SHOWN', 'NOT_SHOWN'))
    """,
    "a living door code is of a confirmed, paid booking in its own time and place": """
        SELECT g.id FROM access_accessgrant g JOIN bookings_booking b ON b.id = g.booking_id
        JOIN access_lock l ON l.id = g.lock_id
        WHERE g.state IN ('planned', 'installing', 'installed', 'failed')
          AND (b.status <> 'CONFIRMED' OR b.secured_amount < b.price OR b.area_id IS DISTINCT FROM l.area_id
            OR (b.date_from, b.date_to) <> (g.valid_from, g.valid_to))
    """,
    "no code was on a lock before its time": """
        SELECT id FROM access_accessgrant
        WHERE installed_at NOT BETWEEN valid_from - interval '2 minutes' AND valid_to + interval '2 minutes'
    """,
    "no two living codes of a lock are equal": """
        SELECT lock_id, digest FROM access_accessgrant WHERE digest IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1
    """,
    "digits are kept only while they may be on a lock": """
        SELECT id FROM access_accessgrant
        WHERE (code <> '' OR digest IS NOT NULL) AND state IN ('planned', 'removed') OR (code = '') <> (digest IS NULL)
    """,
    "a code that is not removed yet has its call": """
        SELECT g.id FROM access_accessgrant g WHERE g.state <> 'removed' AND NOT EXISTS (
            SELECT FROM palms_intent i WHERE i.lane = 'grant:' || g.id AND i.state = 'OPEN')
    """,
    "a code is out of its lock within a day of its end": """
        SELECT id FROM access_accessgrant WHERE state <> 'removed' AND valid_to < now() - interval '1 day'
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
