"""What a screen reader is told, read from Chromium's accessibility tree; and the pages on a slow network."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from payments.models import Payment
from slots.models import Slot
from tests.bank import Bank
from tests.browser.conftest import OpenPage, fill, pay, status_of
from tests.factories import tomorrow

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]
SLOW_3G = {"offline": False, "latency": 2000, "downloadThroughput": 50_000, "uploadThroughput": 50_000}

IMPATIENT = """() => {
    const go = document.querySelector('button.go');
    go.click(); go.click(); go.click();
    const turning = getComputedStyle(go, '::after').borderTopStyle;
    return [go.getAttribute('aria-disabled'), document.querySelector('form.checkout [role=status]').textContent, turning];
}"""
MONTHS = "января февраля марта апреля мая июня июля августа сентября октября ноября декабря".split()  # noqa: SIM905


def told(page: Page) -> list[dict[str, Any]]:
    """Return what is told to screen readers: role, name and properties of each node, in order."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    return [
        {
            "role": node["role"]["value"],
            "name": node.get("name", {})
            .get("value", "")
            .replace("\N{NO-BREAK SPACE}", " ")
            .replace("\N{WORD JOINER}", ""),
            **{each["name"]: each["value"].get("value") for each in node.get("properties", [])},
        }
        for node in nodes
        if not node["ignored"]
    ]


def names(page: Page, role: str) -> list[str]:
    return [node["name"] for node in told(page) if node["role"] == role]


@pytest.mark.parametrize("width", [375, 1280])
def test_a_time_is_named_by_its_date_hours_place_price_and_length(
    open_page: OpenPage, site: str, court: Slot, group: Slot, width: int
) -> None:
    page, day = open_page(width), tomorrow()
    page.goto(f"{site}/palms/?day={day:%Y-%m-%d}")
    month = MONTHS[day.month - 1]
    links = [re.sub(r"\s+,", ",", re.sub(r"\s+", " ", name)) for name in names(page, "link")]
    assert f"{day.day} {month}, 12:00–13:00, Корт 2, 1 500 ₽, 1 ч" in links
    assert f"{day.day} {month}, 19:00–20:15, Зал, Йога, 800 ₽, 1 ч 15 мин, осталось 12 мест" in links
    offered = [name for name in links if re.search(r"\d\d:\d\d–", name)]
    assert len(offered) == 11
    assert len(set(offered)) == 11  # nobody has to guess which is which


def test_the_frame_is_told_by_landmarks_and_one_heading(open_page: OpenPage, site: str, court: Slot) -> None:
    page = open_page()
    for address in ("/", f"/palms/?day={tomorrow():%Y-%m-%d}", f"/palms/slots/{court.pk}/", status_of(court)):
        page.goto(site + address)
        roles = [node["role"] for node in told(page)]
        assert [roles.count(role) for role in ("banner", "main", "contentinfo")] == [1, 1, 1], address
        assert [node["level"] for node in told(page) if node["role"] == "heading"].count(1) == 1, address
        assert all(node["name"] for node in told(page) if node["role"] in ("link", "button", "textbox", "checkbox"))


def test_what_changes_is_spoken_and_the_ticking_is_not(open_page: OpenPage, site: str, court: Slot, bank: Bank) -> None:
    page = open_page()
    page.goto(f"{site}/palms/slots/{court.pk}/")
    fill(page, phone="12")
    page.click("button.go")
    page.wait_for_selector("[role=alert]")
    (alert,) = [node for node in told(page) if node["role"] == "alert"]
    assert alert["live"] == "assertive"
    phone = next(node for node in told(page) if node["role"] == "textbox" and node["name"] == "Телефон")
    assert (phone["invalid"], phone["required"]) == ("true", True)
    page.goto(site + status_of(court))
    live = {node["role"]: node.get("live") for node in told(page) if node["role"] in ("timer", "status")}
    assert live["status"] == "polite"
    assert live["timer"] in ("off", None)


def slow(page: Page) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", SLOW_3G)


def test_on_a_slow_network_one_impatient_visitor_holds_once_and_sees_that_it_goes_on(
    open_page: OpenPage, site: str, court: Slot
) -> None:
    page = open_page(375)
    slow(page)
    page.goto(f"{site}/palms/slots/{court.pk}/")
    fill(page)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    begun = time.monotonic()
    shown = page.evaluate(IMPATIENT)
    assert shown == ["true", "Подождите немного: форма отправляется.", "solid"]
    page.wait_for_url("**/pay/**")
    assert time.monotonic() - begun >= 2  # the network was slow indeed
    assert len(sent) == 1
    assert Payment.objects.count() == 1
    pay(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Забронировано, ждём вас")


def test_on_a_slow_network_a_page_is_read_and_used_before_its_script_has_come(
    open_page: OpenPage, site: str, court: Slot
) -> None:
    page = open_page(375)
    waiting: list[Any] = []
    page.route("**/*.js", lambda route: waiting.append(route))
    slow(page)
    page.goto(f"{site}/palms/?day={tomorrow():%Y-%m-%d}", wait_until="commit")
    page.locator(f'a[href$="/slots/{court.pk}/"]').click()
    page.wait_for_url("**/slots/**", wait_until="commit")
    fill(page)
    page.locator("button.go").click(no_wait_after=True)
    page.wait_for_url("**/pay/**", wait_until="commit")
    assert len(waiting) == 4  # two pages, none of whose scripts came
    assert Payment.objects.count() == 1


def test_on_a_slow_network_another_day_shows_that_it_is_on_its_way(open_page: OpenPage, site: str, court: Slot) -> None:
    page = open_page(375)
    page.goto(f"{site}/palms/")
    slow(page)
    following = page.get_by_role("link", name="Следующий день")
    following.click()
    expect(following).to_have_class(re.compile("htmx-request"))
    page.wait_for_url("**/?day=*")
    expect(page.locator("#day-title")).to_be_focused()
