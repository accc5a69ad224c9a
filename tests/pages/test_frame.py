"""What every page shares: language, security, weight, errors, health. And the words themselves."""

from __future__ import annotations

import ast
import gzip
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polib
import pytest
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.utils import translation

from bookings.errors import TransitionRefused
from palms import views
from palms.actors import Kind
from palms.errors import DatabaseUnavailable, NotPermitted
from palms.middleware import RefusalMiddleware, StaffHistoryMiddleware, staff_actor
from palms.templatetags.palms import in_zone, lasts, money, phone, zone_of
from payments.errors import ProviderUnavailable
from tests.factories import AreaFactory, ClubFactory, MembershipFactory, SlotFactory, UserFactory, ahead
from tests.pages.conftest import FORM, address_of, text_of

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "palms" / "static" / "palms"
KIB = 1024


def pages(client: Client) -> dict[str, Any]:
    """Return one answer of each public page, the heaviest of its kind."""
    club = ClubFactory()
    for _ in range(8):
        area = AreaFactory(club=club)
        for hour in range(3, 19):
            SlotFactory(club=club, area=area, start=ahead(hour))
    slot = club.slots.first()
    assert slot is not None
    return {
        "list": client.get("/"),
        "day": client.get(f"/{club.slug}/?day={ahead():%Y-%m-%d}"),
        "slot": client.get(address_of(slot)),
        "errors": client.post(address_of(slot), FORM | {"phone": "1"}),
        "missing": client.get("/nothing/here/"),
    }


@pytest.mark.django_db
def test_no_page_needs_others_or_inline_code(client: Client) -> None:
    for name, response in pages(client).items():
        page = text_of(response)
        assert not re.search(r'(?:src|action)="(?:https?:)?//', page), name
        assert not re.search(r'<link[^>]*href="(?:https?:)?//', page), name
        assert not re.search(r"\sstyle=|<style|\son\w+=|javascript:", page), name
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page)), name
        policy = response.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["X-Frame-Options"] == "DENY"


@pytest.mark.django_db
def test_every_page_is_light(client: Client) -> None:
    css = len(gzip.compress((STATIC / "palms.css").read_bytes()))
    script = sum(len(gzip.compress(file.read_bytes())) for file in STATIC.glob("*.js"))
    assert css <= 12 * KIB
    assert script <= 16 * KIB
    for name, response in pages(client).items():
        size = len(gzip.compress(response.content))
        assert size <= 15 * KIB, name
        assert size + css + script <= 90 * KIB, name


def test_the_vendored_script_is_pinned_and_names_its_licence() -> None:
    (file,) = STATIC.glob("htmx*.js")
    assert file.name == "htmx-4.0.1.min.js"
    assert file.read_text().startswith("/*! htmx 4.0.1")
    assert "Zero-Clause BSD" in file.read_text()[:300]


@pytest.mark.django_db
def test_pages_speak_russian_until_english_is_chosen(client: Client) -> None:
    assert '<html lang="ru">' in text_of(client.get("/", headers={"accept-language": "en"}))
    response = client.post("/language/", {"lang": "en", "next": "/?day=1"})
    assert (response.status_code, response.headers["Location"]) == (302, "/?day=1")
    page = client.get("/", headers={"accept-language": "ru"})
    assert '<html lang="en">' in text_of(page)
    assert (page.headers["Content-Language"], "Cookie" in page.headers["Vary"]) == ("en", True)
    client.get("/?lang=ru")
    assert '<html lang="ru">' in text_of(client.get("/"))


@pytest.mark.django_db
@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "\\\\evil", ""])
def test_choosing_a_language_never_leads_away(client: Client, target: str) -> None:
    assert client.post("/language/", {"lang": "en", "next": target}).headers["Location"] == "/"


@pytest.mark.django_db
def test_the_switch_comes_back_to_the_same_page(client: Client) -> None:
    page = text_of(client.get("/?lang=ru&n=3&q=1"))
    assert '<input type="hidden" name="next" value="/?q=1">' in page


@pytest.mark.django_db
@pytest.mark.parametrize(("language", "status"), [("ru", "ru"), ("en-GB,en;q=0.9", "en"), ("fr", "ru")])
def test_the_api_follows_accept_language(client: Client, language: str, status: str) -> None:
    response = client.get("/api/nothing", headers={"accept-language": language})
    assert response.headers["Content-Language"] == status
    assert "Accept-Language" in response.headers["Vary"]


@pytest.mark.parametrize("status", sorted(views.TROUBLES))
@pytest.mark.parametrize("language", ["ru", "en"])
def test_every_trouble_says_what_happened_about_money_and_what_now(status: int, language: str) -> None:
    with translation.override(language):
        response = views.trouble(RequestFactory().get("/"), status)
    page = text_of(response)
    assert response.status_code == status
    assert response.headers["Cache-Control"] == "no-store"
    words = ("Деньги", "Что дальше") if language == "ru" else ("Money", "What now")
    assert all(word in page for word in words)


@pytest.mark.parametrize(
    ("address", "leads_to"),
    [
        ("/checkout/{}/release/", "/checkout/{}/"),
        ("/booking/{}/pay/", "/booking/{}/"),
    ],
)
@pytest.mark.django_db
def test_a_button_opened_as_a_page_leads_to_where_it_stands(client: Client, address: str, leads_to: str) -> None:
    token = "A" * 22
    response = client.get(address.format(token))
    assert response.status_code == 405
    assert f'class="button" href="{leads_to.format(token)}"' in text_of(response)


def test_who_may_have_just_paid_is_not_told_that_nothing_was_taken() -> None:
    response = views.trouble(RequestFactory().get("/checkout/x/return/?n=1"), 503)
    page = text_of(response)
    assert "платёж не потеряется" in page
    assert 'class="button" href="/checkout/x/return/?n=1"' in page
    assert "Попробовать ещё раз" in page
    assert "Попробовать ещё раз" not in text_of(views.trouble(RequestFactory().post("/x/"), 503))


def test_a_bank_that_is_down_is_not_called_a_crowd() -> None:
    page = text_of(views.refused(RequestFactory().post("/booking/x/pay/"), ProviderUnavailable()))
    assert "Банк сейчас не принимает платежи" in page
    assert "слишком много обращений" not in page
    assert "слишком много обращений" in text_of(views.refused(RequestFactory().post("/x/"), DatabaseUnavailable()))


@pytest.mark.parametrize(
    ("language", "words"), [("ru", "Сбой на нашей стороне"), ("en", "Something broke on our side")]
)
def test_the_page_for_defects_needs_no_database(language: str, words: str) -> None:
    with translation.override(language):
        response = views.server_error(RequestFactory().get("/"))
    assert response.status_code == 500
    assert words in text_of(response)


def test_refusals_of_the_domain_become_pages_and_leave_the_api_alone() -> None:
    door = RefusalMiddleware(lambda request: HttpResponse())
    page, api = RequestFactory().get("/x/"), RequestFactory().get("/api/v1/x")
    for refusal, status in ((TransitionRefused(), 409), (NotPermitted(), 403)):
        answer = door.process_exception(page, refusal)
        assert answer is not None
        assert answer.status_code == status
        assert door.process_exception(api, refusal) is None
    busy = door.process_exception(page, OperationalError("gone"))
    assert busy is not None
    assert (busy.status_code, busy.headers["Retry-After"]) == (503, "5")
    assert door.process_exception(page, ValueError("a defect")) is None


def test_htmx_is_sent_to_the_full_page_of_a_refusal() -> None:
    request = RequestFactory().get("/club/?day=x", headers={"HX-Request": "true"})
    assert views.trouble(request, 503).headers["HX-Redirect"] == "/club/?day=x"
    poll = RequestFactory().get("/checkout/x/?was=held", headers={"HX-Request": "true"})
    assert "HX-Redirect" not in views.trouble(poll, 503).headers


@pytest.mark.django_db
def test_health_answers_without_a_host_and_ready_asks_the_database(client: Client, monkeypatch: Any) -> None:
    assert client.get("/health/live", headers={"host": "10.0.0.7"}).content == b"ok"
    assert client.get("/health/ready").content == b"ok"

    def fail(*args: object) -> None:
        raise OperationalError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", fail)
        assert client.get("/health/ready").status_code == 503
        assert client.get("/health/live").status_code == 200


@pytest.mark.django_db
def test_posts_to_the_back_office_carry_their_person(django_assert_num_queries: Any) -> None:
    member = MembershipFactory()
    actor = staff_actor(member.user)
    assert (actor.kind, actor.id, actor.club_ids, actor.through) == (
        Kind.STAFF,
        member.user_id,
        {member.club_id},
        "admin",
    )
    assert staff_actor(UserFactory(is_superuser=True)).is_platform_admin

    class Nobody:
        is_staff = False

    def door(request: HttpRequest) -> HttpResponse:
        return HttpResponse("in")

    request = RequestFactory().post("/admin/login/")
    request.user = Nobody()  # type: ignore[assignment]
    with django_assert_num_queries(0):
        assert StaffHistoryMiddleware(door)(request).status_code == 200


MOSCOW = SimpleNamespace(timezone="Europe/Moscow")


@pytest.mark.parametrize(
    ("amount", "currency", "russian", "english"),
    [
        (150_000, "RUB", "1 500 ₽", "₽1,500"),
        (150_050, "RUB", "1 500,50 ₽", "₽1,500.50"),
        (0, "RUB", "0 ₽", "₽0"),
        (-5, "RUB", "−0,05 ₽", "−₽0.05"),
        (123_456_789_00, "USD", "123 456 789 $", "$123,456,789"),
        (1500, "JPY", "1 500 ¥", "¥1,500"),
        (100, "UZS", "1 UZS", "UZS 1"),
    ],
)
def test_money_is_written_for_people(amount: int, currency: str, russian: str, english: str) -> None:
    for language, words in (("ru", russian), ("en", english)):
        with translation.override(language):
            assert money(amount, currency).replace("\N{NO-BREAK SPACE}", " ") == words
    assert Decimal(amount) == amount


@pytest.mark.parametrize(
    ("kept", "read"),
    [
        ("+79123456789", "+7 912 345-67-89"),
        ("+74951234567", "+7 495 123-45-67"),
        ("+442079460958", "+44 20 7946 0958"),
        ("ask at the desk", "ask at the desk"),
        ("", ""),
    ],
)
def test_phones_are_written_for_people(kept: str, read: str) -> None:
    assert phone(kept).replace("\N{NO-BREAK SPACE}", " ") == read


def test_moments_are_the_clubs_and_not_the_servers() -> None:
    start = ahead(22)
    local = in_zone(start, MOSCOW)
    assert local is not None
    assert (local.hour, local.utcoffset(), local) == (1, start.astimezone(local.tzinfo).utcoffset(), start)
    shown = Template('{{ moment|in_zone:club|date:"H:i" }}').render(Context({"moment": start, "club": MOSCOW}))
    assert shown == "01:00"


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("Europe/Moscow", "Moscow time (UTC+3)"),
        ("Asia/Kolkata", "Asia/Kolkata (UTC+5:30)"),
        ("America/St_Johns", "America/St Johns (UTC-3:30)"),
    ],
)
def test_the_zone_is_named(zone: str, words: str) -> None:
    with translation.override("en"):
        assert zone_of(SimpleNamespace(timezone=zone), ahead().replace(month=1, day=15)) == words


@pytest.mark.parametrize(("minutes", "words"), [(45, "45 min"), (60, "1 h"), (90, "1 h 30 min"), (0, "0 min")])
def test_lengths_are_written_for_people(minutes: int, words: str) -> None:
    slot = SlotFactory.build(club=None, area=None, minutes=minutes)
    with translation.override("en"):
        assert lasts(slot).replace("\N{NO-BREAK SPACE}", " ") == words


def test_everything_is_translated_and_compiled() -> None:
    folder = ROOT / "locale" / "ru" / "LC_MESSAGES"
    written, compiled = polib.pofile(str(folder / "django.po")), polib.mofile(str(folder / "django.mo"))
    assert [entry.msgid for entry in written.untranslated_entries() + written.fuzzy_entries()] == []
    assert [entry.msgid for entry in written if entry.msgid_plural and not all(entry.msgstr_plural.values())] == []

    def words(entries: Any) -> dict[Any, Any]:
        return {(e.msgctxt, e.msgid): e.msgstr or {int(k): v for k, v in e.msgstr_plural.items()} for e in entries}

    assert words(compiled) == words(entry for entry in written if not entry.obsolete)


def test_translations_keep_their_placeholders() -> None:
    written = polib.pofile(str(ROOT / "locale" / "ru" / "LC_MESSAGES" / "django.po"))
    holes = re.compile(r"%\(\w+\)[sd]|\{\w+\}")
    for entry in written:
        for text in [entry.msgstr] if not entry.msgid_plural else entry.msgstr_plural.values():
            assert sorted(holes.findall(text)) == sorted(holes.findall(entry.msgid_plural or entry.msgid)), entry.msgid


CALLS = {"_", "_t", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "pgettext"}
WORDS = re.compile(r"""{%\s*translate\s*"((?:[^"\\]|\\.)*)\"""")
ROOMS = (
    "palms",
    "clubs",
    "webhooks",
    "clients",
    "slots",
    "payments",
    "access",
    "notifications",
    "bookings",
    "backoffice",
)


def words_of(file: Path) -> Iterator[str]:
    """Yield what a module or a template gives to gettext."""
    if file.suffix != ".py":
        yield from (text.replace('\\"', '"') for text in WORDS.findall(file.read_text()))
        return
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in CALLS:
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def test_no_string_is_missing_from_the_catalogue() -> None:
    written = polib.pofile(str(ROOT / "locale" / "ru" / "LC_MESSAGES" / "django.po"))
    known = {entry.msgid for entry in written} | {entry.msgctxt for entry in written if entry.msgctxt}
    files = [
        file for room in (*ROOMS, "templates") for file in (ROOT / room).rglob("*.*") if "migrations" not in file.parts
    ]
    sources = [file for file in files if file.suffix in (".py", ".html", ".txt")]

    assert [(file.name, text) for file in sources for text in words_of(file) if text not in known] == []
