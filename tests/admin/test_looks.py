"""What became of a row, by whom; words of columns; the club's clock; fields that look like fields."""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.db import connection
from django.forms import CheckboxInput, HiddenInput
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation
from django.utils.dateformat import format as date_format
from django.utils.html import escape

from backoffice.list_words import LISTS
from clubs import hours
from clubs.models import ApiKey, Club, User
from palms.actors import acting, staff_member
from palms.admin import SECRET, TECHNICAL, local
from palms.clock import now_utc, to_zone
from palms.models import Intent
from tests.admin.conftest import World, browser_of, registered, rows_of
from tests.factories import ClubFactory, IntervalAreaFactory, MembershipFactory, UserFactory

NOBODY_SEES = SECRET | TECHNICAL | {"sealed", "last_step", "tokens"}


def history_of(world: World, row: Any) -> str:
    label = f"{row._meta.app_label}_{row._meta.model_name}"
    return browser_of(world.owner).get(reverse(f"admin:{label}_history", args=[row.pk])).content.decode()


def settings_form(browser: Any, club: Club, **changes: str) -> dict[str, Any]:
    page = browser.get(reverse("admin:clubs_club_change", args=[club.pk]))
    form = page.context["adminform"].form
    kept = {name: form[name].value() for name in form.fields}
    return {name: value for name, value in kept.items() if value is not None and value is not False} | changes


def test_a_changed_rule_of_the_club_says_who_when_and_from_what_to_what(mine: World) -> None:
    User.objects.filter(pk=mine.owner.pk).update(name="Ирина Пальмина")
    browser, url = browser_of(mine.owner), reverse("admin:clubs_club_change", args=[mine.club.pk])
    entered = settings_form(browser, mine.club, late_cancel_fee_percent="30", customer_cancel="always_with_fee")

    answer = browser.post(url, entered)
    assert answer.status_code == 302, answer.context["errors"]

    for page in (history_of(mine, mine.club), browser.get(url).content.decode()):
        text = re.sub(r"<[^>]+>|\s+", " ", page)
        assert re.search(r"Удержание при поздней отмене, процентов: 100 → +30", text)
        assert re.search(r"Клиент отменяет подтверждённую бронь: [^→]+ → +всегда", text)
        assert "Ирина Пальмина" in text
        assert "в панели" in text


def test_money_moments_and_related_rows_of_a_history_are_in_words(mine: World) -> None:
    page = history_of(mine, mine.booking)

    assert "→" in page
    assert "1\N{NO-BREAK SPACE}500\N{NO-BREAK SPACE}₽" in page
    assert mine.booking.get_status_display() in page
    assert "Pgh" not in page


def test_the_hours_of_an_area_are_in_its_history(mine: World) -> None:
    area = IntervalAreaFactory(club=mine.club)
    for text in ("1-5 08:00-22:00", "1-5 09:00-21:00"):
        with acting(staff_member(mine.owner.pk, {mine.club.pk: "OWNER"}, through="admin")):
            hours.set_hours(area=area, stretches=hours.read(text, kind="open", currency="RUB"))

    text = re.sub(r"<[^>]+>|\s+", " ", history_of(mine, area))
    assert re.search(r"Часы работы: 1-5 08:00-22:00 → +1-5 09:00-21:00", text)
    assert re.search(r"Часы работы: 6-7 08:00-22:00 → +–", text)
    assert str(mine.owner) in text


def test_a_history_is_read_by_as_many_queries_however_long_it_is(mine: World) -> None:
    def asked() -> int:
        browser = browser_of(mine.owner)
        with CaptureQueriesContext(connection) as captured:
            assert browser.get(reverse("admin:clubs_club_history", args=[mine.club.pk])).status_code == 200
        return len(captured)

    few = asked()
    for minutes in range(30):
        Club.objects.filter(pk=mine.club.pk).update(notice_minutes=minutes)

    assert asked() == few


def test_what_keeps_no_history_says_so_and_offers_none(mine: World) -> None:
    intent = Intent.objects.filter(club=mine.club).first()

    assert "У этой записи нет истории" in history_of(mine, intent)
    page = browser_of(mine.owner).get(reverse("admin:palms_intent_change", args=[intent.pk])).content.decode()
    assert reverse("admin:palms_intent_history", args=[intent.pk]) not in page


def test_every_column_that_is_shown_has_russian_words(db: None) -> None:
    bare = []
    ours = [model for model, _admin in registered() if model._meta.app_label != "axes"]
    for model in ours:
        for field in model._meta.fields:
            with translation.override("ru"):
                words = str(field.verbose_name)
            if (
                field.name not in NOBODY_SEES
                and words.upper() != "ID"
                and not re.search("[а-яё]", words, re.IGNORECASE)
            ):
                bare.append(f"{model._meta.label}.{field.name}: {words}")
        with translation.override("ru"):
            names = f"{model._meta.verbose_name} {model._meta.verbose_name_plural}"
        bare += [model._meta.label] if not re.search("[а-яё]", names, re.IGNORECASE) else []

    assert bare == []


def test_a_list_tells_the_time_of_the_club(mine: World) -> None:
    Club.objects.filter(pk=mine.club.pk).update(timezone="Asia/Kamchatka")
    key = ApiKey.objects.get(club=mine.club)
    page = browser_of(mine.owner).get(reverse("admin:clubs_apikey_changelist")).content.decode()

    mine.club.refresh_from_db()
    assert local(key.created_at, mine.club)[-5:].lstrip("0") in page
    assert not re.search(rf"(?<!\d)0?{key.created_at.hour}:{key.created_at:%M}", page)  # Greenwich's


def test_the_first_page_and_the_audit_tell_the_day_of_the_club(mine: World) -> None:
    zone = "Pacific/Kiritimati" if now_utc().hour >= 10 else "Pacific/Pago_Pago"  # another day than in Greenwich
    Club.objects.filter(pk=mine.club.pk).update(timezone=zone)
    day = to_zone(now_utc(), ZoneInfo(zone)).date()

    assert f", {date_format(day, 'j E')}" in browser_of(mine.owner).get("/admin/").content.decode()
    assert f"{day:%d.%m.%Y}" in browser_of(mine.owner).get("/admin/audit/").content.decode()


def test_who_works_for_one_club_reads_no_column_of_clubs(mine: World, theirs: World) -> None:
    def columns() -> Any:
        return browser_of(mine.owner).get(reverse("admin:payments_payment_changelist")).context["cl"].list_display

    assert "club" not in columns()
    MembershipFactory(club=theirs.club, user=mine.owner, role="STAFF")
    assert "club" in columns()


def test_every_field_of_a_form_looks_like_one(platform_admin: User, mine: World) -> None:
    request = RequestFactory().get("/")
    request.user, request.session = platform_admin, {}  # type: ignore[assignment]
    plain = []
    for model, model_admin in registered():
        for row in (None, *rows_of(model, model_admin, mine.club)[:1]):
            may = model_admin.has_change_permission(request, row) if row else model_admin.has_add_permission(request)
            if not may:
                continue
            form = model_admin.get_form(request, row, change=row is not None)
            shown = set(admin.utils.flatten_fieldsets(model_admin.get_fieldsets(request, row)))
            for name, field in form.base_fields.items():
                widget = getattr(field.widget, "widget", field.widget)
                parts = getattr(widget, "widgets", [widget])
                dressed = all("class" in part.attrs or isinstance(part, HiddenInput) for part in parts)
                is_seen = name in shown and not isinstance(widget, CheckboxInput)
                plain += [f"{model._meta.label}.{name}"] if is_seen and not dressed else []
                assert str(field.label)[:1] == str(field.label)[:1].upper(), (model, name)

    assert plain == []


def test_the_hash_of_a_password_is_shown_to_nobody(mine: World) -> None:
    person = UserFactory(password="kfm7-x3hp-9wdt")
    MembershipFactory(club=mine.club, user=person, role="STAFF")

    page = browser_of(mine.owner).get(reverse("admin:clubs_user_change", args=[person.pk])).content.decode()

    assert "argon2" not in page
    assert reverse("admin:auth_user_password_change", args=[person.pk]) in page
    other = reverse("admin:auth_user_password_change", args=[mine.owner.pk])
    assert browser_of(person).get(other).status_code == 404


def test_an_empty_list_says_what_to_do_first_and_any_list_what_it_is(mine: World, platform_admin: User) -> None:
    club = ClubFactory()
    owner = MembershipFactory(club=club, user=UserFactory(password=None), role="OWNER").user
    empty, full, silent = browser_of(owner), browser_of(mine.owner), []
    for label, (about, first) in LISTS.items():
        url = reverse(f"admin:{label.lower().replace('.', '_')}_changelist")
        with translation.override("ru"):
            silent += [label] if str(escape(first)) not in empty.get(url).content.decode() else []
            silent += [label] if str(escape(about)) not in full.get(url).content.decode() else []

    assert silent == []
    page = empty.get(reverse("admin:payments_payment_changelist"), {"q": "1"}).content.decode()
    assert "Сбросить фильтры" in page
    with translation.override("ru"):
        assert str(escape(LISTS["payments.Payment"][1])) not in page
