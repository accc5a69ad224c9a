"""Every refusal is application/problem+json, in the language asked for, and tells nothing of the inside."""

import logging

import pytest
from django.core.signals import got_request_exception
from django.test import Client
from django.urls import get_resolver

from tests.api.conftest import Caller, refusal

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.addresses")]


@pytest.fixture
def quiet() -> Caller:
    """A caller that is answered 500 instead of seeing the exception."""
    return Caller(client=Client(raise_request_exception=False))


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("not-found", 404, "not_found"), ("denied", 403, "permission_denied"), ("not-permitted", 403, "permission_denied"),
        ("too-big", 413, "request_too_large"), ("suspicious", 400, "malformed_request"), ("bad", 400, "malformed_request"),
        ("gone", 400, "malformed_request"), ("busy", 503, "database_unavailable"),
        ("unavailable", 503, "database_unavailable"), ("throttled", 429, "throttled"), ("parse", 400, "malformed_request"),
        ("stranger", 401, "not_authenticated"), ("forged", 401, "not_authenticated"),
        ("rest-denied", 403, "permission_denied"), ("rest-not-found", 404, "not_found"), ("input", 400, "validation_failed"),
        ("one", 400, "validation_failed"), ("facts", 400, "validation_failed"), ("refused", 409, "refused"),
        ("integrity", 500, "internal_error"), ("defect", 500, "internal_error"),
    ],
)  # fmt: skip
def test_whatever_is_raised_has_its_code_and_no_secrets(quiet: Caller, name: str, status: int, code: str) -> None:
    answer = quiet.get(f"/api/raise/{name}")

    assert refusal(answer) == (status, code)
    assert b"secret" not in answer.content
    assert b"Anna" not in answer.content


@pytest.mark.parametrize(("name", "seconds"), [("busy", "5"), ("unavailable", "5"), ("throttled", "8")])
def test_who_shall_come_again_is_told_when(quiet: Caller, name: str, seconds: str) -> None:
    assert quiet.get(f"/api/raise/{name}")["Retry-After"] == seconds


def test_who_is_not_known_is_told_how_to_sign_in(quiet: Caller) -> None:
    assert quiet.get("/api/raise/stranger")["WWW-Authenticate"] == "Bearer"


def test_facts_stand_beside_the_code(quiet: Caller) -> None:
    body = quiet.get("/api/raise/refused").json()

    assert (body["current_status"], body["allowed_events"]) == ("REQUESTED", ["approve"])


def test_errors_are_named_by_dotted_paths(quiet: Caller) -> None:
    assert quiet.get("/api/raise/input").json()["errors"] == {"a.b.0": ["wrong"], "a": ["whole"], "c.1.d": ["bad"]}
    assert quiet.get("/api/raise/one").json()["errors"] == {"body": ["just wrong"]}
    assert quiet.get("/api/raise/facts").json()["errors"] == {"phone": ["wrong"]}


def test_a_defect_is_logged_once_with_its_trace_and_told_to_trackers(
    quiet: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[object] = []

    def track(sender: object, **_kwargs: object) -> None:
        seen.append(sender)

    got_request_exception.connect(track)
    try:
        quiet.get("/api/raise/defect")
    finally:
        got_request_exception.disconnect(track)

    logged = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.getMessage() for record in logged] == ["Internal Server Error: /api/raise/defect"]
    assert logged[0].exc_info is not None
    assert logged[0].exc_info[0] is ZeroDivisionError
    assert len(seen) == 1


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options", "head"])
@pytest.mark.parametrize(
    "path", ["/api/", "/api/v1", "/api/v1/", "/api/v2/clubs", "/api/v1/clubs/", "/api/v1/%00", "/api/x\ny"]
)
def test_an_unknown_address_answers_like_the_rest(method: str, path: str) -> None:
    answer = getattr(Client(enforce_csrf_checks=True), method)(path)

    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path", ["/api/v1/clubs", "/api/v1/site/bookings/individual", "/api/v1/payments/yookassa/webhook"]
)
def test_an_unknown_method_is_refused_in_the_same_shape(path: str) -> None:
    answer = Client(enforce_csrf_checks=True).delete(path, headers={"accept-language": "en"})

    assert refusal(answer) == (405, "method_not_allowed")
    assert answer["Allow"]


@pytest.mark.parametrize("name", ["not-found", "busy", "throttled", "parse", "facts", "defect", "rest-denied"])
def test_titles_speak_the_language_asked_for_and_codes_do_not(quiet: Caller, name: str) -> None:
    english, russian, other = (
        quiet.get(f"/api/raise/{name}", accept_language=asked) for asked in ("en-GB,en;q=0.9", "ru-RU", "fr")
    )

    assert english.json()["title"].isascii()
    assert not russian.json()["title"].isascii()
    assert other.json()["title"] == russian.json()["title"]  # Russian is the first language here
    assert english.json()["code"] == russian.json()["code"]
    assert english["Content-Language"] == "en"
    assert "Accept-Language" in english["Vary"]


def test_field_errors_speak_it_too(api: Caller) -> None:
    english, russian = (
        api.post("/api/v1/site/bookings/individual", {}, accept_language=asked).json()["errors"]
        for asked in ("en", "ru")
    )

    assert english["client"] == ["This field is required."]
    assert russian["client"] == ["Обязательное поле."]


def test_no_address_of_the_api_asks_for_a_csrf_token() -> None:
    sent = [p for p in _posts() if Client(enforce_csrf_checks=True).post(p, {}).status_code == 403]

    assert sent == []


def _posts() -> list[str]:
    found = get_resolver("palms.urls").reverse_dict
    return [
        "/" + found.getlist(name)[0][0][0][0] % {"token": "x", "provider": "yookassa", "slug": "x"}
        for name in (
            "api-book-individual",
            "api-book-group",
            "api-booking-cancel",
            "api-webhook",
            "webhook",
            "kuliga-webhook",
        )
    ]
