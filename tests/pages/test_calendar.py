"""The booking in the customer's own calendar: the file on the page, and the invitation beside letters."""

from __future__ import annotations

from datetime import timedelta
from email import message_from_bytes
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import pytest
import time_machine
from django.core import mail
from django.test import Client
from icalendar import Calendar

from bookings import services
from bookings.models import Booking, BookingContact
from notifications.models import Notification
from palms import intents
from palms.clock import now_utc
from tests.bank import Bank
from tests.factories import InstructorFactory, ahead
from tests.pages.conftest import text_of
from tests.play import booked, booked_on_site, customer, offer, run_all, staff, take

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _address(settings: Any) -> None:
    settings.BASE_URL = "https://book.example.com:8443"


NASTY = 'Клуб, "Пальмы"; у моря \\ 🎾\nEND:VEVENT\r\nATTENDEE:mailto:evil@example.com\x00\x07\x7f'


def read(content: bytes) -> Any:
    """Return the calendar that a phone would read, once its lines are as short and as closed as the format says."""
    assert content.endswith(b"\r\n")
    lines = content.split(b"\r\n")
    assert max(map(len, lines)) <= 75
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    for line in lines:
        line.decode()  # no letter is cut in two
    calendar = Calendar.from_ical(content)
    assert calendar.errors == []
    return calendar


def event_of(content: bytes) -> Any:
    (event,) = read(content).walk("VEVENT")
    assert event.errors == []
    return event


def fetch(client: Client, booking: Booking) -> Any:
    return client.get(f"/booking/{booking.token}/calendar.ics")


def invitations() -> list[tuple[str, str, bytes]]:
    """Return subject, method and content of every calendar in the outbox, as a mail program finds them.

    Each is there twice: as another form of the letter, which makes a mail program show the visit, and as a file.
    """
    found = []
    for letter in mail.outbox:
        parts = [part for part in letter.message().walk() if part.get_content_type() == "text/calendar"]
        if not parts:
            continue
        shown, file = parts
        assert (shown.get_content_disposition(), file.get_content_disposition()) == (None, "attachment")
        assert file.get_filename() == "invite.ics"
        assert {part.get_content_charset() for part in parts} == {"utf-8"}
        assert len({part.get_payload(decode=True) for part in parts}) == 1
        assert len({part.get_param("method") for part in parts}) == 1
        found.append((letter.subject, str(file.get_param("method")), file.get_payload(decode=True)))
    return found


def uid_of(booking: Booking) -> str:
    """Return what a calendar knows this booking by: it tells nothing of the link, and no address of the site."""
    return f"booking-{uuid5(NAMESPACE_OID, booking.token)}@palms"


def test_the_file_says_what_when_where_and_nothing_of_people(client: Client) -> None:
    slot = offer(start=ahead(15), title="Йога", club__address="Москва, Лужники", club__phone="+74951112233")
    slot.instructor = InstructorFactory(club=slot.club, name="Олег")
    booking = booked_on_site(slot)
    booking = Booking.objects.get(pk=booking.pk)
    response = fetch(client, booking)
    calendar, event = read(response.content), event_of(response.content)
    assert (str(calendar["METHOD"]), str(calendar["VERSION"])) == ("PUBLISH", "2.0")
    assert str(event["UID"]) == uid_of(booking)
    assert (event["DTSTART"].dt, event["DTEND"].dt) == (booking.date_from, booking.date_to)
    assert b"DTSTART:%s" % f"{booking.date_from:%Y%m%dT%H%M%SZ}".encode() in response.content
    assert str(event["SUMMARY"]) == f"Йога · {slot.club.name}"
    assert str(event["LOCATION"]) == f"{slot.area.name}, {slot.club.name}, Москва, Лужники"
    assert "18:00–19:00, московское время (UTC+3)" in str(event["DESCRIPTION"])
    assert str(event["URL"]) == f"https://book.example.com:8443/booking/{booking.token}/"
    assert (str(event["STATUS"]), str(event["CLASS"])) == ("CONFIRMED", "PRIVATE")
    assert event["SEQUENCE"] == booking.version
    assert event["LAST-MODIFIED"].dt == booking.updated_at.replace(microsecond=0)
    for secret in ("Петрова", "79123456789", "anna@example.com"):
        assert secret not in response.content.decode().replace("\r\n ", "")
    assert response.content.decode().replace("\r\n ", "").count(booking.token) == 1


def test_the_answer_is_a_file_that_nobody_keeps_or_indexes(client: Client) -> None:
    booking = booked_on_site(offer(start=ahead(22), club__slug="palms"))
    response = fetch(client, booking)
    day = f"{ahead(22) + timedelta(hours=3):%Y-%m-%d}"  # by the club's clock it is the next day already
    assert response.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert response.headers["Content-Disposition"] == f'attachment; filename="palms-{day}.ics"'
    assert response.headers["Cache-Control"] == "no-store, private"
    assert response.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert client.get("/booking/AAAAAAAAAAAAAAAAAAAAAA/calendar.ics").status_code == 404
    assert client.post(f"/booking/{booking.token}/calendar.ics").status_code == 405


def test_names_of_any_kind_are_escaped_folded_and_read_back(client: Client) -> None:
    long = "я🎾" * 60
    slot = offer(club__name=NASTY.replace("\0", ""), club__address="a,b;c\\d\ne", area__location="x;y,z\\")
    booking = booked_on_site(slot, full_name='Анна; "Р", ^n: 🎾 ' + "щ" * 180)
    event = event_of(fetch(client, booking).content)
    clean = 'Клуб, "Пальмы"; у моря \\ 🎾\nEND:VEVENT\nATTENDEE:mailto:evil@example.com'
    assert str(event["SUMMARY"]) == f"{slot.area.name} · {clean}"
    assert str(event["LOCATION"]) == f"{slot.area.name}, x;y,z\\, {clean}, a,b;c\\d\ne"
    assert str(event["ORGANIZER"].params["CN"]) == clean.replace('"', "'").replace("\n", " ")
    slot.club.name = long
    slot.club.save()
    run_all()
    ((_subject, _method, content),) = invitations()
    event = event_of(content)
    assert str(event["SUMMARY"]).endswith(long)
    assert event["ATTENDEE"].params["CN"] == "Анна; 'Р', ^n: 🎾 " + "щ" * 180
    assert str(event["ATTENDEE"]) == "mailto:anna@example.com"


@pytest.mark.parametrize("language", ["ru", "en"])
def test_the_page_offers_it_while_the_visit_is_ahead(client: Client, bank: Bank, language: str) -> None:
    words = {"ru": "Добавить в календарь", "en": "Add to calendar"}[language]
    booking = booked(offer(start=now_utc().replace(microsecond=0) + timedelta(days=3)), bank)
    page = f"/booking/{booking.token}/?lang={language}"
    assert words in text_of(client.get(page))
    assert f"/booking/{booking.token}/calendar.ics" in text_of(client.get(page))
    with time_machine.travel(booking.date_to, tick=False):
        assert words not in text_of(client.get(page))
    services.cancel_by_customer(booking_id=booking.pk, actor=customer(booking.client_id), reason="rain")
    assert words not in text_of(client.get(page))


def test_a_request_is_tentative_and_one_that_ran_out_is_cancelled(client: Client) -> None:
    slot = offer(start=ahead() + timedelta(days=5), area__mode="request")
    token = take(slot).token
    booking = Booking.objects.get(token=token)
    assert "calendar.ics" not in text_of(client.get(f"/booking/{token}/"))
    assert event_of(fetch(client, booking).content)["STATUS"] == "TENTATIVE"
    assert booking.expires_at is not None
    with time_machine.travel(booking.expires_at, tick=False):
        assert event_of(fetch(client, booking).content)["STATUS"] == "CANCELLED"


def test_the_letter_of_a_confirmation_invites(bank: Bank) -> None:
    booking = booked(offer(start=ahead() + timedelta(days=2)), bank)
    ((subject, method, content),) = invitations()
    event = event_of(content)
    assert subject.startswith("Забронировано")
    assert (method, str(read(content)["METHOD"]), str(event["STATUS"])) == ("REQUEST", "REQUEST", "CONFIRMED")
    assert str(event["ORGANIZER"]) == "mailto:palms@localhost"
    assert str(event["ATTENDEE"]) == "mailto:anna@example.com"
    assert event["ATTENDEE"].params["CN"] == "Анна Петрова"
    assert event["ATTENDEE"].params["PARTSTAT"] == "ACCEPTED"
    assert event["ATTENDEE"].params["RSVP"] == "FALSE"
    assert str(event["UID"]) == uid_of(booking)
    kinds = [part.get_content_type() for part in mail.outbox[0].message().walk()]
    assert kinds == ["multipart/mixed", "multipart/alternative", "text/plain", "text/calendar", "text/calendar"]


@pytest.mark.parametrize("who", ["customer", "club", "other"])
def test_the_letter_of_a_cancellation_takes_it_out_of_the_calendar(bank: Bank, who: str) -> None:
    slot = offer(start=now_utc().replace(microsecond=0) + timedelta(days=3))
    booking = booked(slot, bank)
    if who == "customer":
        services.cancel_by_customer(booking_id=booking.pk, actor=customer(booking.client_id), reason="rain")
    elif who == "club":
        services.cancel_by_club(booking_id=booking.pk, actor=staff(slot), reason="flood")
    else:
        services.end_otherwise(booking_id=booking.pk, actor=staff(slot), reason="storm")
    run_all()
    (_first, _method, before), (_second, method, after) = invitations()
    old, new = event_of(before), event_of(after)
    assert (method, str(read(after)["METHOD"]), str(new["STATUS"])) == ("CANCEL", "CANCEL", "CANCELLED")
    assert (new["UID"], new["ORGANIZER"], new["ATTENDEE"]) == (old["UID"], old["ORGANIZER"], old["ATTENDEE"])
    assert new["SEQUENCE"] > old["SEQUENCE"]


def test_the_letter_of_every_move_moves_the_same_event(bank: Bank) -> None:
    slot = offer(start=ahead() + timedelta(days=2))
    booking = booked(slot, bank)
    for hours in (2, 4):
        other = offer(club=slot.club, area=slot.area, start=slot.date_from + timedelta(hours=hours))
        services.move(booking_id=booking.pk, actor=staff(slot), slot_id=other.pk)
        run_all()
    events = [(method, event_of(content)) for _subject, method, content in invitations()]
    assert [method for method, _event in events] == ["REQUEST"] * 3
    assert {str(event["UID"]) for _method, event in events} == {uid_of(booking)}
    assert [(event["DTSTART"].dt - slot.date_from) / timedelta(hours=1) for _method, event in events] == [0, 2, 4]
    sequences = [event["SEQUENCE"] for _method, event in events]
    assert sequences == sorted(set(sequences))


def test_a_request_that_was_never_granted_is_in_no_calendar(bank: Bank) -> None:
    slot = offer(start=ahead() + timedelta(days=5), area__mode="request")
    booking = Booking.objects.get(token=take(slot).token)
    services.approve(booking_id=booking.pk, actor=staff(slot))
    run_all()
    booking = Booking.objects.get()
    assert booking.expires_at is not None
    with time_machine.travel(booking.expires_at + timedelta(seconds=1), tick=False):
        services.end_expired()
        run_all()
    assert len(mail.outbox) == 3
    assert invitations() == []


def test_any_letter_about_a_confirmed_booking_carries_it_as_it_stands_now(bank: Bank) -> None:
    """Whatever the event is called: what is attached follows the booking's state, so a new letter cannot be forgotten."""
    booking = booked(offer(), bank)
    mail.outbox.clear()
    told = Notification.objects.create(club=booking.club, booking=booking, event="booking_approved")
    intents.plan(club_id=booking.club_id, kind="notifications.send", lane="x", subject_id=told.pk, now=now_utc())
    Booking.objects.filter(pk=booking.pk).update(participants_count=1)  # any change makes a new version
    run_all()
    ((_subject, method, content),) = invitations()
    assert method == "REQUEST"
    assert event_of(content)["SEQUENCE"] == Booking.objects.get().version > booking.version


@pytest.mark.parametrize(
    "name", ["\x01", '"', ":;,", "a\nATTENDEE:mailto:evil@example.com", "^n^'", "\u2028\u202e\ufeff"]
)
def test_a_strange_name_of_a_person_still_makes_an_invitation(name: str) -> None:
    booking = booked_on_site(offer())
    BookingContact.objects.filter(booking=booking).update(full_name=name)
    run_all()
    ((_subject, _method, content),) = invitations()
    assert str(event_of(content)["ATTENDEE"]) == "mailto:anna@example.com"


def test_a_letter_to_be_sent_crosses_the_wire_unchanged(bank: Bank) -> None:
    booked(offer(club__name="Пальмы " * 20), bank)
    wire = mail.outbox[0].message().as_bytes(linesep="\r\n")
    parts = [part for part in message_from_bytes(wire).walk() if part.get_content_type() == "text/calendar"]
    for content in [part.get_payload(decode=True) for part in parts]:
        assert isinstance(content, bytes)
        assert event_of(content)["STATUS"] == "CONFIRMED"
    assert len(parts) == 2


def test_the_event_stays_the_same_when_the_site_moves_to_another_address(client: Client, settings: Any) -> None:
    booking = booked_on_site(offer())
    before = event_of(fetch(client, booking).content)["UID"]
    settings.BASE_URL = "https://tennis.example.org"
    assert event_of(fetch(client, booking).content)["UID"] == before
