"""What other rooms may ask of payments."""

from payments.services.asking import look_again
from payments.services.deciding import (
    decide_return,
    decide_used,
    derive,
    give_back,
    keep_only,
    standing,
    take_before_the_hold_dies,
)
from payments.services.reconciling import Difference, reconcile
from payments.services.recording import lock_payments, record
from payments.services.starting import CheckoutRepeated, Start, open_payment, plan_page, record_onsite

__all__ = [
    "CheckoutRepeated",
    "Difference",
    "Start",
    "decide_return",
    "decide_used",
    "derive",
    "give_back",
    "keep_only",
    "lock_payments",
    "look_again",
    "open_payment",
    "plan_page",
    "reconcile",
    "record",
    "record_onsite",
    "standing",
    "take_before_the_hold_dies",
]
