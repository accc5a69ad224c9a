"""Every address under /admin/ that the resolver knows, with rows of another club, as everybody. A new one joins by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.urls import URLPattern, URLResolver, get_resolver

from bookings.models import Booking
from clubs.models import User
from palms.actors import acting, system
from tests.admin.conftest import World, browser_of, registered, rows_of
from tests.admin.test_walk import FOREIGN, ONLY_OWNERS, ROWS_OF_PAGES, name_the_foreign, text_of
from tests.factories import MembershipFactory, UserFactory

HOLE = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^)]*\)")
NAMELESS = {"app_list", None}  # named by no row: lists of a room, the old form of a row's address, and the rest
BY_LETTER = {"invitation", "password_link"}  # whoever has the letter's link opens it, from whatever club they are


@dataclass(frozen=True, slots=True)
class Address:
    path: str  # with holes
    name: str | None

    @property
    def holes(self) -> list[str]:
        return [one or other for one, other in HOLE.findall(self.path)]

    def filled(self, **values: Any) -> str:
        return HOLE.sub(lambda found: str(values[found[1] or found[2]]), self.path)


def addresses(patterns: Any = None, before: str = "/") -> Iterator[Address]:
    for one in get_resolver().url_patterns if patterns is None else patterns:
        path = before + str(one.pattern).replace("^", "").replace("$", "")
        if isinstance(one, URLResolver):
            yield from addresses(one.url_patterns, path)
        elif isinstance(one, URLPattern) and path.startswith("/admin/"):
            yield Address(path, one.name)


def foreign(address: Address, world: World) -> str | None:
    """Return an address with a row of that club in it; None where it can name none."""
    owners: dict[str, Any] = {
        f"{model._meta.app_label}_{model._meta.model_name}_{view}": (model, model_admin)
        for model, model_admin in registered()
        for view in ("change", "delete", "history")
    }
    if address.name in owners:
        model, model_admin = owners[address.name]
        rows = rows_of(model, model_admin, world.club) if model_admin.club_id_field else []
        return address.filled(object_id=rows[0].pk) if rows else None
    if address.name == "auth_user_password_change":
        return address.filled(id=world.owner.pk)
    if address.name == "view_on_site":
        return address.filled(content_type_id=_type_of_bookings(), object_id=world.booking.pk)
    hole = address.holes[0]
    return address.filled(**{hole: ROWS_OF_PAGES[str(address.name)](world)})  # a KeyError: say there how to name a row


def _type_of_bookings() -> int:
    return int(ContentType.objects.get_for_model(Booking).pk)


def test_no_row_has_an_address_on_the_site(platform_admin: User) -> None:
    browser = browser_of(platform_admin)
    for one in ContentType.objects.all():
        assert browser.get(f"/admin/r/{one.pk}/1/").status_code == 404, one


@pytest.fixture
def people(mine: World, theirs: World) -> dict[str, User]:
    both = UserFactory(password=None)
    with acting(system("test")):  # or history would name who acted last in this test's transaction
        MembershipFactory(club=mine.club, user=both, role="STAFF")
        MembershipFactory(user=both, role="OWNER")  # of a third club
    return {"owner": mine.owner, "staff": mine.staff, "both": both}


def test_the_resolver_knows_more_than_the_tables() -> None:
    found = list(addresses())

    assert len(found) > 6 * len(admin.site._registry)
    assert {"board", "money", "reports", "audit", "client-desk", "job", "autocomplete", "jsi18n"} <= {
        each.name for each in found
    }


@pytest.mark.parametrize("who", ["owner", "staff", "both"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_another_clubs_row_is_not_there(who: str, method: str, people: dict[str, User], theirs: World) -> None:
    browser, wrong, tried = browser_of(people[who]), [], 0
    for address in addresses():
        if not address.holes or address.name in NAMELESS | BY_LETTER:
            continue
        url = foreign(address, theirs)
        if url is None:
            continue
        tried += 1
        found = getattr(browser, method)(f"{url}?_popup=1" if method == "get" else url).status_code
        wrong += [(url, found)] if found not in ((404, 403) if address.name in ROWS_OF_PAGES else (404,)) else []

    assert wrong == []
    assert tried > 3 * 40


@pytest.mark.parametrize("who", ["owner", "staff"])
def test_no_list_is_opened_by_what_is_asked_of_it(
    who: str, people: dict[str, User], mine: World, theirs: World
) -> None:
    """Filters by foreign ids, searches, popups and fields of choice, on every list."""
    name_the_foreign(theirs)
    browser, wrong = browser_of(people[who]), []
    asked = [
        f"club__id__exact={theirs.club.pk}", f"area__id__exact={theirs.slot.area_id}", f"q={FOREIGN}", f"id={theirs.booking.pk}",
        "_popup=1&_to_field=id", "_popup=1&_to_field=token", f"club__id__exact={theirs.club.pk}&all=",
    ]  # fmt: skip
    for address in addresses():
        if not str(address.name).endswith("_changelist"):
            continue
        for query in asked:
            answer = browser.get(f"{address.path}?{query}", follow=True)
            if answer.status_code >= 500 or FOREIGN in text_of(answer).replace(f'value="{FOREIGN}"', ""):
                wrong.append((address.path, query, answer.status_code))

    assert wrong == []


def test_who_owns_one_club_is_only_staff_in_another(mine: World, people: dict[str, User]) -> None:
    """An owner's actions, taken by an owner of some other club on rows of a club where they are staff, do nothing."""
    browser, staff, tried = browser_of(people["both"]), browser_of(mine.staff), set()
    for model, model_admin in registered():
        listed = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        shown = staff.get(listed)
        allowed = set(model_admin.get_actions(shown.wsgi_request)) if shown.status_code == 200 else set()
        for row in rows_of(model, model_admin, mine.club) if model_admin.club_id_field else []:
            before = model._default_manager.filter(pk=row.pk).values().get()
            for action in set(model_admin.actions or ()) - allowed:
                form = {"action": action, "_selected_action": [row.pk], "reason": "x", "apply": "1"}
                assert browser.post(listed, form).status_code < 500, (model, action)
                assert model._default_manager.filter(pk=row.pk).values().get() == before, (model, action)
                tried.add(action)

    assert {"use", "rest", "revoke", "rotate", "reset_second_factor"} <= tried


def test_who_owns_one_club_reads_no_secrets_business_of_another(mine: World, people: dict[str, User]) -> None:
    browser = browser_of(people["both"])
    for model, model_admin in registered():
        if model._meta.label in ONLY_OWNERS and model_admin.club_id_field:
            row = rows_of(model, model_admin, mine.club)[0]
            url = f"/admin/{model._meta.app_label}/{model._meta.model_name}/{row.pk}/change/"
            assert browser.get(url).status_code == 404, model
