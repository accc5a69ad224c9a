"""Every address of the back office, as everybody, with own and foreign rows."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from clubs.models import User
from palms.admin import ReadOnlyAdmin
from tests.admin.conftest import World, browser_of, make_world, registered, rows_of
from tests.factories import MembershipFactory

OURS = ("palms", "clubs", "clients", "slots", "payments", "access", "notifications", "bookings")
MAY_ADD = {
    "owner": {
        "clubs.ApiKey", "clubs.Area", "clubs.Instructor", "clubs.Membership", "payments.ProviderAccount", "slots.Slot",
    },
    "staff": {"clubs.Instructor", "slots.Slot"},
}  # fmt: skip
MAY_ADD["platform admin"] = MAY_ADD["owner"] | {"clubs.Club", "clubs.User"}
MAY_CHANGE = {
    "owner": {
        "clients.Client", "clubs.Area", "clubs.Club", "clubs.Instructor", "clubs.Membership", "clubs.User",
        "payments.ProviderAccount",
    },
    "staff": {"clients.Client", "clubs.Instructor"},
}  # fmt: skip
MAY_CHANGE["platform admin"] = MAY_CHANGE["owner"]
ONLY_PLATFORM = {"clubs.UserEvent"}
WHO = ("owner", "staff", "platform admin")


@pytest.fixture
def people(mine: World, theirs: World, platform_admin: User) -> dict[str, User]:
    return {"owner": mine.owner, "staff": mine.staff, "platform admin": platform_admin}


def address(model: Any, name: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def test_every_table_is_registered() -> None:
    shown = {model for model, _ in registered()}
    kept = {model for model in apps.get_models() if model._meta.app_label in OURS}

    assert kept - shown == set()


@pytest.mark.parametrize("who", WHO)
def test_lists_and_own_rows_open(who: str, people: dict[str, User], mine: World) -> None:
    browser = browser_of(people[who])
    wrong = []
    for model, model_admin in registered():
        label = model._meta.label
        seen = 403 if who != "platform admin" and label in ONLY_PLATFORM else 200
        asked = [(address(model, "changelist"), seen), (address(model, "add"), 200 if label in MAY_ADD[who] else 403)]
        rows = rows_of(model, model_admin, mine.club)
        assert rows, f"{label} has no row to look at"
        for row in rows if seen == 200 else []:
            asked += [(address(model, name, row.pk), 200) for name in ("change", "history")]
        wrong += [(url, found) for url, expected in asked if (found := browser.get(url).status_code) != expected]

    assert wrong == []


@pytest.mark.parametrize("who", ["owner", "staff"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_another_clubs_row_is_not_there(who: str, method: str, people: dict[str, User], theirs: World) -> None:
    browser = browser_of(people[who])
    wrong = []
    for model, model_admin in registered():
        for row in rows_of(model, model_admin, theirs.club) if model_admin.club_id_field else []:
            for name in ("change", "delete", "history"):
                url = address(model, name, row.pk)
                found = getattr(browser, method)(url).status_code
                wrong += [(url, found)] if found != 404 else []

    assert wrong == []


def test_a_row_that_never_was_is_not_there(platform_admin: User) -> None:
    browser = browser_of(platform_admin)
    for model, _ in registered():
        for pk in ("0", "999999999", "9" * 40, "x", "_00"):
            url = address(model, "change", "X").replace("/X/", f"/{pk}/")
            assert browser.get(url).status_code == 404, url
        for name in ("delete", "history"):
            assert browser.get(address(model, name, 999999999)).status_code == 404, model


@pytest.mark.parametrize("who", WHO)
def test_lists_show_nothing_of_another_club(who: str, people: dict[str, User], mine: World, theirs: World) -> None:
    browser = browser_of(people[who])
    for model, model_admin in registered():
        if model_admin.club_id_field is None:
            continue
        shown = browser.get(address(model, "changelist")).context["cl"].result_list
        foreign = {row.pk for row in rows_of(model, model_admin, theirs.club)} & {row.pk for row in shown}
        assert bool(foreign) is (who == "platform admin"), model


def test_filters_and_searches_never_break(mine: World) -> None:
    browser = browser_of(mine.owner)
    odd = ("q=%00", "q=O'Neil", "q=999999999999999999999", "p=0", "p=2", "p=99999999999999999999", "p=x", "all=")
    odd += ("status__exact=%00", "club__id__exact=x", "club__id__exact=99999999999999999999", "o=1.-2", "zzz=1")
    for model, model_admin in registered():
        if model_admin.search_fields or model_admin.list_filter:
            for query in odd:
                found = browser.get(f"{address(model, 'changelist')}?{query}").status_code
                assert found in (200, 302, 400), (model, query)


@pytest.mark.parametrize(
    "column", ["token__startswith=a", "password__startswith=a", "digest__startswith=a", "credentials__contains=a"]
)
def test_secrets_are_not_searched_letter_by_letter(column: str, people: dict[str, User]) -> None:
    browser = browser_of(people["owner"])
    for label in ("bookings.booking", "payments.payment", "clubs.user", "clubs.apikey", "payments.provideraccount"):
        response = browser.get(f"{address(apps.get_model(label), 'changelist')}?{column}=a")
        assert response.status_code in (302, 400), label


def test_a_filter_offers_only_rows_of_own_clubs(mine: World, theirs: World) -> None:
    page = browser_of(mine.owner).get(reverse("admin:bookings_booking_changelist")).content.decode()

    assert mine.slot.area.name in page
    assert theirs.slot.area.name not in page


@pytest.mark.parametrize("who", ["owner", "staff"])
def test_autocomplete_finds_only_rows_of_own_clubs(
    who: str, people: dict[str, User], mine: World, theirs: World
) -> None:
    browser = browser_of(people[who])
    for model, field in (("booking", "client"), ("booking", "area"), ("booking", "club"), ("booking", "slot")):
        query = {"app_label": "bookings", "model_name": model, "field_name": field}
        answer = browser.get(reverse("admin:autocomplete"), query).json()
        own, foreign = getattr(mine.booking, f"{field}_id"), getattr(theirs.booking, f"{field}_id")
        found = {row["id"] for row in answer["results"]}
        assert str(own) in found
        assert str(foreign) not in found


@pytest.mark.parametrize("path", ["", "password_change/", "jsi18n/", "autocomplete/"])
def test_a_stranger_is_asked_to_sign_in(path: str, mine: World) -> None:
    assert browser_of(None).get(f"/admin/{path}").status_code in (200, 302) if path == "jsi18n/" else 302


def test_a_stranger_sees_no_table(mine: World) -> None:
    browser = browser_of(None)
    for model, model_admin in registered():
        row = rows_of(model, model_admin, mine.club)[0]
        for url in [address(model, name) for name in ("changelist", "add")] + [
            address(model, name, row.pk) for name in ("change", "delete", "history")
        ]:
            for method in (browser.get, browser.post):
                answer = method(url)
                assert answer.status_code == 302, url
                assert "/admin/login/" in answer["Location"]


def test_a_user_without_a_club_sees_an_empty_office(mine: World) -> None:
    nobody = User.objects.create_user("nobody@example.com", "a-long-password")
    browser = browser_of(nobody)

    assert browser.get("/admin/").context["app_list"] == []
    for model, model_admin in registered():
        row = rows_of(model, model_admin, mine.club)[0]
        assert browser.get(address(model, "changelist")).status_code == 403
        assert browser.get(address(model, "change", row.pk)).status_code == 404


def test_a_dismissed_member_has_lost_the_club(mine: World) -> None:
    browser = browser_of(mine.staff)
    mine.staff.memberships.all().delete()

    assert browser.get(reverse("admin:bookings_booking_change", args=[mine.booking.pk])).status_code == 404


@pytest.mark.parametrize("who", WHO)
def test_what_has_a_state_is_never_edited(who: str, people: dict[str, User], mine: World) -> None:
    browser = browser_of(people[who])
    data = {
        "status": "SHOWN",
        "state": "DONE",
        "reason": "x",
        "price": "1",
        "amount": "1",
        "balance": "1",
        "_save": "1",
    }
    for model, model_admin in registered():
        if not isinstance(model_admin, ReadOnlyAdmin) or (
            who != "platform admin" and model._meta.label in ONLY_PLATFORM
        ):
            continue
        row = rows_of(model, model_admin, mine.club)[0]
        before = model._default_manager.filter(pk=row.pk).values().get()
        for name in ("change", "delete"):
            assert browser.post(address(model, name, row.pk), data | {"post": "yes"}).status_code == 403, model
        if model._meta.label not in MAY_ADD[who]:
            assert browser.post(address(model, "add"), data).status_code == 403, model
        assert model._default_manager.filter(pk=row.pk).values().get() == before


@pytest.mark.parametrize("who", WHO)
def test_who_may_change_what(who: str, people: dict[str, User], mine: World) -> None:
    browser = browser_of(people[who])
    for model, model_admin in registered():
        if who != "platform admin" and model._meta.label in ONLY_PLATFORM:
            continue
        row = rows_of(model, model_admin, mine.club)[0]
        found = browser.post(address(model, "change", row.pk), {"is_active": "on"}).status_code
        assert found in ((200, 302) if model._meta.label in MAY_CHANGE[who] else (403,)), model


def test_a_detail_page_shows_no_secret(platform_admin: User, mine: World) -> None:
    browser = browser_of(platform_admin)
    account = mine.club.provider_accounts.get()
    key = mine.club.api_keys.get()
    secrets = [mine.booking.token, mine.payment.token, account.credentials, key.digest, "test_sandbox_secret"]
    for row in (mine.booking, mine.payment, account, key, mine.owner):
        page = browser.get(address(type(row), "change", row.pk)).content.decode()
        assert [secret for secret in secrets if secret in page] == []


def test_a_list_asks_as_much_for_many_rows_as_for_few_and_counts_no_table(mine: World) -> None:
    browser = browser_of(mine.owner)
    models = [model for model, _ in registered() if model._meta.label not in ONLY_PLATFORM]
    few = {model: asked_by(browser, model) for model in models}
    MembershipFactory(club=make_world().club, user=mine.owner)

    many = {model: asked_by(browser, model) for model in models}

    assert {model: len(sql) for model, sql in many.items()} == {model: len(sql) for model, sql in few.items()}
    assert not [text for sql in many.values() for text in sql if text.startswith("SELECT COUNT(")]


def asked_by(browser: Any, model: Any) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        browser.get(address(model, "changelist"))
    return [query["sql"] for query in captured.captured_queries]
