"""Money secured, captured and returned; the inbox of what providers tell us. Amounts are integers in minor units."""

from __future__ import annotations

import secrets
from datetime import datetime

import pghistory
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Least
from django.utils.translation import gettext_lazy as _
from django_fsm import ConcurrentTransitionMixin, FSMField, transition


def new_token() -> str:
    """Return 128 random bits for a customer's address."""
    return secrets.token_urlsafe(16)


class Vat(models.IntegerChoices):
    """Of a receipt (54-FZ): the codes of the tax service, as providers take them."""

    NONE = 1, _("no VAT")
    ZERO = 2, "0%"
    TEN = 3, "10%"
    TWENTY = 4, "20%"
    TEN_WITHIN = 5, "10/110"
    TWENTY_WITHIN = 6, "20/120"
    FIVE = 7, "5%"
    SEVEN = 8, "7%"
    FIVE_WITHIN = 9, "5/105"
    SEVEN_WITHIN = 10, "7/107"
    MAIN = 11, "22%"
    MAIN_WITHIN = 12, "22/122"


class TaxSystem(models.IntegerChoices):
    GENERAL = 1, _("general")
    SIMPLE = 2, _("simplified, income")
    SIMPLE_NET = 3, _("simplified, income less expenses")
    FARM = 5, _("agricultural")
    PATENT = 6, _("patent")


class ReceiptMode(models.TextChoices):
    """What money taken through the provider is, in a receipt."""

    FULL = "full_payment", _("full payment")
    PREPAID = "full_prepayment", _("full prepayment")


class Provider(models.TextChoices):
    YOOKASSA = "yookassa", _("YooKassa")
    ONSITE = "onsite", _("on site")


@pghistory.track(exclude=["credentials"])
class ProviderAccount(models.Model):
    """A club's account with a payment provider. `credentials` is a sealed JSON object (palms.secrets), never shown.

    With a `vat_code` every payment, capture and refund carries the data of a receipt (54-FZ); without one none does.
    """

    club = models.ForeignKey(
        "clubs.Club", on_delete=models.PROTECT, related_name="provider_accounts", verbose_name=_("club")
    )
    provider = models.CharField(_("provider"), max_length=12, choices=Provider.choices)
    account_id = models.CharField(_("account at the provider"), max_length=64)
    is_test = models.BooleanField(_("test"), default=True)
    is_default = models.BooleanField(_("used at checkout"), default=True)
    vat_code = models.PositiveSmallIntegerField(_("VAT on receipts"), choices=Vat.choices, null=True, blank=True)
    tax_system = models.PositiveSmallIntegerField(_("tax system"), choices=TaxSystem.choices, null=True, blank=True)
    receipt_mode = models.CharField(
        _("on receipts it is"), max_length=16, choices=ReceiptMode.choices, default=ReceiptMode.FULL
    )
    credentials = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name, verbose_name_plural = _("provider account"), _("provider accounts")
        constraints = [
            models.UniqueConstraint(name="provideraccount_once_per_club", fields=["club", "provider", "account_id"]),
            models.UniqueConstraint(
                name="provideraccount_one_default_per_club", fields=["club"], condition=Q(is_default=True)
            ),
            models.UniqueConstraint(name="provideraccount_club_key", fields=["club", "id"]),
            models.CheckConstraint(
                name="provideraccount_provider_known", condition=Q(provider__in=["yookassa", "onsite"])
            ),
            models.CheckConstraint(
                name="provideraccount_receipt_known",
                condition=Q(
                    vat_code__isnull=False,
                    vat_code__range=(1, 12),
                    receipt_mode__in=["full_payment", "full_prepayment"],
                )
                & (Q(tax_system__isnull=True) | Q(tax_system__in=[1, 2, 3, 5, 6]))
                | Q(vat_code__isnull=True, tax_system__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_provider_display()} {self.account_id}"


class S(models.TextChoices):
    """Payment status (domain section 5). Every move comes from the provider's answer, never from our time-outs."""

    PENDING = "PENDING", _("waiting for the payer")
    AUTHORIZED = "AUTHORIZED", _("held on the card")
    CAPTURED = "CAPTURED", _("taken")
    VOIDED = "VOIDED", _("hold released")
    FAILED = "FAILED", _("not paid")


class Decision(models.TextChoices):
    USED = "USED", _("serves a booking")
    RETURN = "RETURN", _("goes back")


@pghistory.track(exclude=["provider_data", "standing", "visitor", "checkout_key", "token", "confirmation_url"])
class Payment(ConcurrentTransitionMixin, models.Model):
    """One attempt to take money for exactly one thing: a booking, or a fee for staying, which is never the booking's money.

    `snapshot` is what was asked for (ids and choices, no personal data) and never changes. `decision` is taken once, by
    `confirm_booking_payment`. `keep` is how much shall end with the club; it only shrinks. `standing` is how much of it
    counts for a booking now. `refunded` is the sum of refunds intended and done, kept by trigger.
    """

    class Purpose(models.TextChoices):
        BOOKING = "booking", _("booking")
        OVERDUE = "overdue", _("fee for staying")

    Status = S

    club = models.ForeignKey("clubs.Club", on_delete=models.PROTECT, related_name="payments", verbose_name=_("club"))
    client = models.ForeignKey(
        "clients.Client", on_delete=models.PROTECT, related_name="payments", verbose_name=_("client")
    )
    token = models.CharField(max_length=32, default=new_token, unique=True, editable=False)
    purpose = models.CharField(_("for"), max_length=10, choices=Purpose.choices, default=Purpose.BOOKING)
    booking = models.ForeignKey(
        "bookings.Booking", null=True, on_delete=models.PROTECT, related_name="payments", verbose_name=_("booking")
    )
    overdue = models.ForeignKey(  # its key is that of its booking
        "bookings.Overdue",
        null=True, on_delete=models.PROTECT, related_name="payments", verbose_name=_("fee for staying"),
    )  # fmt: skip
    snapshot = models.JSONField(null=True, editable=False)
    checkout_key = models.CharField(max_length=255, null=True, editable=False)
    visitor = models.CharField(max_length=64, blank=True, editable=False)

    provider = models.CharField(_("provider"), max_length=12, choices=Provider.choices)
    account = models.ForeignKey(
        ProviderAccount, null=True, on_delete=models.PROTECT, related_name="payments", verbose_name=_("account")
    )
    two_stage = models.BooleanField(_("held first, taken later"), default=False)
    description = models.CharField(_("description"), max_length=128, blank=True)
    amount = models.BigIntegerField(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    captured = models.BigIntegerField(_("taken"), default=0)
    refunded = models.BigIntegerField(_("returned"), default=0)

    status = FSMField(_("status"), choices=S.choices, default=S.PENDING, protected=True)
    decision = models.CharField(_("decision"), max_length=6, choices=Decision.choices, null=True)
    decision_reason = models.CharField(_("why"), max_length=40, blank=True)
    keep = models.BigIntegerField(_("to be kept"), null=True)
    capture_at = models.DateTimeField(_("to be taken at"), null=True)
    hold_expires_at = models.DateTimeField(_("hold dies at"), null=True)
    trouble = models.CharField(_("trouble"), max_length=200, blank=True)

    provider_payment_id = models.CharField(max_length=64, null=True)
    order_id = models.CharField(max_length=64, null=True)
    provider_status = models.CharField(_("status at the provider"), max_length=40, blank=True)
    payment_method = models.CharField(_("method"), max_length=40, blank=True)
    provider_data = models.JSONField(null=True)
    confirmation_url = models.URLField(max_length=2048, blank=True)

    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    captured_at = models.DateTimeField(_("taken at"), null=True)
    standing = models.GeneratedField(
        expression=Case(
            When(decision="USED", status="AUTHORIZED", then=F("keep")),
            When(decision="USED", status="CAPTURED", then=Least(F("keep"), F("captured") - F("refunded"))),
            default=Value(0),
        ),
        output_field=models.BigIntegerField(),
        db_persist=True,
    )

    class Meta:
        verbose_name, verbose_name_plural = _("payment"), _("payments")
        indexes = [
            models.Index(fields=["club", "-created_at", "-id"], name="payment_club_created"),
            models.Index(fields=["booking"], name="payment_booking"),
        ]
        constraints = [
            models.CheckConstraint(name="payment_amount_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(name="payment_currency_is_iso4217", condition=Q(currency__regex=r"^[A-Z]{3}$")),
            models.CheckConstraint(
                name="payment_status_known",
                condition=Q(status__in=["PENDING", "AUTHORIZED", "CAPTURED", "VOIDED", "FAILED"]),
            ),
            models.CheckConstraint(name="payment_provider_known", condition=Q(provider__in=["yookassa", "onsite"])),
            models.CheckConstraint(
                name="payment_captured_at_most_amount", condition=Q(captured__gte=0, captured__lte=F("amount"))
            ),
            models.CheckConstraint(
                name="payment_refunded_at_most_captured", condition=Q(refunded__gte=0, refunded__lte=F("captured"))
            ),
            models.CheckConstraint(
                name="payment_captured_exactly_when_taken",
                condition=Q(status="CAPTURED", captured__gt=0) | ~Q(status="CAPTURED") & Q(captured=0),
            ),
            models.CheckConstraint(
                name="payment_decision_names_what_is_kept",
                condition=Q(decision__isnull=True, keep__isnull=True)
                | Q(decision__isnull=False, keep__isnull=False, decision="USED", keep__range=(0, F("amount")))
                & (Q(booking__isnull=False) | Q(overdue__isnull=False))
                | Q(decision__isnull=False, keep__isnull=False, decision="RETURN", keep=0),
            ),
            models.CheckConstraint(
                name="payment_one_target",
                condition=Q(purpose="booking", overdue__isnull=True)
                & (Q(snapshot__isnull=False) | Q(booking__isnull=False))
                | Q(purpose="overdue", overdue__isnull=False, booking__isnull=True, snapshot__isnull=True),
            ),
            models.CheckConstraint(
                name="payment_of_a_fee_only_when_taken",
                condition=~Q(purpose="overdue")
                | Q(two_stage=False) & (Q(decision__isnull=True) | Q(decision="RETURN") | Q(status="CAPTURED")),
            ),
            models.UniqueConstraint(
                name="payment_fee_paid_once", fields=["overdue"], condition=Q(decision="USED", keep__gt=0)
            ),
            models.CheckConstraint(
                name="payment_account_unless_onsite",
                condition=Q(provider="onsite", account__isnull=True) | ~Q(provider="onsite") & Q(account__isnull=False),
            ),
            models.UniqueConstraint(name="payment_provider_id_once", fields=["account", "provider_payment_id"]),
            models.UniqueConstraint(name="payment_order_id_once", fields=["account", "order_id"]),
            models.UniqueConstraint(
                name="payment_one_per_checkout",
                fields=["club", "checkout_key"],
                condition=~Q(
                    decision_reason="never_created"
                ),  # a page that the bank refused to make leaves the key free
            ),
            models.UniqueConstraint(name="payment_club_key", fields=["club", "id"]),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.get_status_display()}"

    @transition(field=status, source=[S.PENDING, S.VOIDED, S.FAILED], target=S.AUTHORIZED)
    def authorize(self) -> None:
        """The provider holds the money. After VOIDED or FAILED it can only go back (held by trigger)."""

    @transition(field=status, source=[S.PENDING, S.AUTHORIZED, S.VOIDED, S.FAILED], target=S.CAPTURED)
    def capture(self, *, captured: int, at: datetime) -> None:
        """The provider has taken `captured`, fully or in part."""
        self.captured, self.captured_at = captured, at

    @transition(field=status, source=S.AUTHORIZED, target=S.VOIDED)
    def void(self) -> None:
        """The provider released the hold."""

    @transition(field=status, source=S.PENDING, target=S.FAILED)
    def fail(self) -> None:
        """The provider's final word: it will not be paid."""


@pghistory.track()
class Refund(models.Model):
    """Money going back on one payment, for one cause. A refused try keeps its row; the next one is a new row."""

    class State(models.TextChoices):
        INTENDED = "INTENDED", _("on its way")
        DONE = "DONE", _("returned")
        REFUSED = "REFUSED", _("refused by the provider")

    club = models.ForeignKey("clubs.Club", on_delete=models.PROTECT, related_name="+", verbose_name=_("club"))
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds", verbose_name=_("payment"))
    account = models.ForeignKey(ProviderAccount, null=True, on_delete=models.PROTECT, related_name="+")
    cause = models.CharField(_("cause"), max_length=80)
    amount = models.BigIntegerField(_("amount"))
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.INTENDED)
    provider_refund_id = models.CharField(max_length=64, null=True)
    reason = models.CharField(_("reason given by the provider"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True)

    class Meta:
        verbose_name, verbose_name_plural = _("refund"), _("refunds")
        constraints = [
            models.CheckConstraint(name="refund_amount_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(name="refund_state_known", condition=Q(state__in=["INTENDED", "DONE", "REFUSED"])),
            models.CheckConstraint(
                name="refund_finished_exactly_when_final",
                condition=Q(state="INTENDED", finished_at__isnull=True)
                | ~Q(state="INTENDED") & Q(finished_at__isnull=False),
            ),
            models.UniqueConstraint(
                name="refund_once_per_cause", fields=["payment", "cause"], condition=~Q(state="REFUSED")
            ),
            models.UniqueConstraint(name="refund_provider_id_once", fields=["account", "provider_refund_id"]),
        ]

    def __str__(self) -> str:
        return f"{self.payment_id}: {self.amount}"


class ProviderEvent(models.Model):
    """A notification as it came, stored before anything else. Its body is a hint to re-read, never a fact."""

    club = models.ForeignKey(
        "clubs.Club", null=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("club")
    )
    provider = models.CharField(_("provider"), max_length=12, choices=Provider.choices)
    account = models.ForeignKey(ProviderAccount, null=True, on_delete=models.PROTECT, related_name="+")
    payment = models.ForeignKey(Payment, null=True, on_delete=models.PROTECT, related_name="notices")
    event = models.CharField(_("event"), max_length=60)
    object_id = models.CharField(_("object"), max_length=64)
    body = models.TextField()  # the JSON as it came, whatever it holds
    received_at = models.DateTimeField(_("received"), auto_now_add=True)
    times = models.PositiveIntegerField(_("times"), default=1)
    applied_at = models.DateTimeField(_("applied"), null=True)

    class Meta:
        verbose_name, verbose_name_plural = _("provider event"), _("provider events")
        constraints = [
            models.UniqueConstraint(
                name="providerevent_once", fields=["provider", "account", "event", "object_id"], nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.object_id}"


class Reconciliation(models.Model):
    """One comparison of an account with its provider over [since, until), UTC, as it came out; never changed.

    `rows`: [{"ours", "there", "kind", "what", "here", "theirs"}], those that differ first; `here` and `theirs` are
    {"status", "amount", "refunded", "currency"} in minor units, or null. `compared` and `differing` count all of them.
    """

    club = models.ForeignKey("clubs.Club", on_delete=models.PROTECT, related_name="+", verbose_name=_("club"))
    account = models.ForeignKey(
        ProviderAccount, on_delete=models.PROTECT, related_name="reconciliations", verbose_name=_("account")
    )
    since = models.DateTimeField(_("from"))
    until = models.DateTimeField(_("to"))
    compared_at = models.DateTimeField(_("compared at"))
    compared = models.PositiveIntegerField(_("payments compared"))
    differing = models.PositiveIntegerField(_("differences"))
    rows = models.JSONField(_("payments"), default=list)

    class Meta:
        verbose_name, verbose_name_plural = _("reconciliation"), _("reconciliations")
        indexes = [models.Index(fields=["account", "-id"], name="reconciliation_latest")]
        constraints = [
            models.CheckConstraint(name="reconciliation_range_in_order", condition=Q(since__lt=F("until"))),
            models.CheckConstraint(name="reconciliation_adds_up", condition=Q(differing__lte=F("compared"))),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}: {self.differing}"
