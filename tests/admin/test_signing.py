"""The door of the back office: passwords, codes, sessions, and the platform's look at a club."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
import time_machine
from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.test import Client as Browser
from django.urls import reverse
from django_otp.oath import TOTP

from backoffice.urls import PAGES
from clubs import second_factor
from clubs.models import Authenticator, Membership, RecoveryCode, StaffSession, User, Viewing
from palms.actors import SYSTEM
from palms.clock import now_utc
from tests.admin.conftest import World, address_of_row, browser_of, registered, show_code
from tests.factories import ClubFactory, MembershipFactory, UserFactory

PASSWORD = "kfm7-x3hp-9wdt"
LOGIN, CODE, ACCOUNT, INDEX = "/admin/login/", "/admin/second-factor/", "/admin/account/", "/admin/"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Safari/604.1"


@pytest.fixture
def user(db: None) -> User:
    return MembershipFactory(user=UserFactory(password=PASSWORD), club=ClubFactory(), role="OWNER").user


@pytest.fixture
def required(settings: Any) -> None:
    settings.PALMS_REQUIRE_TWO_FACTOR = True


def sign_in(user: User, password: str = PASSWORD, **headers: Any) -> tuple[Browser, Any]:
    browser = Browser(raise_request_exception=False, **headers)
    return browser, browser.post(f"{LOGIN}?next=/admin/account/", {"username": user.email, "password": password})


def code_of(key: bytes, *, steps: int = 0) -> str:
    totp = TOTP(key)
    totp.time = now_utc().timestamp() + 30 * steps
    return f"{totp.token():06d}"


def set_up(user: User) -> tuple[bytes, list[str]]:
    """Give a person a second factor; return its key and the codes for paper. The code of now stays unused."""
    made = second_factor.begin()
    _row, codes = second_factor.enrol(user_id=user.pk, enrolment=made, code=code_of(made.key, steps=-1), actor=SYSTEM)
    return made.key, codes


def test_a_first_sign_in_sets_up_the_second_factor(user: User, required: None) -> None:
    browser, answer = sign_in(user)
    assert answer["Location"] == "/admin/account/"
    answer = browser.get("/admin/account/")
    assert answer["Location"] == "/admin/second-factor/?next=%2Fadmin%2Faccount%2F"

    page = browser.get(answer["Location"])
    shown = re.search(r"desk-key\">([A-Z2-7 ]+)<", page.content.decode())
    assert shown
    assert "no-store" in page["Cache-Control"]
    key = second_factor.Enrolment(browser.session["palms_enrolment"]).key
    assert second_factor.Enrolment(browser.session["palms_enrolment"]).words == shown[1]
    before = browser.session.session_key
    assert browser.post(answer["Location"], {"code": "000000"}).status_code == 400
    page = browser.post(answer["Location"], {"code": code_of(key)})
    codes = page.context["codes"]

    assert len(set(codes)) == 10
    assert all(code in page.content.decode() for code in codes)
    assert browser.session.session_key != before
    assert browser.get(INDEX).status_code == 200
    kept = Authenticator.objects.get(user=user)
    assert key.hex() not in kept.sealed
    assert shown[1].replace(" ", "") not in kept.sealed
    for url in (CODE, ACCOUNT, address_of_row(kept)):
        again = browser.get(url).content.decode()
        assert not [text for text in (*codes, shown[1], kept.sealed) if text in again]
    assert RecoveryCode.objects.filter(user=user, digest__in=codes).count() == 0


def test_nothing_opens_before_the_code(user: User, required: None, mine: World) -> None:
    browser = browser_of(user)
    urls = [reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") for model, _ in registered()]
    urls += [reverse(f"admin:{page.name}") for page in PAGES if page.name != "second-factor" and "<" not in page.path]
    for url in (*urls, INDEX, "/admin/autocomplete/", "/admin/search/?s=a", "/admin/password_change/"):
        for method in (browser.get, browser.post):
            answer = method(url)
            assert answer.status_code == 302, url
            assert answer["Location"].startswith(CODE), url
    answer = browser.get("/api/v1/club/areas")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


@pytest.mark.parametrize("is_required", [True, False])
def test_who_has_a_second_factor_shows_it(user: User, settings: Any, is_required: bool) -> None:
    settings.PALMS_REQUIRE_TWO_FACTOR = is_required
    key, codes = set_up(user)
    browser, _answer = sign_in(user)
    assert browser.get(INDEX)["Location"].startswith(CODE)
    assert browser.get("/api/v1/club/areas").status_code == 401

    shown = code_of(key)
    answer = browser.post(f"{CODE}?next=/admin/account/", {"code": shown})
    assert answer["Location"] == ACCOUNT
    assert browser.get(INDEX).status_code == 200
    assert browser.get("/api/v1/club/areas").status_code == 200

    other, _answer = sign_in(user)
    assert other.post(CODE, {"code": shown}).status_code == 400, "a code is taken once"
    assert other.post(f"{CODE}?next=https://evil.example/", {"code": codes[0].upper()})["Location"] == INDEX
    third, _answer = sign_in(user)
    assert third.post(CODE, {"code": codes[0]}).status_code == 400, "and so is one on paper"


@pytest.mark.parametrize(
    "typed", ["", "0", "٣٣٣٣٣٣", "12345", "1" * 5000, "\0", "-00001", "1e5", "<script>", "abcde-fghij"]
)
def test_nonsense_is_no_code(user: User, typed: str) -> None:
    set_up(user)
    browser, _answer = sign_in(user)

    answer = browser.post(CODE, {"code": typed})

    assert answer.status_code == 400
    assert browser.get(INDEX).status_code == 302


def test_codes_are_not_guessed_for_long(user: User) -> None:
    key, _codes = set_up(user)
    browser, _answer = sign_in(user)
    tries = [browser.post(CODE, {"code": "111111"}) for _try in range(11)]

    assert tries[-1].status_code == 429
    assert 0 < int(tries[-1]["Retry-After"]) <= 360
    assert browser.post(CODE, {"code": code_of(key)}).status_code == 429


def test_new_codes_for_paper_void_the_old(user: User) -> None:
    key, old = set_up(user)
    browser = browser_of(user)
    assert browser.post(ACCOUNT, {"step": "codes", "code": "123"}).status_code == 400

    page = browser.post(ACCOUNT, {"step": "codes", "code": code_of(key)})

    assert len(page.context["codes"]) == 10
    assert not set(page.context["codes"]) & set(old)
    other, _answer = sign_in(user)
    assert other.post(CODE, {"code": old[0]}).status_code == 400
    assert other.post(CODE, {"code": page.context["codes"][0]}).status_code == 302


def test_another_telephone_needs_the_old_one(user: User) -> None:
    _key, codes = set_up(user)
    stolen, _answer = sign_in(user)
    assert stolen.post(f"{CODE}?renew=1", {"code": "123456"}).context["error"]
    assert "palms_enrolment" not in stolen.session, "who has shown no code sets nothing up"
    browser = browser_of(user)
    url = f"{CODE}?renew=1"
    browser.get(url)
    new = second_factor.Enrolment(browser.session["palms_enrolment"]).key

    assert browser.post(url, {"code": code_of(new), "current": "111111"}).status_code == 400
    assert browser.post(url, {"code": code_of(new), "current": codes[0]}).context["codes"]

    other, _answer = sign_in(user)
    assert other.post(CODE, {"code": code_of(new, steps=1)}).status_code == 302


def test_an_owner_resets_a_colleague(user: User) -> None:
    club = user.memberships.get().club
    staff = MembershipFactory(user=UserFactory(password=PASSWORD), club=club, role="STAFF").user
    stranger = MembershipFactory(user=UserFactory(password=PASSWORD), role="STAFF").user
    Membership.objects.create(user=stranger, club=club, role="STAFF")  # works for somebody else too
    for person in (staff, stranger):
        set_up(person)
    theirs, _answer = sign_in(staff)
    users = reverse("admin:clubs_user_changelist")
    form = {"action": "reset_second_factor", "_selected_action": [staff.pk, stranger.pk]}
    assert browser_of(staff).post(users, form).status_code == 403
    assert Authenticator.objects.count() == 2, "staff reset nobody"

    browser_of(user).post(users, form)

    assert [row.user_id for row in Authenticator.objects.all()] == [stranger.pk]
    assert not RecoveryCode.objects.filter(user=staff).exists()
    assert theirs.get(INDEX)["Location"].startswith(LOGIN)
    events = Authenticator.pgh_event_model.objects.filter(user=staff).order_by("pgh_id")
    assert [event.pgh_label for event in events] == ["insert", "delete"]
    assert events[1].pgh_context.metadata["actor_id"] == user.pk


def test_the_command_lets_in_whoever_lost_everything(user: User) -> None:
    set_up(user)

    call_command("reset_second_factor", user.email)

    assert not Authenticator.objects.exists()
    with pytest.raises(Exception, match="nobody"):
        call_command("reset_second_factor", "nobody@example.com")


def test_wrong_passwords_lock_one_name_from_one_address(user: User, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [sign_in(user, "wrong-PASSWORD-1")[1] for _try in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
    assert 890 <= int(answers[-1]["Retry-After"]) <= 900
    assert sign_in(user)[1].status_code == 429, "the right one too"
    assert sign_in(user, REMOTE_ADDR="192.0.2.7")[1].status_code == 302, "but not from elsewhere"
    for language, words in (("ru", "Слишком много попыток"), ("en", "Too many tries")):
        page = Browser().post(f"{LOGIN}?lang={language}", {"username": user.email.upper(), "password": "x"})
        assert page.status_code == 429
        assert words in page.content.decode()
    stored = str(list(AccessAttempt.objects.values()))
    assert user.email in stored
    for text in (stored, caplog.text):
        assert "wrong-PASSWORD-1" not in text
        assert PASSWORD not in text
    assert user.email not in caplog.text


def test_a_password_typed_as_a_name_is_not_kept(db: None) -> None:
    Browser().post(LOGIN, {"username": "my secret word", "password": "x"})

    assert AccessAttempt.objects.get().username.startswith("sha256:")
    assert "secret" not in str(AccessAttempt.objects.values())


def test_behind_a_proxy_the_visitor_counts(user: User, settings: Any) -> None:
    settings.BEHIND_PROXY = True
    bad = {"HTTP_X_FORWARDED_FOR": "1.1.1.1, 198.51.100.7", "REMOTE_ADDR": "10.0.0.1"}
    assert [sign_in(user, "wrong", **bad)[1].status_code for _try in range(5)][-1] == 429

    assert sign_in(user, HTTP_X_FORWARDED_FOR="198.51.100.8", REMOTE_ADDR="10.0.0.1")[1].status_code == 302


def test_many_names_from_one_address_have_to_wait(db: None) -> None:
    with time_machine.travel(now_utc(), tick=False):  # the bucket empties while a busy machine asks
        answers = [Browser().post(LOGIN, {"username": f"{n}@example.com", "password": ""}) for n in range(61)]

    assert answers[59].status_code == 200
    assert answers[60].status_code == 429
    assert int(answers[60]["Retry-After"]) >= 1


@pytest.mark.parametrize("typed", ["", "\0", "x" * 100_000, "<script>alert(1)</script>", "٣"])
def test_garbage_at_the_door(db: None, typed: str) -> None:
    for data in ({"username": typed, "password": typed}, {"username": typed}, {typed[:500]: typed}):
        assert Browser(raise_request_exception=False).post(f"{LOGIN}?next={typed}", data).status_code == 200


def test_the_platform_lets_them_try_again(user: User, platform_admin: User) -> None:
    for _try in range(5):
        sign_in(user, "wrong")
    row = AccessAttempt.objects.get()
    form = {"action": "let_in", "_selected_action": [row.pk]}
    assert browser_of(user).post(reverse("admin:axes_accessattempt_changelist"), form).status_code == 403

    browser_of(platform_admin).post(reverse("admin:axes_accessattempt_changelist"), form)

    assert sign_in(user)[1].status_code == 302


def test_sessions_are_listed_and_ended(user: User) -> None:
    here, _answer = sign_in(user)
    there, _answer = sign_in(user, HTTP_USER_AGENT=SAFARI, REMOTE_ADDR="192.0.2.9")
    third, _answer = sign_in(user, HTTP_USER_AGENT="\x00\x1b[2J" + "x" * 9000)
    stranger = sign_in(MembershipFactory(user=UserFactory(password=PASSWORD)).user)[0]
    page = here.get(ACCOUNT).content.decode()
    assert "Safari, iPhone" in page
    assert "192.0.2.9" in page
    assert page.count('name="only"') == 2

    row = StaffSession.objects.get(address="192.0.2.9")
    assert stranger.post(ACCOUNT, {"only": row.pk}).status_code == 404
    for nonsense in ("x", "-1", "9" * 30, "٣", "0"):
        assert here.post(ACCOUNT, {"only": nonsense}).status_code == 404
    here.post(ACCOUNT, {"only": row.pk})
    assert there.get(INDEX)["Location"].startswith(LOGIN)
    assert third.get(INDEX).status_code == 200
    here.post(ACCOUNT)
    assert third.get(INDEX)["Location"].startswith(LOGIN)
    assert here.get(INDEX).status_code == stranger.get(INDEX).status_code == 200
    assert Session.objects.count() == 2
    events = StaffSession.pgh_event_model.objects.filter(user=user)
    assert sorted(event.pgh_label for event in events) == ["delete", "delete", "insert", "insert", "insert"]


def test_leaving_ends_the_row(user: User) -> None:
    browser, _answer = sign_in(user)
    browser.post("/admin/logout/")

    assert not StaffSession.objects.exists()


def test_the_platform_sees_a_club_with_its_eyes(mine: World, theirs: World, platform_admin: User) -> None:
    root, staff = browser_of(platform_admin), browser_of(mine.staff)
    form = {"club": mine.club.pk, "role": "STAFF"}
    assert staff.get("/admin/view-as/").status_code == 403
    assert staff.post("/admin/view-as/", form).status_code == 403
    root.post("/admin/view-as/", form)

    for model, _row in registered():
        url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        ours, theirs_to_see = root.get(url), staff.get(url)
        assert ours.status_code == theirs_to_see.status_code, url
        if ours.status_code == 200:
            seen, expected = ours.context["cl"].result_list, theirs_to_see.context["cl"].result_list
            assert [row.pk for row in seen] == [row.pk for row in expected], url
    assert root.get(reverse("admin:bookings_booking_change", args=[theirs.booking.pk])).status_code == 404
    assert root.get(f"/api/v1/club/areas?club={theirs.club.slug}").status_code == 404
    assert root.get("/api/v1/club/areas").status_code == 200
    assert root.get("/admin/view-as/").status_code == 403
    assert mine.club.name in root.get(INDEX).content.decode()

    refused = root.post(reverse("admin:clubs_instructor_add"), {"club": mine.club.pk, "name": "New"})
    assert refused.status_code == 403
    assert "admin/only_looking.html" in [template.name for template in refused.templates]
    assert root.post("/admin/second-factor/", {"code": "1"}).status_code == 403
    assert root.post("/api/v1/club/slots", {}, content_type="application/json").status_code == 403
    assert not mine.club.instructors.filter(name="New").exists()

    row = Viewing.objects.get(user=platform_admin)
    assert (row.club_id, row.role, row.ended_at) == (mine.club.pk, "STAFF", None)
    root.post("/admin/view-as/end/")
    row = Viewing.objects.get(user=platform_admin)
    assert row.ended_at is not None
    assert root.get(reverse("admin:bookings_booking_change", args=[theirs.booking.pk])).status_code == 200
    assert root.get("/admin/view-as/end/").status_code == 405


@pytest.mark.parametrize("form", [{}, {"club": "x"}, {"club": "9" * 40, "role": "STAFF"}, {"club": "1", "role": "GOD"}])
def test_garbage_in_view_as(platform_admin: User, form: dict[str, str]) -> None:
    ClubFactory(pk=1)

    assert browser_of(platform_admin).post("/admin/view-as/", form).status_code == 404
    assert not Viewing.objects.exists()


def test_a_look_ends_with_the_rights(mine: World, platform_admin: User) -> None:
    root = browser_of(platform_admin)
    root.post("/admin/view-as/", {"club": mine.club.pk, "role": "OWNER"})
    User.objects.filter(pk=platform_admin.pk).update(is_superuser=False)

    assert root.get(reverse("admin:bookings_booking_changelist")).status_code == 403


def test_the_door_speaks_both_languages(db: None) -> None:
    russian, english = Browser().get(LOGIN).content.decode(), Browser().get(f"{LOGIN}?lang=en").content.decode()

    assert "Войти" in russian
    assert "Log in" in english
    for page in (russian, english):
        assert 'name="lang"' in page


def test_somebody_else_s_device_is_not_ours(user: User) -> None:
    set_up(user)
    other = MembershipFactory(user=UserFactory(password=PASSWORD)).user
    set_up(other)
    browser = browser_of(other)

    show_code(browser, user)

    assert browser.get(INDEX)["Location"].startswith(CODE)
