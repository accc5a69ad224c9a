from django.db import migrations

from palms.guards import check, foreign_key, same_club


class Migration(migrations.Migration):
    """A claim's copies are its slot's, a slot's place is its club's; a slot in use keeps its dates, place and capacity."""

    dependencies = [("slots", "0002_owners"), ("clubs", "0001_initial")]
    operations = [
        check(table="clubs_area", name="area_id_positive", condition="id > 0"),  # 0 stands for "none" in area_key
        check(table="clubs_instructor", name="instructor_id_positive", condition="id > 0"),
        check(
            table="slots_claim",
            name="claim_hold_ends_by_the_start",
            condition="held_until IS NULL OR held_until <= lower(period)",
        ),
        same_club(table="slots_slot", column="area_id", refers="clubs_area", name="slot_area_of_same_club"),
        same_club(
            table="slots_slot", column="instructor_id", refers="clubs_instructor", name="slot_instructor_of_same_club"
        ),
        foreign_key(
            table="slots_slot",
            name="slot_exclusive_is_its_areas",
            columns="area_id, exclusive",
            refers="clubs_area (id, exclusive)",
            options="ON UPDATE CASCADE",
        ),
        same_club(table="slots_claim", column="slot_id", refers="slots_slot", name="claim_slot_of_same_club"),
        foreign_key(
            table="slots_claim",
            name="claim_place_is_its_slots",
            columns="slot_id, area_key, instructor_key, period",
            refers="slots_slot (id, area_key, instructor_key, period)",
        ),
        foreign_key(
            table="slots_claim",
            name="claim_capacity_is_its_slots",
            columns="slot_id, exclusive, capacity",
            refers="slots_slot (id, exclusive, capacity)",
            options="ON UPDATE CASCADE",
        ),
    ]
