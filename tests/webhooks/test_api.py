"""The calls of a CRM about its webhooks, through HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from clubs.models import Club
from clubs.services import make_api_key
from palms.actors import SYSTEM
from tests.api.conftest import Caller, refusal
from tests.factories import ClubFactory, MembershipFactory, SlotFactory, UserFactory
from tests.webhooks.conftest import endpoint_at
from tests.webhooks.receiver import Receiver
from webhooks import services
from webhooks.models import Delivery, Endpoint

pytestmark = pytest.mark.django_db(transaction=True)
ALL = "/api/v1/club/webhooks"


class Crm(Caller):
    """A CRM with a key."""

    def __init__(self, club: Club, **changes: Any) -> None:
        super().__init__()
        self.key = make_api_key(club_id=club.pk, name="CRM", actor=SYSTEM, **changes)[1]

    def _send(self, method: str, path: str, raw: bytes, headers: dict[str, str], content_type: str = "") -> Any:
        return super()._send(method, path, raw, {"authorization": f"Bearer {self.key}"} | headers, content_type)

    def patch(self, path: str, body: Any, **headers: str) -> Any:
        return self._send("PATCH", path, json.dumps(body).encode(), headers, "application/json")

    def delete(self, path: str) -> Any:
        return self._send("DELETE", path, b"", {})


@pytest.fixture
def crm(club: Club) -> Crm:
    return Crm(club)


def test_the_whole_life_over_http(crm: Crm, club: Club, receiver: Receiver) -> None:
    made = crm.post(ALL, {"url": receiver.url, "types": ["slot.created"]})
    assert made.status_code == 201
    one = f"{ALL}/{made.json()['id']}"
    receiver.secrets.append(made.json()["secret"])
    assert "secret" not in crm.get(one).json()
    assert [row["id"] for row in crm.get(ALL).json()["data"]] == [made.json()["id"]]

    assert crm.post(f"{one}/test", {}).json()["type"] == "webhook.test"
    SlotFactory.create_batch(3, club=club)
    services.deliver_due()
    assert receiver.types == ["webhook.test", *["slot.created"] * 3]
    assert all(got.is_genuine for got in receiver.got)

    first = crm.get(f"{one}/deliveries?limit=3").json()
    rest = crm.get(first["meta"]["next"].removeprefix("http://testserver")).json()
    log = first["data"] + rest["data"]
    assert [row["webhook_id"] for row in log] == [got.id for got in reversed(receiver.got)]
    assert {(row["state"], row["status"], row["error"]) for row in log} == {("DONE", 200, "")}

    again = crm.post(f"{one}/deliveries/{log[0]['id']}/replay", {})
    assert (again.status_code, again.json()["state"]) == (200, "OPEN")
    services.deliver_due()
    assert receiver.got[-1].id == log[0]["webhook_id"]
    assert [row["id"] for row in crm.get(f"{one}/deliveries?state=OPEN").json()["data"]] == []
    assert crm.post(f"{one}/replay", {"since": log[-1]["created_at"]}).json() == {"replayed": 3}

    receiver.secrets[:] = [crm.post(f"{one}/rotate", {"overlap_hours": 0}).json()["secret"]]
    services.deliver_due()
    assert receiver.got[-1].is_genuine

    assert crm.patch(one, {"is_active": False}).json()["off_because"] == "by_hand"
    assert refusal_of(crm.post(f"{one}/test", {})) == (409, "endpoint_off")
    changed = crm.patch(one, {"is_active": True, "types": []}).json()
    assert (changed["is_active"], changed["types"], changed["url"]) == (True, [], receiver.url)
    assert crm.delete(one).status_code == 204
    assert crm.get(one).status_code == 404
    assert crm.get(ALL).json()["data"] == []


def refusal_of(answer: Any) -> tuple[int, str]:
    """Return (status, code); answers of the club's API are private."""
    return answer.status_code, answer.json()["code"]


def test_another_clubs_webhooks_are_not_there(club: Club, endpoint: Endpoint, receiver: Receiver) -> None:
    elsewhere: Club = ClubFactory()
    mine = endpoint_at(receiver, elsewhere)
    SlotFactory(club=club)
    theirs, crm = Delivery.objects.get(endpoint=endpoint), Crm(elsewhere)
    assert [row["id"] for row in crm.get(ALL).json()["data"]] == [mine.pk]
    one = f"{ALL}/{endpoint.pk}"
    asked = [crm.get(one), crm.get(f"{one}/deliveries"), crm.delete(one), crm.patch(one, {"is_active": False})]
    asked += [crm.post(f"{one}/{step}", {}) for step in ("rotate", "test", f"deliveries/{theirs.pk}/replay")]
    asked += [crm.post(f"{ALL}/{mine.pk}/deliveries/{theirs.pk}/replay", {})]
    asked += [crm.post(f"{one}/replay", {"since": "2026-11-21T00:00:00Z"}), crm.get(f"{ALL}/{10**30}")]
    assert {answer.status_code for answer in asked} == {404}


def test_a_key_needs_its_scope_and_a_person_must_own(club: Club, receiver: Receiver) -> None:
    reader = Crm(club, scopes=["webhooks:read"])
    assert reader.get(ALL).status_code == 200
    assert refusal_of(reader.post(ALL, {"url": receiver.url})) == (403, "permission_denied")
    assert refusal_of(Crm(club, scopes=["slots:read"]).get(ALL)) == (403, "permission_denied")
    assert refusal_of(Caller().get(ALL))[0] == 401
    for role, status in (("OWNER", 200), ("STAFF", 403)):
        client = Client()
        client.force_login(MembershipFactory(club=club, user=UserFactory(), role=role).user)
        assert client.get(ALL).status_code == status


@pytest.mark.parametrize(
    "body",
    [
        None, [], "x", 7, {}, {"url": 7}, {"url": None}, {"url": ""}, {"url": "x"}, {"url": "gopher://x/"},
        {"url": "https://u:p@crm.example.com/"}, {"url": "https://crm.example.com/", "types": "slot.created"},
        {"url": "https://crm.example.com/", "types": ["slot.eaten"]}, {"url": "https://crm.example.com/", "types": [7]},
        {"url": "https://crm.example.com/", "type": ["slot.created"]}, {"url": "https://crm.example.com/\0"},
        {"url": "https://crm.example.com/", "description": "x" * 201}, {"url": "https://" + "a" * 600},
    ],
)  # fmt: skip
def test_garbage_is_refused(crm: Crm, body: Any) -> None:
    assert refusal_of(crm.post(ALL, body)) == (400, "validation_failed")


def test_garbage_about_an_endpoint_is_refused(crm: Crm, endpoint: Endpoint) -> None:
    one = f"{ALL}/{endpoint.pk}"
    asked = [crm.post(f"{one}/rotate", {"overlap_hours": hours}) for hours in (-1, 169, "1", None, 1.5)]
    asked += [
        crm.post(f"{one}/replay", body)
        for body in ({}, {"since": 1}, {"since": "x"}, {"since": "1999-01-01T00:00:00Z"})
    ]
    asked += [crm.patch(one, body) for body in ({"is_active": "no"}, {"secret": "x"}, [], {"url": "ftp://x"})]
    asked += [crm.get(f"{one}/deliveries?{query}") for query in ("state=x", "zzz=1", "limit=0", "cursor=x", "type=%00")]
    assert {refusal_of(answer) for answer in asked} <= {(400, "validation_failed"), (400, "timezone_required")}


def test_the_eleventh_is_refused(crm: Crm, club: Club, receiver: Receiver) -> None:
    for _number in range(10):
        endpoint_at(receiver, club)
    assert refusal_of(crm.post(ALL, {"url": receiver.url})) == (409, "too_many_endpoints")


def test_a_repeat_with_its_key_makes_one(crm: Crm, receiver: Receiver) -> None:
    first, second = (crm.post(ALL, {"url": receiver.url}, idempotency_key="k") for _time in range(2))
    assert first.json() == second.json()
    assert Endpoint.objects.count() == 1


def test_a_private_address_makes_no_webhook_in_production(crm: Crm, settings: Any) -> None:
    settings.PALMS_WEBHOOKS_ALLOW_PRIVATE = False
    for url in ("http://crm.example.com/", "https://127.0.0.1/", "https://localhost/", "https://[::1]/"):
        assert refusal(crm.post(ALL, {"url": url})) == (400, "validation_failed")
