"""From nothing to the first booking: checks of accounts, invitations, the checklist, a new club."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from access.models import LockAccount
from access.services import save_account
from backoffice.models import Invitation, Job
from backoffice.selectors_checklist import steps
from backoffice.services import inviting
from clubs.models import Club, Membership, User
from palms.actors import SYSTEM, Actor, Kind
from palms.clock import now_utc
from palms.errors import violated
from palms.logs import hide
from palms.models import Intent
from palms.secrets import seal
from tests.backoffice.conftest import Desk, make_desk, words, work
from tests.bank import Bank
from tests.factories import (
    SHOP,
    ClubFactory,
    IntervalAreaFactory,
    MembershipFactory,
    ProviderAccountFactory,
    SlotFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db
CHECKLIST, STAFF, NEW = "/admin/desk/checklist/", "/admin/desk/staff/", "/admin/desk/new-club/"
PASSWORD = "kfm7-x3hp-9wdt"


def ask(desk: Desk, account: Any, kind: str = "check_bank") -> Any:
    data = {"club": desk.club.pk, "check": kind, "account": account.pk}
    return desk.browser(desk.owner).post(CHECKLIST, data)


class TestChecks:
    @pytest.mark.django_db(transaction=True)
    def test_a_payment_account_that_works_and_one_that_does_not(self, bank: Bank) -> None:
        desk = make_desk()
        account = ProviderAccountFactory(club=desk.club)

        answer = ask(desk, account)
        again = ask(desk, account)

        assert again["Location"] == answer["Location"]
        assert bank.calls(path="/me") == []  # no page asks the bank
        assert "выполняется" in words(desk.browser().get(answer["Location"])).lower()
        work()
        assert "Подключение работает" in words(desk.browser().get(answer["Location"]))
        (step,) = [step for step in steps(desk.club, now=now_utc()) if step.key == "money"]
        assert step.is_done

        account.credentials = seal({"shop_id": SHOP, "secret_key": "wrong"})
        account.save()
        assert not [step for step in steps(desk.club, now=now_utc()) if step.key == "money"][0].is_done
        answer = ask(desk, account)
        work()

        assert "не принимаются" in words(desk.browser().get(answer["Location"]))
        assert Job.objects.latest("pk").state == "FAILED"

    @pytest.mark.django_db(transaction=True)
    def test_a_bank_that_does_not_answer_is_asked_thrice(self, bank: Bank) -> None:
        desk = make_desk()
        answer = ask(desk, ProviderAccountFactory(club=desk.club))
        bank.fault(on="me", kind="html_502", times=None)
        for _ in range(3):
            work()
            Intent.objects.filter(state="OPEN").update(due_at=now_utc())

        assert "ответа не было" in words(desk.browser().get(answer["Location"])).lower()

    @pytest.mark.django_db(transaction=True)
    def test_a_lock_account_signs_in_or_says_why_not(self, bank: Bank, settings: Any) -> None:
        settings.TTLOCK_API_URL = f"{bank.url}/ttlock"
        settings.TTLOCK_CLIENT_ID, settings.TTLOCK_CLIENT_SECRET = "palms-sandbox-app", "palms-sandbox-secret"
        desk = make_desk()
        account = LockAccount(club=desk.club, name="TTLock", username="service@club.example")
        outcomes = []
        for password in ("password", "wrong"):
            save_account(account=account, password=password, actor=SYSTEM)
            ask(desk, account, "check_locks")
            work()
            outcomes.append(Job.objects.latest("pk").state)

        assert outcomes == ["DONE", "FAILED"]
        assert "не принимаются" in Job.objects.latest("pk").reason

    @pytest.mark.parametrize("data", [{}, {"check": "season", "account": "1"}, {"check": "check_bank", "account": "x"}])
    def test_garbage_and_foreign_accounts_are_not_there(self, desk: Desk, other: Desk, data: dict[str, str]) -> None:
        foreign = ProviderAccountFactory(club=other.club)
        assert desk.browser(desk.owner).post(CHECKLIST, {"club": desk.club.pk, **data}).status_code == 404
        assert ask(desk, foreign).status_code == 404
        assert not Job.objects.exists()


def invited(desk: Desk, email: str = "new@example.com", role: str = "STAFF") -> Any:
    data = {"club": desk.club.pk, "email": email, "role": role, "name": "Новичок"}
    return desk.browser(desk.owner).post(STAFF, data)


def link() -> str:
    """Return where the one invitation's letter leads."""
    return reverse("admin:invitation", args=[inviting.token_of(Invitation.objects.latest("pk"))])


def chosen(**changes: str) -> dict[str, str]:
    return {"name": "Новичок", "password": PASSWORD, "again": PASSWORD} | changes


class TestInvitations:
    @pytest.mark.django_db(transaction=True)
    def test_a_letter_its_link_a_password_and_then_work(self) -> None:
        desk = make_desk()
        assert invited(desk).status_code == 302
        work()

        (letter,) = mail.outbox
        (address,) = re.findall(r"https?://\S+", letter.body)
        path = address[address.index("/admin/") :]
        assert letter.to == ["new@example.com"]
        assert hide(path) == "/admin/invitation/***/"
        assert desk.club.name in words(Browser().get(path))

        answer = Browser().post(path, chosen())

        assert answer["Location"] == "/admin/"
        user = User.objects.get(email="new@example.com")
        assert user.check_password(PASSWORD)
        assert (user.name, user.memberships.get().role, user.memberships.get().club) == ("Новичок", "STAFF", desk.club)
        event = user.memberships.get().events.get()
        assert event.pgh_context.metadata["actor_id"] == desk.owner.pk
        assert Browser().get(path).status_code == Browser().post(path, chosen()).status_code == 404

    def test_somebody_with_an_account_agrees_signed_in_and_keeps_the_password(self, desk: Desk, other: Desk) -> None:
        invited(desk, email=other.staff.email.upper())
        assert f"/admin/login/?next={quote(link(), safe='')}" in words(Browser().get(link()))
        assert Browser().post(link(), chosen()).status_code == 403
        assert desk.browser(desk.staff).post(link(), chosen()).status_code == 403

        answer = other.browser(other.staff).post(link())

        assert answer.status_code == 302
        assert set(other.staff.memberships.values_list("club", flat=True)) == {desk.club.pk, other.club.pk}
        other.staff.refresh_from_db()
        assert not other.staff.has_usable_password()

    def test_nobody_is_told_who_has_an_account(self, desk: Desk, other: Desk) -> None:
        texts = []
        for email in (other.staff.email, "nobody@example.com"):
            answer = invited(desk, email=email)
            shown = words(desk.browser(desk.owner).get(answer["Location"]))
            texts.append(re.sub(r"\d+", "", re.sub(r"[A-Za-z0-9]{64}", "", shown.replace(email, "X"))))
            Invitation.objects.filter(withdrawn_at=None).update(withdrawn_at=now_utc())
        assert len(texts[0]) == len(texts[1])

    def test_links_that_work_no_more_look_the_same(self, desk: Desk) -> None:
        invited(desk)
        good, row = link(), Invitation.objects.get()
        bad = [good[:-2] + "x/", "/admin/invitation/x/", f"/admin/invitation/{'9' * 300}/", "/admin/invitation/%00/"]
        bad += [reverse("admin:invitation", args=[inviting.signer.sign(f"{row.nonce}.{row.pk + 1}")])]
        assert Browser().get(good).status_code == 200
        assert [Browser().get(path).status_code for path in bad] == [404] * 5
        invited(desk)
        assert Browser().get(good).status_code == 404  # a second letter ends the first
        newer = link()
        with transaction.atomic():
            Membership.objects.filter(user=desk.owner).delete()
            assert Browser().get(newer).status_code == 404  # who invited has no say any more
            transaction.set_rollback(True)
        later = now_utc() + timedelta(days=8)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(inviting, "now_utc", lambda: later)
            assert Browser().get(newer).status_code == 404
        desk.browser(desk.owner).post(STAFF, {"club": desk.club.pk, "withdraw": Invitation.objects.latest("pk").pk})
        assert Browser().get(newer).status_code == 404

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"again": "other"}, "again"), ({"password": "1", "again": "1"}, "password"), ({"name": ""}, "name"),
            ({"password": "new@example.com", "again": "new@example.com"}, "password"), ({"name": "x" * 300}, "name"),
            ({"password": "", "again": ""}, "password"), ({"name": "\0"}, "name"),
        ],
    )  # fmt: skip
    def test_a_password_that_is_none_is_asked_again(self, desk: Desk, wrong: dict[str, str], field: str) -> None:
        invited(desk)

        page = Browser().post(link(), chosen(**wrong))

        assert field in page.context["form"].errors
        assert not User.objects.filter(email="new@example.com").exists()

    @pytest.mark.parametrize(
        ("data", "field"),
        [
            ({"email": "x"}, "email"), ({"email": "a@b.c\nBcc: d@e.f"}, "email"), ({"role": "KING"}, "role"),
            ({"email": ""}, "email"),
            ({"name": "x" * 300}, "name"), ({"email": f"{'x' * 300}@example.com"}, "email"),
        ],
    )  # fmt: skip
    def test_garbage_is_an_error_of_the_form(self, desk: Desk, data: dict[str, str], field: str) -> None:
        said = {"club": desk.club.pk, "email": "new@example.com", "role": "STAFF", "name": ""} | data

        page = desk.browser(desk.owner).post(STAFF, said)

        assert field in page.context["form"].errors
        assert not Invitation.objects.exists()

    def test_only_owners_invite_and_only_to_their_club(self, desk: Desk, other: Desk) -> None:
        assert desk.browser(desk.staff).get(STAFF).status_code == 403
        data = {"club": other.club.pk, "email": "new@example.com", "role": "OWNER"}
        assert desk.browser(desk.owner).post(STAFF, data).status_code == 404
        assert invited(desk, email=desk.staff.email).context["form"].errors
        invited(other)
        foreign = Invitation.objects.get().pk
        for asked in (foreign, "x", 10**17, "9" * 40):
            answer = desk.browser(desk.owner).post(STAFF, {"club": desk.club.pk, "withdraw": asked})
            assert answer.status_code == 404
        assert Invitation.objects.get().withdrawn_at is None

    def test_letters_have_a_measure(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(inviting, "MOST_OPEN", 1)
        assert invited(desk, email="a@example.com").status_code == 302
        assert invited(desk, email="b@example.com").context["form"].errors

    @pytest.mark.parametrize(
        ("change", "rule"),
        [
            ("role = 'OWNER'", "invitation_immutable"),
            ("accepted_at = now(), withdrawn_at = now()", "invitation_ends_once"),
            ("expires_at = created_at", "invitation_immutable"),
        ],
    )
    def test_an_invitation_is_not_edited_by_sql(self, desk: Desk, change: str, rule: str) -> None:
        invited(desk)
        with pytest.raises(IntegrityError) as error, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE backoffice_invitation SET {change}")
        assert violated(error.value) == rule
        Invitation.objects.update(withdrawn_at=now_utc())
        with pytest.raises(IntegrityError) as error, transaction.atomic():
            Invitation.objects.update(withdrawn_at=None)
        assert violated(error.value) == "invitation_works_once"


class TestChecklist:
    def test_each_step_is_done_when_it_is(self) -> None:
        club = ClubFactory(is_public=False)
        owner = MembershipFactory(club=club, role="OWNER").user

        def done() -> list[str]:
            return [step.key for step in steps(Club.objects.get(pk=club.pk), now=now_utc()) if step.is_done]

        assert done() == []
        Club.objects.filter(pk=club.pk).update(address="Лужники", phone="+79001112233")
        assert done() == ["details"]
        slot = SlotFactory(club=club)
        assert done() == ["details", "areas", "slots"]
        MembershipFactory(club=club, role="STAFF")
        assert done() == ["details", "areas", "slots", "staff"]
        browser = Desk(club, [], owner, owner).browser()
        assert browser.post(CHECKLIST, {"club": club.pk, "step": "show"}).status_code == 302
        assert done() == ["details", "areas", "slots", "staff", "public", "first"]
        page = words(browser.get(CHECKLIST))
        assert f"/{club.slug}/?day={slot.date_from:%Y-%m-%d}" in page
        assert "4 из 6" not in page
        assert "5 из 6" in page

    def test_an_area_by_interval_is_bookable_too(self, desk: Desk) -> None:
        IntervalAreaFactory(club=desk.club)
        assert {step.key for step in steps(desk.club, now=now_utc()) if step.is_done} >= {"slots", "first"}

    def test_owners_alone_each_their_own(self, desk: Desk, other: Desk) -> None:
        assert desk.browser(desk.staff).get(CHECKLIST).status_code == 403
        assert desk.browser(desk.owner).get(f"{CHECKLIST}?club={other.club.pk}").status_code == 404
        with CaptureQueriesContext(connection) as captured:
            assert desk.browser(desk.owner).get(CHECKLIST).status_code == 200
        assert len(captured) < 40


class TestNewClub:
    def said(self, **changes: str) -> dict[str, str]:
        about = {"name": "Новый", "slug": "new-club", "timezone": "Europe/Moscow", "currency": "RUB"}
        return about | {"email": "owner@example.com", "owner": "Ольга"} | changes

    @pytest.fixture
    def root(self, db: None) -> Browser:
        browser = Browser(raise_request_exception=False)
        browser.force_login(User.objects.create_superuser("root@example.com"))
        return browser

    def test_the_platform_opens_a_club_and_writes_to_its_owner(self, root: Browser) -> None:
        answer = root.post(NEW, self.said())

        club = Club.objects.get(slug="new-club")
        assert answer["Location"] == f"{CHECKLIST}?club={club.pk}"
        assert club.is_public is False
        assert club.events.get().pgh_context.metadata["actor"] == "staff"
        Browser().post(link(), chosen())
        assert Membership.objects.get(club=club).role == "OWNER"

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"slug": "admin"}, "slug"), ({"slug": "A b"}, "slug"), ({"slug": "Верх"}, "slug"), ({"slug": "-a"}, "slug"),
            ({"name": ""}, "name"), ({"timezone": "Mars"}, "timezone"), ({"currency": "XXX"}, "currency"),
            ({"email": "x"}, "email"),
        ],
    )  # fmt: skip
    def test_garbage_opens_nothing(self, root: Browser, wrong: dict[str, str], field: str) -> None:
        page = root.post(NEW, self.said(**wrong))

        assert field in page.context["form"].errors
        assert not Club.objects.exists()

    def test_an_address_is_one_clubs_and_owners_open_none(self, root: Browser, desk: Desk) -> None:
        assert "slug" in root.post(NEW, self.said(slug=desk.club.slug)).context["form"].errors
        assert desk.browser(desk.owner).get(NEW).status_code == 403
        assert desk.browser(desk.owner).post(NEW, self.said()).status_code == 403
        actor = Actor(Kind.STAFF, UserFactory(password=None).pk, frozenset(), "admin")
        with pytest.raises(inviting.NotPermitted):
            inviting.invite(club_id=desk.club.pk, email="x@example.com", role="OWNER", actor=actor)
