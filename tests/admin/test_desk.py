"""The desk of bookings: found by whatever is heard, shown with what happened, and only the steps that are open, each once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bookings import services
from bookings.desk import steps_open
from bookings.models import Booking
from clubs.models import Club
from palms.actors import Actor, Kind
from palms.clock import now_utc, to_zone
from payments.models import Payment, Refund
from tests.admin.conftest import World, book, browser_of
from tests.factories import AreaFactory, SlotFactory, tomorrow

LIST = "/admin/bookings/booking/"
ALL = (
    "approve", "record_on_site", "close_shown", "close_not_shown", "move", "edit", "refund_part", "hand_back",
    "force_complete", "cancel_by_club", "end_otherwise",
)  # fmt: skip
ENOUGH: dict[str, Any] = {
    "reason": "rain", "amount": "100", "charge": "full", "price": "1000", "sure": "on",
    "date_from": f"{tomorrow(10):%Y-%m-%dT%H:%M}", "date_to": f"{tomorrow(11):%Y-%m-%dT%H:%M}",
}  # fmt: skip


def shown(browser: Any, **query: str) -> list[int]:
    page = browser.get(LIST, query)
    assert page.status_code == 200, page
    return [row.pk for row in page.context["cl"].result_list]


def stored(booking: Booking) -> Booking:
    return Booking.objects.get(pk=booking.pk)


def take(browser: Any, action: str, booking: Booking, *, version: int | None = None, **data: Any) -> Any:
    """Take a step as the booking's own page does."""
    seen = stored(booking).version if version is None else version
    return browser.post(
        LIST, {"action": action, "_selected_action": [booking.pk], "version": seen, "apply": "1", **data}
    )


def open_steps(browser: Any, booking: Booking) -> list[str]:
    page = browser.get(f"{LIST}{booking.pk}/change/")
    assert page.status_code == 200
    return [name for name, _words, _danger in page.context["steps"]]


class TestFinding:
    @pytest.mark.parametrize(
        "text", ["8 912 345 67 89", "+7 (912) 345-67-89", "79123456789", "9123456789", "67-89", "петро", "АННА пет"]
    )
    def test_by_a_phone_in_any_spelling_and_by_the_name(self, mine: World, theirs: World, text: str) -> None:
        found = shown(browser_of(mine.staff), q=text)

        assert mine.booking.pk in found
        assert theirs.booking.pk not in found

    def test_by_the_phone_typed_with_the_booking(self, mine: World) -> None:
        mine.booking.contact.phone = "+79990001122"
        mine.booking.contact.save(update_fields=["phone"])

        assert shown(browser_of(mine.staff), q="8 999 000-11-22") == [mine.booking.pk]

    def test_by_its_number_and_by_the_crms(self, mine: World, theirs: World) -> None:
        browser = browser_of(mine.staff)
        services.edit(
            booking_id=mine.booking.pk, reference_id=77_123, actor=Actor(Kind.STAFF, 1, frozenset({mine.club.pk}))
        )

        assert shown(browser, q="77123") == [mine.booking.pk]
        assert shown(browser, q=f"№ {mine.booking.pk}")[-1:] == [mine.booking.pk]
        assert theirs.booking.pk not in shown(browser, q=str(theirs.booking.pk))

    def test_by_phase_money_client_and_day(self, mine: World, theirs: World) -> None:
        browser = browser_of(mine.staff)
        day = f"{to_zone(mine.booking.date_from, ZoneInfo(mine.club.timezone)).date():%Y-%m-%d}"

        assert shown(browser, phase="cancelled") == [mine.canceled.pk]
        assert shown(browser, phase="pending") == [mine.waiting.pk] == shown(browser, money="due")
        assert mine.booking.pk in shown(browser, phase="confirmed", money="paid", when=day)
        assert shown(browser, when="yesterday") == []
        assert mine.booking.pk in shown(browser, when="week")
        assert mine.canceled.pk in shown(browser, money="owed")
        assert shown(browser, client=str(theirs.booking.client_id)) == []
        assert shown(browser, client=str(mine.booking.client_id), status__exact="APPROVED") == [mine.waiting.pk]

    def test_a_day_is_the_clubs(self, mine: World) -> None:
        Club.objects.filter(pk=mine.club.pk).update(timezone="Pacific/Kiritimati")  # 14 hours ahead
        late = book(SlotFactory(club=mine.club, start=tomorrow(23)))

        assert late.pk in shown(browser_of(mine.staff), when=f"{tomorrow() + timedelta(days=1):%Y-%m-%d}")

    @pytest.mark.parametrize(
        "query",
        ["q=%00", "q=" + "9" * 300, "q='%3B--", "q=%25", "q=:*|!", "when=x", "when=0001-01-01", "when=9999-12-31",
         "when=2026-02-30", "phase=x", "money=x", "client=x", "client=99999999999999999999", "client=-1", "q=%F0%9F%8E%BE",
         "when=&phase=", "status__exact=x", "area__id__exact=x", "p=x&q=1"],
    )  # fmt: skip
    def test_garbage_finds_nothing_or_everything_and_breaks_nothing(self, mine: World, query: str) -> None:
        assert browser_of(mine.staff).get(f"{LIST}?{query}").status_code in (200, 302)

    def test_a_search_asks_as_much_for_many_rows_as_for_few(self, mine: World) -> None:
        browser = browser_of(mine.staff)

        def asked() -> int:
            with CaptureQueriesContext(connection) as captured:
                shown(browser, q="9123456789", when="tomorrow", phase="confirmed")
            return len(captured)

        few = asked()
        for hour in (5, 6, 7):
            book(SlotFactory(club=mine.club, start=tomorrow(hour)))
        assert asked() == few


class TestThePage:
    def test_it_says_what_happened_and_who_did_it(self, mine: World) -> None:
        moments = browser_of(mine.staff).get(f"{LIST}{mine.canceled.pk}/change/").context["moments"]

        told = [(str(m.who), str(c.what), str(c.after)) for m in moments for c in m.changes]
        assert [m.at for m in moments] == sorted(m.at for m in moments)
        assert (str(mine.owner), "статус", "отменена клубом") in told
        assert (str(mine.owner), "причина", "rain") in told
        assert any(what.startswith("вернуть на месте") for _who, what, _after in told)
        assert any(what.startswith("письмо") for _who, what, _after in told)

    def test_it_asks_as_much_for_a_long_story_as_for_a_short_one(self, mine: World) -> None:
        browser, actor = browser_of(mine.staff), Actor(Kind.STAFF, mine.owner.pk, frozenset({mine.club.pk}), "admin")

        def asked() -> int:
            with CaptureQueriesContext(connection) as captured:
                browser.get(f"{LIST}{mine.booking.pk}/change/")
            return len(captured)

        services.edit(booking_id=mine.booking.pk, actor=actor, price=140_000)
        asked()
        few = asked()
        for price in (130_000, 120_000, 110_000):
            services.edit(booking_id=mine.booking.pk, actor=actor, price=price)
        assert asked() == few

    def test_no_secret_and_no_code_is_told(self, mine: World) -> None:
        page = browser_of(mine.staff).get(f"{LIST}{mine.booking.pk}/change/").content.decode()

        assert mine.booking.token not in page
        assert mine.payment.token not in page

    def test_exactly_the_open_steps_are_offered(self, mine: World) -> None:
        browser = browser_of(mine.staff)

        assert open_steps(browser, mine.booking) == [
            "move", "edit", "refund_part", "force_complete", "cancel_by_club", "end_otherwise",
        ]  # fmt: skip
        assert open_steps(browser, mine.waiting) == [
            "record_on_site",
            "move",
            "edit",
            "cancel_by_club",
            "end_otherwise",
        ]
        assert open_steps(browser, mine.canceled) == ["hand_back"]

    def test_what_is_offered_is_what_is_not_refused(self, mine: World) -> None:
        """Each step is tried on each kind of booking: open steps are taken, the others refused, and change nothing."""
        actor = Actor(Kind.STAFF, mine.staff.pk, frozenset({mine.club.pk}), "admin")
        browser = browser_of(mine.staff)
        for paid in (True, False):
            for number, action in enumerate(ALL):
                booking = book(SlotFactory(club=mine.club, start=tomorrow(1) + timedelta(days=2 + number)), paid=paid)
                is_open = action in steps_open(booking, list(booking.payments.all()), 0, now_utc())
                before = stored(booking).version
                data = ENOUGH | {"amount": ""} if action == "record_on_site" else ENOUGH
                answer = take(browser, action, booking, **data)
                changed = stored(booking).version != before
                assert changed is is_open, (action, paid, answer.content.decode()[-3000:] if is_open else "")
        assert actor


class TestSteps:
    @pytest.mark.parametrize(
        "action", ["cancel_by_club", "end_otherwise", "edit", "move", "refund_part", "force_complete"]
    )
    def test_the_second_click_is_refused_and_moves_nothing(self, mine: World, action: str) -> None:
        browser, seen = browser_of(mine.staff), stored(mine.booking).version
        first = take(browser, action, mine.booking, version=seen, **ENOUGH)
        after = stored(mine.booking).version, list(Refund.objects.values_list("pk", "amount"))

        second = take(browser, action, mine.booking, version=seen, **ENOUGH)

        assert first.status_code == 302, first.content.decode()[-2000:]
        assert first["Location"] == f"{LIST}{mine.booking.pk}/change/"
        assert second.status_code in (302, 409)
        assert (stored(mine.booking).version, list(Refund.objects.values_list("pk", "amount"))) == after

    @pytest.mark.parametrize("action", ALL)
    def test_another_clubs_booking_is_out_of_reach(self, mine: World, theirs: World, action: str) -> None:
        before = stored(theirs.booking).version

        answer = take(browser_of(mine.owner), action, theirs.booking, **ENOUGH)

        assert stored(theirs.booking).version == before
        assert str(theirs.booking.client.phone) not in answer.content.decode()

    @pytest.mark.parametrize("action", ALL)
    @pytest.mark.parametrize(
        "data",
        [
            {},
            {"reason": "\0", "amount": "NaN", "price": "1e99", "keep": "-1", "date_from": "x", "date_to": "0001-01-01T00:00"},
            {"reason": "x" * 2000, "amount": "0.001", "price": "0.001", "keep": "99999999", "area": "999999"},
            {"amount": "9999999", "charge": "amount", "reference_id": "9" * 30, "date_from": "9999-12-31T23:59"},
        ],
    )  # fmt: skip
    def test_garbage_is_asked_again(self, mine: World, action: str, data: dict[str, str]) -> None:
        answer = take(browser_of(mine.staff), action, mine.booking, **data)

        assert answer.status_code in (200, 302, 409)
        assert stored(mine.booking).status == "CONFIRMED"

    @pytest.mark.parametrize("version", ["x", "-1", "9" * 40, "1.5", "٣"])
    def test_a_version_that_is_none_is_not_there(self, mine: World, version: str) -> None:
        answer = browser_of(mine.staff).post(
            LIST, {"action": "edit", "_selected_action": [mine.booking.pk], "version": version, "apply": "1"}
        )
        assert answer.status_code == 404

    def test_part_of_the_money_goes_back_and_the_booking_costs_less(self, mine: World) -> None:
        take(browser_of(mine.staff), "refund_part", mine.booking, amount="300.50", reason="the heater was cold")

        booking, refund = stored(mine.booking), Refund.objects.get(payment=mine.payment)
        assert (booking.status, booking.price, booking.secured_amount) == ("CONFIRMED", 119_950, 119_950)
        assert (refund.amount, refund.state) == (30_050, "INTENDED")
        moments = browser_of(mine.staff).get(f"{LIST}{booking.pk}/change/").context["moments"]
        assert "the heater was cold" in [moment.reason for moment in moments]

    def test_part_of_a_visits_money_goes_back_after_it(self, mine: World, later: Any) -> None:
        later(mine.booking.date_to + timedelta(minutes=1))
        browser = browser_of(mine.staff)
        take(browser, "close_shown", mine.booking, charge="full")

        take(browser, "refund_part", mine.booking, amount="500", reason="cold")
        take(browser, "refund_part", mine.booking, amount="200", reason="very cold")
        too_much = take(browser, "refund_part", mine.booking, amount="800.01", reason="more than is left")

        assert too_much.status_code == 200
        assert (stored(mine.booking).status, stored(mine.booking).price) == ("SHOWN", 150_000)
        assert [r.amount for r in Refund.objects.filter(payment=mine.payment).order_by("pk")] == [50_000, 20_000]
        assert Payment.objects.get(pk=mine.payment.pk).keep == 80_000

    def test_a_refund_from_a_list_is_not_taken(self, mine: World) -> None:
        browser_of(mine.staff).post(
            LIST, {"action": "refund_part", "_selected_action": [mine.booking.pk], "apply": "1", "amount": "1", "reason": "x"}
        )  # fmt: skip
        assert not Refund.objects.filter(payment=mine.payment).exists()

    def test_a_cancel_keeps_what_was_agreed(self, mine: World) -> None:
        browser = browser_of(mine.staff)
        beyond = take(browser, "cancel_by_club", mine.booking, reason="they ask", keep="1500.01")
        take(browser, "cancel_by_club", mine.booking, reason="they ask", keep="400")

        assert beyond.status_code == 409
        assert stored(mine.booking).status == "CANCELED_BY_CLUB"
        assert Payment.objects.get(pk=mine.payment.pk).keep == 40_000
        assert Refund.objects.get(payment=mine.payment).amount == 110_000
        take(browser, "refund_part", mine.booking, amount="400", reason="forgiven")
        assert Payment.objects.get(pk=mine.payment.pk).keep == 0

    def test_money_owed_on_site_is_handed_back_once_by_somebody(self, mine: World) -> None:
        browser = browser_of(mine.staff)
        unsure = take(browser, "hand_back", mine.canceled)
        take(browser, "hand_back", mine.canceled, sure="on")

        again = take(browser, "hand_back", mine.canceled, sure="on")

        assert unsure.context["form"].errors.keys() == {"sure"}
        refund = Refund.objects.get(payment__booking=mine.canceled)
        assert (refund.state, refund.amount) == ("DONE", 150_000)
        assert again.status_code == 409
        assert open_steps(browser, mine.canceled) == []

    def test_a_move_reads_the_clubs_clock_and_its_own_areas(self, mine: World, theirs: World) -> None:
        browser, court = browser_of(mine.staff), AreaFactory(club=mine.club)
        Club.objects.filter(pk=mine.club.pk).update(timezone="Asia/Yekaterinburg")
        day = f"{tomorrow() + timedelta(days=3):%Y-%m-%d}"
        span = {"date_from": f"{day}T18:00", "date_to": f"{day}T19:00"}

        foreign = take(browser, "move", mine.booking, **span, area=theirs.slot.area_id)
        take(browser, "move", mine.booking, **span, area=court.pk)

        moved = stored(mine.booking)
        assert foreign.context["form"].errors.keys() == {"area"}
        assert (moved.area_id, moved.date_from.hour) == (court.pk, 13)

    def test_a_raised_price_waits(self, mine: World) -> None:
        take(browser_of(mine.staff), "edit", mine.booking, price="2000", area=mine.booking.area_id, reference_id="5")

        booking = stored(mine.booking)
        assert (booking.price, booking.raised_price, booking.reference_id) == (150_000, 200_000, 5)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    def shift(moment: Any) -> None:
        for module in ("bookings.services.closing", "bookings.services.ending"):
            monkeypatch.setattr(f"{module}.now_utc", lambda: moment)

    return shift
