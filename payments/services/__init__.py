"""What other rooms may ask of payments."""

from payments.services.asking import look_again, watch_later
from payments.services.deciding import (
    collected_otherwise,
    decide_return,
    decide_used,
    derive,
    give_back,
    keep_at_most,
    keep_only,
    standing,
    take_before_the_hold_dies,
    uncollected,
)
from payments.services.handing import handed_back
from payments.services.reconciling import (
    Compared,
    Difference,
    ask_to_compare,
    compare,
    keep,
    plan_comparisons,
    reconcile,
)
from payments.services.recording import lock_payments, record
from payments.services.starting import CheckoutRepeated, Start, open_payment, plan_page, record_onsite, with_its_page

__all__ = [
    "CheckoutRepeated",
    "Compared",
    "Difference",
    "Start",
    "ask_to_compare",
    "collected_otherwise",
    "compare",
    "decide_return",
    "decide_used",
    "derive",
    "give_back",
    "handed_back",
    "keep",
    "keep_at_most",
    "keep_only",
    "lock_payments",
    "look_again",
    "open_payment",
    "plan_comparisons",
    "plan_page",
    "reconcile",
    "record",
    "record_onsite",
    "standing",
    "take_before_the_hold_dies",
    "uncollected",
    "watch_later",
    "with_its_page",
]
