from django.db import migrations, models

from palms.guards import refuse

CHANGED = "(NEW.area_id, NEW.account_id, NEW.provider_lock_id) IS DISTINCT FROM (OLD.area_id, OLD.account_id, OLD.provider_lock_id)"


def in_use(condition: str) -> str:
    return f"""
        CREATE OR REPLACE FUNCTION lock_in_use() RETURNS trigger LANGUAGE plpgsql AS $guard$ BEGIN
            IF {CHANGED} AND EXISTS (SELECT 1 FROM access_accessgrant g WHERE g.lock_id = NEW.id AND g.state <> 'removed' AND {condition}) THEN
                {refuse("lock_in_use", "codes of running bookings are on this lock")}
            END IF;
            RETURN NEW;
        END $guard$;
    """


class Migration(migrations.Migration):
    """Another device may take a lock's place while no digits are on the old one; what is planned stays with the area."""

    dependencies = [("access", "0003_lock_records")]
    operations = [
        migrations.AddField(
            "accessgrant", "sent_at",
            models.DateTimeField(editable=False, null=True, verbose_name="sent without an answer"),
        ),
        migrations.AddField(
            "lock", "gateway_online",
            models.BooleanField(editable=False, null=True, verbose_name="gateway is online"),
        ),
        migrations.AddField("lock", "signal", models.SmallIntegerField(editable=False, null=True, verbose_name="signal, dBm")),
        migrations.RunSQL(
            sql=in_use("(g.code <> '' OR NEW.area_id <> OLD.area_id)"),
            reverse_sql=in_use("TRUE"),
        ),
    ]
