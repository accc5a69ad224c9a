"""The pages beside the desk: money and the bank, the audit, a client, and the end of an evening."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bookings.audit import RULES
from bookings.audit_view import ABOUT
from bookings.models import Booking
from clients.models import ClientBlock, ClientNote
from palms import intents
from palms.clock import now_utc
from palms.models import Intent
from payments.models import Payment
from tests.admin.conftest import World, book, browser_of, words
from tests.factories import SlotFactory, tomorrow

AUDIT, MONEY, CLOSE = "/admin/audit/", "/admin/money/", "/admin/close-day/"


def client_page(world: World) -> str:
    return f"/admin/client/{world.booking.client_id}/"


def count(browser: Any, url: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert browser.get(url).status_code == 200
    return len(captured)


def stuck(world: World, **changes: Any) -> Intent:
    now = now_utc()
    values = {"kind": "payments.refund", "lane": f"test:{world.club.pk}", "due_at": now - timedelta(hours=1)} | changes
    return Intent.objects.create(club=world.club, subject_id=world.payment.pk, created_at=now, attempts=3, **values)


def test_every_rule_of_the_audit_says_whose_its_rows_are() -> None:
    assert set(ABOUT) == set(RULES)


class TestAudit:
    @pytest.mark.breaks_rules("no call to the outside is stuck")
    def test_an_owner_sees_rows_of_their_own_and_the_platform_all(
        self, mine: World, theirs: World, platform_admin: Any
    ) -> None:
        rows = {stuck(mine).pk: "mine", stuck(theirs).pk: "theirs"}

        def found(user: Any) -> set[str]:
            lines = browser_of(user).get(AUDIT).context["lines"]
            return {rows[pk] for one, _links in lines for pk, _rest in one.rows if one.table == "palms_intent"}

        assert found(mine.owner) == {"mine"}
        assert found(platform_admin) == {"mine", "theirs"}

    def test_it_is_for_owners(self, mine: World) -> None:
        assert browser_of(mine.staff).get(AUDIT).status_code == 403
        assert browser_of(None).get(AUDIT).status_code == 302

    def test_each_rule_is_one_bounded_question(self, mine: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("bookings.audit_view.ALTOGETHER", 0.0)

        page = browser_of(mine.owner).get(AUDIT)

        assert page.context["late"] == len(RULES)


class TestMoney:
    @pytest.mark.breaks_rules("no call to the outside is stuck")
    def test_a_call_that_failed_is_tried_again_with_its_key(self, mine: World, theirs: World) -> None:
        later = now_utc() + timedelta(hours=5)
        intent, foreign = stuck(mine, due_at=later, last_error="502"), stuck(theirs, due_at=later, last_error="502")
        browser = browser_of(mine.staff)

        for _twice in range(2):
            assert browser.post(MONEY, {"retry": intent.pk}).status_code == 302

        again = Intent.objects.get(pk=intent.pk)
        assert (again.key, again.state, again.due_at < now_utc()) == (intent.key, "OPEN", True)
        assert browser.post(MONEY, {"retry": foreign.pk}).status_code == 404
        assert Intent.objects.get(pk=foreign.pk).due_at == later

    @pytest.mark.breaks_rules("no call to the outside is stuck")
    def test_a_call_under_way_keeps_its_lease(self, mine: World) -> None:
        leased = now_utc() + intents.lease(intents.PATIENCE) - timedelta(seconds=5)
        intent = stuck(mine, due_at=leased)

        browser_of(mine.staff).post(MONEY, {"retry": intent.pk})

        assert Intent.objects.get(pk=intent.pk).due_at == leased

    def test_a_comparison_is_asked_for_once_and_calls_nobody_itself(self, mine: World, theirs: World) -> None:
        browser, account = browser_of(mine.staff), mine.club.provider_accounts.get()

        first = browser.post(MONEY, {"compare": account.pk})
        second = browser.post(MONEY, {"compare": account.pk})

        assert (first.status_code, second.status_code) == (302, 302)
        assert Intent.objects.filter(kind="payments.compare").count() == 1
        assert "Этот счёт уже сверяется" in words(second)
        assert browser.post(MONEY, {"compare": theirs.club.provider_accounts.get().pk}).status_code == 404
        assert browser.get(MONEY).context["beside"][0][0].asked is not None

    @pytest.mark.parametrize("data", [{}, {"retry": "x"}, {"retry": "9" * 40}, {"compare": "-1"}, {"compare": "\0"}])
    def test_garbage_is_not_there(self, mine: World, data: dict[str, str]) -> None:
        assert browser_of(mine.staff).post(MONEY, data).status_code == 404

    def test_it_adds_up_by_day_and_shows_what_is_owed(self, mine: World, theirs: World) -> None:
        page = browser_of(mine.staff).get(MONEY)

        (day,) = page.context["days"]
        taken = Payment.objects.filter(club=mine.club, provider="onsite")
        assert (day.bank, day.onsite, day.returned) == (0, sum(p.captured for p in taken), 0)
        assert [refund.payment.booking_id for refund in page.context["owed"]] == [mine.canceled.pk]

    def test_it_asks_as_much_for_many_rows_as_for_few(self, mine: World) -> None:
        browser = browser_of(mine.staff)
        count(browser, MONEY)
        few = count(browser, MONEY)
        for hour in (5, 6):
            book(SlotFactory(club=mine.club, start=tomorrow(hour)))
        assert count(browser, MONEY) == few


class TestClient:
    def test_notes_and_blocks_by_the_staff(self, mine: World) -> None:
        browser, page = browser_of(mine.staff), client_page(mine)

        browser.post(page, {"step": "note", "text": "brings own balls"})
        browser.post(page, {"step": "block", "reason": "owes"})
        twice = browser.post(page, {"step": "block", "reason": "owes"})

        shown = browser.get(page)
        assert [note.text for note in shown.context["notes"]] == ["brings own balls", "left-handed"]
        assert (shown.context["blocked"].reason, twice.status_code) == ("owes", 302)
        assert ClientBlock.objects.filter(client=mine.booking.client).count() == 1
        assert [b.pk for b in shown.context["bookings"]][-1:] == [mine.booking.pk]
        browser.post(page, {"step": "unblock"})
        browser.post(page, {"step": "forget", "note": shown.context["notes"][0].pk})
        assert browser.get(page).context["blocked"] is None
        assert ClientNote.objects.filter(client=mine.booking.client, removed_at=None).count() == 1

    def test_another_clubs_client_is_not_there(self, mine: World, theirs: World) -> None:
        browser = browser_of(mine.owner)
        note = ClientNote.objects.get(club=theirs.club)
        assert browser.get(client_page(theirs)).status_code == 404
        assert browser.post(client_page(theirs), {"step": "block", "reason": "x"}).status_code == 404
        assert browser.post(client_page(mine), {"step": "forget", "note": note.pk}).status_code == 404
        assert browser.get(f"/admin/client/{'9' * 30}/").status_code == 404
        assert ClientNote.objects.get(pk=note.pk).text

    @pytest.mark.parametrize(
        "data",
        [{"step": "note", "text": "\0"}, {"step": "note", "text": "x" * 2000}, {"step": "block"}, {"step": "unblock"}],
    )
    def test_garbage_is_a_message(self, mine: World, data: dict[str, str]) -> None:
        answer = browser_of(mine.staff).post(client_page(mine), data)
        assert (answer.status_code, len(words(answer))) == (302, 1)
        assert browser_of(mine.staff).post(client_page(mine), {"step": "x"}).status_code == 404

    @pytest.mark.parametrize("text", ["8 912 345-67-89", "4567", "петр", "' OR 1=1", "%00", "9" * 300])
    def test_clients_are_found_as_people_say_them(self, mine: World, theirs: World, text: str) -> None:
        page = browser_of(mine.staff).get("/admin/clients/client/", {"q": text})
        found = [row.pk for row in page.context["cl"].result_list] if page.status_code == 200 else []
        assert theirs.booking.client_id not in found
        assert (mine.booking.client_id in found) is (text in ("8 912 345-67-89", "4567", "петр"))

    def test_it_asks_as_much_for_many_rows_as_for_few(self, mine: World) -> None:
        browser = browser_of(mine.staff)
        count(browser, client_page(mine))
        few = count(browser, client_page(mine))
        for hour in (5, 6):
            book(SlotFactory(club=mine.club, start=tomorrow(hour)))
            browser.post(client_page(mine), {"step": "note", "text": str(hour)})
        browser.get(client_page(mine))
        assert count(browser, client_page(mine)) == few


class TestTheEndOfAnEvening:
    @pytest.fixture(autouse=True)
    def next_day(self, mine: World, monkeypatch: pytest.MonkeyPatch) -> None:
        moment = mine.booking.date_to + timedelta(days=1)
        for module in ("backoffice.closing", "bookings.services.closing", "bookings.services.fees"):
            monkeypatch.setattr(f"{module}.now_utc", lambda: moment, raising=False)

    def test_all_are_closed_at_once_and_nobody_twice(self, mine: World, theirs: World) -> None:
        browser = browser_of(mine.staff)
        rows = browser.get(CLOSE).context["bookings"]
        assert mine.booking.pk in [row.pk for row in rows]
        chosen = {f"end-{row.pk}": "came" for row in rows} | {f"end-{mine.booking.pk}": "forgiven"}
        chosen |= {f"end-{theirs.booking.pk}": "came"}

        for _twice in range(2):
            assert browser.post(CLOSE, chosen).status_code == 302

        left = browser.get(CLOSE).context["bookings"]
        ends = dict(Booking.objects.filter(club=mine.club).values_list("pk", "status"))
        assert ends[mine.booking.pk] == "NOT_SHOWN"
        assert [row.area.overdue_rate is None for row in left] == [False]  # a fee for staying is owed there
        assert {ends[row.pk] for row in rows if row not in left} == {"SHOWN", "NOT_SHOWN"}
        assert Payment.objects.get(pk=mine.payment.pk).keep == 0
        assert Booking.objects.get(pk=theirs.booking.pk).status == "CONFIRMED"

    def test_what_is_left_open_or_makes_no_sense_stays_open(self, mine: World) -> None:
        browser_of(mine.staff).post(CLOSE, {f"end-{mine.booking.pk}": "x", "end-x": "came"})

        assert Booking.objects.get(pk=mine.booking.pk).status == "CONFIRMED"
