"""Who the customer is: the client of a club, the wallet and the referral code made with it."""

from __future__ import annotations

import pghistory
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


@pghistory.track(exclude=["full_name", "phone", "email", "birth_date", "telegram_id"])
class Client(models.Model):
    """A customer of one club, known by phone (E.164). Not a User: it has no password. Unknown birth date is NULL."""

    club = models.ForeignKey("clubs.Club", on_delete=models.PROTECT, related_name="clients", verbose_name=_("club"))
    full_name = models.CharField(_("full name"), max_length=200)
    phone = models.CharField(_("phone"), max_length=16)
    email = models.EmailField(_("email"), blank=True)
    birth_date = models.DateField(_("birth date"), null=True, blank=True)
    telegram_id = models.BigIntegerField(null=True, blank=True)
    referral_code = models.CharField(_("referral code"), max_length=16, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    is_blocked = False  # for who was read with it: `find_or_make_client`

    class Meta:
        verbose_name, verbose_name_plural = _("client"), _("clients")
        indexes = [GinIndex(SearchVector("full_name", config="simple"), name="client_names")]
        constraints = [
            models.UniqueConstraint(name="client_one_per_phone", fields=["club", "phone"]),
            models.UniqueConstraint(name="client_one_per_referral_code", fields=["club", "referral_code"]),
            models.UniqueConstraint(name="client_club_key", fields=["club", "id"]),
            models.CheckConstraint(name="client_phone_is_e164", condition=Q(phone__regex=r"^\+[1-9][0-9]{6,14}$")),
            models.CheckConstraint(
                name="client_birth_date_is_real", condition=Q(birth_date__isnull=True) | Q(birth_date__gt="1900-01-01")
            ),
        ]

    def __str__(self) -> str:
        return self.full_name


class Wallet(models.Model):
    """A client's wallet. `balance` (minor units) is the sum of its entries; only the trigger on entries moves it."""

    club = models.ForeignKey("clubs.Club", on_delete=models.PROTECT, related_name="+", verbose_name=_("club"))
    client = models.OneToOneField(Client, on_delete=models.PROTECT, related_name="wallet", verbose_name=_("client"))
    number = models.CharField(_("number"), max_length=20, unique=True, editable=False)
    currency = models.CharField(_("currency"), max_length=3, default="RUB")
    balance = models.BigIntegerField(_("balance"), default=0, editable=False)

    class Meta:
        verbose_name, verbose_name_plural = _("wallet"), _("wallets")
        constraints = [models.CheckConstraint(name="wallet_balance_not_negative", condition=Q(balance__gte=0))]

    def __str__(self) -> str:
        return self.number


class WalletEntry(models.Model):
    """One movement of a wallet, signed, in minor units. Appended, never edited: held by trigger."""

    club = models.ForeignKey("clubs.Club", on_delete=models.PROTECT, related_name="+")
    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="entries")
    amount = models.BigIntegerField()
    cause = models.CharField(max_length=60)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="walletentry_once_per_cause", fields=["wallet", "cause"]),
            models.CheckConstraint(name="walletentry_moves_something", condition=~Q(amount=0)),
        ]

    def __str__(self) -> str:
        return f"{self.wallet_id}: {self.amount}"


@pghistory.track(exclude=["text"])
class ClientNote(models.Model):
    """What the staff should know of a client; the client never reads it. Not edited: taken back, and then forgotten."""

    club = models.ForeignKey("clubs.Club", on_delete=models.PROTECT, related_name="+", verbose_name=_("club"))
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="notes", verbose_name=_("client"))
    author = models.ForeignKey(
        "clubs.User", null=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("author")
    )
    text = models.CharField(_("note"), max_length=1000, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    removed_at = models.DateTimeField(_("taken back"), null=True)

    class Meta:
        verbose_name, verbose_name_plural = _("note about a client"), _("notes about clients")
        constraints = [
            models.CheckConstraint(
                name="clientnote_forgotten_once_removed",
                condition=Q(removed_at__isnull=True) & ~Q(text="") | Q(removed_at__isnull=False, text=""),
            )
        ]

    def __str__(self) -> str:
        return str(self.pk)


@pghistory.track(exclude=["reason"])
class ClientBlock(models.Model):
    """A client who does not book online, from `created_at` until `ended_at`. The reason is for the staff only."""

    club = models.ForeignKey("clubs.Club", on_delete=models.PROTECT, related_name="+", verbose_name=_("club"))
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="blocks", verbose_name=_("client"))
    reason = models.CharField(_("reason"), max_length=300)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    ended_at = models.DateTimeField(_("lifted"), null=True)

    class Meta:
        verbose_name, verbose_name_plural = _("block of a client"), _("blocks of clients")
        constraints = [
            models.UniqueConstraint(
                name="clientblock_one_at_a_time", fields=["client"], condition=Q(ended_at__isnull=True)
            ),
            models.CheckConstraint(name="clientblock_says_why", condition=~Q(reason="")),
        ]

    def __str__(self) -> str:
        return str(self.pk)
