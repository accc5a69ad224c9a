from django.db import migrations

from palms.guards import guard, refuse

EDITED = refuse("walletentry_append_only", "a movement of a wallet is never edited")
# After the insert: one that a conflict clause drops must not move anything.
MOVED = """
    UPDATE clients_wallet SET balance = balance + NEW.amount WHERE id = NEW.wallet_id;
    RETURN NULL;
"""
BALANCE = f"""
    IF TG_OP = 'INSERT' AND NEW.balance <> 0 OR
       TG_OP = 'UPDATE' AND NEW.balance <> OLD.balance AND pg_trigger_depth() < 2 THEN
        {refuse("wallet_balance_is_its_entries", "a balance moves by entries only")}
    END IF;
    RETURN NEW;
"""


class Migration(migrations.Migration):
    """A wallet's balance is the sum of its entries. The row lock of the balance puts its writers in single file."""

    dependencies = [("clients", "0001_initial")]
    operations = [
        guard(
            table="clients_walletentry", name="walletentry_append_only", when="BEFORE UPDATE OR DELETE", body=EDITED
        ),
        guard(table="clients_walletentry", name="walletentry_moves_the_balance", when="AFTER INSERT", body=MOVED),
        guard(table="clients_wallet", name="wallet_balance_guard", when="BEFORE INSERT OR UPDATE", body=BALANCE),
    ]
