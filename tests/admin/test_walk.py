"""Every address of the back office, as everybody, with own and foreign rows."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backoffice.models import Job
from backoffice.pages import ClubPage, OwnPage
from backoffice.services.jobs import draft_job
from backoffice.urls import PAGES
from clients.models import Client
from clubs.models import Area, Club, Instructor, User
from palms.actors import staff_member
from palms.admin import ReadOnlyAdmin
from slots.models import Program
from tests.admin.conftest import World, browser_of, make_world, registered, rows_of
from tests.factories import MembershipFactory

OURS = ("palms", "clubs", "webhooks", "clients", "slots", "payments", "access", "notifications", "bookings")
MAY_ADD = {
    "owner": {
        "access.Lock", "access.LockAccount",
        "clubs.ApiKey", "clubs.Area", "clubs.Instructor", "payments.ProviderAccount", "slots.Program",
        "slots.Slot", "webhooks.Endpoint",
    },
    "staff": {"clubs.Instructor", "slots.Program", "slots.Slot"},
}  # fmt: skip
MAY_ADD["platform admin"] = MAY_ADD["owner"] | {"clubs.Club", "clubs.User"}
MAY_CHANGE = {
    "owner": {
        "access.Lock", "access.LockAccount",
        "clients.Client", "clubs.Area", "clubs.Club", "clubs.Instructor", "clubs.Membership", "clubs.User",
        "payments.ProviderAccount", "slots.Program", "webhooks.Endpoint",
    },
    "staff": {"clients.Client", "clubs.Instructor", "slots.Program"},
}  # fmt: skip
MAY_CHANGE["platform admin"] = MAY_CHANGE["owner"]
ONLY_PLATFORM = {"axes.AccessAttempt", "clubs.UserEvent"}
ONLY_OWNERS = {
    "access.LockAccount", "access.LockAccountEvent",
    "clubs.ApiKey", "clubs.ApiKeyEvent", "clubs.Authenticator", "clubs.AuthenticatorEvent", "clubs.Membership",
    "clubs.MembershipEvent", "clubs.StaffSessionEvent", "clubs.User", "clubs.Viewing", "payments.ProviderAccount",
    "payments.ProviderAccountEvent", "webhooks.Delivery", "webhooks.Endpoint", "webhooks.EndpointEvent", "webhooks.Event",
}  # fmt: skip
OF_MACHINES = {
    "access.Turn",
    "clubs.RecoveryCode",
    "clubs.StaffSession",
    "palms.StoredAnswer",
    "palms.Throttle",
}  # leases, sealed answers, buckets, digests, keys of sessions: nothing to read
WHO = ("owner", "staff", "platform admin")


@pytest.fixture
def people(mine: World, theirs: World, platform_admin: User) -> dict[str, User]:
    return {"owner": mine.owner, "staff": mine.staff, "platform admin": platform_admin}


def is_hidden(label: str, who: str) -> bool:
    return who != "platform admin" and label in ONLY_PLATFORM or who == "staff" and label in ONLY_OWNERS


def address(model: Any, name: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def test_every_table_is_registered() -> None:
    shown = {model for model, _ in registered()}
    kept = {model for model in apps.get_models() if model._meta.app_label in OURS}

    assert {model._meta.label for model in kept - shown} == OF_MACHINES


@pytest.mark.parametrize("who", WHO)
def test_lists_and_own_rows_open(who: str, people: dict[str, User], mine: World) -> None:
    browser = browser_of(people[who])
    wrong = []
    for model, model_admin in registered():
        label = model._meta.label
        seen = 403 if is_hidden(label, who) else 200
        asked = [(address(model, "changelist"), seen), (address(model, "add"), 200 if label in MAY_ADD[who] else 403)]
        rows = rows_of(model, model_admin, mine.club)
        assert rows, f"{label} has no row to look at"
        for row in rows if seen == 200 else []:
            asked += [(address(model, name, row.pk), 200) for name in ("change", "history")]
        wrong += [(url, found) for url, expected in asked if (found := browser.get(url).status_code) != expected]

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
        if model_admin.club_id_field is None or is_hidden(model._meta.label, who):
            continue
        shown = browser.get(address(model, "changelist")).context["cl"].result_list
        foreign = {row.pk for row in rows_of(model, model_admin, theirs.club)} & {row.pk for row in shown}
        assert bool(foreign) is (who == "platform admin"), model


def test_filters_and_searches_never_break(mine: World) -> None:
    browser = browser_of(mine.owner)
    odd = ("q=%00", "q=O'Neil", "q=999999999999999999999", "p=0", "p=2", "p=99999999999999999999", "p=x", "all=")
    odd += ("status__exact=%00", "club__id__exact=x", "club__id__exact=99999999999999999999", "o=1.-2", "zzz=1")
    for model, model_admin in registered():
        if (model_admin.search_fields or model_admin.list_filter) and not is_hidden(model._meta.label, "owner"):
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
        if not isinstance(model_admin, ReadOnlyAdmin) or is_hidden(model._meta.label, who):
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
        if is_hidden(model._meta.label, who):
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


def draft_of(world: World) -> Job:
    actor = staff_member(world.owner.pk, {world.club.pk: "OWNER"}, through="admin")
    return draft_job(club_id=world.club.pk, kind="season", same={}, items=[{}], preview={}, actor=actor)


ROWS_OF_PAGES = {  # of pages whose address names a row: one of a club
    "job": lambda world: draft_of(world).pk,
    "client-desk": lambda world: world.booking.client_id,
}
FOREIGN = "Чужой"


def address_of_page(page: Any, world: World) -> str:
    if "<" not in page.path:
        return reverse(f"admin:{page.name}")
    return reverse(f"admin:{page.name}", args=[ROWS_OF_PAGES[page.name](world)])


def name_the_foreign(world: World) -> None:
    """Give what people of another club must never read a word that can be looked for."""
    Club.objects.filter(pk=world.club.pk).update(name=f"{FOREIGN} клуб")
    for model in (Area, Instructor):
        for row in model.objects.filter(club=world.club):
            model.objects.filter(pk=row.pk).update(name=f"{FOREIGN} {row.pk}")
    Program.objects.filter(club=world.club).update(name=f"{FOREIGN} урок")
    Client.objects.filter(club=world.club).update(full_name=f"{FOREIGN} клиент")
    User.objects.filter(pk__in=[world.owner.pk, world.staff.pk]).update(name=f"{FOREIGN} сотрудник")


def text_of(answer: Any) -> str:
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return body.decode("utf-8", "replace")


@pytest.mark.parametrize("who", WHO)
def test_our_own_pages_open_to_their_readers_and_show_nothing_foreign(
    who: str, people: dict[str, User], mine: World, theirs: World
) -> None:
    name_the_foreign(theirs)
    browser, wrong = browser_of(people[who]), []
    role = {"owner": "OWNER", "staff": "STAFF"}.get(who)
    for page in PAGES:
        url = address_of_page(page, mine)
        opens = role is None or role in page.readers or issubclass(page, OwnPage)
        answer = browser.get(url, {"club": mine.club.pk} if issubclass(page, ClubPage) else {})
        if (answer.status_code == 403) is opens or answer.status_code >= 500:
            wrong.append((url, answer.status_code))
        if role and FOREIGN in text_of(answer):
            wrong.append((url, "shows another club"))

    assert wrong == []


@pytest.mark.parametrize("who", ["owner", "staff"])
def test_our_own_pages_know_no_other_club(who: str, people: dict[str, User], mine: World, theirs: World) -> None:
    browser, wrong = browser_of(people[who]), []
    for page in PAGES:
        if not issubclass(page, ClubPage):
            continue
        own, foreign = address_of_page(page, mine), address_of_page(page, theirs)
        for club in (str(theirs.club.pk), "x", "9" * 40, "-1", "\0"):
            asked = [(own, f"{own}?club={quote(club)}")] if own == foreign else [(foreign, foreign)]
            for url, full in asked:
                got, posted = browser.get(full).status_code, browser.post(full, {"club": club}).status_code
                wrong += [(url, club, got, posted)] if got not in (403, 404) or posted not in (403, 404, 405) else []

    assert wrong == []


def test_our_own_pages_ask_a_stranger_to_sign_in(mine: World) -> None:
    browser = browser_of(None)
    for page in PAGES:
        for method in (browser.get, browser.post):
            answer = method(address_of_page(page, mine))
            assert answer.status_code == 302, page
            assert answer["Location"].startswith("/admin/login/"), page


@pytest.mark.parametrize("who", ["owner", "staff"])
def test_no_list_form_or_history_names_another_club(
    who: str, people: dict[str, User], mine: World, theirs: World
) -> None:
    name_the_foreign(theirs)
    browser, wrong = browser_of(people[who]), []
    for model, model_admin in registered():
        urls = [address(model, "changelist"), address(model, "add")]
        for row in rows_of(model, model_admin, mine.club) if not is_hidden(model._meta.label, who) else []:
            urls += [address(model, name, row.pk) for name in ("change", "history")]
        wrong += [url for url in urls if FOREIGN in text_of(browser.get(url))]

    assert wrong == []


@pytest.mark.parametrize("who", ["owner", "staff"])
def test_no_action_reaches_another_clubs_row(who: str, people: dict[str, User], mine: World, theirs: World) -> None:
    browser, tried = browser_of(people[who]), 0
    for model, model_admin in registered():
        if is_hidden(model._meta.label, who) or not model_admin.club_id_field:
            continue
        for row in rows_of(model, model_admin, theirs.club):
            before = model._default_manager.filter(pk=row.pk).values().get()
            for action in model_admin.actions or ():
                form = {"action": action, "_selected_action": [row.pk], "reason": "x", "post": "yes", "confirmed": "1"}
                assert browser.post(address(model, "changelist"), form).status_code < 500, (model, action)
                assert model._default_manager.filter(pk=row.pk).values().get() == before, (model, action)
                tried += 1

    assert tried > 5


@pytest.mark.parametrize("asked", ["", "s=", "s=%00", "s=a&page=x", "s=a&extended=1", "s=" + "x" * 5000])
def test_the_search_of_the_menu_never_breaks(mine: World, asked: str) -> None:
    assert browser_of(mine.staff).get(f"/admin/search/?{asked}").status_code == 200


def test_the_search_finds_what_the_viewer_may_open(mine: World) -> None:
    assert reverse("admin:reports") in text_of(browser_of(mine.owner).get("/admin/search/?s=сводк"))
    assert text_of(browser_of(mine.staff).get("/admin/search/?s=сводк")).count("href") == 0
