"""Money taken on site is handed back by people; here they say that they did."""

from __future__ import annotations

from palms import points
from palms.actors import Actor, acting
from palms.clock import now_utc
from palms.errors import NotFound, NotPermitted
from payments.errors import RefundNotOwed
from payments.models import Refund
from payments.services.recording import lock_payments


@points.commit("payments.handed_back")
def handed_back(*, refund_id: int, actor: Actor) -> Refund:
    """Record that the club handed a refund back in person. Said again, it answers what is recorded; nothing moves.

    Who said so stands in the refund's history.

    Raises:
        NotFound: there is no such refund. NotPermitted: the actor does not serve its club.
        RefundNotOwed: it goes back through a bank.
    """
    payment_id = Refund.objects.filter(pk=refund_id).values_list("payment_id", flat=True).first()
    if payment_id is None:
        raise NotFound
    lock_payments(ids=[payment_id])
    refund = Refund.objects.get(pk=refund_id)
    if not actor.serves(refund.club_id):
        raise NotPermitted
    if refund.account_id is not None or refund.state == Refund.State.REFUSED:
        raise RefundNotOwed(current_status=refund.state)
    if refund.state == Refund.State.INTENDED:
        refund.state, refund.finished_at = Refund.State.DONE, now_utc()
        with acting(actor):
            refund.save(update_fields=["state", "finished_at"])
    return refund
