"""The slot page and its form: what is asked, what is kept, and how refusals are said."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.test import Client

from bookings.models import Booking, BookingContact
from payments.models import Payment
from slots.models import Claim, Slot
from tests.factories import SlotFactory
from tests.pages.conftest import FORM, address_of, inputs_of, send, text_of
from tests.play import offer, take

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_page_shows_what_is_bought_and_the_rules(client: Client, slot: Slot) -> None:
    page = text_of(client.get(address_of(slot)))
    for words in (slot.area.name, "15:00", "1 500 ₽", "Отменить можно до", "5 минут", "Московское время (UTC+3)"):
        assert words in page


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("never", "отменить бронь может только клуб"),
        ("until_cancelation_time", "вернутся все деньги. Позже отменить не получится"),
        ("always_with_fee", "Позже клуб оставит себе 30 % цены"),
    ],
)
def test_the_rules_of_cancelling_are_the_clubs(client: Client, bank: Any, policy: str, words: str) -> None:
    slot = offer(club__customer_cancel=policy, club__late_cancel_fee_percent=30, club__free_cancel_lead_minutes=60)
    assert words in text_of(client.get(address_of(slot)))


def test_late_visitors_are_told_that_free_cancellation_is_over(client: Client, bank: Any) -> None:
    slot = offer(club__free_cancel_lead_minutes=10_000)
    assert "уже поздно" in text_of(client.get(address_of(slot)))


def test_fields_help_phones_and_password_managers(client: Client, slot: Slot) -> None:
    page = text_of(client.get(address_of(slot)))
    for attribute in (
        'autocomplete="tel"',
        'inputmode="tel"',
        'type="tel"',
        'autocomplete="name"',
        'autocomplete="email"',
    ):
        assert attribute in page


def test_each_form_has_a_key_of_its_own_and_visitors_a_signed_cookie(client: Client, slot: Slot) -> None:
    first, second = client.get(address_of(slot)), client.get(address_of(slot))
    assert uuid.UUID(inputs_of(first)["key"]) != uuid.UUID(inputs_of(second)["key"])
    cookie = first.cookies["visitor"]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 31_536_000)
    assert second.wsgi_request.get_signed_cookie("visitor", salt="visitor")
    assert "sessionid" not in client.cookies


def test_a_sent_form_holds_the_place_and_leads_to_the_bank(client: Client, slot: Slot) -> None:
    response = send(client, slot)
    payment = Payment.objects.get()
    assert response.status_code == 303
    assert response.headers["Location"] == payment.confirmation_url
    contact = BookingContact.objects.get()
    assert (contact.full_name, contact.phone, contact.email) == ("Анна Петрова", "+79123456789", "anna@example.com")
    assert contact.language == "ru"
    assert Claim.objects.count() == 1


def test_the_same_form_twice_holds_once(client: Client, slot: Slot) -> None:
    key = inputs_of(client.get(address_of(slot)))["key"]
    first = client.post(address_of(slot), FORM | {"key": key})
    second = client.post(address_of(slot), FORM | {"key": key})
    assert first.headers["Location"] == second.headers["Location"]
    assert Payment.objects.count() == 1


def test_two_tabs_of_one_visitor_share_the_hold(client: Client, slot: Slot) -> None:
    keys = [inputs_of(client.get(address_of(slot)))["key"] for _ in range(2)]
    answers = [client.post(address_of(slot), FORM | {"key": key}) for key in keys]
    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    assert Payment.objects.count() == 1


def test_back_from_the_bank_leads_to_the_own_hold(client: Client, slot: Slot) -> None:
    send(client, slot)
    response = client.get(address_of(slot))
    assert response.status_code == 302
    assert response.headers["Location"] == f"/checkout/{Payment.objects.get().token}/"


def test_a_place_held_in_a_group_is_pointed_at(client: Client, bank: Any) -> None:
    slot = offer(area__exclusive=False, capacity=5)
    send(client, slot, participants_count="1")
    assert f"/checkout/{Payment.objects.get().token}/" in text_of(client.get(address_of(slot)))


def test_a_group_is_booked_with_names_and_paid_per_person(client: Client, bank: Any) -> None:
    slot = offer(area__exclusive=False, capacity=5)
    send(client, slot, participants_count="3", name_1="Анна", name_2="", name_3="Олег", name_4="Лишний")
    assert Payment.objects.get().amount == 450_000
    assert [row.name for row in BookingContact.objects.get().participants.all()] == ["Анна", "Олег"]


def test_the_form_has_rows_for_names_without_script(client: Client, bank: Any) -> None:
    slot = offer(area__exclusive=False, capacity=20)
    page = inputs_of(client.get(address_of(slot)))
    assert [name for name in page if name.startswith("name_")] == [f"name_{number}" for number in range(1, 9)]


def test_a_free_time_is_booked_at_once(client: Client, bank: Any) -> None:
    slot = offer(price=0)
    response = send(client, slot)
    status = client.get(response.headers["Location"])
    assert status.headers["Location"] == f"/booking/{Booking.objects.get().token}/"


def test_a_request_is_sent_to_the_club(client: Client, bank: Any) -> None:
    slot = offer(area__mode="request")
    assert "Отправить запрос" in text_of(client.get(address_of(slot)))
    response = send(client, slot)
    assert "Клуб получил ваш запрос" in text_of(client.get(response.headers["Location"]))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"full_name": ""}, "full_name"),
        ({"full_name": "Я" * 10_000}, "full_name"),
        ({"full_name": "a\0b"}, "full_name"),
        ({"full_name": "a"}, "full_name"),
        ({"phone": "12"}, "phone"),
        ({"phone": "телефон"}, "phone"),
        ({"email": "nobody"}, "email"),
        ({"email": "a@b.c\nBcc: x@y.z"}, "email"),
        ({"consent": ""}, "consent"),
        ({"participants_count": "-3"}, "participants_count"),
        ({"participants_count": "0"}, "participants_count"),
        ({"participants_count": "99999999999999999999"}, "participants_count"),
        ({"participants_count": "два"}, "participants_count"),
        ({"participants_count": ""}, "participants_count"),
        ({"participants_count": "2", "name_2": "x" * 10_000}, "name_2"),
    ],
)
def test_wrong_input_is_named_beside_its_field_and_the_rest_is_kept(
    client: Client, bank: Any, changes: dict[str, str], field: str
) -> None:
    slot = offer(area__exclusive=False, capacity=4)
    response = send(client, slot, **({"participants_count": "2", "name_1": "Олег Кошкин"} | changes))
    page, kept = text_of(response), inputs_of(response)
    assert response.status_code == 400
    assert f'id="{field}-error"' in page
    assert f'href="#id_{field}"' in page
    assert "data-focus" in page
    assert f'aria-describedby="{field}-error' in page or f"{field}-hint {field}-error" in page
    for name, value in (FORM | {"name_1": "Олег Кошкин"}).items():
        if name not in (*changes, "consent"):
            assert kept[name] == value
    assert not Payment.objects.exists()


def test_the_key_is_kept_over_errors_and_a_strange_one_is_replaced(client: Client, slot: Slot) -> None:
    key = str(uuid.uuid4())
    assert inputs_of(client.post(address_of(slot), {"key": key}))["key"] == key
    strange = inputs_of(client.post(address_of(slot), {"key": "'; DROP" * 100}))["key"]
    assert uuid.UUID(strange)


def test_just_taken_offers_three_near_times_with_what_was_typed(client: Client, slot: Slot) -> None:
    near = [
        SlotFactory(club=slot.club, area=slot.area, start=slot.date_from + timedelta(hours=hours))
        for hours in (1, 2, 3, 4)
    ]
    key = inputs_of(client.get(address_of(slot)))["key"]
    take(slot, phone="+79120000002")
    response = client.post(address_of(slot), FORM | {"key": key})
    page = text_of(response)
    assert response.status_code == 409
    assert "ничего не удержано и не списано" in page
    assert [address_of(each) in page for each in near] == [True, True, True, False]
    assert inputs_of(response)["full_name"] == "Анна Петрова"

    chosen = client.post(address_of(near[0]), inputs_of(response))
    kept = inputs_of(chosen)
    assert chosen.status_code == 200
    assert (kept["full_name"], kept["phone"], kept["email"]) == (FORM["full_name"], FORM["phone"], FORM["email"])
    assert 'name="consent" id="id_consent" checked' in text_of(chosen) or "checked" in text_of(chosen)
    assert client.post(address_of(near[0]), kept | {"consent": "on"}).status_code == 303


def test_fewer_places_than_wanted_keep_the_form(client: Client, bank: Any) -> None:
    slot = offer(area__exclusive=False, capacity=5)
    key = inputs_of(client.get(address_of(slot)))["key"]
    take(slot, count=3, phone="+79120000002")
    response = client.post(address_of(slot), FORM | {"key": key, "participants_count": "4"})
    assert response.status_code == 409
    assert "Осталось только 2 места" in text_of(response)
    assert inputs_of(response)["full_name"] == "Анна Петрова"


@pytest.mark.parametrize(
    ("change", "words"), [("taken", "кто-то оплачивает"), ("closed", "Клуб закрыл"), ("past", "уже началось")]
)
def test_a_time_that_cannot_be_had_says_why(client: Client, slot: Slot, change: str, words: str) -> None:
    if change == "taken":
        take(slot)
    if change == "closed":
        Slot.objects.filter(pk=slot.pk).update(closed=True)
    with time_machine.travel(
        slot.date_from + timedelta(minutes=1) if change == "past" else slot.date_from - timedelta(hours=9)
    ):
        if change == "taken":
            take(slot, phone="+79120000009")
        response = client.get(address_of(slot))
        assert words in text_of(response)
        assert client.post(address_of(slot), FORM).status_code == 409


def test_a_bank_that_refuses_keeps_the_form_and_charges_nothing(client: Client, slot: Slot, bank: Any) -> None:
    bank.fault(on="create", kind="refuse")
    response = send(client, slot)
    assert response.status_code == 503
    assert "ничего не списано, время не закреплено" in text_of(response)
    assert inputs_of(response)["full_name"] == "Анна Петрова"
    assert not Claim.objects.exists()


def test_a_form_sent_after_its_hold_died_asks_once_more(client: Client, slot: Slot) -> None:
    key = inputs_of(client.get(address_of(slot)))["key"]
    client.post(address_of(slot), FORM | {"key": key})
    with time_machine.travel(slot.date_from - timedelta(hours=2)):
        response = client.post(address_of(slot), FORM | {"key": key}, follow=True)
        assert "Время на оплату вышло" in text_of(response)
        again = inputs_of(response)
        assert (again["key"] != key, again["full_name"], again["consent"]) == (True, "Анна Петрова", "on")
        assert client.post(address_of(slot), again).status_code == 303
    assert Payment.objects.count() == 2


def test_a_missing_cookie_does_not_lose_what_was_typed(slot: Slot) -> None:
    assert settings.CSRF_FAILURE_VIEW == "palms.views.csrf_failed"
    client = Client(enforce_csrf_checks=True)
    response = client.post(address_of(slot), FORM)
    assert response.status_code == 403
    assert "Отправьте форму ещё раз" in text_of(response)
    assert client.post(address_of(slot), inputs_of(response) | {"consent": "on"}).status_code == 303


def test_mail_speaks_the_language_of_the_page(client: Client, slot: Slot) -> None:
    client.get("/?lang=en")
    send(client, slot)
    assert BookingContact.objects.get().language == "en"
