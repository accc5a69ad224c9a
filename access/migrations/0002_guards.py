from django.db import migrations

from palms.guards import guard, refuse, same_club

LIVING = "('planned', 'installing', 'installed', 'failed')"
GRANT = f"""
    IF TG_OP = 'DELETE' THEN
        {refuse("accessgrant_never_deleted", "the history of door codes stays")}
    ELSIF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'planned' THEN
            {refuse("accessgrant_birth", "a code is planned before it is anything else")}
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.club_id, NEW.booking_id, NEW.lock_id, NEW.valid_from, NEW.valid_to)
       IS DISTINCT FROM (OLD.club_id, OLD.booking_id, OLD.lock_id, OLD.valid_from, OLD.valid_to) THEN
        {refuse("accessgrant_immutable", "a code keeps its booking, lock and time: a moved booking gets another one")}
    END IF;
    IF OLD.state = 'removed' AND NEW.state <> 'removed' OR OLD.state = 'removing' AND NEW.state NOT IN ('removing', 'removed') THEN
        {refuse("accessgrant_taken_back", "a code that was taken back does not return")}
    END IF;
    RETURN NEW;
"""
# The insert alone looks at the booking, under a lock that waits for whoever is ending it. Everything that ends or moves
# a booking holds that booking's row and takes the grants of its own accord, or is refused by the second guard.
OF_CONFIRMED = f"""
    PERFORM 1 FROM bookings_booking b JOIN access_lock l ON l.id = NEW.lock_id
        WHERE b.id = NEW.booking_id AND b.status = 'CONFIRMED' AND b.date_from = NEW.valid_from
        AND b.date_to = NEW.valid_to AND b.area_id = l.area_id
        FOR SHARE OF b;
    IF NOT FOUND AND EXISTS (SELECT 1 FROM access_accessgrant g WHERE g.id = NEW.id AND g.state IN {LIVING}) THEN
        {refuse("accessgrant_of_a_confirmed_booking", "only a confirmed booking opens a door, in its own time")}
    END IF;
    RETURN NULL;
"""
BOOKING = f"""
    IF (NEW.status, NEW.date_from, NEW.date_to, NEW.area_id) IS NOT DISTINCT FROM (OLD.status, OLD.date_from, OLD.date_to, OLD.area_id) THEN
        RETURN NULL;
    END IF;
    PERFORM 1 FROM access_accessgrant g JOIN access_lock l ON l.id = g.lock_id JOIN bookings_booking b ON b.id = g.booking_id
        WHERE g.booking_id = NEW.id AND g.state IN {LIVING}
        AND (b.status <> 'CONFIRMED' OR b.date_from <> g.valid_from OR b.date_to <> g.valid_to OR b.area_id IS DISTINCT FROM l.area_id);
    IF FOUND THEN
        {refuse("accessgrant_ends_with_its_booking", "a booking that ends or moves takes its door code along")}
    END IF;
    RETURN NULL;
"""
LOCK = f"""
    IF (NEW.area_id, NEW.account_id, NEW.provider_lock_id) IS DISTINCT FROM (OLD.area_id, OLD.account_id, OLD.provider_lock_id)
       AND EXISTS (SELECT 1 FROM access_accessgrant g WHERE g.lock_id = NEW.id AND g.state <> 'removed') THEN
        {refuse("lock_in_use", "codes of running bookings are on this lock")}
    END IF;
    RETURN NEW;
"""


class Migration(migrations.Migration):
    """A door code belongs to a confirmed booking of the same place and time, and never comes back once taken."""

    dependencies = [("access", "0001_initial"), ("bookings", "0002_guards")]
    operations = [
        guard(
            table="access_accessgrant", name="accessgrant_guard", when="BEFORE INSERT OR UPDATE OR DELETE", body=GRANT
        ),
        guard(
            table="access_accessgrant", name="accessgrant_of_a_confirmed_booking", when="AFTER INSERT",
            body=OF_CONFIRMED, deferred=True,
        ),
        guard(
            table="bookings_booking", name="accessgrant_ends_with_its_booking", when="AFTER UPDATE",
            body=BOOKING, deferred=True,
        ),
        guard(table="access_lock", name="lock_in_use", when="BEFORE UPDATE", body=LOCK),
        same_club(
            table="access_accessgrant", column="booking_id", refers="bookings_booking",
            name="accessgrant_booking_of_same_club",
        ),
        same_club(table="access_accessgrant", column="lock_id", refers="access_lock", name="accessgrant_lock_of_same_club"),
        same_club(table="access_lock", column="account_id", refers="access_lockaccount", name="lock_account_of_same_club"),
        same_club(table="access_lock", column="area_id", refers="clubs_area", name="lock_area_of_same_club"),
    ]
