from django.db import migrations

from palms.guards import guard, refuse, same_club

# One statement of the product, however many rows it touches, costs one INSERT here. With no active endpoint in the
# database it costs one look at a small index. An event that this transaction has told already is not told as "updated" too.
TOLD = """
    WITH made AS (
        INSERT INTO webhooks_event (club_id, type, object_id, version, xact, created_at)
        SELECT f.club_id, f.type, f.object_id, f.version, txid_current(), clock_timestamp()
        FROM ({found}) f
        WHERE f.type IS NOT NULL AND EXISTS (
            SELECT 1 FROM webhooks_endpoint e
            WHERE e.club_id = f.club_id AND e.is_active AND (e.types = '{{}}' OR f.type = ANY (e.types))
        ) AND NOT (f.type IN ('booking.updated', 'slot.updated') AND EXISTS (
            SELECT 1 FROM webhooks_event v
            WHERE v.xact = txid_current() AND v.object_id = f.object_id
              AND split_part(v.type, '.', 1) = split_part(f.type, '.', 1)
        ))
        ORDER BY f.object_id
        RETURNING id, club_id, type, created_at
    )
    INSERT INTO webhooks_delivery (club_id, endpoint_id, event_id, state, tries, next_at, last_error)
    SELECT m.club_id, e.id, m.id, 'OPEN', 0, m.created_at, ''
    FROM made m JOIN webhooks_endpoint e ON e.club_id = m.club_id
    WHERE e.is_active AND (e.types = '{{}}' OR m.type = ANY (e.types))
    ORDER BY m.id, e.id;
"""
STATUS = """
    CASE n.status
        WHEN 'REQUESTED' THEN 'booking.requested' WHEN 'APPROVED' THEN 'booking.approved'
        WHEN 'CONFIRMED' THEN 'booking.confirmed' WHEN 'OTHER' THEN 'booking.other'
        WHEN 'SHOWN' THEN 'booking.completed' WHEN 'NOT_SHOWN' THEN 'booking.completed'
        ELSE 'booking.canceled'
    END
"""
MADE_BOOKINGS = f"SELECT n.club_id, n.id AS object_id, n.version, {STATUS} AS type FROM fresh n"
CHANGED_BOOKINGS = f"""
    SELECT n.club_id, n.id AS object_id, n.version, CASE
        WHEN n.status <> o.status THEN {STATUS}
        WHEN (n.slot_id, n.area_id, n.instructor_id, n.date_from, n.date_to)
             IS DISTINCT FROM (o.slot_id, o.area_id, o.instructor_id, o.date_from, o.date_to) THEN 'booking.moved'
        WHEN n.version <> o.version THEN 'booking.updated'
    END AS type
    FROM fresh n JOIN stale o ON o.id = n.id
"""
MADE_SLOTS = "SELECT n.club_id, n.id AS object_id, n.version, 'slot.created' AS type FROM fresh n"
CHANGED_SLOTS = """
    SELECT n.club_id, n.id AS object_id, n.version, CASE
        WHEN n.closed AND NOT o.closed THEN 'slot.closed'
        WHEN o.closed AND NOT n.closed THEN 'slot.reopened'
        WHEN to_jsonb(n) - ARRAY['updated_at', 'version'] <> to_jsonb(o) - ARRAY['updated_at', 'version'] THEN 'slot.updated'
    END AS type
    FROM fresh n JOIN stale o ON o.id = n.id
"""
TEN = f"""
    IF NEW.off_because <> 'removed' THEN
        PERFORM 1 FROM clubs_club WHERE id = NEW.club_id FOR NO KEY UPDATE;
        IF (SELECT count(*) FROM webhooks_endpoint WHERE club_id = NEW.club_id AND off_because <> 'removed') >= 10 THEN
            {refuse("endpoint_at_most_ten_of_a_club", "a club has at most ten endpoints")}
        END IF;
    END IF;
    RETURN NEW;
"""
EVENT = refuse("event_immutable", "what happened does not change")


def teller(*, table: str, name: str, when: str, tables: str, found: str) -> migrations.RunSQL:
    """Return the operation that tells of every row that one statement made or changed."""
    body = f"""
        IF EXISTS (SELECT 1 FROM webhooks_endpoint WHERE is_active) THEN {TOLD.format(found=found)} END IF;
        RETURN NULL;
    """
    return migrations.RunSQL(
        sql=f"""
            CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $teller$ BEGIN {body} END $teller$;
            CREATE TRIGGER {name} AFTER {when} ON {table} REFERENCING {tables}
                FOR EACH STATEMENT EXECUTE FUNCTION {name}();
        """,
        reverse_sql=f"DROP TRIGGER {name} ON {table}; DROP FUNCTION {name}();",
    )


BOTH = "OLD TABLE AS stale NEW TABLE AS fresh"


class Migration(migrations.Migration):
    """What happens to bookings and slots is told by the database: no way of the code can forget it."""

    dependencies = [
        ("webhooks", "0001_initial"),
        ("slots", "0004_programs_and_versions"),
        ("bookings", "0002_guards"),
    ]
    operations = [
        same_club(
            table="webhooks_delivery", column="endpoint_id", refers="webhooks_endpoint", name="delivery_endpoint_of_same_club"
        ),
        same_club(table="webhooks_delivery", column="event_id", refers="webhooks_event", name="delivery_event_of_same_club"),
        guard(table="webhooks_endpoint", name="endpoint_guard", when="BEFORE INSERT", body=TEN),
        guard(table="webhooks_event", name="event_guard", when="BEFORE UPDATE", body=EVENT),
        teller(
            table="bookings_booking", name="webhooks_booking_made", when="INSERT", tables="NEW TABLE AS fresh",
            found=MADE_BOOKINGS,
        ),
        teller(
            table="bookings_booking", name="webhooks_booking_changed", when="UPDATE", tables=BOTH, found=CHANGED_BOOKINGS
        ),
        teller(table="slots_slot", name="webhooks_slot_made", when="INSERT", tables="NEW TABLE AS fresh", found=MADE_SLOTS),
        teller(table="slots_slot", name="webhooks_slot_changed", when="UPDATE", tables=BOTH, found=CHANGED_SLOTS),
    ]
