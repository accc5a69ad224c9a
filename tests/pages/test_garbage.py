"""Whatever is sent, a clear page comes back: never a 500, never a lost visitor."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import get_resolver

from tests.factories import SlotFactory
from tests.pages.conftest import FORM, address_of, text_of

pytestmark = pytest.mark.django_db

UNKNOWN = "AAAAAAAAAAAAAAAAAAAAAA"
ODD = [
    "/nobody/",
    "/nobody/slots/1/",
    "/nobody/slots/999999999999999999/",
    "/nobody/slots/9999999999999999999999/",
    "/nobody/slots/-1/",
    "/nobody/slots/x/",
    "/no%00body/",
    "/%D0%BF%D0%B0%D0%BB%D1%8C%D0%BC%D1%8B/",
    "/%ff%fe/",
    "/%ed%a0%80/",
    "/" + "a" * 10_000 + "/",
    "/../../etc/passwd",
    "/checkout/",
    "/checkout/x/",
    f"/checkout/{UNKNOWN}/",
    f"/checkout/{UNKNOWN}/return/",
    f"/checkout/{UNKNOWN}/?n=-1&was=%00",
    f"/checkout/{'a' * 65}/",
    "/checkout/%00%00%00%00%00%00%00%00/",
    f"/booking/{UNKNOWN}/",
    f"/booking/{UNKNOWN}/cancel/",
    "/booking/'%20OR%201=1--/",
]


@pytest.mark.parametrize("address", ODD)
@pytest.mark.parametrize("language", ["ru", "en"])
def test_unknown_addresses_get_a_page_that_says_what_now(client: Client, address: str, language: str) -> None:
    response = client.get(address, query_params={"lang": language} if "?" not in address else None)
    assert response.status_code == 404
    if "?" not in address:
        assert ("Что дальше" if language == "ru" else "What now") in text_of(response)
        assert f'<html lang="{language}">' in text_of(response)


def test_another_clubs_slot_is_not_found(client: Client) -> None:
    slot, other = SlotFactory(), SlotFactory()
    assert client.get(f"/{other.club.slug}/slots/{slot.pk}/").status_code == 404


@pytest.mark.parametrize("address", ["/checkout/{}/release/", "/booking/{}/pay/", "/language/"])
def test_buttons_are_not_addresses(client: Client, address: str) -> None:
    response = client.get(address.format(UNKNOWN))
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST" or "POST" in response.headers["Allow"]
    assert "нажмите кнопку там" in text_of(response)


@pytest.mark.parametrize(
    "address", ["/", "/club/", "/club/slots/1/", f"/checkout/{UNKNOWN}/", f"/booking/{UNKNOWN}/", "/health/live"]
)
@pytest.mark.parametrize("method", ["put", "delete", "patch", "trace"])
def test_other_methods_are_refused(client: Client, address: str, method: str) -> None:
    assert getattr(client, method)(address).status_code in (404, 405)


BODIES = [
    (b"full_name=%ff%fe&phone=%00", "application/x-www-form-urlencoded"),
    (b"\xff\xfe\x00\x01" * 100, "application/x-www-form-urlencoded"),
    (b"{not json", "application/json"),
    (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
    (b"", "multipart/form-data"),
    (b"full_name=a", "application/x-www-form-urlencoded; charset=utf-16"),
    (b"full_name=a", "application/x-www-form-urlencoded; charset=nonsense"),
    (b"&" * 50_000, "application/x-www-form-urlencoded"),
    (b"a=1&" * 1_000, "application/x-www-form-urlencoded"),
]


@pytest.mark.parametrize(("body", "kind"), BODIES)
def test_broken_bodies_are_a_clear_refusal(client: Client, body: bytes, kind: str) -> None:
    response = client.generic("POST", address_of(SlotFactory()), body, content_type=kind)
    assert response.status_code in (400, 413)
    assert "списан" in text_of(response) or "не списывались" in text_of(response)


def test_a_huge_body_is_too_large(client: Client) -> None:
    response = client.post(address_of(SlotFactory()), FORM | {"full_name": "я" * 2_000_000}, content_type="text/plain")
    assert response.status_code == 400
    body = b"full_name=" + b"x" * 2_000_000
    response = client.post(address_of(SlotFactory()), body, content_type="application/x-www-form-urlencoded")
    assert response.status_code == 413
    assert "Слишком много данных" in text_of(response)


@pytest.mark.parametrize("cookie", ["", "x", "x:y:z", "\x7f" * 50, "a" * 4000])
@pytest.mark.parametrize("name", ["visitor", "django_language", "csrftoken", "sessionid"])
def test_strange_cookies_change_nothing(client: Client, name: str, cookie: str) -> None:
    client.cookies[name] = cookie
    assert client.get(address_of(SlotFactory())).status_code == 200
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("query", ["?n=abc", "?n=999999999999", "?n=%00", "?was=" + "x" * 5000, "?n=-1"])
def test_strange_turns_of_a_poll_are_the_first_turn(client: Client, query: str) -> None:
    assert client.get(f"/checkout/{UNKNOWN}/{query}").status_code == 404


@pytest.mark.parametrize("lang", ["", "xx", "ru-RU", "\0", "e" * 5000, "../../en"])
def test_a_strange_language_is_russian(client: Client, lang: str) -> None:
    assert '<html lang="ru">' in text_of(client.get("/", {"lang": lang}))


@pytest.mark.parametrize("host", ["evil.example", "", "a b", "127.0.0.1:notaport"])
def test_a_strange_host_is_refused(client: Client, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 400
    assert client.get("/health/live", headers={"host": host}).status_code == 200


NAMES = (
    "club-list",
    "club-day",
    "slot",
    "find",
    "find-sent",
    "club-find",
    "club-find-sent",
    "checkout-status",
    "checkout-return",
    "checkout-release",
    "booking",
    "booking-calendar",
    "booking-pay",
)
NOWHERE = {"slug": "nobody", "slot_id": 1, "token": UNKNOWN}


@pytest.mark.parametrize("method", ["get", "post", "head", "options", "put"])
@pytest.mark.parametrize("name", [*NAMES, "booking-cancel", "language", "health-live", "health-ready"])
def test_every_page_survives_every_method(client: Client, name: str, method: str) -> None:
    (form, needed), *_others = get_resolver().reverse_dict[name][0]
    address = "/" + form % {key: NOWHERE[key] for key in needed}
    assert getattr(client, method)(address).status_code < 500
