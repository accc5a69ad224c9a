"""Clients are found by phone or made, with their wallet and referral code. A public form never overwrites them."""

from __future__ import annotations

import secrets
from datetime import date

from django.db import IntegrityError
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from clients.errors import BlockedAlready, ClientNotFound, NotBlocked
from clients.models import Client, ClientBlock, ClientNote, Wallet
from palms import points
from palms.actors import Actor, Kind, acting
from palms.clock import now_utc
from palms.errors import NotPermitted, ValidationFailed, refusing, violated

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # without what is misread: I, O, 0, 1
TRIES = 5


def find_or_make_client(
    *, club_id: int, phone: str, full_name: str, email: str, birth_date: date | None, currency: str
) -> Client:
    """Return the club's client with this phone (E.164), made with wallet and referral code when first met.

    A transaction of its own, before any place is locked: inside that one most races of one new phone deadlock. A known
    client is returned as it is, with `is_blocked`: what was typed belongs to the booking's contact. Source: domain section 4,
    step 1.
    """
    blocks = ClientBlock.objects.filter(client=OuterRef("pk"), ended_at__isnull=True)
    known = Client.objects.filter(club_id=club_id, phone=phone).annotate(is_blocked=Exists(blocks))  # type: ignore[no-redef]
    for _attempt in range(TRIES):
        client = known.first()
        if client is not None:
            return client
        try:
            return _make(club_id, phone, full_name, email, birth_date, currency)
        except IntegrityError as error:  # somebody met the same phone at this moment, or a random code repeated
            if not violated(error).startswith(("client_one_per", "clients_wallet_number")):
                raise
    return known.get()


@points.commit("clients.make")
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


def add_note(*, client_id: int, text: str, actor: Actor) -> ClientNote:
    """Keep a note about a client for the staff. Raises ClientNotFound, NotPermitted, ValidationFailed."""
    client = _served(client_id, actor)
    text = _worded(text, limit=1000, field="text")
    author = actor.id if actor.kind is Kind.STAFF else None
    with acting(actor):
        return ClientNote.objects.create(club_id=client.club_id, client=client, author_id=author, text=text)


def remove_note(*, note_id: int, actor: Actor) -> None:
    """Take a note back: its words are forgotten, that it was there is not. Raises ClientNotFound, NotPermitted."""
    note = ClientNote.objects.filter(pk=note_id).first()
    if note is None:
        raise ClientNotFound
    _served(note.client_id, actor)
    with acting(actor):
        ClientNote.objects.filter(pk=note_id, removed_at__isnull=True).update(text="", removed_at=now_utc())


def block(*, client_id: int, reason: str, actor: Actor) -> ClientBlock:
    """Let a client book online no more; what is booked stays. The staff can still book for them.

    Raises:
        BlockedAlready, ClientNotFound, NotPermitted. ValidationFailed: no reason.
    """
    client = _served(client_id, actor)
    reason = _worded(reason, limit=300, field="reason")
    with acting(actor), refusing(BlockedAlready, "clientblock_one_at_a_time"):
        return ClientBlock.objects.create(club_id=client.club_id, client=client, reason=reason)


def unblock(*, client_id: int, actor: Actor) -> None:
    """Let a client book online again. Raises NotBlocked, ClientNotFound, NotPermitted."""
    client = _served(client_id, actor)
    with acting(actor):
        lifted = ClientBlock.objects.filter(client=client, ended_at__isnull=True).update(ended_at=now_utc())
    if not lifted:
        raise NotBlocked


def _served(client_id: int, actor: Actor) -> Client:
    client = Client.objects.filter(pk=client_id).first()
    if client is None:
        raise ClientNotFound
    if not actor.serves(client.club_id):
        raise NotPermitted
    return client


def _worded(text: str, *, limit: int, field: str) -> str:
    words = text.replace("\0", "").strip()
    if not words or len(words) > limit:
        raise ValidationFailed(errors={field: [_("Write 1 to %(limit)d letters") % {"limit": limit}]})
    return words


def _code(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
