"""POST /site/bookings/*, the older addresses, and the state of a checkout: on a real bank, with real commits."""

import json
import threading
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from django.db import connection, transaction

from bookings.models import Booking, BookingContact
from clients import services as clients
from clients.models import Client
from palms.clock import now_utc
from payments.models import Payment
from slots.models import Claim, Slot
from tests.api.conftest import ANNA, Caller, order, refusal
from tests.bank import Bank
from tests.factories import AreaFactory, ClientFactory
from tests.play import DECLINED, booked, offer, run_all, staff, take

pytestmark = pytest.mark.django_db(transaction=True)
INDIVIDUAL, GROUP = "/api/v1/site/bookings/individual", "/api/v1/site/bookings/group"
OLD_INDIVIDUAL, OLD_GROUP = "/api/kuliga/bookings/individual", "/api/kuliga/bookings/group"


def _payment(made: Any) -> Payment:
    return Payment.objects.get(token=made.json()["status_url"].rsplit("/", 1)[1])


def _status(api: Caller, made: Any, query: str = "") -> Any:
    return api.get(urlsplit(made.json()["status_url"]).path + query)


def test_a_court_is_held_paid_and_booked(api: Caller, bank: Bank) -> None:
    slot = offer()
    before = now_utc()

    made = api.post(INDIVIDUAL, order(slot.pk))
    assert made.status_code == 201
    body = made.json()
    assert set(body) == {"payment_url", "hold_until", "status_url"}
    assert body["payment_url"].startswith(bank.url)
    assert body["hold_until"].endswith("+03:00")
    assert timedelta(seconds=299) < datetime.fromisoformat(body["hold_until"]) - before < timedelta(seconds=310)
    assert body["status_url"] == f"http://testserver/api/v1/site/checkouts/{_payment(made).token}"
    assert made["Cache-Control"] == "no-store, private"
    held = _status(api, made)
    assert held.json() == {
        "state": "held", "payment_url": body["payment_url"], "hold_until": body["hold_until"], "booking": None,
    }  # fmt: skip
    assert held["Cache-Control"] == "no-store, private"

    bank.pay(_payment(made).provider_payment_id)
    assert _status(api, made).json()["state"] == "held"  # nobody has told us
    done = _status(api, made, "?look=1").json()

    assert (done["state"], done["payment_url"], done["hold_until"]) == ("confirmed", None, None)
    booking = Booking.objects.get()
    assert (booking.status, booking.booking_type, booking.price) == ("CONFIRMED", "individual", 150_000)
    assert (done["booking"]["token"], done["booking"]["status"]) == (booking.token, "CONFIRMED")
    assert done["booking"]["user"] == {
        "id": booking.client_id, "name": "Анна Петрова", "phone_number": "+79123456789",
    }  # fmt: skip
    assert done == _status(api, made).json()


def test_a_group_is_booked_with_its_names(api: Caller, bank: Bank) -> None:
    slot = offer(capacity=5, area__exclusive=False)

    made = api.post(GROUP, order(slot.pk, participants_count=3, participants_names=["Иван  Петров", "", "Ольга"]))

    assert made.status_code == 201
    assert _payment(made).amount == 450_000
    assert _payment(made).snapshot["booking_type"] == "group"
    assert Claim.objects.count() == 3
    contact = BookingContact.objects.get()
    assert [who.name for who in contact.participants.all()] == ["Иван Петров", "Ольга"]


@pytest.mark.parametrize("given", ["2001-02-03", "1900-01-01", None])
def test_a_birth_date_is_kept_and_b_unknown_one_is_not(api: Caller, bank: Bank, given: str | None) -> None:
    made = api.post(INDIVIDUAL, order(offer().pk, client=ANNA | {"birth_date": given}))

    assert made.status_code == 201
    assert str(BookingContact.objects.get().birth_date) == ("2001-02-03" if given == "2001-02-03" else "None")


def test_the_language_asked_for_is_the_one_of_the_letters(api: Caller, bank: Bank) -> None:
    api.post(INDIVIDUAL, order(offer().pk), accept_language="en-GB,en;q=0.8")
    api.post(INDIVIDUAL, order(offer().pk), accept_language="ru")
    api.post(INDIVIDUAL, order(offer().pk), accept_language="fr")

    languages = [contact.language for contact in BookingContact.objects.order_by("pk")]
    assert languages == ["en", "ru", "ru"]


def test_a_free_slot_is_booked_at_once(api: Caller, bank: Bank) -> None:
    made = api.post(INDIVIDUAL, order(offer(price=0).pk))

    assert made.status_code == 201
    assert (made.json()["payment_url"], made.json()["hold_until"]) == (None, None)
    found = _status(api, made).json()
    assert (found["state"], found["booking"]["status"], found["booking"]["price"]) == ("confirmed", "CONFIRMED", 0)


def test_an_area_by_request_makes_a_request(api: Caller, bank: Bank) -> None:
    area = AreaFactory(mode="request")

    made = api.post(INDIVIDUAL, order(offer(club=area.club, area=area).pk))

    assert made.status_code == 201
    assert made.json()["payment_url"] is None
    found = _status(api, made).json()
    assert (found["state"], found["booking"]["status"]) == ("requested", "REQUESTED")
    assert found["hold_until"] == made.json()["hold_until"] is not None


def test_an_expired_request_is_shown_as_ended_before_anything_has_run(api: Caller, bank: Bank) -> None:
    area = AreaFactory(mode="request", club__request_deadline_minutes=10)
    made = api.post(INDIVIDUAL, order(offer(club=area.club, area=area).pk))

    with time_machine.travel(now_utc() + timedelta(minutes=11)):
        found = _status(api, made).json()

    assert (found["state"], found["booking"]["status"], found["booking"]["reason"]) == ("expired", "OTHER", "expired")
    assert found["booking"]["finished_at"] == made.json()["hold_until"]
    assert found["booking"]["cancel"]["allowed"] is False
    assert Booking.objects.get().status == "REQUESTED"


def test_older_addresses_take_older_names(api: Caller, bank: Bank) -> None:
    who = {"client_name": "Анна Петрова", "client_phone": "+79123456789", "client_email": "anna@example.com"}
    alone, group = offer(), offer(capacity=3)

    first = api.post(OLD_INDIVIDUAL, who | {"slot_id": alone.pk})
    second = api.post(
        OLD_GROUP,
        who | {"group_training_id": group.pk, "participants_count": 2, "participants_names": "Иван, Ольга"},
    )

    assert (first.status_code, second.status_code) == (201, 201)
    assert set(first.json()) == {"payment_url", "hold_until", "status_url"}
    asked = [payment.snapshot for payment in Payment.objects.order_by("pk")]
    assert [(one["slot_id"], one["booking_type"], one["participants_count"]) for one in asked] == [
        (alone.pk, "individual", 1),
        (group.pk, "group", 2),
    ]
    assert [who.name for who in BookingContact.objects.latest("pk").participants.all()] == ["Иван", "Ольга"]


# --- what cannot be had


def test_a_taken_slot_is_a_conflict(api: Caller, bank: Bank) -> None:
    slot = offer()
    take(slot, phone="+79990000000")

    answer = api.post(INDIVIDUAL, order(slot.pk))

    assert refusal(answer) == (409, "slot_taken")
    assert answer.json()["slot_id"] == slot.pk
    assert Payment.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"closed": True}, (409, "slot_closed")), ({"club__notice_minutes": 10_000}, (409, "slot_closed"))],
)
def test_a_withdrawn_slot_is_a_conflict(
    api: Caller, bank: Bank, changes: dict[str, Any], code: tuple[int, str]
) -> None:
    assert refusal(api.post(INDIVIDUAL, order(offer(**changes).pk))) == code
    assert not Claim.objects.exists()


def test_a_bank_that_refuses_frees_the_place(api: Caller, bank: Bank) -> None:
    slot = offer()
    bank.fault(on="create", kind="refuse")

    assert refusal(api.post(INDIVIDUAL, order(slot.pk))) == (503, "provider_unavailable")
    assert not Claim.objects.exists()
    assert api.post(INDIVIDUAL, order(slot.pk)).status_code == 201


def test_a_silent_bank_leaves_the_place_held_and_a_look_brings_the_page(api: Caller, bank: Bank) -> None:
    bank.fault(on="create", kind="error_before")

    made = api.post(INDIVIDUAL, order(offer().pk))
    first = _status(api, made).json()
    with time_machine.travel(now_utc() + timedelta(seconds=10)):
        second = _status(api, made, "?look=1").json()

    assert (made.status_code, made.json()["payment_url"]) == (201, None)
    assert (first["state"], second["state"]) == ("preparing", "held")
    assert second["payment_url"].startswith(bank.url)


def test_a_crowded_database_says_try_again(api: Caller, bank: Bank) -> None:
    slot = offer()
    take_the_lock, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Slot.objects.select_for_update().get(pk=slot.pk)
            take_the_lock.set()
            let_go.wait(30)
        connection.close()

    crowd = threading.Thread(target=hold)
    crowd.start()
    take_the_lock.wait(10)
    try:
        answer = api.post(INDIVIDUAL, order(slot.pk))
    finally:
        let_go.set()
        crowd.join()

    assert refusal(answer) == (503, "database_unavailable")
    assert answer["Retry-After"] == "5"
    assert not Payment.objects.exists()


# --- the same call again


def test_a_repeat_of_the_key_gets_the_same_answer(api: Caller, bank: Bank) -> None:
    slot = offer()

    first = api.post(INDIVIDUAL, order(slot.pk), idempotency_key="k1")
    again = api.post(INDIVIDUAL, order(slot.pk, client=ANNA | {"phone": "+7 912 3456789"}), idempotency_key="k1")

    assert (again.status_code, again.json()) == (201, first.json())
    assert Payment.objects.count() == 1
    assert len(bank.calls("POST", "/payments")) == 1


def test_two_places_of_a_group_need_two_keys(api: Caller, bank: Bank) -> None:
    slot = offer(capacity=3)

    answers = [api.post(GROUP, order(slot.pk), idempotency_key=key) for key in ("a", "a", "b")]

    urls = [answer.json()["status_url"] for answer in answers]
    assert urls[0] == urls[1] != urls[2]
    assert Claim.objects.count() == 2


def test_without_a_key_each_call_is_a_new_one(api: Caller, bank: Bank) -> None:
    slot = offer(capacity=3)

    urls = {api.post(GROUP, order(slot.pk)).json()["status_url"] for _ in range(2)}

    assert len(urls) == 2


def test_a_repeat_of_a_free_booking_and_of_a_request_get_the_same_answer(api: Caller, bank: Bank) -> None:
    area = AreaFactory(mode="request")
    for slot in (offer(price=0), offer(club=area.club, area=area)):
        first, again = (api.post(INDIVIDUAL, order(slot.pk), idempotency_key="k") for _ in range(2))
        assert (again.status_code, again.json()) == (201, first.json())
    assert Booking.objects.count() == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"participants_count": 2},
        {"participants_names": ["Иван"]},
        {"client": ANNA | {"full_name": "Анна Иванова"}},
        {"client": ANNA | {"email": "other@example.com"}},
        {"client": ANNA | {"birth_date": "2001-02-03"}},
    ],
)
def test_a_known_key_with_another_body_is_refused(api: Caller, bank: Bank, changes: dict[str, Any]) -> None:
    slot = offer(capacity=4)
    api.post(GROUP, order(slot.pk), idempotency_key="k1")

    assert refusal(api.post(GROUP, order(slot.pk, **changes), idempotency_key="k1")) == (422, "idempotency_mismatch")
    assert (Payment.objects.count(), Claim.objects.count()) == (1, 1)


def test_a_known_key_with_another_slot_or_kind_is_refused(api: Caller, bank: Bank) -> None:
    slot = offer(capacity=4)
    other = offer(club=slot.club)
    api.post(GROUP, order(slot.pk), idempotency_key="k1")

    assert refusal(api.post(GROUP, order(other.pk), idempotency_key="k1")) == (422, "idempotency_mismatch")
    assert refusal(api.post(INDIVIDUAL, order(slot.pk), idempotency_key="k1")) == (422, "idempotency_mismatch")
    assert (Payment.objects.count(), Claim.objects.count()) == (1, 1)


def test_a_strangers_key_shows_nothing_of_anothers_checkout(api: Caller, bank: Bank) -> None:
    slot = offer()
    api.post(INDIVIDUAL, order(slot.pk), idempotency_key="k1")

    answer = api.post(INDIVIDUAL, order(slot.pk, client=ANNA | {"phone": "+79990000000"}), idempotency_key="k1")

    assert refusal(answer) == (409, "slot_taken")
    assert "status_url" not in answer.json()


def test_a_key_whose_hold_has_died_takes_a_new_one(api: Caller, bank: Bank) -> None:
    slot = offer()
    api.post(INDIVIDUAL, order(slot.pk), idempotency_key="k1")

    with time_machine.travel(now_utc() + timedelta(seconds=301)):
        assert refusal(api.post(INDIVIDUAL, order(slot.pk), idempotency_key="k1")) == (409, "hold_expired")
        assert api.post(INDIVIDUAL, order(slot.pk), idempotency_key="k2").status_code == 201


def test_a_key_of_255_letters_will_do(api: Caller, bank: Bank) -> None:
    slot = offer()
    first, again = (api.post(INDIVIDUAL, order(slot.pk), idempotency_key="k" * 255) for _ in range(2))

    assert first.json() == again.json()


# --- the state


def test_a_declined_card_is_failed(api: Caller, bank: Bank) -> None:
    made = api.post(INDIVIDUAL, order(offer().pk))
    bank.pay(_payment(made).provider_payment_id, card=DECLINED)

    found = _status(api, made, "?look=1").json()

    assert found == {"state": "failed", "payment_url": None, "hold_until": None, "booking": None}


def test_a_dead_hold_is_expired_and_late_money_goes_back(api: Caller, bank: Bank) -> None:
    made = api.post(INDIVIDUAL, order(offer().pk))

    with time_machine.travel(now_utc() + timedelta(seconds=301)):
        assert _status(api, made).json()["state"] == "expired"
        bank.pay(_payment(made).provider_payment_id)
        run_all()
        found = _status(api, made).json()

    assert found == {"state": "refunded", "payment_url": None, "hold_until": None, "booking": None}
    assert bank.effects(_payment(made).provider_payment_id) == [("held", 150_000), ("voided", 150_000)]


def test_the_bank_is_asked_once_in_two_seconds(api: Caller, bank: Bank) -> None:
    made = api.post(INDIVIDUAL, order(offer().pk))
    asked = len(bank.calls("GET"))

    for _ in range(5):
        _status(api, made, "?look=1")

    assert len(bank.calls("GET")) == asked + 1


def test_a_look_with_a_silent_bank_changes_nothing(api: Caller, bank: Bank) -> None:
    made = api.post(INDIVIDUAL, order(offer().pk))
    bank.fault(on="get", kind="error_before", times=None)

    assert _status(api, made, "?look=1").json()["state"] == "held"


def test_a_charset_in_the_header_changes_nothing(api: Caller, bank: Bank) -> None:
    body = json.dumps(order(offer().pk), ensure_ascii=False).encode()

    assert api.post(INDIVIDUAL, body, content_type="application/json; charset=cp1251").status_code == 201
    assert BookingContact.objects.get().full_name == "Анна Петрова"


def test_nobody_is_booked_twice_by_one_key_at_one_moment(bank: Bank) -> None:
    slot, found = offer(capacity=10), []

    def call() -> None:
        found.append(Caller().post(GROUP, order(slot.pk), idempotency_key="k"))
        connection.close()

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [answer.status_code for answer in found] == [201] * 4, [answer.content for answer in found]
    assert len({answer.json()["status_url"] for answer in found}) == 1
    assert Claim.objects.count() == 1


def test_a_strangers_name_is_not_told_to_who_types_their_phone(api: Caller, bank: Bank) -> None:
    slot = offer()
    booked(slot, bank, full_name="Мария Тайная", email="secret@example.com")
    other = offer(club=slot.club)

    made = api.post(INDIVIDUAL, order(other.pk))
    bank.pay(_payment(made).provider_payment_id)
    shown = _status(api, made, "?look=1").content.decode()

    assert Client.objects.get().full_name == "Мария Тайная"
    assert "Тайная" not in shown
    assert "secret@" not in shown


@pytest.mark.parametrize(("capacity", "path", "field"), [(3, INDIVIDUAL, "slot_id"), (1, GROUP, "slot_id")])
def test_a_group_is_not_booked_alone_nor_the_other_way_round(
    api: Caller, bank: Bank, capacity: int, path: str, field: str
) -> None:
    answer = api.post(path, order(offer(capacity=capacity).pk))

    assert refusal(answer) == (400, "validation_failed")
    assert list(answer.json()["errors"]) == [field]
    assert not Payment.objects.exists()


def test_older_addresses_refuse_the_wrong_kind_by_their_own_names(api: Caller, bank: Bank) -> None:
    who = {"client_name": "Анна Петрова", "client_phone": "+79123456789", "client_email": "anna@example.com"}

    group = api.post(OLD_INDIVIDUAL, who | {"slot_id": offer(capacity=3).pk})
    alone = api.post(OLD_GROUP, who | {"group_training_id": offer().pk})

    assert (refusal(group), list(group.json()["errors"])) == ((400, "validation_failed"), ["slot_id"])
    assert (refusal(alone), list(alone.json()["errors"])) == ((400, "validation_failed"), ["group_training_id"])


def test_a_blocked_client_hears_whom_to_call_and_not_why(api: Caller, bank: Bank) -> None:
    slot = offer()
    client = ClientFactory(club=slot.club, phone="+79123456789")
    clients.block(client_id=client.pk, reason="owes for October", actor=staff(slot))

    refused = api.post(INDIVIDUAL, order(slot.pk))

    assert refusal(refused) == (409, "call_the_club")
    assert not [word for word in ("block", "заблок", "October") if word in refused.content.decode()]
    assert not Payment.objects.exists()
