"""Find my booking: one answer for everybody, the links by email, and no way to learn who plays where."""

from __future__ import annotations

import logging
import re
import threading
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.test import Client, RequestFactory
from django.urls import resolve

from bookings import services
from bookings.models import Booking
from bookings.services import Asked
from bookings.services.finding import BY_EMAIL, BY_VISITOR, TooManyTries, bookings_of
from bookings.views_find import address_of_visitor
from clubs.services import RESERVED
from notifications.models import Notification
from palms.clock import now_utc
from palms.models import Intent, Throttle
from tests.factories import ClubFactory, ahead
from tests.pages.conftest import inputs_of, text_of
from tests.play import booked_on_site, offer, run_all, staff, take

pytestmark = pytest.mark.django_db(transaction=True)

WHO = {"email": "anna@example.com", "phone": "8 912 345-67-89"}
ASKED = Asked(phone="+79123456789", email="anna@example.com", language="ru")


@pytest.fixture(autouse=True)
def _address(settings: Any) -> None:
    settings.BASE_URL = "https://book.example.com"


def ask(client: Client, address: str = "/find/", **changes: Any) -> Any:
    return client.post(address, WHO | changes)


def letters() -> list[Any]:
    """Send what is due, and return the letters with links; those about single bookings are left out."""
    run_all()
    return [letter for letter in mail.outbox if letter.subject in ("Ссылки на ваши брони", "Links to your bookings")]


def links_in(letter: Any) -> list[str]:
    return re.findall(r"https://book\.example\.com/booking/([\w-]+)/", letter.body)


def test_the_links_of_every_club_come_in_one_letter_to_the_address_of_the_booking(client: Client) -> None:
    later = booked_on_site(offer(start=ahead() + timedelta(days=3)), email="Anna@Example.com")
    sooner = booked_on_site(offer(start=ahead(), title="Йога"))
    stranger = booked_on_site(offer(start=ahead()), phone="+79120000001")
    other_mail = booked_on_site(offer(start=ahead()), email="olga@example.com")
    response = ask(client)
    assert (response.status_code, response.headers["Location"]) == (303, "/find/sent/")
    (letter,) = letters()
    assert letter.to == ["anna@example.com"]
    assert links_in(letter) == [sooner.token, later.token]
    for words in ("Йога", "Подтверждена", "15:00–16:00 (московское время (UTC+3))", sooner.club.name, later.area.name):
        assert words in letter.body.replace("\N{NO-BREAK SPACE}", " ")
    assert stranger.token not in letter.body
    assert other_mail.token not in letter.body
    assert "anna" not in letter.body


@pytest.mark.parametrize(
    "phone", ["+79123456789", "8(912)3456789", "8 912 345 67 89", " 9123456789 ", "+7-912-345-67-89"]
)
@pytest.mark.parametrize("email", ["anna@example.com", "ANNA@EXAMPLE.COM", " Anna@example.com "])
def test_any_spelling_of_phone_and_email_finds(client: Client, phone: str, email: str) -> None:
    booking = booked_on_site(offer())
    assert ask(client, phone=phone, email=email).status_code == 303
    (letter,) = letters()
    assert (letter.to, links_in(letter)) == (["anna@example.com"], [booking.token])


def test_a_club_that_is_named_is_searched_alone(client: Client) -> None:
    mine, other = booked_on_site(offer(club__slug="palms")), booked_on_site(offer())
    assert 'action="/palms/find/"' in text_of(client.get("/palms/find/"))
    assert ask(client, "/palms/find/").headers["Location"] == "/palms/find/sent/"
    (letter,) = letters()
    assert links_in(letter) == [mine.token]
    assert Notification.objects.get(event="bookings_found").club_id == mine.club_id != other.club_id


def test_what_is_over_is_found_for_a_month_and_says_how_it_ended(client: Client) -> None:
    slot = offer(start=ahead())
    booking = booked_on_site(slot)
    services.cancel_by_club(booking_id=booking.pk, actor=staff(slot), reason="rain")
    waiting = Booking.objects.get(token=take(offer(start=ahead() + timedelta(days=40), area__mode="request")).token)
    assert waiting.expires_at is not None
    with time_machine.travel(booking.date_to + timedelta(days=30), tick=False):
        assert [each.pk for each in bookings_of(ASKED, club_id=None, now=now_utc())] == [booking.pk, waiting.pk]
        ask(client)
        (letter,) = letters()
    assert letter.body.index("Время на оплату вышло") < letter.body.index("За последние 30 дней:")
    assert letter.body.index("За последние 30 дней:") < letter.body.index("Отменена клубом")
    with time_machine.travel(booking.date_to + timedelta(days=30, seconds=1), tick=False):
        assert [each.pk for each in bookings_of(ASKED, club_id=None, now=now_utc())] == [waiting.pk]


def test_the_screen_is_the_same_whether_anything_is_found_or_not(
    client: Client, django_assert_num_queries: Any
) -> None:
    booked_on_site(offer())
    seen = []
    for email in ("anna@example.com", "nobody@example.com"):
        with django_assert_num_queries(7):  # the same work for both, and no look at any booking
            response = ask(client, email=email)
        page = client.get(response.headers["Location"])
        seen.append((response.status_code, response.headers["Location"], response.content, page.content))
    assert seen[0] == seen[1]
    assert len(letters()) == 1
    states = Notification.objects.filter(event="bookings_found").order_by("pk").values_list("state", "error")
    assert list(states) == [("SENT", ""), ("FAILED", "nobody to write to")]


def test_what_was_typed_is_kept_sealed_and_only_until_the_answer(client: Client) -> None:
    booked_on_site(offer())
    run_all()
    ask(client)
    told = Notification.objects.get(event="bookings_found")
    assert told.request != ""
    with connection.cursor() as cursor:
        for table in ("notifications_notification", "palms_intent", "palms_throttle"):
            cursor.execute(f"SELECT string_agg(t::text, ' ') FROM {table} t")
            text = str(cursor.fetchone()[0])
            assert "anna" not in text.lower()
            assert "9123456789" not in text
            assert "127.0.0.1" not in text
    assert Throttle.objects.count() == 2
    letters()
    told.refresh_from_db()
    assert (told.state, told.request) == ("SENT", "")
    with pytest.raises(IntegrityError, match="notification_request_forgotten_once_answered"), transaction.atomic():
        Notification.objects.filter(pk=told.pk).update(request="anna")
    with pytest.raises(IntegrityError, match="notification_about_something"), transaction.atomic():
        Notification.objects.create(event="bookings_found")
    booking = Booking.objects.get()
    with pytest.raises(IntegrityError, match="notification_club_unless_asked_of_all"), transaction.atomic():
        Notification.objects.create(event="booking_confirmed", booking=booking)


def test_nothing_of_people_is_in_addresses_or_logs(client: Client, caplog: Any) -> None:
    booked_on_site(offer())
    with caplog.at_level(logging.DEBUG):
        response = ask(client)
        ask(client, phone="12")
        letters()
    for place in (response.headers["Location"], caplog.text):
        assert "anna" not in place
        assert "912" not in place


def test_asking_too_often_for_one_address_has_to_wait(client: Client) -> None:
    booked_on_site(offer())
    with time_machine.travel(now_utc(), tick=False) as clock:
        for spelling in ("anna@example.com", "ANNA@example.com", "Anna@Example.com"):
            assert ask(client, email=spelling).status_code == 303
        response = ask(client)
        assert (response.status_code, response.headers["Retry-After"]) == (429, str(3600 // BY_EMAIL.limit))
        assert "До новой попытки осталось: 20 минут" in text_of(response).replace("\N{NO-BREAK SPACE}", " ")
        assert inputs_of(response)["email"] == "anna@example.com"
        assert ask(client, email="olga@example.com").status_code == 303
        clock.shift(3600 // BY_EMAIL.limit)
        assert ask(client).status_code == 303
        assert len(letters()) == 4


def test_somebody_unknown_waits_just_the_same(client: Client) -> None:
    answers = [ask(client, email="nobody@example.com").status_code for _turn in range(BY_EMAIL.limit + 1)]
    assert answers == [303] * BY_EMAIL.limit + [429]


def test_one_visitor_cannot_try_many_addresses() -> None:
    ClubFactory()
    for number in range(BY_VISITOR.limit):
        services.ask_for_links(Asked(ASKED.phone, f"a{number}@example.com", "ru"), club_id=None, visitor="192.0.2.1")
    with pytest.raises(TooManyTries) as refused:
        services.ask_for_links(ASKED, club_id=None, visitor="192.0.2.1")
    assert 0 < refused.value.facts["wait"] <= 3600 // BY_VISITOR.limit
    services.ask_for_links(ASKED, club_id=None, visitor="192.0.2.2")


def test_a_crowd_gets_no_more_letters_than_the_limit() -> None:
    booked_on_site(offer())
    allowed, gate = [], threading.Barrier(12)

    def press(number: int) -> None:
        gate.wait()
        try:
            services.ask_for_links(ASKED, club_id=None, visitor=f"192.0.2.{number}")
            allowed.append(number)
        except TooManyTries:
            pass
        finally:
            connection.close()

    crowd = [threading.Thread(target=press, args=(number,)) for number in range(12)]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()
    assert len(allowed) == BY_EMAIL.limit
    assert len(letters()) == BY_EMAIL.limit


def test_a_look_alike_address_finds_nothing(client: Client) -> None:
    """PostgreSQL takes "ı" for "i" when case does not matter; it is another mailbox."""
    booked_on_site(offer(), email="irina@example.com")
    assert bookings_of(Asked(ASKED.phone, "ırina@example.com", "ru"), club_id=None, now=now_utc()) == []
    assert len(bookings_of(Asked(ASKED.phone, "IRINA@example.com", "ru"), club_id=None, now=now_utc())) == 1


def test_a_letter_survives_a_process_that_died(client: Client) -> None:
    booking = booked_on_site(offer())
    run_all()
    ask(client)
    assert Intent.objects.filter(state="OPEN", kind="notifications.send").count() == 1  # committed before the answer
    (letter,) = letters()
    assert links_in(letter) == [booking.token]


def test_the_letter_speaks_the_language_of_the_page(client: Client) -> None:
    booked_on_site(offer())
    assert "Find my booking" in text_of(client.get("/find/?lang=en"))
    ask(client)
    (letter,) = letters()
    assert letter.subject == "Links to your bookings"
    assert "Confirmed" in letter.body


def test_with_no_club_at_all_the_answer_is_the_same(client: Client) -> None:
    assert ask(client).headers["Location"] == "/find/sent/"


def test_every_page_leads_there(client: Client) -> None:
    booking = booked_on_site(offer(club__slug="palms"))
    for address, target in (
        ("/", "/find/"),
        ("/palms/", "/palms/find/"),
        (f"/palms/slots/{booking.slot_id}/", "/palms/find/"),
        (f"/booking/{booking.token}/", "/palms/find/"),
        ("/no/such/page/", "/find/"),
        ("/find/sent/", "/find/"),
    ):
        assert f'<a href="{target}">Найти мою бронь</a>' in text_of(client.get(address)), address
    booking.club.is_public = False
    booking.club.save()
    assert '<a href="/find/">Найти мою бронь</a>' in text_of(client.get(f"/booking/{booking.token}/"))


def test_no_club_takes_the_address() -> None:
    assert "find" in RESERVED
    assert resolve("/find/").url_name == "find"
    assert resolve("/find/sent/").url_name == "find-sent"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"phone": ""}, "Введите номер телефона"),
        ({"phone": "12"}, "например +7 912 345-67-89"),
        ({"phone": "\0"}, ""),
        ({"phone": "9" * 5000}, ""),
        ({"email": ""}, ""),
        ({"email": "anna"}, ""),
        ({"email": "anna@example.com\nBcc: evil@example.com"}, ""),
        ({"email": "a\0@example.com"}, ""),
        ({"email": "a@" + "b" * 5000}, ""),
        ({"email": ["a@b.c", "x"]}, ""),
        ({"email": "<script>alert(1)</script>"}, "&lt;script&gt;alert(1)"),
    ],
)
def test_garbage_is_named_beside_its_field_and_asks_nobody(client: Client, changes: Any, words: str) -> None:
    response = ask(client, **changes)
    page = text_of(response)
    assert response.status_code == 400
    assert words in page
    assert 'role="alert"' in page
    assert ('id="phone-error"' in page) is ("phone" in changes)
    assert ('id="email-error"' in page) is ("email" in changes)
    assert Notification.objects.count() == 0
    assert Throttle.objects.count() == 0


@pytest.mark.parametrize(
    "address", ["/nobody/find/", "/nobody/find/sent/", "/find/find/", "/fi%00nd/find/", "/find/x/", "/find/7/slots/1/"]
)
def test_unknown_addresses_are_not_found(client: Client, address: str) -> None:
    assert client.get(address).status_code == 404
    assert client.post(address, WHO).status_code in (404, 405)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"\xff\xfe\x00\x01" * 100, "application/x-www-form-urlencoded"),
        (b"{not json", "application/json"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"a=1&" * 1_000, "application/x-www-form-urlencoded"),
    ],
)
def test_broken_bodies_are_a_clear_refusal(client: Client, body: bytes, kind: str) -> None:
    assert client.generic("POST", "/find/", body, content_type=kind).status_code in (400, 413)


def test_a_missing_cookie_gives_back_what_was_typed() -> None:
    response = Client(enforce_csrf_checks=True).post("/find/", WHO)
    assert response.status_code == 403
    assert inputs_of(response)["phone"] == WHO["phone"]
    assert "Введённое сохранено: нажмите кнопку ещё раз" in text_of(response)


@pytest.mark.parametrize(
    ("behind", "forwarded", "remote", "found"),
    [
        (False, "198.51.100.7", "192.0.2.1", "192.0.2.1"),
        (True, "198.51.100.7", "10.0.0.1", "198.51.100.7"),
        (True, "1.1.1.1, 198.51.100.7", "10.0.0.1", "198.51.100.7"),  # what the visitor claims stands before it
        (True, "", "10.0.0.1", "10.0.0.1"),
        (True, "<script>", "10.0.0.1", "10.0.0.1"),
        (True, "2001:db8:1:2:3:4:5:6", "10.0.0.1", "2001:db8:1:2::"),
        (True, "::ffff:198.51.100.7", "10.0.0.1", "198.51.100.7"),
        (False, "", "", "unknown"),
        (False, "", "unix:", "unknown"),
        (True, "9" * 5000, "", "unknown"),
    ],
)
def test_the_visitor_is_who_the_proxy_says(
    settings: Any, behind: bool, forwarded: str, remote: str, found: str
) -> None:
    settings.BEHIND_PROXY = behind
    request = RequestFactory().get("/find/", headers={"x-forwarded-for": forwarded}, REMOTE_ADDR=remote)
    assert address_of_visitor(request) == found
