"""A forgotten password in a real browser: from the sign-in to the letter, and back by its link."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from playwright.sync_api import expect

from tests.backoffice.conftest import work
from tests.browser.conftest import OpenPage
from tests.browser.test_season import looked
from tests.factories import ClubFactory, MembershipFactory, UserFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]
NEW = "rwz4-m8qc-t2fn"


def test_a_new_password_by_letter(open_page: OpenPage, site: str) -> None:
    person = MembershipFactory(club=ClubFactory(), user=UserFactory(email="eva@club.example"), role="OWNER").user
    page = open_page()
    page.goto(f"{site}/admin/login/")
    page.get_by_role("link", name="Забыли").click()
    looked(page)
    page.get_by_label("Электронная почта").fill(person.email)
    page.get_by_role("button", name="Отправить письмо").click()
    expect(page.get_by_role("status")).to_contain_text("на пути")
    looked(page)

    work()
    (address,) = re.findall(r"https?://\S+", mail.outbox[0].body)
    page.goto(address)
    looked(page)
    page.get_by_label("Новый пароль", exact=True).fill("12345")
    page.get_by_label("Подтверждение нового пароля").fill("12345")
    page.get_by_role("button", name="Сохранить пароль").click()
    expect(page.get_by_role("alert")).to_be_visible()
    looked(page)
    page.get_by_label("Новый пароль", exact=True).fill(NEW)
    page.get_by_label("Подтверждение нового пароля").fill(NEW)
    page.get_by_role("button", name="Сохранить пароль").click()
    expect(page.get_by_text("Новый пароль сохранён")).to_be_visible()

    page.fill("[name=username]", person.email)
    page.fill("[name=password]", NEW)
    page.press("[name=password]", "Enter")
    expect(page).to_have_url(f"{site}/admin/")
