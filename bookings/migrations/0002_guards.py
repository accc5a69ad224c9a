from django.db import migrations

from palms.guards import foreign_key, guard, refuse, same_club, unique

MOVES = f"""
    IF TG_OP = 'DELETE' THEN
        {refuse("booking_never_deleted", "a booking is never deleted")}
    ELSIF TG_OP = 'INSERT' THEN
        IF NEW.status NOT IN ('REQUESTED', 'APPROVED', 'CONFIRMED') THEN
            {refuse("booking_birth", "a booking is born REQUESTED, APPROVED or CONFIRMED")}
        END IF;
        NEW.secured_amount := 0;  -- what payments say is added by their own trigger
        NEW.version := 1;
        RETURN NEW;
    END IF;
    IF OLD.finished_at IS NOT NULL THEN
        IF pg_trigger_depth() > 1 AND NEW.version = OLD.version + 1
           AND to_jsonb(NEW) - ARRAY['version', 'updated_at', 'period', 'area_key', 'instructor_key', 'live_slot']
             = to_jsonb(OLD) - ARRAY['version', 'updated_at', 'period', 'area_key', 'instructor_key', 'live_slot'] THEN
            NEW.updated_at := clock_timestamp();
            RETURN NEW;
        END IF;
        {refuse("booking_frozen", "a finished booking does not change")}
    END IF;
    IF NEW.status <> OLD.status AND (OLD.status, NEW.status) NOT IN (
        ('REQUESTED', 'APPROVED'), ('REQUESTED', 'CONFIRMED'), ('APPROVED', 'CONFIRMED'),
        ('REQUESTED', 'CANCELED_BY_CUSTOMER'), ('REQUESTED', 'CANCELED_BY_CLUB'), ('REQUESTED', 'OTHER'),
        ('APPROVED', 'CANCELED_BY_CUSTOMER'), ('APPROVED', 'CANCELED_BY_CLUB'), ('APPROVED', 'OTHER'),
        ('CONFIRMED', 'CANCELED_BY_CUSTOMER'), ('CONFIRMED', 'CANCELED_BY_CLUB'), ('CONFIRMED', 'OTHER'),
        ('CONFIRMED', 'SHOWN'), ('CONFIRMED', 'NOT_SHOWN')
    ) THEN
        {refuse("booking_transition", "a booking does not move that way")}
    END IF;
    IF (NEW.club_id, NEW.client_id, NEW.token, NEW.policy, NEW.currency, NEW.created_at, NEW.checkout_key)
       IS DISTINCT FROM
       (OLD.club_id, OLD.client_id, OLD.token, OLD.policy, OLD.currency, OLD.created_at, OLD.checkout_key) THEN
        {refuse("booking_identity_immutable", "a booking keeps its club, client, policy and currency")}
    END IF;
    IF NEW.secured_amount <> OLD.secured_amount AND pg_trigger_depth() < 2 THEN
        {refuse("booking_secured_is_its_payments", "secured is what payments say")}
    END IF;
    NEW.version := OLD.version + 1;
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
"""
# A live booking counts what its payments say; a finished one only learns that something about it moved.
SECURED = """
    IF TG_OP = 'UPDATE' AND (NEW.status, NEW.decision, NEW.keep, NEW.captured, NEW.refunded, NEW.booking_id)
       IS NOT DISTINCT FROM (OLD.status, OLD.decision, OLD.keep, OLD.captured, OLD.refunded, OLD.booking_id) THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.booking_id IS NOT NULL THEN
        UPDATE bookings_booking SET
            secured_amount = secured_amount + CASE WHEN finished_at IS NULL THEN NEW.standing - OLD.standing ELSE 0 END,
            version = version + 1
        WHERE id = NEW.booking_id;
    ELSIF NEW.booking_id IS NOT NULL THEN
        UPDATE bookings_booking SET
            secured_amount = secured_amount + CASE WHEN finished_at IS NULL THEN NEW.standing ELSE 0 END,
            version = version + 1
        WHERE id = NEW.booking_id;
    END IF;
    RETURN NULL;
"""
COVERED = f"""
    PERFORM 1 FROM bookings_booking b
        WHERE b.id = NEW.id AND b.status IN ('CONFIRMED', 'SHOWN', 'NOT_SHOWN') AND b.secured_amount < b.price;
    IF FOUND THEN
        {refuse("booking_confirmed_is_secured", "no confirmed booking without its money")}
    END IF;
    RETURN NULL;
"""
AGREE = f"""
    PERFORM 1 FROM bookings_booking b WHERE b.id = %s AND (
        SELECT count(*) FROM slots_claim c WHERE c.booking_id = b.id
            AND c.slot_id = b.slot_id AND c.held_until IS NOT DISTINCT FROM b.expires_at
    ) <> CASE WHEN b.status IN ('CANCELED_BY_CUSTOMER', 'CANCELED_BY_CLUB', 'OTHER') THEN 0 ELSE b.participants_count END
    OR b.id = %s AND (SELECT count(*) FROM slots_claim c WHERE c.booking_id = b.id)
        <> CASE WHEN b.status IN ('CANCELED_BY_CUSTOMER', 'CANCELED_BY_CLUB', 'OTHER') THEN 0 ELSE b.participants_count END;
    IF FOUND THEN
        {refuse("booking_claims_agree", "a booking and its claims do not agree")}
    END IF;
"""


def agree(*owners: str) -> str:
    """Return the body that checks the bookings named by these row expressions."""
    return "".join(AGREE.replace("%s", owner) for owner in owners) + "RETURN NULL;"


class Migration(migrations.Migration):
    """The state machine, the frozen end, the money behind every confirmation and the claims behind every booking."""

    dependencies = [
        ("bookings", "0001_initial"),
        ("slots", "0003_guards"),
        ("payments", "0003_guards"),
        ("clients", "0002_guards"),
    ]
    operations = [
        guard(table="bookings_booking", name="booking_guard", when="BEFORE INSERT OR UPDATE OR DELETE", body=MOVES),
        guard(
            table="payments_payment",
            name="payment_secures_its_booking",
            when="AFTER INSERT OR UPDATE",
            body=SECURED,
        ),
        guard(
            table="bookings_booking",
            name="booking_confirmed_is_secured",
            when="AFTER INSERT OR UPDATE",
            body=COVERED,
            deferred=True,
        ),
        guard(
            table="bookings_booking",
            name="booking_claims_agree",
            when="AFTER INSERT OR UPDATE",
            body=agree("NEW.id"),
            deferred=True,
        ),
        guard(
            table="slots_claim",
            name="claim_agrees_with_booking_on_insert",
            when="AFTER INSERT",
            body=agree("NEW.booking_id"),
            deferred=True,
        ),
        guard(
            table="slots_claim",
            name="claim_agrees_with_booking_on_update",
            when="AFTER UPDATE",
            body=agree("NEW.booking_id", "OLD.booking_id"),
            deferred=True,
        ),
        guard(
            table="slots_claim",
            name="claim_agrees_with_booking_on_delete",
            when="AFTER DELETE",
            body=agree("OLD.booking_id"),
            deferred=True,
        ),
        foreign_key(
            table="bookings_booking",
            name="booking_place_is_its_slots",
            columns="live_slot, area_key, instructor_key, period",
            refers="slots_slot (id, area_key, instructor_key, period)",
        ),
        unique(table="bookings_booking", name="booking_money_key", columns="club_id, id, currency"),
        foreign_key(
            table="payments_payment",
            name="payment_in_its_bookings_club_and_currency",
            columns="club_id, booking_id, currency",
            refers="bookings_booking (club_id, id, currency)",
            options="DEFERRABLE INITIALLY DEFERRED",
        ),
        unique(table="bookings_booking", name="booking_club_key", columns="club_id, id"),
        same_club(table="slots_claim", column="booking_id", refers="bookings_booking", name="claim_booking_of_same_club"),
        same_club(
            table="bookings_bookingcontact",
            column="booking_id",
            refers="bookings_booking",
            name="bookingcontact_of_same_club",
        ),
        same_club(table="bookings_booking", column="slot_id", refers="slots_slot", name="booking_slot_of_same_club"),
        same_club(table="bookings_booking", column="client_id", refers="clients_client", name="booking_client_of_same_club"),
    ]
