"""Reads of clients: found by phone in any spelling, by the beginning of any word of the name, by id."""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import Q, QuerySet

from clients.models import Client, ClientBlock
from clients.rules import normal_phone
from palms.errors import ValidationFailed

LAST_DIGITS, BIGGEST_ID = 4, 2**63 - 1
SPELLING = re.compile(r"[\d\s()+.\-\u2010-\u2015\u00a0]+")


def is_blocked(client_id: int) -> bool:
    return ClientBlock.objects.filter(client_id=client_id, ended_at__isnull=True).exists()


def phone_in(text: str) -> str | None:
    """Return the E.164 phone that somebody typed, or None."""
    if not SPELLING.fullmatch(text):
        return None
    try:
        return normal_phone(text)
    except ValidationFailed:
        return None


def number_in(text: str) -> int | None:
    """Return the id that somebody typed, or None."""
    digits = text.strip().lstrip("#№").strip()
    return int(digits) if digits.isascii() and digits.isdecimal() and int(digits[:20]) <= BIGGEST_ID else None


def named(text: str) -> Q | None:
    """Return the condition "each typed word begins a word of the name", which an index answers; None without words."""
    words = re.findall(r"\w+", text.replace("_", " "))[:6]
    if not words:
        return None
    asked = SearchQuery(" & ".join(f"'{word}':*" for word in words), config="simple", search_type="raw")
    return Q(name_words=asked)


def clients_matching(text: str, *, club_ids: Iterable[int]) -> QuerySet[Client]:
    """Return the clients of these clubs whom the text means: a phone in any spelling, its last digits, a name."""
    rows = Client.objects.filter(club_id__in=list(club_ids))
    phone, digits = phone_in(text), re.sub(r"\D", "", text)
    if phone is not None:
        return rows.filter(phone=phone)
    if SPELLING.fullmatch(text) and len(digits) >= LAST_DIGITS:
        return rows.filter(phone__contains=digits[-10:])
    words = named(text)
    if words is None:
        return rows.none()
    return rows.annotate(name_words=SearchVector("full_name", config="simple")).filter(words)
