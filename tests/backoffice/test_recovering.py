"""A forgotten password: the letter, its link, and everything that must not come of either."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.test import Client as Browser

from backoffice.errors import LinkInvalid
from backoffice.services import recovering
from clubs.models import StaffSession, User
from palms.actors import system
from palms.clock import now_utc
from palms.logs import hide
from palms.models import Intent
from tests.backoffice.conftest import make_desk, words, work
from tests.factories import MembershipFactory, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)
FORGOTTEN, SIGN_IN = "/admin/forgotten/", "/admin/login/"
OLD, NEW = "kfm7-x3hp-9wdt", "rwz4-m8qc-t2fn"


@pytest.fixture
def person() -> User:
    user: User = MembershipFactory(club=make_desk().club, user=UserFactory(password=OLD, email="eva@club.example")).user
    return user


def ask(email: str) -> Any:
    return Browser().post(FORGOTTEN, {"email": email})


def path_in_the_letter() -> str:
    work()
    (letter,) = mail.outbox
    assert letter.to == ["eva@club.example"]
    (address,) = re.findall(r"https?://\S+", letter.body)
    return str(address[address.index("/admin/") :])


def choose(path: str, password: str = NEW, again: str | None = None) -> Any:
    browser = Browser()
    opened = browser.get(path, follow=True)
    form = {"new_password1": password, "new_password2": password if again is None else again}
    return browser.post(opened.redirect_chain[-1][0], form) if opened.redirect_chain else opened


def signed_in(password: str) -> bool:
    return Browser().post(SIGN_IN, {"username": "eva@club.example", "password": password}).status_code == 302


def test_a_letter_its_link_and_a_new_password(person: User) -> None:
    there = Browser()
    there.post(SIGN_IN, {"username": person.email, "password": OLD})
    for _try in range(5):
        signed_in("wrong")  # locked out by now
    assert FORGOTTEN in Browser().get(SIGN_IN).content.decode()

    assert "на пути" in words(ask("EVA@club.example"))
    path = path_in_the_letter()
    assert hide(path) == "/admin/forgotten/***/"
    assert choose(path).headers["Location"] == SIGN_IN

    assert (signed_in(OLD), signed_in(NEW)) == (False, True)
    assert there.get("/admin/").status_code == 302
    assert StaffSession.objects.filter(user=person).count() == 1
    assert choose(path, OLD).status_code == 404, "it works once"


def test_the_letter_speaks_the_language_of_the_page(person: User) -> None:
    browser = Browser()
    browser.post("/language/", {"lang": "en", "next": FORGOTTEN})
    browser.post(FORGOTTEN, {"email": person.email})
    work()
    assert mail.outbox[0].subject == "A new password for Palms"
    assert "for 2 hours" in mail.outbox[0].body


@pytest.mark.parametrize("who", ["nobody@club.example", "left@club.example", "off@club.example"])
def test_everybody_else_gets_the_same_answer_and_no_letter(person: User, who: str) -> None:
    UserFactory(email="left@club.example")
    MembershipFactory(user=UserFactory(email="off@club.example", is_active=False))
    known, unknown = ask(person.email), ask(who)
    assert words(known) == words(unknown)
    assert Intent.objects.filter(kind=recovering.LETTER).count() == 1


def test_in_the_browser_of_somebody_signed_in_the_sign_in_ends(person: User) -> None:
    browser = Browser()
    browser.force_login(person)
    form = {"new_password1": NEW, "new_password2": NEW}
    opened = browser.get(recovering.link_of(person), follow=True)
    answer = browser.post(opened.redirect_chain[-1][0], form, follow=True)
    assert "Новый пароль сохранён" in words(answer)
    assert browser.get("/admin/").status_code == 302


def test_who_owes_a_code_may_choose_a_new_password(person: User, settings: Any) -> None:
    settings.PALMS_REQUIRE_TWO_FACTOR = True
    browser = Browser()
    browser.force_login(person)
    assert browser.get(FORGOTTEN).status_code == 200
    assert browser.get(recovering.link_of(person), follow=True).status_code == 200


def test_capitals_in_an_email_mean_nothing(person: User) -> None:
    User.objects.filter(pk=person.pk).update(email="Eva@club.example")
    for _try in range(5):
        signed_in("wrong")
    person.refresh_from_db()
    choose(recovering.link_of(person))
    assert signed_in(NEW)
    with pytest.raises(User.DoesNotExist):
        User.objects.get_by_natural_key(None)


@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "!"}])
def test_a_link_ends_with_what_it_was_for_also_when_it_is_open(person: User, change: dict[str, Any]) -> None:
    browser = Browser()
    opened = browser.get(recovering.link_of(person), follow=True)
    User.objects.filter(pk=person.pk).update(**change)
    answer = browser.post(opened.redirect_chain[-1][0], {"new_password1": NEW, "new_password2": NEW})
    assert answer.status_code == 404
    assert not User.objects.get(pk=person.pk).check_password(NEW)


def test_of_two_who_use_one_link_one_is_refused(person: User) -> None:
    link, actor = recovering.link_of(person).rstrip("/").rpartition(".")[2], system("test")
    recovering.renew(user_id=person.pk, token=link, password=NEW, actor=actor)
    with pytest.raises(LinkInvalid):
        recovering.renew(user_id=person.pk, token=link, password=OLD, actor=actor)


def test_whoever_leaves_before_the_letter_gets_none(person: User) -> None:
    ask(person.email)
    User.objects.filter(pk=person.pk).update(is_active=False)
    work()
    assert mail.outbox == []


def test_asking_twice_sends_one_letter_and_asking_on_sends_no_more_than_three(person: User) -> None:
    ask(person.email)
    ask(person.email)
    work()
    assert len(mail.outbox) == 1
    for _try in range(4):
        assert "на пути" in words(ask(person.email))
        work()
    assert len(mail.outbox) == 2, "two of the three allowed were asked for at once"


def test_one_address_asks_for_so_many_and_waits_then() -> None:
    for number in range(20):
        assert ask(f"{number}@club.example").status_code == 200
    answer = ask("one@club.example")
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("email", ["", "eva", "eva@club.example\0", "a" * 300 + "@b.example", "<script>@b.example"])
def test_garbage_is_no_email(email: str) -> None:
    answer = ask(email)
    assert answer.status_code == 200
    assert "Проверьте" in words(answer)
    assert not Intent.objects.exists()


@pytest.mark.parametrize(
    ("password", "again"), [("123", "123"), ("password1234", "password1234"), (NEW, OLD), ("", "")]
)
def test_a_bad_password_is_refused_with_words_and_the_old_one_holds(person: User, password: str, again: str) -> None:
    ask(person.email)
    answer = choose(path_in_the_letter(), password, again)
    assert (answer.status_code, "desk-error" in answer.content.decode()) == (200, True)
    assert signed_in(OLD)


@pytest.mark.parametrize("token", ["x.y", "MQ.abc-def", "MQ.set-password", "9" * 30 + ".a-b", "%00.a-b", "ы.ы-ы"])
def test_garbage_for_a_link_is_told_as_such(person: User, token: str) -> None:
    answer = Browser().get(f"{FORGOTTEN}{token}/")
    assert answer.status_code == 404
    assert "ссылка" in words(answer).lower()


def test_an_old_link_and_one_from_before_a_sign_in_are_no_good(person: User) -> None:
    before = recovering.link_of(person)
    signed_in(OLD)
    assert choose(before).status_code == 404
    old = recovering.link_of(User.objects.get(pk=person.pk))
    with time_machine.travel(now_utc().replace(microsecond=0) + recovering.LIFE + timedelta(seconds=1)):
        assert choose(old).status_code == 404
