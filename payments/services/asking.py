"""Talking to providers: the calls of durable intents, and what is done with their answers. Never inside a transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from palms import intents, points
from palms.clock import now_utc
from palms.intents import Done, Job, Later, Outcome, Refused, Unknown
from palms.models import Intent
from palms.money import Money
from palms.seats import seat
from palms.text import storable
from payments.models import Payment, Refund
from payments.providers import provider_for
from payments.providers.base import (
    NewPayment,
    PaymentSeen,
    Provider,
    ProviderRefused,
    ProviderUnknown,
    Receipt,
    Seen,
    SeenRefund,
)
from payments.rules import SAFETY, Step, is_strange
from payments.services.deciding import WATCH
from payments.services.recording import refuse_refund
from payments.targets import Close, Sighting, nothing, target_of

LOOKED = points.commit("payments.look_again")
LOOK_EVERY = timedelta(seconds=50)
PAGE_LIFE = timedelta(minutes=75)  # a provider's page lives an hour; later a pending payment is looked at less often
SLACK = timedelta(hours=1)  # how far the provider's clock may be from ours


def _reach(payment_id: int, *, at_hand: Payment | None = None) -> tuple[Payment, Provider]:
    """Load a payment and its provider; from here on no database connection waits for the provider."""
    payment = at_hand or Payment.objects.select_related("account", "booking").get(pk=payment_id)
    if payment.account is None:
        raise ValueError(f"payment {payment.pk} has no provider account to ask")
    intents.let_go()
    return payment, provider_for(payment.account)


def _receipt(payment: Payment) -> Receipt | None:
    """Return what the receipt of a call says; None where the club's account has receipts off.

    After the rules of receipts were changed the bank refuses a repeat: what moves money is read and derived again; a page that
    nobody has seen yet is given up, and money that came to it all the same goes back.
    """
    account = payment.account
    if account is None or account.vat_code is None:
        return None
    payer, words = target_of(payment).payer(payment), payment.description or str(_("Services of the club"))
    intents.let_go()
    return Receipt(payer.email, payer.phone, words, account.vat_code, account.receipt_mode, account.tax_system)


def _sight(payment: Payment, provider: Provider, patience: float) -> Sighting:
    """Read a payment, and its refunds where they may say more than we know."""
    seen = provider.read(payment.provider_payment_id or "", patience=patience)
    if seen.status is Seen.TAKEN and (seen.refunded or payment.refunded):
        return Sighting(seen, tuple(provider.refunds(seen.id, patience=patience)))
    return Sighting(seen)


def call_create(job: Job) -> Outcome:
    """Ask for a payment page; after the provider has forgotten our key, look for it instead of asking again."""
    try:
        payment, provider = _reach(job.subject_id, at_hand=job.subject)
        if not job.key_is_stale(now_utc()):
            made = provider.create(_new(payment, job), key=job.key, patience=job.patience)
            strange = is_strange(payment, made)
            return Unknown(f"the bank answers about {strange}") if strange else Done(Sighting(made))
        since, until = payment.created_at - SLACK, payment.created_at + intents.KEY_LIFE + SLACK
        found = provider.find(payment.token, since=since, until=until, patience=job.patience)
        return Done(Sighting(found)) if found else Refused("never created")
    except ProviderRefused as no:
        return Refused(str(no))
    except ProviderUnknown as error:
        return Unknown(str(error))


def _new(payment: Payment, job: Job) -> NewPayment:
    return NewPayment(
        token=payment.token,
        amount=Money(payment.amount, payment.currency),
        two_stage=payment.two_stage,
        description=payment.description,
        return_url=target_of(payment).return_url(payment),
        locale=str(job.payload.get("locale", "ru")),
        receipt=_receipt(payment),
    )


def apply_create(job: Job, outcome: Done | Refused | Later) -> None:
    """Keep the page of a payment: the usual case, one statement. Where a notification was faster, the door decides."""
    if isinstance(outcome, Done) and _keep_page(job.subject_id, outcome.answer.payment):
        intents.finish(job, outcome)
        return
    target = target_of(Payment.objects.get(pk=job.subject_id))
    if isinstance(outcome, Refused):
        target.give_up(job.subject_id, _closer(job, outcome))
    elif isinstance(outcome, Done):
        target.door(payment_id=job.subject_id, seen=outcome.answer, close=_closer(job, outcome))


def _keep_page(payment_id: int, seen: PaymentSeen) -> bool:
    fresh = Payment.objects.filter(pk=payment_id, token=seen.token, provider_payment_id__isnull=True)
    return (
        seen.status is Seen.PENDING
        and fresh.update(
            provider_payment_id=seen.id,
            provider_status=seen.provider_status[:40],
            provider_data=storable(seen.raw),
            confirmation_url=seen.confirmation_url,
        )
        == 1
    )


def call_capture(job: Job) -> Outcome:
    def act(payment: Payment, provider: Provider) -> dict[str, Any]:
        amount = Money(int(job.payload["amount"]), payment.currency)
        paid, receipt = payment.provider_payment_id or "", _receipt(payment)
        provider.capture(paid, amount, key=job.key, patience=job.patience, receipt=receipt)
        return {"taken_by_us": amount.amount}

    return _act_and_read(job, act)


def call_void(job: Job) -> Outcome:
    def act(payment: Payment, provider: Provider) -> dict[str, Any]:
        provider.void(payment.provider_payment_id or "", key=job.key, patience=job.patience)
        return {}

    return _act_and_read(job, act)


def call_refund(job: Job) -> Outcome:
    def act(payment: Payment, provider: Provider) -> dict[str, Any]:
        refund = Refund.objects.get(pk=job.payload["refund_id"])
        intents.let_go()
        if refund.state != Refund.State.INTENDED or refund.provider_refund_id:
            return {}
        amount, paid = Money(refund.amount, payment.currency), payment.provider_payment_id or ""
        how: dict[str, Any] = {"key": job.key, "patience": job.patience, "receipt": _receipt(payment)}
        return {"refunds": (provider.refund(paid, amount, our_id=refund.pk, **how),)}

    return _act_and_read(job, act)


def _act_and_read(job: Job, act: Callable[[Payment, Provider], dict[str, Any]]) -> Outcome:
    """Make one call that moves money, then read what is true. A refusal is read and derived again, never believed alone.

    After the provider has forgotten our key the call is not made: reading tells whether it ever was.
    """
    facts: dict[str, Any] = {}
    try:
        payment, provider = _reach(job.subject_id)
        if not job.key_is_stale(now_utc()):
            try:
                facts = act(payment, provider)
            except ProviderRefused as no:
                facts = {"refused": str(no)}
        shown = provider.read(payment.provider_payment_id or "", patience=job.patience)
        listed = provider.refunds(shown.id, patience=job.patience) if shown.status is Seen.TAKEN else []
    except (ProviderUnknown, ProviderRefused) as error:  # a read is refused only when something is badly configured
        return Unknown(f"{facts.get('refused', '')} {error}".strip())
    made = facts.pop("refunds", ())
    known = {refund.id for refund in listed}
    refunds = (*listed, *(refund for refund in made if refund.id not in known))  # a list may lag behind its own answer
    return Done(Sighting(shown, refunds, **facts))


def apply_movement(job: Job, outcome: Done | Refused | Later) -> None:
    """Record what a capture, void or refund led to, close the intent, and plan what still differs."""
    seen: Sighting = outcome.answer  # type: ignore[union-attr]  # calls that move money answer Done only

    def close(payment: Payment, *, believed: bool) -> None:
        now = now_utc()
        mine = next(
            (r for r in seen.refunds if r.our_id is not None and r.our_id == job.payload.get("refund_id")), None
        )
        if not believed or (mine is not None and mine.status is SeenRefund.PENDING):
            intents.postpone(job, now + intents.pause(min(job.attempts + 3, 11)), error="not final")
            return
        refused = seen.refused or (mine.reason or "canceled" if mine and mine.status is SeenRefund.REFUSED else "")
        if mine is None and (refused or job.key_is_stale(now)):
            for refund in Refund.objects.filter(pk=job.payload.get("refund_id", 0), state=Refund.State.INTENDED):
                refuse_refund(payment, refund, reason=refused or "never made", now=now)
        intents.finish(job, Refused(refused) if refused else Done())

    payment = Payment.objects.get(pk=job.subject_id)
    target_of(payment).door(payment_id=payment.pk, seen=seen, close=close)


def call_watch(job: Job) -> Outcome:
    """Look at a payment that nobody has told us the end of. A lost notification costs a minute."""
    now = now_utc()
    try:
        payment, provider = _reach(job.subject_id)
        if not payment.provider_payment_id:
            return Later(now + LOOK_EVERY)  # its page is still being asked for
        sighting = _sight(payment, provider, job.patience)
    except ProviderUnknown as error:
        return Unknown(str(error))
    except ProviderRefused as no:
        return Unknown(f"refused: {no}")
    after = _next_look(payment, sighting.payment, now)
    return Later(after, sighting) if after else Done(sighting)


def _next_look(payment: Payment, seen: PaymentSeen, now: datetime) -> datetime | None:
    """Return when to look next: soon while somebody may pay, slowly while money can still leave from outside."""
    if seen.status is Seen.PENDING:
        return now + (LOOK_EVERY if now - payment.created_at < PAGE_LIFE else timedelta(hours=1))
    if seen.status is Seen.HELD:
        dies = seen.hold_expires_at or now + timedelta(hours=6)
        return max(now + timedelta(minutes=10), min(dies - SAFETY, now + timedelta(hours=6)))
    if seen.status is Seen.TAKEN and payment.decision != "RETURN" and not _is_over(payment):
        return now + timedelta(hours=6)
    return None


def watch_later(payment: Payment, seen: PaymentSeen, *, now: datetime) -> None:
    """Put off the watch of a locked payment that has just been seen and serves its booking, however it was seen."""
    after = _next_look(payment, seen, now) if payment.decision == "USED" else None
    if after is not None:
        watch = Intent.objects.filter(lane=f"watch:{payment.pk}", state=Intent.State.OPEN, due_at__lt=after)
        watch.update(due_at=after)


def _is_over(payment: Payment) -> bool:
    """Whether nothing hangs on this money any more but the books: a visit that has ended, a fee that was paid."""
    if payment.overdue_id is not None:
        return payment.decision is not None
    return payment.booking is not None and payment.booking.finished_at is not None


def apply_watch(job: Job, outcome: Done | Refused | Later) -> None:
    if isinstance(outcome, Later) and outcome.answer is None:
        payment = Payment.objects.get(pk=job.subject_id)
        if payment.status == Payment.Status.FAILED:
            intents.finish(job, Done())
        else:
            intents.postpone(job, outcome.at)
        return
    payment = Payment.objects.get(pk=job.subject_id)
    target_of(payment).door(payment_id=payment.pk, seen=outcome.answer, close=_closer(job, outcome))  # type: ignore[union-attr]


def _closer(job: Job, outcome: Done | Refused | Later) -> Close:
    """Return what ends the intent: postponed, or finished; an answer that was not believed is asked for again."""

    def close(payment: Payment, *, believed: bool) -> None:
        if isinstance(outcome, Later):
            intents.postpone(job, outcome.at)
        elif believed:
            intents.finish(job, outcome)
        else:
            intents.postpone(job, now_utc() + intents.pause(job.attempts + 3), error="not believed")

    return close


def look_again(*, payment_id: int, patience: float) -> bool:
    """Ask the provider now: the return page and the status page. Outside any transaction, holding no lock.

    What is open is run if it is due; a payment with a page is read. An unknown outcome changes nothing: a sweep goes on.
    Returns False where the provider was asked about a payment and did not say how it stands.
    """
    open_call = Intent.objects.filter(lane=f"payment:{payment_id}", state=Intent.State.OPEN).first()
    if open_call is not None:
        intents.run(open_call.pk, patience=patience)
        return True
    try:
        payment, provider = _reach(payment_id)
        if not payment.provider_payment_id:
            return True
        with seat(payment.club_id) as seated:
            if not seated:
                return False
            sighting = _sight(payment, provider, patience)
    except (ProviderUnknown, ProviderRefused):
        return False
    with LOOKED:
        target_of(payment).door(payment_id=payment_id, seen=sighting, close=nothing)
    return True


def register_calls() -> None:
    """Tell durable intents how this room's kinds are called and applied."""
    intents.register("payments.create", call=call_create, apply=apply_create)
    intents.register(Step.CAPTURE, call=call_capture, apply=apply_movement)
    intents.register(Step.VOID, call=call_void, apply=apply_movement)
    intents.register(Step.REFUND, call=call_refund, apply=apply_movement)
    intents.register(WATCH, call=call_watch, apply=apply_watch)
