from django.db import migrations

from palms.guards import foreign_key, guard, refuse, unique

FEE = f"""
    IF TG_OP = 'DELETE' THEN
        {refuse("overdue_never_deleted", "a fee is paid or waived, and stays")}
    END IF;
    IF TG_OP = 'INSERT' AND NEW.state NOT IN ('RUNNING', 'DUE', 'WAIVED') THEN
        {refuse("overdue_birth", "nothing is paid before it is owed")}
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.booking_id, NEW.club_id, NEW.rate, NEW.cap, NEW.currency)
           IS DISTINCT FROM (OLD.booking_id, OLD.club_id, OLD.rate, OLD.cap, OLD.currency) THEN
            {refuse("overdue_terms_immutable", "a fee keeps the terms that the booking was made with")}
        END IF;
        IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
            ('RUNNING', 'DUE'), ('RUNNING', 'WAIVED'), ('DUE', 'PAID'), ('DUE', 'WAIVED'), ('PAID', 'WAIVED'),
            ('WAIVED', 'RUNNING'), ('WAIVED', 'DUE')
        ) THEN
            {refuse("overdue_transition", "a fee does not move that way")}
        END IF;
        IF OLD.state = 'PAID' AND NEW.amount IS DISTINCT FROM OLD.amount
           OR NEW.state = 'PAID' AND NEW.amount IS DISTINCT FROM OLD.amount THEN
            {refuse("overdue_paid_amount_immutable", "what was paid is what was owed")}
        END IF;
    END IF;
    IF NEW.state IN ('RUNNING', 'DUE') AND (TG_OP = 'INSERT' OR OLD.state = 'WAIVED') THEN
        PERFORM 1 FROM bookings_booking WHERE id = NEW.booking_id AND status = 'CONFIRMED' FOR UPDATE;
        IF NOT FOUND THEN
            {refuse("overdue_of_a_confirmed_booking", "only who is still booked in stays too long")}
        END IF;
    END IF;
    RETURN NEW;
"""
TOLD = """
    UPDATE bookings_booking SET version = version + 1 WHERE id = NEW.booking_id;
    RETURN NULL;
"""
# The fee's state and its payments say the same. Whoever writes either holds the fee's payments and the booking, so that
# nobody else writes the other meanwhile.
MONEY = f"""
    PERFORM 1 FROM bookings_overdue f WHERE f.booking_id = %s AND (f.state = 'PAID') IS DISTINCT FROM EXISTS (
        SELECT 1 FROM payments_payment p WHERE p.overdue_id = f.booking_id AND p.decision = 'USED' AND p.keep > 0
            AND p.keep = f.amount AND p.keep = p.amount);
    IF FOUND THEN
        {refuse("overdue_paid_with_its_money", "a fee is paid exactly when one payment stands for it")}
    END IF;
    RETURN NULL;
"""
# A visit closes with its fee paid or waived; by force with one that is owed; a booking that is cancelled has none.
CLOSED = f"""
    PERFORM 1 FROM bookings_overdue f JOIN bookings_booking b ON b.id = f.booking_id
        WHERE b.id = %s AND b.finished_at IS NOT NULL
        AND f.state <> 'WAIVED' AND NOT (b.status IN ('SHOWN', 'NOT_SHOWN') AND f.state = 'PAID')
        AND NOT (b.is_forced AND f.state = 'DUE');
    IF FOUND THEN
        {refuse("booking_completed_with_its_fee_settled", "the fee for staying is not paid")}
    END IF;
    RETURN NULL;
"""
PAID_FOR = "IF NEW.overdue_id IS NULL THEN RETURN NULL; END IF;" + MONEY % "NEW.overdue_id"
OVER = "IF NEW.finished_at IS NULL OR OLD.finished_at IS NOT NULL THEN RETURN NULL; END IF;" + CLOSED % "NEW.id"
TEST_MONEY = f"""
    PERFORM 1 FROM bookings_booking b WHERE b.id = NEW.overdue_id AND b.is_test
        AND NOT EXISTS (SELECT FROM payments_provideraccount a WHERE a.id = NEW.account_id AND a.is_test);
    IF FOUND THEN
        {refuse("payment_of_a_test_fee_is_test", "a test booking takes test money only")}
    END IF;
    RETURN NEW;
"""
TARGET = f"""
    IF NEW.overdue_id IS DISTINCT FROM OLD.overdue_id THEN
        {refuse("payment_fee_immutable", "a payment keeps its target")}
    END IF;
    RETURN NEW;
"""
# As of a booking's own payments: what has moved is news to the club's CRM.
MOVED = """
    IF NEW.overdue_id IS NOT NULL AND (TG_OP = 'INSERT' OR (NEW.status, NEW.decision, NEW.keep, NEW.captured, NEW.refunded)
       IS DISTINCT FROM (OLD.status, OLD.decision, OLD.keep, OLD.captured, OLD.refunded)) THEN
        UPDATE bookings_booking SET version = version + 1 WHERE id = NEW.overdue_id;
    END IF;
    RETURN NULL;
"""
RETURNED = """
    UPDATE bookings_booking SET version = version + 1
    WHERE id = (SELECT overdue_id FROM payments_payment WHERE id = NEW.payment_id);
    RETURN NULL;
"""


class Migration(migrations.Migration):
    """A fee for staying is opened on a confirmed booking, paid once by money of its own, and settled before the close."""

    dependencies = [("bookings", "0005_overdue"), ("payments", "0005_overdue")]
    operations = [
        guard(table="bookings_overdue", name="overdue_guard", when="BEFORE INSERT OR UPDATE OR DELETE", body=FEE),
        guard(table="bookings_overdue", name="overdue_moves_its_booking", when="AFTER INSERT OR UPDATE", body=TOLD),
        guard(
            table="bookings_overdue", name="overdue_paid_with_its_money", when="AFTER INSERT OR UPDATE",
            body=MONEY % "NEW.booking_id", deferred=True,
        ),
        guard(
            table="payments_payment", name="payment_of_a_fee_settles_it", when="AFTER INSERT OR UPDATE",
            body=PAID_FOR, deferred=True,
        ),
        guard(
            table="bookings_booking", name="booking_completed_with_its_fee_settled", when="AFTER UPDATE",
            body=OVER, deferred=True,
        ),
        guard(
            table="bookings_overdue", name="overdue_settled_once_its_booking_is_over", when="AFTER INSERT OR UPDATE",
            body=CLOSED % "NEW.booking_id", deferred=True,
        ),
        guard(
            table="payments_payment", name="payment_of_a_test_fee_is_test", when="BEFORE INSERT", body=TEST_MONEY
        ),
        guard(table="payments_payment", name="payment_fee_immutable", when="BEFORE UPDATE OF overdue_id", body=TARGET),
        guard(table="payments_payment", name="payment_moves_its_fee", when="AFTER INSERT OR UPDATE", body=MOVED),
        guard(table="payments_refund", name="refund_moves_its_fee", when="AFTER UPDATE OF state", body=RETURNED),
        unique(table="bookings_overdue", name="overdue_money_key", columns="club_id, booking_id, currency"),
        foreign_key(
            table="payments_payment",
            name="payment_in_its_fees_club_and_currency",
            columns="club_id, overdue_id, currency",
            refers="bookings_overdue (club_id, booking_id, currency)",
        ),
        foreign_key(
            table="bookings_overdue",
            name="overdue_in_its_bookings_club_and_currency",
            columns="club_id, booking_id, currency",
            refers="bookings_booking (club_id, id, currency)",
        ),
    ]  # fmt: skip
