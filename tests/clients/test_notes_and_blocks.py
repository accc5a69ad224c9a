"""Notes and blocks: by the club's staff, with who did it; who is blocked books online no more. And how clients are found."""

from __future__ import annotations

import pytest
from django.contrib.postgres.search import SearchVector
from django.db import DatabaseError, connection, transaction

from bookings.models import Booking
from clients import services
from clients.errors import BlockedAlready, ClientBlocked, ClientNotFound, NotBlocked
from clients.models import Client, ClientBlock, ClientNote
from clients.selectors import clients_matching, named
from palms.actors import Actor, Kind
from palms.errors import NotPermitted, ValidationFailed
from payments.models import Payment
from slots.models import Claim
from tests.factories import ClientFactory, UserFactory
from tests.play import booked_on_site, offer, take

pytestmark = pytest.mark.django_db


def staff_of(client: Client) -> Actor:
    return Actor(Kind.STAFF, UserFactory(password=None).pk, frozenset({client.club_id}), "admin")


def test_a_blocked_client_books_nothing_and_is_told_neither_that_nor_why() -> None:
    slot = offer()
    client = ClientFactory(club=slot.club, phone="+79123456789")
    services.block(client_id=client.pk, reason="owes for October", actor=staff_of(client))

    with pytest.raises(ClientBlocked) as refusal:
        take(slot, phone="8 (912) 345-67-89")

    told = f"{refusal.value} {refusal.value.facts}".lower()
    assert not [word for word in ("block", "заблок", "october") if word in told]
    assert not Payment.objects.exists()
    assert not Claim.objects.exists()


def test_a_request_of_a_blocked_client_is_refused_and_the_staff_still_book() -> None:
    slot = offer(area__mode="request")
    client = ClientFactory(club=slot.club, phone="+79123456789")
    services.block(client_id=client.pk, reason="x", actor=staff_of(client))

    with pytest.raises(ClientBlocked):
        take(slot)

    assert booked_on_site(slot).client_id == client.pk


def test_a_block_of_one_club_is_not_anothers() -> None:
    slot, client = offer(area__mode="request"), ClientFactory(phone="+79123456789")
    services.block(client_id=client.pk, reason="x", actor=staff_of(client))

    take(slot)

    assert Booking.objects.get().status == "REQUESTED"


def test_a_block_is_one_at_a_time_lifted_once_and_says_who() -> None:
    client = ClientFactory()
    actor = staff_of(client)
    block = services.block(client_id=client.pk, reason=" owes ", actor=actor)

    with pytest.raises(BlockedAlready):
        services.block(client_id=client.pk, reason="again", actor=actor)
    services.unblock(client_id=client.pk, actor=actor)
    with pytest.raises(NotBlocked):
        services.unblock(client_id=client.pk, actor=actor)

    assert ClientBlock.objects.get().reason == "owes"
    told = [event.pgh_context.metadata["actor_id"] for event in block.events.select_related("pgh_context")]
    assert told == [actor.id, actor.id]


def test_a_note_is_taken_back_and_forgotten() -> None:
    client = ClientFactory()
    actor = staff_of(client)
    note = services.add_note(client_id=client.pk, text="left-handed", actor=actor)

    for _twice in range(2):
        services.remove_note(note_id=note.pk, actor=actor)

    stored = ClientNote.objects.get()
    assert (stored.text, stored.author_id, stored.removed_at is not None) == ("", actor.id, True)
    assert note.events.count() == 2


@pytest.mark.parametrize("text", ["", "  ", "\0", "x" * 1001])
def test_words_that_are_none_are_refused(text: str) -> None:
    client = ClientFactory()
    for act in (
        lambda: services.add_note(client_id=client.pk, text=text, actor=staff_of(client)),
        lambda: services.block(client_id=client.pk, reason=text, actor=staff_of(client)),
    ):
        with pytest.raises(ValidationFailed):
            act()


def test_another_clubs_staff_do_neither() -> None:
    client = ClientFactory()
    note = services.add_note(client_id=client.pk, text="x", actor=staff_of(client))
    stranger = staff_of(ClientFactory())
    for act in (
        lambda: services.add_note(client_id=client.pk, text="x", actor=stranger),
        lambda: services.remove_note(note_id=note.pk, actor=stranger),
        lambda: services.block(client_id=client.pk, reason="x", actor=stranger),
        lambda: services.unblock(client_id=client.pk, actor=stranger),
    ):
        with pytest.raises(NotPermitted):
            act()
    with pytest.raises(ClientNotFound):
        services.add_note(client_id=0, text="x", actor=stranger)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE clients_clientnote SET text = 'y'",
        "DELETE FROM clients_clientnote",
        "UPDATE clients_clientblock SET reason = 'y'",
        "DELETE FROM clients_clientblock",
        "UPDATE clients_clientblock SET reason = ''",
    ],
)
def test_raw_sql_edits_neither(sql: str) -> None:
    client = ClientFactory()
    services.add_note(client_id=client.pk, text="x", actor=staff_of(client))
    services.block(client_id=client.pk, reason="x", actor=staff_of(client))
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("8 (912) 345-67-89", 1), ("+7 912 345 67 89", 1), ("79123456789", 1), ("9123456789", 1), ("345-67-89", 1),
        ("67-89", 1), ("петр", 1), ("ПЕТРОВА ан", 1), ("нна", 0), ("+7 912 345 67 80", 0), ("89", 0), ("", 0), ("'", 0),
        ("a' | 'b", 0), ("\\", 0), (":*", 0), ("()!&|", 0), ("петр & !анна", 1), ("9" * 60, 0),
    ],
)  # fmt: skip
def test_clients_are_found_as_people_say_them(text: str, found: int) -> None:
    club = ClientFactory(phone="+79123456789", full_name="Анна Петрова").club
    ClientFactory(phone="+79123456789", full_name="Анна Петрова")  # of another club

    assert clients_matching(text, club_ids=[club.pk]).count() == found


def test_the_index_answers_a_name() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    rows = Client.objects.annotate(name_words=SearchVector("full_name", config="simple"))
    assert "client_names" in rows.filter(named("петр")).explain()
