from django.db import migrations

from palms.guards import guard, refuse

INTENT = f"""
    IF TG_OP = 'DELETE' THEN
        IF OLD.state = 'OPEN' THEN
            {refuse("intent_kept_while_open", "a call that is not settled is not forgotten")}
        END IF;
        RETURN OLD;
    ELSIF OLD.state <> 'OPEN' THEN
        {refuse("intent_final", "a closed intent does not change")}
    ELSIF (NEW.key, NEW.kind, NEW.subject_id, NEW.lane, NEW.payload, NEW.club_id)
          IS DISTINCT FROM (OLD.key, OLD.kind, OLD.subject_id, OLD.lane, OLD.payload, OLD.club_id) THEN
        {refuse("intent_immutable", "an intent keeps its key and what it asks for")}
    END IF;
    RETURN NEW;
"""


class Migration(migrations.Migration):
    """A call to the outside keeps its key and its request, and is closed once."""

    dependencies = [("palms", "0002_intents")]
    operations = [guard(table="palms_intent", name="intent_guard", when="BEFORE UPDATE OR DELETE", body=INTENT)]
