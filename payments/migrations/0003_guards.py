from django.db import migrations

from palms.guards import foreign_key, guard, refuse, same_club, unique

PAYMENT = f"""
    IF TG_OP = 'DELETE' THEN
        {refuse("payment_never_deleted", "a payment is never deleted")}
    ELSIF TG_OP = 'INSERT' THEN
        IF NOT (NEW.status = 'PENDING' OR NEW.status = 'CAPTURED' AND NEW.provider = 'onsite') THEN
            {refuse("payment_birth", "a payment is born PENDING, or CAPTURED on site")}
        END IF;
        IF NEW.refunded <> 0 THEN
            {refuse("payment_refunded_is_its_refunds", "refunded is the sum of refunds")}
        END IF;
        IF NEW.decision IS NOT NULL AND NEW.provider <> 'onsite' THEN
            {refuse("payment_birth", "nothing is decided before there is money")}
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.status <> OLD.status AND (OLD.status, NEW.status) NOT IN (
        ('PENDING', 'AUTHORIZED'), ('PENDING', 'CAPTURED'), ('PENDING', 'FAILED'),
        ('AUTHORIZED', 'CAPTURED'), ('AUTHORIZED', 'VOIDED'),
        ('FAILED', 'AUTHORIZED'), ('FAILED', 'CAPTURED'), ('VOIDED', 'AUTHORIZED'), ('VOIDED', 'CAPTURED')
    ) THEN
        {refuse("payment_transition", "a payment does not move that way")}
    END IF;
    IF NEW.status <> OLD.status AND OLD.status IN ('FAILED', 'VOIDED') AND NEW.decision IS DISTINCT FROM 'RETURN' THEN
        {refuse("payment_reopened_only_to_return", "money seen after the end can only go back")}
    END IF;
    IF (NEW.snapshot, NEW.amount, NEW.currency, NEW.purpose, NEW.provider, NEW.account_id, NEW.club_id, NEW.client_id,
        NEW.token, NEW.checkout_key, NEW.two_stage)
       IS DISTINCT FROM
       (OLD.snapshot, OLD.amount, OLD.currency, OLD.purpose, OLD.provider, OLD.account_id, OLD.club_id, OLD.client_id,
        OLD.token, OLD.checkout_key, OLD.two_stage) THEN
        {refuse("payment_snapshot_immutable", "what was asked for does not change")}
    END IF;
    IF OLD.booking_id IS NOT NULL AND NEW.booking_id IS DISTINCT FROM OLD.booking_id THEN
        {refuse("payment_target_immutable", "a payment keeps its target")}
    END IF;
    IF OLD.provider_payment_id IS NOT NULL AND NEW.provider_payment_id IS DISTINCT FROM OLD.provider_payment_id THEN
        {refuse("payment_provider_id_immutable", "a payment keeps its id at the provider")}
    END IF;
    IF OLD.decision = 'RETURN' AND NEW.decision IS DISTINCT FROM 'RETURN'
       OR OLD.decision = 'USED' AND NEW.decision IS NULL
       OR OLD.decision = 'USED' AND NEW.decision = 'RETURN' AND OLD.status NOT IN ('FAILED', 'VOIDED') THEN
        {refuse("payment_decided_once", "a decision is not taken back")}
    END IF;
    IF NEW.keep > OLD.keep THEN
        {refuse("payment_keep_only_shrinks", "what is kept only shrinks")}
    END IF;
    IF OLD.status = 'CAPTURED' AND NEW.status = 'CAPTURED' AND NEW.captured <> OLD.captured THEN
        {refuse("payment_captured_once", "money is taken once")}
    END IF;
    IF NEW.refunded <> OLD.refunded AND pg_trigger_depth() < 2 THEN
        {refuse("payment_refunded_is_its_refunds", "refunded is the sum of refunds")}
    END IF;
    RETURN NEW;
"""
REFUND = f"""
    IF TG_OP = 'DELETE' THEN
        {refuse("refund_never_deleted", "a refund is never deleted")}
    ELSIF TG_OP = 'UPDATE' THEN
        IF OLD.state <> 'INTENDED' THEN
            {refuse("refund_final", "a finished refund does not change")}
        END IF;
        IF (NEW.amount, NEW.payment_id, NEW.cause, NEW.account_id) IS DISTINCT FROM
           (OLD.amount, OLD.payment_id, OLD.cause, OLD.account_id) THEN
            {refuse("refund_immutable", "a refund keeps its payment, cause and amount")}
        END IF;
    END IF;
    RETURN NEW;
"""
REFUNDED = """
    UPDATE payments_payment SET refunded = refunded
        + CASE WHEN NEW.state <> 'REFUSED' THEN NEW.amount ELSE 0 END
        - CASE WHEN TG_OP = 'UPDATE' AND OLD.state <> 'REFUSED' THEN OLD.amount ELSE 0 END
    WHERE id = NEW.payment_id;
    RETURN NEW;
"""


ACCOUNT = f"""
    IF (NEW.club_id, NEW.provider, NEW.account_id, NEW.is_test)
       IS DISTINCT FROM (OLD.club_id, OLD.provider, OLD.account_id, OLD.is_test) THEN
        {refuse("provideraccount_immutable", "payments were made with this account: add another")}
    END IF;
    RETURN NEW;
"""


class Migration(migrations.Migration):
    """Payments move only as the table of domain section 5 says; decided once; refunds add up to `refunded`."""

    dependencies = [("payments", "0002_owners"), ("clients", "0002_guards"), ("slots", "0003_guards")]
    operations = [
        guard(table="payments_payment", name="payment_guard", when="BEFORE INSERT OR UPDATE OR DELETE", body=PAYMENT),
        guard(table="payments_provideraccount", name="provideraccount_immutable", when="BEFORE UPDATE", body=ACCOUNT),
        unique(table="payments_payment", name="payment_account_key", columns="id, account_id"),
        foreign_key(
            table="payments_refund",
            name="refund_through_its_payments_account",
            columns="payment_id, account_id",
            refers="payments_payment (id, account_id)",
        ),
        guard(table="payments_refund", name="refund_guard", when="BEFORE UPDATE OR DELETE", body=REFUND),
        guard(
            table="payments_refund",
            name="refund_moves_refunded",
            when="AFTER INSERT OR UPDATE OF state",
            body=REFUNDED,
        ),
        same_club(table="payments_payment", column="client_id", refers="clients_client", name="payment_client_of_same_club"),
        same_club(
            table="payments_payment",
            column="account_id",
            refers="payments_provideraccount",
            name="payment_account_of_same_club",
        ),
        same_club(table="payments_refund", column="payment_id", refers="payments_payment", name="refund_of_same_club"),
        same_club(table="slots_claim", column="payment_id", refers="payments_payment", name="claim_payment_of_same_club"),
    ]
