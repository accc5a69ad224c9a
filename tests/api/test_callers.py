"""Who may call the club's API, how often, and page by page."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from clubs import callers
from clubs.models import ApiKey, Area, Club, Membership, User
from clubs.services import make_api_key, revoke_api_key
from palms.actors import SYSTEM
from palms.clock import now_utc
from palms.throttling import Rate
from tests.api.conftest import Caller, refusal
from tests.factories import AreaFactory, ClubFactory

AREAS = "/api/v1/club/areas"

pytestmark = pytest.mark.django_db


@pytest.fixture
def club() -> Any:
    return ClubFactory(slug="vorona")


def key_of(club: Club, **changes: Any) -> str:
    return make_api_key(club_id=club.pk, name="CRM", actor=SYSTEM, **changes)[1]


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def person(club: Club | None, role: str = "STAFF", **changes: Any) -> User:
    user = User.objects.create_user(f"{User.objects.count()}@example.com", "x", is_staff=True, **changes)
    if club is not None:
        Membership.objects.create(user=user, club=club, role=role)
    return user


def signed_in(user: User) -> Caller:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    return Caller(client=client)


def test_a_key_sees_its_own_club_only(api: Caller, club: Any) -> None:
    mine, _strangers = AreaFactory(club=club), AreaFactory()

    answer = api.get(AREAS, **bearer(key_of(club)))

    assert answer.status_code == 200
    assert [row["id"] for row in answer.json()["data"]] == [mine.pk]
    assert answer["Cache-Control"] == "private, no-store"
    assert refusal(api.get(f"{AREAS}?club=another", **bearer(key_of(club)))) == (404, "not_found")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer nonsense", "Basic eDp4", "Bearer \u00e9\u20ac", "x" * 9000]
)
def test_no_valid_key_is_401(api: Caller, club: Any, header: str) -> None:
    answer = api.get(AREAS, authorization=header)

    assert refusal(answer) == (401, "not_authenticated")
    assert answer["WWW-Authenticate"] == "Bearer"


def test_a_key_ends_at_its_time_or_when_it_is_revoked(api: Caller, club: Any) -> None:
    first, second = key_of(club), key_of(club)
    assert {api.get(AREAS, **bearer(secret)).status_code for secret in (first, second)} == {200}, "two live keys"

    row = ApiKey.objects.order_by("pk")[0]
    revoke_api_key(key_id=row.pk, actor=SYSTEM)
    ApiKey.objects.exclude(pk=row.pk).update(expires_at=now_utc() - timedelta(seconds=1))

    assert {refusal(api.get(AREAS, **bearer(secret))) for secret in (first, second)} == {(401, "not_authenticated")}


def test_a_key_needs_the_scope(api: Caller, club: Any) -> None:
    answer = api.get(AREAS, **bearer(key_of(club, scopes=["bookings:read"])))

    assert refusal(answer) == (403, "permission_denied")
    assert answer.json()["scope"] == "slots:read"


def test_the_last_use_is_noted(api: Caller, club: Any) -> None:
    secret = key_of(club)
    api.get(AREAS, **bearer(secret))
    noted = ApiKey.objects.get().last_used_at
    api.get(AREAS, **bearer(secret))

    assert noted is not None
    assert ApiKey.objects.get().last_used_at == noted, "once a minute is enough"


def test_people_of_the_staff_call_for_their_club(club: Any) -> None:
    other = ClubFactory(slug="other")
    user = person(club)
    assert signed_in(user).get(AREAS).status_code == 200
    assert refusal(signed_in(user).get(f"{AREAS}?club=other")) == (404, "not_found")

    Membership.objects.create(user=user, club=other, role="STAFF")
    assert refusal(signed_in(user).get(AREAS)) == (400, "validation_failed"), "which of the two?"
    assert signed_in(user).get(f"{AREAS}?club=other").status_code == 200

    assert refusal(signed_in(person(None)).get(AREAS)) == (400, "validation_failed")
    boss = signed_in(person(None, is_superuser=True))
    assert boss.get(f"{AREAS}?club=vorona").status_code == 200
    assert refusal(boss.get(f"{AREAS}?club=nobody")) == (404, "not_found")


def test_a_rate_limit_says_when_to_come_back(api: Caller, club: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "RATE", Rate(limit=2, seconds=60))
    headers = bearer(key_of(club))
    assert [api.get(AREAS, **headers)["RateLimit-Remaining"] for _ in range(2)] == ["1", "0"]

    answer = api.get(AREAS, **headers)

    assert refusal(answer) == (429, "throttled")
    assert 1 <= int(answer["Retry-After"]) <= 30
    assert api.get(AREAS, **bearer(key_of(club))).status_code == 200, "another key has a limit of its own"


def walk(api: Caller, address: str, headers: dict[str, str], word: str = "next") -> list[list[int]]:
    pages = []
    while address:
        body = api.get(
            address.removeprefix("http://127.0.0.1:8000").removeprefix("http://testserver"), **headers
        ).json()
        pages.append([row["id"] for row in body["data"]])
        address = body["meta"][word] or ""
        last = body["meta"]
    assert last["limit"] == 3
    return pages


def test_pages_hold_every_row_once_there_and_back(api: Caller, club: Any) -> None:
    """All rows share one sort value, which is where other cursors loop."""
    rows = [AreaFactory(club=club).pk for _ in range(8)]
    headers = bearer(key_of(club))

    there = walk(api, f"{AREAS}?limit=3", headers)
    assert there == [rows[:3], rows[3:6], rows[6:]]

    second = api.get(api.get(f"{AREAS}?limit=3", **headers).json()["meta"]["next"].split("8000")[-1], **headers).json()
    assert walk(api, second["meta"]["next"].split("8000")[-1], headers, "previous") == [rows[6:], rows[3:6], rows[:3]]


def test_rows_that_come_meanwhile_move_no_page(api: Caller, club: Any) -> None:
    rows = [AreaFactory(club=club, position=5).pk for _ in range(4)]
    headers = bearer(key_of(club))
    first = api.get(f"{AREAS}?limit=2", **headers).json()
    AreaFactory(club=club, position=1)
    Area.objects.filter(pk=rows[0]).update(name="renamed")

    second = api.get(first["meta"]["next"].split("8000")[-1], **headers).json()

    assert [row["id"] for row in second["data"]] == rows[2:]


def forged(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "query",
    [
        "cursor=",
        "cursor=%00",
        "cursor=!!!!",
        f"cursor={forged()}",
        f"cursor={forged('name', 'x', 1, False)}",
        f"cursor={forged('position', 'yesterday', 1, False)}",
        f"cursor={forged('position', 10**30, 1, False)}",
        f"cursor={forged('position', 1, -1, False)}",
        f"cursor={forged('position', {}, 1, False)}",
        f"cursor={forged('position', 1.5, 1, False)}",
        "cursor=" + "W1tb" * 2000,
        "limit=0",
        "limit=501",
        "limit=-1",
        "limit=ten",
        "limit=٣",
        "limit=99999999999",
        "colour=red",
        "club__slug=x",
    ],
)
def test_a_broken_query_is_named(api: Caller, club: Any, query: str) -> None:
    answer = api.get(f"{AREAS}?{query}", **bearer(key_of(club)))

    assert refusal(answer) == (400, "validation_failed")
    assert list(answer.json()["errors"]) == [query.split("=")[0]]
