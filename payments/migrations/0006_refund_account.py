from django.db import migrations

from palms.guards import guard, refuse

# A composite foreign key does not look at a row whose account is NULL. A payment never changes its account, so a plain read holds.
ACCOUNT = f"""
    IF NEW.account_id IS NULL AND EXISTS (
        SELECT FROM payments_payment p WHERE p.id = NEW.payment_id AND p.account_id IS NOT NULL
    ) THEN
        {refuse("refund_through_its_payments_account", "what came through a bank goes back through it")}
    END IF;
    RETURN NEW;
"""


class Migration(migrations.Migration):
    """No refund of a bank's payment passes for one that people hand back on site."""

    dependencies = [("payments", "0005_overdue")]
    operations = [
        guard(table="payments_refund", name="refund_of_a_bank_is_not_on_site", when="BEFORE INSERT", body=ACCOUNT),
    ]
