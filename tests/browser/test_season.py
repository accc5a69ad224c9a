"""A club's many slots in a real browser: a season with its preview, weekend prices, a file with an error, the checklist."""

from __future__ import annotations

from datetime import timedelta
from time import monotonic
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page, expect

from backoffice.services import inviting, jobs
from clubs.models import Area, Club, User
from palms.actors import staff_member
from slots.models import Slot
from tests.backoffice.conftest import work
from tests.browser.conftest import OpenPage
from tests.browser.looks import SIDEWAYS, troubles
from tests.factories import SECRET, SHOP, AreaFactory, ClubFactory, MembershipFactory, UserFactory, tomorrow

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]


def signed_in(page: Page, site: str, user: User) -> Page:
    client = Client()
    client.force_login(user)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": site}])
    return page


def looked(page: Page) -> None:
    """Axe and no sideways scrolling at the widths of a tablet and a desk. What the theme leaves outside its landmarks stays."""
    found = []
    for width in (768, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        found += [f"{width}: {words}" for words in troubles(page) if not words.startswith("region: ")]  # the theme's
        if page.evaluate(SIDEWAYS) > 0:
            found.append(f"{width}: sideways")
    assert "\n".join(found) == "", page.url


@pytest.fixture
def owner(site: str) -> User:
    club: Club = ClubFactory(name="Пальмы", slug="palms")
    for number in (1, 2):
        AreaFactory(club=club, name=f"Корт {number}", position=number)
    return MembershipFactory(club=club, user=UserFactory(password=None), role="OWNER").user


def day(ahead: int) -> str:
    return f"{tomorrow() + timedelta(days=ahead):%Y-%m-%d}"


def test_a_season_then_dearer_weekends_then_a_file(
    open_page: OpenPage, site: str, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "WORKS", {kind: (10, how) for kind, (_size, how) in jobs.WORKS.items()})
    page = signed_in(open_page(), site, owner)
    page.goto(f"{site}/admin/desk/slots/")
    looked(page)
    page.get_by_role("link", name="Создать сезон").first.click()
    looked(page)
    for name, value in {
        "first": day(1),
        "last": day(7),
        "opens": "10:00",
        "closes": "14:00",
        "breaks": "12:00-13:00",
    }.items():
        page.fill(f"[name={name}]", value)
    page.select_option("[name=band1_days]", "67")
    page.fill("[name=band1_price]", "2000")
    page.get_by_role("button", name="Показать, что получится").click()
    expect(page.get_by_text("Предпросмотр: пока ничего не записано")).to_be_visible()
    looked(page)
    assert not Slot.objects.exists()
    page.get_by_role("button", name="Записать 42 слота").click()
    work()
    expect(page.get_by_text("Выполнено: 42 из 42")).to_be_visible()
    looked(page)
    assert Slot.objects.count() == 42
    assert set(Slot.objects.values_list("price", flat=True)) == {150_000, 200_000}

    page.goto(f"{site}/admin/desk/slots/change/")
    looked(page)
    page.fill("[name=first]", day(1))
    page.fill("[name=last]", day(7))
    for name in ("Пн", "Вт", "Ср", "Чт", "Пт"):
        page.get_by_label(name, exact=True).uncheck()
    page.fill("[name=value]", "2500")
    page.get_by_role("button", name="Показать, что изменится").click()
    expect(page.get_by_role("button", name="Записать 12 слотов")).to_be_visible()
    page.get_by_role("button", name="Записать 12 слотов").click()
    work(limit=1)
    bar = page.get_by_role("progressbar")
    expect(bar).to_have_attribute("value", "10")
    looked(page)
    page.reload()
    expect(bar).to_have_attribute("value", "10")  # it stands where it stood
    work()
    expect(page.get_by_text("Выполнено: 12 из 12")).to_be_visible()  # without another reload
    assert Slot.objects.filter(price=250_000).count() == 12

    page.goto(f"{site}/admin/desk/slots/import/")
    looked(page)
    rows = [f"Корт 1;{tomorrow() + timedelta(days=20):%d.%m.%Y};{hour}:00;{hour}:50;900" for hour in range(10, 22)]
    rows.insert(1, "Корт 9;01.01.2030;10:00;11:00;900")
    text = "\n".join(["Площадка;Дата;Начало;Конец;Цена", *rows])
    page.set_input_files("[name=file]", {"name": "slots.csv", "mimeType": "text/csv", "buffer": text.encode()})
    page.get_by_role("button", name="Проверить файл").click()
    expect(page.get_by_role("cell", name="Строка 3")).to_be_visible()
    looked(page)
    page.get_by_role("button", name="Записать 12 слотов").click()
    work(limit=1)
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "10")
    page.get_by_role("button", name="Остановить").click()
    expect(page.get_by_text("Остановлено: 10 из 12")).to_be_visible()
    work()
    assert Slot.objects.filter(price=90_000).count() == 10


COUNT = """addEventListener("click", each => {
  if (each.isTrusted) localStorage.clicks = 1 + Number(localStorage.clicks || 0);
}, true)"""


def test_from_nothing_to_the_first_booking(open_page: OpenPage, site: str, bank: Any) -> None:
    club = ClubFactory(name="Новый", slug="new", is_public=False)
    owner = MembershipFactory(club=club, user=UserFactory(password=None), role="OWNER").user
    page = signed_in(open_page(), site, owner)
    page.add_init_script(COUNT)
    began = monotonic()
    page.goto(f"{site}/admin/desk/slots/")
    expect(page.get_by_role("heading", name="Сначала площадка или тренер")).to_be_visible()
    looked(page)

    def back() -> None:
        page.locator("#nav-sidebar").get_by_role("link", name="С чего начать").click()
        page.wait_for_url("**/desk/checklist/**")
        looked(page)

    back()
    expect(page.get_by_text("Сделано шагов: 0 из 6")).to_be_visible()
    page.get_by_role("link", name="Открыть настройки").click()
    page.fill("[name=address]", "Лужники")
    page.fill("[name=phone]", "+79001112233")
    page.click("[name=_save]")
    back()
    page.get_by_role("link", name="Добавить площадку").click()
    page.fill("[name=name]", "Корт 1")
    page.click("[name=_save]")
    assert Area.objects.get(club=club).name == "Корт 1"
    back()
    page.get_by_role("link", name="Создать сезон").click()
    page.fill("[name=last]", day(3))
    page.get_by_role("button", name="Показать, что получится").click()
    page.get_by_role("button", name="Записать").click()
    page.wait_for_selector("#job")
    work()
    back()
    page.get_by_role("link", name="Подключить счёт").click()
    looked(page)
    for name, value in (("account_id", SHOP), ("secret_key", SECRET)):
        page.fill(f"[name={name}]", value)
    page.click("[name=_save]")
    back()
    page.get_by_role("button", name="Проверить подключение").click()
    page.wait_for_selector("#job")
    work()
    expect(page.get_by_text("Подключение работает")).to_be_visible()
    looked(page)
    back()
    page.get_by_role("link", name="Пригласить сотрудников").click()
    page.fill("[name=email]", "new@example.com")
    page.get_by_role("button", name="Отправить письмо").click()
    expect(page.get_by_role("cell", name="new@example.com", exact=True)).to_be_visible()
    looked(page)
    back()
    page.get_by_role("button", name="Показать клиентам").click()
    expect(page.get_by_text("Сделано шагов: 6 из 6")).to_be_visible()
    assert int(page.evaluate("localStorage.clicks")) <= 25
    assert monotonic() - began < 600, "ten minutes, with everything looked at on the way"
    page.get_by_role("link", name="Что видят клиенты").click()
    expect(page.get_by_role("link", name="Корт 1").first).to_be_visible()


def test_an_invitation_is_read_and_answered(open_page: OpenPage, site: str, owner: User) -> None:
    club = Club.objects.get()
    actor = staff_member(owner.pk, {club.pk: "OWNER"}, through="admin")
    invitation = inviting.invite(club_id=club.pk, email="new@example.com", role="STAFF", actor=actor)
    page = open_page()
    page.goto(f"{site}/admin/invitation/{inviting.token_of(invitation)}/")
    looked(page)
    page.fill("[name=name]", "Новичок")
    for name in ("password", "again"):
        page.fill(f"[name={name}]", "123")
    page.get_by_role("button", name="Начать работу").click()
    expect(page.get_by_role("alert")).to_be_visible()
    looked(page)
    for name in ("password", "again"):
        page.fill(f"[name={name}]", "kfm7-x3hp-9wdt")
    page.get_by_role("button", name="Начать работу").click()
    page.wait_for_url("**/admin/login/**")
    assert User.objects.get(email="new@example.com").check_password("kfm7-x3hp-9wdt")
    page.goto(f"{site}/admin/invitation/{inviting.token_of(invitation)}/")
    looked(page)
