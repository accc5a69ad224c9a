"""Clients are found by phone or made, with their wallet and referral code. A public form never overwrites them."""

from __future__ import annotations

import secrets
from datetime import date

from django.db import IntegrityError, transaction

from clients.models import Client, Wallet
from palms.errors import violated

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # without what is misread: I, O, 0, 1
TRIES = 5


def find_or_make_client(
    *, club_id: int, phone: str, full_name: str, email: str, birth_date: date | None, currency: str
) -> Client:
    """Return the club's client with this phone (E.164), made with wallet and referral code when first met.

    A transaction of its own, before any place is locked: inside that one most races of one new phone deadlock. A known
    client is returned as it is: what was typed belongs to the booking's contact. Source: domain section 4, step 1.
    """
    for _attempt in range(TRIES):
        client = Client.objects.filter(club_id=club_id, phone=phone).first()
        if client is not None:
            return client
        try:
            return _make(club_id, phone, full_name, email, birth_date, currency)
        except IntegrityError as error:  # somebody met the same phone at this moment, or a random code repeated
            if not violated(error).startswith(("client_one_per", "clients_wallet_number")):
                raise
    return Client.objects.get(club_id=club_id, phone=phone)


@transaction.atomic
def _make(club_id: int, phone: str, full_name: str, email: str, birth_date: date | None, currency: str) -> Client:
    client = Client.objects.create(
        club_id=club_id, phone=phone, full_name=full_name, email=email, birth_date=birth_date, referral_code=_code(8)
    )
    Wallet.objects.create(club_id=club_id, client=client, number=_code(12), currency=currency)
    return client


def fill_what_is_empty(*, client_id: int, email: str, birth_date: date | None) -> None:
    """Complete an empty email and an unknown birth date, once money has proved that somebody means it."""
    client = Client.objects.filter(pk=client_id)
    if email:
        client.filter(email="").update(email=email)
    if birth_date is not None:
        client.filter(birth_date__isnull=True).update(birth_date=birth_date)


def _code(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
