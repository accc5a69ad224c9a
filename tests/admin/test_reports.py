"""The owners' report and the first page: numbers that were counted by hand, whoever may see them, and any input."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from openpyxl import load_workbook

from backoffice.charts import money_bars
from backoffice.reports import ReportPage
from backoffice.selectors_reports import Filled, Moved, report
from backoffice.tables import Table, as_csv, as_xlsx
from bookings import services
from bookings.models import Booking
from bookings.reports import summary
from clubs.models import Area, User
from palms.actors import system
from palms.clock import local_day, now_utc, to_zone
from palms.models import Intent
from palms.money import Money
from payments.models import Payment, Refund
from tests.admin.conftest import World, book, browser_of, typed
from tests.factories import AreaFactory, ClubFactory, SlotFactory, tomorrow

URL = "/admin/reports/"


def span_of(world: World, **days: int) -> dict[str, Any]:
    today = to_zone(now_utc(), ZoneInfo(world.club.timezone)).date()
    return {
        "club": world.club.pk,
        "first": today + timedelta(days=days.get("first", -3)),
        "last": today + timedelta(days=days.get("last", 3)),
    }


def rows_of_csv(browser: Any, world: World, table: str) -> list[list[str]]:
    answer = browser.get(URL, span_of(world) | {"export": "csv", "table": table})
    assert answer.status_code == 200
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";"))


def report_of(world: World) -> Any:
    zone, asked = ZoneInfo(world.club.timezone), span_of(world)
    start, end = local_day(asked["first"], zone)[0], local_day(asked["last"], zone)[1]
    return report(club=world.club, start=start, end=end, now=now_utc())


def test_hours_are_the_clubs_and_split_where_its_clock_strikes(db: None) -> None:
    club = ClubFactory(timezone="Asia/Kathmandu")  # 5:45 ahead: 12:00 UTC is 17:45
    court = AreaFactory(club=club)
    taken, rival = SlotFactory(club=club, area=court, start=tomorrow(12)), tomorrow(12) + timedelta(minutes=30)
    SlotFactory(club=club, area=court, start=rival)  # half of it is the same time: offered once
    book(taken)
    start, end = tomorrow(0), tomorrow(0) + timedelta(days=1)

    found = report(club=club, start=start, end=end, now=now_utc())

    day = to_zone(tomorrow(12), ZoneInfo("Asia/Kathmandu")).isoweekday()
    assert found.hours == {(day, 17): Filled(15, 15), (day, 18): Filled(45, 60), (day, 19): Filled(0, 15)}
    assert [(area.booked_minutes, area.offered_minutes) for area in found.summary.occupancy] == [(60, 90)]


def test_money_counts_on_the_local_day_it_moved(mine: World, theirs: World) -> None:
    zone = ZoneInfo(mine.club.timezone)
    today = to_zone(now_utc(), zone).date()
    midnight = local_day(today, zone)[0]
    payments = Payment.objects.filter(club=mine.club, captured__gt=0).order_by("pk")
    paid, returned = payments.get(booking=mine.booking), payments.get(booking=mine.canceled)
    payments.update(captured_at=midnight - timedelta(seconds=1))
    Payment.objects.filter(pk=paid.pk).update(captured_at=midnight)
    refund = Refund.objects.get(payment=returned)
    Refund.objects.filter(pk=refund.pk).update(state="DONE", finished_at=midnight)

    money = report_of(mine).money

    moved = money[today, "RUB"]
    assert (moved.taken, moved.returned, moved.net) == (150_000, refund.amount, 150_000 - refund.amount)
    assert moved.by_phase["confirmed"] == 150_000
    assert moved.by_phase["cancelled"] == -refund.amount
    before = money[today - timedelta(days=1), "RUB"]
    assert before.taken == sum(payment.captured for payment in payments) - 150_000
    assert before.returned == 0


def test_outcomes_lead_time_and_what_is_missing(mine: World) -> None:
    unpaid = book(SlotFactory(club=mine.club, start=tomorrow(20)), paid=False)
    numbers = dict(rows_of_csv(browser_of(mine.owner), mine, "numbers")[1:])
    found = report_of(mine)

    assert unpaid.secured_amount == 0
    assert found.waiting == (2, 300_000)
    assert found.unpaid == (0, 0)
    made = Booking.objects.filter(club=mine.club)
    leads = sorted((booking.date_from - booking.created_at).total_seconds() for booking in made)
    assert found.lead_mean == pytest.approx(sum(leads) / len(leads))
    assert found.lead_median == pytest.approx(median(leads))
    assert "17" in numbers.values()  # one of six was cancelled
    assert "3000.00" in numbers.values()


def test_bookings_of_test_keys_are_nobodys_money(mine: World) -> None:
    before = report_of(mine)
    slot = SlotFactory(club=mine.club, start=tomorrow(22))
    booking = services.book_for_client(
        slot_id=slot.pk, club_id=mine.club.pk, typed=typed(), participants_count=1, actor=system("test"), key="t",
        is_test=True,
    )  # fmt: skip
    payment = Payment.objects.create(
        club=mine.club, client=booking.client, booking=booking, account=mine.club.provider_accounts.get(),
        provider="yookassa", amount=slot.price, currency="RUB",
    )  # fmt: skip
    payment.capture(captured=slot.price, at=now_utc())
    payment.decision, payment.keep = "USED", slot.price
    payment.save()

    after = report_of(mine)

    assert Booking.objects.get(pk=booking.pk).is_test
    assert after.summary.by_status == before.summary.by_status
    assert after.money == before.money
    assert after.waiting == before.waiting
    everything = summary(club_id=mine.club.pk, start=slot.date_from, end=slot.date_to, now=now_utc())
    assert everything.by_status["APPROVED"].bookings + everything.by_status["CONFIRMED"].bookings == 1


def test_owners_and_the_platform_read_it(mine: World, theirs: World, platform_admin: User) -> None:
    assert browser_of(mine.owner).get(URL, span_of(mine)).status_code == 200
    assert browser_of(platform_admin).get(URL, span_of(theirs)).status_code == 200
    for who, asked, status in (
        (mine.staff, span_of(mine), 403),
        (mine.owner, span_of(theirs), 404),
        (mine.owner, span_of(theirs) | {"export": "xlsx"}, 404),
        (mine.staff, span_of(mine) | {"export": "csv", "table": "money"}, 403),
    ):
        assert browser_of(who).get(URL, asked).status_code == status
    page = browser_of(mine.owner).get(URL).content.decode()
    assert mine.slot.area.name in page
    assert theirs.slot.area.name not in page


def test_a_page_asks_as_much_for_many_rows_as_for_few(mine: World) -> None:
    browser = browser_of(mine.owner)
    browser.get(URL, span_of(mine))
    with CaptureQueriesContext(connection) as few:
        browser.get(URL, span_of(mine))
    for hour in (5, 6, 7, 8):
        book(SlotFactory(club=mine.club, start=tomorrow(hour)))
    with CaptureQueriesContext(connection) as many:
        browser.get(URL, span_of(mine, first=-360))

    assert len(many) == len(few) <= 22
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("8s",)


@pytest.mark.parametrize(
    "asked",
    [
        {"first": "x"}, {"first": ""}, {"last": "2026-02-30"}, {"first": "2026-01-02", "last": "2026-01-01"},
        {"first": "2020-01-01", "last": "2026-01-01"}, {"first": "0001-01-01"}, {"last": "9999-12-31"},
        {"first": "\0"}, {"first": "9" * 5000}, {"first": "<script>"},
    ],
)  # fmt: skip
def test_a_span_that_is_none_is_said_so(mine: World, asked: dict[str, str]) -> None:
    browser = browser_of(mine.owner)
    answer = browser.get(URL, asked)

    assert answer.status_code == 400
    assert 'role="alert"' in answer.content.decode()
    assert "<script>" not in answer.content.decode().partition("<main")[2]
    assert browser.get(URL, asked | {"export": "xlsx"}).status_code == 404


@pytest.mark.parametrize(
    "asked", [{"export": "pdf"}, {"export": ""}, {"export": "csv"}, {"export": "csv", "table": "\0"}]
)
def test_an_export_that_is_none_is_not_there(mine: World, asked: dict[str, str]) -> None:
    assert browser_of(mine.owner).get(URL, asked).status_code == 404


def test_exports_hold_what_the_page_shows_and_no_formula(mine: World) -> None:
    Area.objects.filter(pk=mine.slot.area.pk).update(name='=HYPERLINK("http://evil.example")')
    browser = browser_of(mine.owner)
    courts = rows_of_csv(browser, mine, "courts")
    assert ['\'=HYPERLINK("http://evil.example")', "1", "1", "100"] in courts

    answer = browser.get(URL, span_of(mine) | {"export": "xlsx"})
    book_of_sheets = load_workbook(io.BytesIO(answer.content))
    cells = [cell for sheet in book_of_sheets for row in sheet.iter_rows() for cell in row]
    assert len(book_of_sheets.worksheets) == 6
    assert not [cell for cell in cells if cell.data_type == "f"]
    assert "attachment" in answer["Content-Disposition"]


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\tx", "\r=1", " =1", "\x00=1", "\x1b+1"])
def test_no_cell_becomes_a_formula(text: str) -> None:
    table = Table("t", "[t]:*", ["a", text], [[text, Money(-500, "RUB")]])

    assert as_csv(table).decode("utf-8-sig").splitlines()[1].startswith("'") or "\r" in text
    for row in load_workbook(io.BytesIO(as_xlsx([table]))).active.iter_rows(min_row=2):
        assert (row[0].value[0], row[0].data_type, float(row[1].value)) == ("'", "s", -5.0)


def test_bars_stay_in_their_frame() -> None:
    first = datetime(2026, 1, 1, tzinfo=UTC).date()
    day = Moved(100, 300)
    day.by_phase |= {"confirmed": 100, "cancelled": -300}
    bars = money_bars({first: day}, first, first + timedelta(days=364))

    assert bars
    assert all(piece.y >= 0 and piece.y + piece.height <= bars.height for piece in bars.pieces)
    assert {piece.phase for piece in bars.pieces} == {"confirmed", "cancelled"}
    assert Filled(1, 0).percent is None
    assert ReportPage.readers == {"OWNER"}


@pytest.mark.breaks_rules("no call to the outside is stuck")
def test_the_first_page_leads_to_what_waits(mine: World, theirs: World, platform_admin: User) -> None:
    Intent.objects.filter(club=theirs.club).update(due_at=now_utc() - timedelta(hours=1))
    owner = browser_of(mine.owner).get("/admin/")
    numbers = {link: number for _words, number, link, _look in owner.context["numbers"]}

    assert all(browser_of(mine.owner).get(link).status_code == 200 for link in numbers)
    locks = f"{reverse('admin:access_lock_changelist')}?club__id__exact={mine.club.pk}"
    assert numbers[locks] == 0
    money = next(number for number in numbers.values() if isinstance(number, Money))
    captured = sum(Payment.objects.filter(club=mine.club).values_list("captured", flat=True))
    assert money == Money(captured, "RUB")
    assert browser_of(mine.owner).get("/admin/", {"club": theirs.club.pk}).status_code == 404
    assert browser_of(mine.owner).get("/admin/", {"club": "x"}).status_code == 404
    assert browser_of(platform_admin).get("/admin/", {"club": theirs.club.pk}).context["club"] == theirs.club


def test_the_first_page_asks_little(mine: World) -> None:
    browser = browser_of(mine.owner)
    browser.get("/admin/")
    with CaptureQueriesContext(connection) as asked:
        browser.get("/admin/")

    assert len(asked) <= 16
