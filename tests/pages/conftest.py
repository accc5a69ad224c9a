"""What the tests of pages share: a browser that keeps cookies, and a reader of pages."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from slots.models import Slot
from tests.play import offer

FORM = {"full_name": "Анна Петрова", "phone": "8 (912) 345-67-89", "email": "anna@example.com", "consent": "on"}


def text_of(response: Any) -> str:
    """Return a page's markup with plain spaces, so that tests read as people do."""
    return str(response.content.decode()).replace("\N{NO-BREAK SPACE}", " ")


def inputs_of(response: Any) -> dict[str, str]:
    """Return every input of a page by name, as a browser would send it back."""
    found = {}
    for tag in re.findall(r"<input[^>]*>", response.content.decode()):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name:
            found[name[1]] = value[1] if value else ""
    return found


def address_of(slot: Slot) -> str:
    return reverse("slot", kwargs={"slug": slot.club.slug, "slot_id": slot.pk})


def send(client: Client, slot: Slot, **changes: Any) -> Any:
    """Open the form of a slot and send it."""
    key = inputs_of(client.get(address_of(slot))).get("key", "")
    return client.post(address_of(slot), FORM | {"key": key} | changes)


@pytest.fixture
def slot(bank: Any) -> Slot:
    """An hour, the day after tomorrow, on a court of a club that takes payments at the sandbox bank."""
    return offer()
