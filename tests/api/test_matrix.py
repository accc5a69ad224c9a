"""Who may call what: every operation of the document by every kind of caller. Whatever is refused has written nothing.

The operations, their ids in paths, filters and bodies come from the document, which has every address of the resolver
(tests/api/test_openapi.py); the bodies are its examples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client

from clubs.models import Membership, User
from clubs.services import SCOPES, make_api_key, revoke_api_key
from palms.actors import SYSTEM
from palms.document import build
from tests.api.conftest import Caller, refusal
from tests.api.world import World, make_world, operations


def those(fits: Callable[[str, str, dict[str, Any]], Any]) -> pytest.MarkDecorator:
    """Parametrize by the operations that fit."""
    found = [pytest.param(*one, id=f"{one[0]} {one[1]}") for one in operations() if fits(*one)]
    return pytest.mark.parametrize(("method", "path", "operation"), found)


def is_of_clubs(_method: str, _path: str, operation: dict[str, Any]) -> bool:
    return bool(operation.get("security"))


BESIDE = {"palms_throttle", "django_session"}  # counted and kept whoever calls
OURS = {"area_id", "slot_id", "instructor_id", "program_id", "booking_id", "endpoint_id", "delivery_id"}

pytestmark = pytest.mark.django_db


@dataclass(frozen=True, slots=True)
class Place:
    """Two clubs, and an operation of the first one."""

    mine: World
    other: World


@pytest.fixture
def place() -> Place:
    return Place(make_world(slug="mine"), make_world(slug="stranger-club"))


def tables() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        return [row[0] for row in cursor.fetchall() if row[0] not in BESIDE]


def rows() -> dict[str, tuple[int, Any]]:
    """Return how many rows every table has, and a sum over their contents and their places in the table."""
    each = " UNION ALL ".join(
        f"SELECT '{name}', count(*), sum(hashtextextended(t::text || t.ctid::text || t.xmin::text, 0)) FROM {name} t"
        for name in tables()
    )
    with connection.cursor() as cursor:
        cursor.execute(each)
        return {name: (count, total) for name, count, total in cursor.fetchall()}


class Silent:
    """with Silent(): nothing in here writes a row."""

    def __enter__(self) -> None:
        self.before = rows()

    def __exit__(self, *_args: object) -> None:
        after = rows()
        written = sorted(name for name in after if after[name] != self.before[name])
        assert not written, ", ".join(written)


def key(world: World, **changes: Any) -> Callable[..., Any]:
    return by_secret(make_api_key(club_id=world.club.pk, name="x", actor=SYSTEM, **changes)[1])


def by_secret(secret: str) -> Callable[..., Any]:
    """Return a caller with this key; it has called once, so that its last use is noted."""
    headers = {"authorization": f"Bearer {secret}"}
    Caller().get("/api/v1/club/areas", **headers)
    return lambda method, path, body=None: send(Caller(), method, path, body, **headers)


def person(*clubs: World, role: str = "STAFF", **changes: Any) -> Callable[..., Any]:
    user = User.objects.create_user(f"{User.objects.count()}@example.com", "x", is_staff=True, **changes)
    for world in clubs:
        Membership.objects.create(user=user, club=world.club, role=role)
    client = Client()
    client.force_login(user)
    return lambda method, path, body=None: send(Caller(client=client), method, path, body)


def send(caller: Caller, method: str, path: str, body: Any, **headers: str) -> Any:
    return caller.post(path, body, **headers) if method == "POST" else _other(caller, method, path, body, headers)


def _other(caller: Caller, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
    if method == "PATCH":
        return caller.patch(path, body, **headers)
    return caller._send(method, path, b"", headers)


def asked(world: World, path: str, operation: dict[str, Any], **query: str) -> tuple[str, Any]:
    """Return the address and the body of an operation about what is in a world."""
    words = world.query(operation) | query
    return world.address(path) + (f"?{urlencode(words)}" if words else ""), world.body(operation)


def scope_of(operation: dict[str, Any]) -> str:
    return next(scope for scope in SCOPES if f"`{scope}`" in operation["description"])


@those(is_of_clubs)
def test_without_a_living_key_or_a_scope_nothing_is_told_or_done(
    place: Place, method: str, path: str, operation: dict[str, Any]
) -> None:
    address, body = asked(place.mine, path, operation)
    made, secret = make_api_key(club_id=place.mine.club.pk, name="x", actor=SYSTEM)
    revoked = by_secret(secret)
    revoke_api_key(key_id=made.pk, actor=SYSTEM)
    less = key(place.mine, scopes=[one for one in SCOPES if one != scope_of(operation)])
    customer = Client()
    customer.force_login(User.objects.create_user("nobody@example.com", "x", is_staff=False))
    callers = {
        "nobody": (lambda *a: send(Caller(), *a), 401, "not_authenticated"),
        "a forged key": (by_secret("palms_live_x"), 401, "not_authenticated"),
        "a revoked key": (revoked, 401, "not_authenticated"),
        "no staff": (lambda *a: send(Caller(client=customer), *a), 401, "not_authenticated"),
        "no scope": (less, 403, "permission_denied"),
    }
    for who, (call, status, code) in callers.items():
        with Silent():
            assert refusal(call(method, address, body)) == (status, code), who


@those(is_of_clubs)
def test_another_club_is_not_there(place: Place, method: str, path: str, operation: dict[str, Any]) -> None:
    """By its slug for nobody; by its ids neither, whoever asks from elsewhere."""
    address, body = asked(place.mine, path, operation)
    named, _body = asked(place.mine, path, operation, club="mine")
    strangers = {
        "another club's key": key(place.other),
        "another club's staff": person(place.other),
        "another club's owner": person(place.other, role="OWNER"),
    }
    if any(f"`{word}`" in operation["description"] for word in ("webhooks:read", "webhooks:write")):
        strangers.pop("another club's staff")  # may not do it at home either: the next test
    for who, call in strangers.items():
        with Silent():
            assert refusal(call(method, named, body)) == (404, "not_found"), who
        if "{" in path:
            with Silent():
                assert refusal(call(method, address, body)) == (404, "not_found"), who


@those(is_of_clubs)
def test_those_who_may_can(place: Place, method: str, path: str, operation: dict[str, Any]) -> None:
    """The control: the same calls, from those whose club it is, are understood. People do only what is not for owners."""
    address, body = asked(place.mine, path, operation)
    named, _body = asked(place.mine, path, operation, club="mine")
    staff = person(place.mine)
    if "owner" in operation["description"]:
        with Silent():
            assert refusal(staff(method, address, body)) == (403, "permission_denied")
        callers = {}
    else:
        callers = {"staff": (staff, address)}
    callers |= {
        "a key": (by_secret(place.mine.secret), address),
        "an owner": (person(place.mine, role="OWNER"), address),
        "an owner of two": (person(place.mine, place.other, role="OWNER"), named),
        "the platform": (person(is_superuser=True), named),
    }
    once: set[int] = set()
    for who, (call, where) in callers.items():
        answer = call(method, where, body)
        once.add(answer.status_code)
        assert answer.status_code in (200, 201, 204, 409) or (method == "DELETE" and answer.status_code == 404), (
            who,
            answer.content,
        )
    assert once & {200, 201, 204} or "close" in path, "at least the first one is served"


@those(lambda method, path, operation: operation.get("security") and "booking" in path)
def test_a_test_key_finds_no_booking_of_real_money(
    place: Place, method: str, path: str, operation: dict[str, Any]
) -> None:
    """The world's booking was paid on site."""
    address, body = asked(place.mine, path, operation)
    call = key(place.mine, is_test=True)
    if "{booking_id}" in path:
        with Silent():
            assert refusal(call(method, address, body)) == (404, "not_found")
    elif path.endswith("/bookings") and method == "GET":
        assert call(method, address).json()["data"] == []
    else:
        assert call(method, address, body).status_code in (200, 201, 204, 403)


def foreign(place: Place, operation: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield a body for each id in it, where just this one is another club's."""
    body = place.mine.body(operation)
    kinds = operation.get("requestBody", {}).get("content", {})
    schema = next(iter(kinds.values()), {}).get("schema", {})
    known = build()["components"]["schemas"].get(schema.get("$ref", "").rsplit("/", 1)[-1], schema)
    for name in sorted(OURS & set(known.get("properties", {}))):
        without = (
            {"slot_id"} if name == "area_id" else {"area_id", "date_from", "date_to"} if name == "slot_id" else set()
        )
        times = {one: value for one, value in place.mine.about({"date_from": 0, "date_to": 0}).items()}
        needed = times if name == "area_id" and "date_from" in known["properties"] and "date_from" not in body else {}
        yield name, {n: v for n, v in (body | needed).items() if n not in without} | {name: place.other.ids[name]}


@those(lambda method, path, operation: operation.get("security") and "requestBody" in operation)
def test_another_clubs_ids_in_bodies_are_not_found(
    place: Place, method: str, path: str, operation: dict[str, Any]
) -> None:
    call = by_secret(place.mine.secret)
    address, _body = asked(place.mine, path, operation)
    for name, body in foreign(place, operation):
        with Silent():
            assert refusal(call(method, address, body)) == (404, "not_found"), name


def test_bodies_name_the_ids_that_clubs_have(place: Place) -> None:
    """A guard of the test above: it has met the ids that are known to be in bodies."""
    met = {(path, name) for _m, path, operation in operations() for name, _b in foreign(place, operation)}
    known = {(path.rsplit("/", 1)[1], name) for path, name in met if "/club/" in path}

    assert known >= {
        ("slots", "area_id"),
        ("slots", "instructor_id"),
        ("slots", "program_id"),
        ("{slot_id}", "area_id"),
        ("bookings", "slot_id"),
        ("bookings", "area_id"),
        ("date", "slot_id"),
        ("{booking_id}", "area_id"),
    }


@those(lambda method, path, operation: operation.get("security") and method == "GET" and "{" not in path)
def test_lists_show_ones_own_only_whatever_is_asked_for(
    place: Place, method: str, path: str, operation: dict[str, Any]
) -> None:
    call = by_secret(place.mine.secret)
    address, _body = asked(place.mine, path, operation)
    strangers = {str(value) for name, value in place.other.ids.items() if name in ("token", "slug")}
    assert not any(value in call(method, address).content.decode() for value in strangers)
    filters = {one["name"] for one in operation["parameters"] if one["in"] == "query"} & OURS
    for name in filters:
        narrowed, _body = asked(place.mine, path, operation, **{name: str(place.other.ids[name])})
        assert call(method, narrowed).json()["data"] == [], name


@those(lambda method, path, operation: "{" in path)
def test_what_is_not_there_is_404_and_writes_nothing(
    place: Place, method: str, path: str, operation: dict[str, Any]
) -> None:
    """Also for the calls that ask for no credential: their tokens, slugs and names are all there is to know."""
    _address, body = asked(place.mine, path, operation)
    absent = path.format_map(
        {name: "no-such" if isinstance(value, str) else 2**40 for name, value in place.mine.ids.items()}
    )
    words = place.mine.query(operation)
    call = by_secret(place.mine.secret) if operation.get("security") else lambda *a: send(Caller(), *a)
    with Silent():
        assert refusal(call(method, f"{absent}?{urlencode(words)}", body)) == (404, "not_found")


def test_the_look_at_the_tables_sees_a_write(place: Place) -> None:
    look = Silent()
    look.__enter__()
    place.mine.club.save(update_fields=["name"])
    with pytest.raises(AssertionError, match="clubs_club"):
        look.__exit__()
    look.__enter__()
    make_world(slug="third")
    with pytest.raises(AssertionError, match="clubs_area"):
        look.__exit__()
