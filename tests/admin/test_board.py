"""The schedule board: what it shows, what is done on it, and that it tells nobody about another club."""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from bookings.models import Booking
from palms.clock import MSK
from payments.models import Payment
from slots.models import Claim, Slot
from tests.admin.conftest import World, book, browser_of
from tests.factories import (
    AreaFactory,
    ClientFactory,
    InstructorFactory,
    IntervalAreaFactory,
    MembershipFactory,
    SlotFactory,
    UserFactory,
    ahead,
)

BOARD = "/admin/board/"
PHONE = "8 912 000-11-22"


def day_of(moment: datetime) -> str:
    return f"{moment.astimezone(MSK):%Y-%m-%d}"


def shown(browser: Browser, **asked: Any) -> Any:
    return browser.get(BOARD, {"day": day_of(ahead()), **asked})


def post(browser: Browser, do: str, asked: dict[str, Any], **data: Any) -> Any:
    query = "&".join(f"{name}={value}" for name, value in {"day": day_of(ahead()), **asked}.items())
    return browser.post(f"{BOARD}?{query}", {"do": do, **data})


def party(**changes: Any) -> dict[str, Any]:
    key = f"board:{uuid.uuid4()}"
    return {"key": key, "phone": PHONE, "full_name": "Пётр Ильин", "participants": 1, "paid": "now"} | changes


def times(place: str, start: str = "20:00", end: str = "21:30") -> dict[str, Any]:
    return {"place": place, "at": start, "to": end}


def cells(page: Any) -> dict[str, str]:
    """What each cell of the page opens, and how it stands."""
    found = re.findall(
        r'board-cell is-(\w+)" id="[^"]*" href="[^"]*" data-panel data-key="([^"]+)"', page.content.decode()
    )
    return {key: state for state, key in found}


def refused(answer: Any) -> list[str]:
    """Every message on the forms of a refused step."""
    facts = answer.context["panel"].facts
    forms = [form for form in facts.values() if getattr(form, "is_bound", False)]
    return [str(text) for form in forms for texts in form.errors.values() for text in texts]


def hold(slot: Slot) -> None:
    """Let somebody be paying for it, until the start."""
    client = ClientFactory(club=slot.club)
    payment = Payment.objects.create(
        club=slot.club, client=client, account=slot.club.provider_accounts.get(), provider="yookassa", amount=1,
        currency="RUB", snapshot={"participants_count": 1},
    )  # fmt: skip
    Claim.objects.create(
        club=slot.club, slot=slot, place=0, area=slot.area, instructor=slot.instructor, exclusive=slot.exclusive,
        capacity=slot.capacity, period=(slot.date_from, slot.date_to), payment=payment,
        held_until=slot.date_from,
    )  # fmt: skip


class TestShows:
    def test_every_state_by_its_word_and_sign(self, mine: World) -> None:
        club, court = mine.club, AreaFactory(club=mine.club)
        free, held, closed, busy = (SlotFactory(club=club, area=court, start=ahead(hour)) for hour in (12, 13, 14, 15))
        hidden = SlotFactory(club=club, area=mine.booking.area, start=ahead(12), minutes=90)  # overlaps what is booked
        hold(held)
        Slot.objects.filter(pk=closed.pk).update(closed=True)
        Slot.objects.filter(pk=free.pk).update(instructor=mine.slot.instructor)
        page = shown(browser_of(mine.staff))

        stands = cells(page)
        assert stands[f"slot={free.pk}"] == "busy"  # its instructor is with the booked party
        assert stands[f"slot={held.pk}"] == "held"
        assert stands[f"slot={closed.pk}"] == "closed"
        assert stands[f"slot={busy.pk}"] == "free"
        assert stands[f"booking={mine.booking.pk}"] == "confirmed"
        assert stands[f"booking={mine.waiting.pk}"] == "approved"
        assert stands[f"slot={mine.canceled.slot_id}"] == "free"
        assert f"slot={hidden.pk}" not in stands  # what is booked stands there
        assert page.content.decode().count("data-until") == 2

    def test_a_visit_that_is_over_awaits_its_close(self, mine: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("backoffice.board.now_utc", lambda: mine.booking.date_to)

        stands = cells(shown(browser_of(mine.staff)))

        assert stands[f"booking={mine.booking.pk}"] == "awaiting"
        assert stands[f"slot={mine.waiting.slot_id}"] == "free"  # its deadline has passed, whatever its row says

    def test_a_group_says_how_many_come_and_an_instructor_alone_has_a_column(self, mine: World) -> None:
        hall = AreaFactory(club=mine.club, exclusive=False, name="Зал")
        group = SlotFactory(club=mine.club, area=hall, capacity=12, title="Йога")
        alone = SlotFactory(
            club=mine.club, area=None, instructor=InstructorFactory(club=mine.club, name="Ольга"), exclusive=False
        )
        book(group)
        page = shown(browser_of(mine.staff))

        assert cells(page)[f"slot={group.pk}"] == cells(page)[f"slot={alone.pk}"] == "free"
        assert "1 / 12" in page.content.decode()
        assert page.content.decode().count(f'data-place="i{alone.instructor_id}"') == 1
        assert "Анна Петрова" in shown(browser_of(mine.staff), slot=group.pk).content.decode()

    def test_a_week_of_one_place_and_of_all(self, mine: World) -> None:
        browser = browser_of(mine.staff)
        one = shown(browser, view="week", place=f"a{mine.slot.area_id}")
        every = shown(browser, view="week")

        assert one.content.decode().count('class="board-column') == 7
        assert cells(one) == {f"booking={mine.booking.pk}": "confirmed"}
        assert len(every.context["rows"]) == mine.club.areas.count()

    def test_the_board_alone_is_sent_again_only_when_it_has_changed(self, mine: World) -> None:
        browser, asked = browser_of(mine.staff), {"HTTP_X_BOARD": "grid"}
        first = browser.get(BOARD, {"day": day_of(ahead())}, **asked)
        again = browser.get(BOARD, {"day": day_of(ahead())}, HTTP_IF_NONE_MATCH=first["ETag"], **asked)
        book(SlotFactory(club=mine.club))
        changed = browser.get(BOARD, {"day": day_of(ahead())}, HTTP_IF_NONE_MATCH=first["ETag"], **asked)

        assert (first.status_code, again.status_code, changed.status_code) == (200, 304, 200)
        assert b"<html" not in first.content

    def test_fifty_courts_ask_the_database_as_often_as_five(self, mine: World) -> None:
        browser = browser_of(mine.staff)

        def queries(courts: int) -> int:
            for _number in range(courts):
                court = AreaFactory(club=mine.club)
                for hour in (9, 10, 11):
                    slot = SlotFactory(club=mine.club, area=court, start=ahead(hour))
                book(slot, phone=f"+7912{slot.pk:07}")
            with CaptureQueriesContext(connection) as seen:
                page = shown(browser)
            assert len(cells(page)) >= courts * 2
            return len(seen)

        queries(1)
        few = queries(4)
        assert queries(46) == few


class TestBooks:
    def test_a_walk_in_is_booked_and_paid_at_once_and_the_same_form_books_once(self, mine: World) -> None:
        slot, typed = SlotFactory(club=mine.club), party()
        answers = [post(browser_of(mine.staff), "book", {"slot": slot.pk}, **typed) for _again in range(2)]

        (booking,) = Booking.objects.filter(slot=slot)
        assert (booking.status, booking.secured_amount) == ("CONFIRMED", slot.price)
        assert [answer.status_code for answer in answers] == [302, 302]
        assert all(f"booking={booking.pk}" in answer["Location"] for answer in answers)

    def test_to_be_paid_waits_for_the_money(self, mine: World) -> None:
        slot = SlotFactory(club=mine.club)
        post(browser_of(mine.staff), "book", {"slot": slot.pk}, **party(paid="later"))

        assert Booking.objects.get(slot=slot).status == "APPROVED"

    def test_a_known_phone_brings_its_name_with_it(self, mine: World, theirs: World) -> None:
        slot, browser = SlotFactory(club=mine.club), browser_of(mine.staff)
        post(browser, "book", {"slot": slot.pk}, **party(phone="8 (912) 345-67-89", full_name=""))

        assert Booking.objects.get(slot=slot).contact.full_name == mine.booking.client.full_name
        assert post(browser, "find", {}, phone="8 912 345 67 89").json() == {"name": "Анна Петрова"}
        ClientFactory(club=theirs.club, phone="+79120009988")
        for stranger in ("+79120009988", "\0", "", "Анна"):
            assert post(browser, "find", {}, phone=stranger).json() == {"name": ""}

    def test_who_comes_second_is_told_so_and_keeps_what_was_typed(self, mine: World) -> None:
        slot = SlotFactory(club=mine.club)
        book(slot)
        answer = post(browser_of(mine.staff), "book", {"slot": slot.pk}, **party())

        assert answer.status_code == 409
        assert refused(answer) == ["Это время только что заняли"]
        assert "Пётр Ильин" in answer.content.decode()
        assert Booking.objects.filter(slot=slot).count() == 1

    def test_a_new_time_is_offered_or_booked_at_once(self, mine: World) -> None:
        browser, place = browser_of(mine.staff), f"a{mine.slot.area_id}"
        post(browser, "publish", {"new": place}, **times(place), price="1999.50")
        post(browser, "publish", {"new": place}, **times(place, "22:00", "00:00"), price="500", **party())

        offered, booked = Slot.objects.filter(area_id=mine.slot.area_id, date_from__gt=ahead(16)).order_by("pk")
        assert (offered.price, offered.date_to - offered.date_from) == (199_950, timedelta(minutes=90))
        assert booked.bookings.get().status == "CONFIRMED"
        assert booked.date_to - booked.date_from == timedelta(hours=2)

    def test_nothing_is_offered_for_a_party_that_cannot_be_booked(self, mine: World) -> None:
        place, before = f"a{mine.slot.area_id}", Slot.objects.count()
        for wrong in ({"phone": "12"}, {"full_name": ""}, {"paid": "never"}):
            data = times(place) | {"price": "10"} | party(**wrong)
            answer = post(browser_of(mine.staff), "publish", {"new": place}, **data)
            assert (answer.status_code, Slot.objects.count()) == (400, before)
            assert refused(answer)

    def test_hours_are_booked_where_customers_choose_them(self, mine: World) -> None:
        beach = IntervalAreaFactory(club=mine.club)
        place = f"a{beach.pk}"
        post(browser_of(mine.staff), "publish", {"new": place}, **times(place), price="1", **party())

        booking = Booking.objects.get(area=beach)
        assert (booking.status, booking.price, booking.slot.origin) == ("CONFIRMED", 90_000, "interval")


class TestKeeps:
    def test_a_block_shows_its_reason_and_is_given_back(self, mine: World) -> None:
        browser, place = browser_of(mine.staff), f"a{AreaFactory(club=mine.club).pk}"
        post(browser, "block", {"new": place}, **times(place), reason="Ремонт сетки")
        slot = Slot.objects.get(origin="block")
        assert cells(shown(browser))[f"slot={slot.pk}"] == "blocked"
        assert "Ремонт сетки" in shown(browser, slot=slot.pk).content.decode()

        post(browser, "unblock", {"slot": slot.pk})
        assert f"slot={slot.pk}" not in cells(shown(browser))

    def test_what_is_booked_is_not_blocked_and_the_reason_stays_typed(self, mine: World) -> None:
        place = f"a{mine.slot.area_id}"
        answer = post(
            browser_of(mine.staff), "block", {"new": place}, **times(place, "15:30", "16:30"), reason="Турнир"
        )

        assert (answer.status_code, Claim.objects.filter(is_block=True).count()) == (409, 0)
        assert refused(answer) == ["Это время только что заняли"]
        assert "Турнир" in answer.content.decode()

    def test_a_time_is_closed_and_offered_again(self, mine: World) -> None:
        slot, browser = SlotFactory(club=mine.club), browser_of(mine.staff)
        for do, is_closed in (("close", True), ("open", False)):
            post(browser, do, {"slot": slot.pk})
            assert Slot.objects.get(pk=slot.pk).closed is is_closed


class TestSteps:
    def test_a_waiting_booking_is_paid_at_the_desk(self, mine: World) -> None:
        browser, asked = browser_of(mine.staff), {"booking": mine.waiting.pk}
        assert "1 500" in shown(browser, **asked).content.decode().replace("\N{NO-BREAK SPACE}", " ")
        post(browser, "paid", asked)

        assert Booking.objects.get(pk=mine.waiting.pk).status == "CONFIRMED"

    @pytest.mark.parametrize(
        ("do", "data", "status"), [("shown", {}, "SHOWN"), ("not_shown", {"charge": "none"}, "NOT_SHOWN")]
    )
    def test_a_visit_is_closed(
        self, mine: World, monkeypatch: pytest.MonkeyPatch, do: str, data: dict[str, str], status: str
    ) -> None:
        early = post(browser_of(mine.staff), do, {"booking": mine.booking.pk}, **data)
        assert early.status_code == 409
        monkeypatch.setattr("bookings.services.closing.now_utc", lambda: mine.booking.date_to)
        post(browser_of(mine.staff), do, {"booking": mine.booking.pk}, **data)

        assert Booking.objects.get(pk=mine.booking.pk).status == status

    def test_a_cancel_says_why_or_asks_again(self, mine: World) -> None:
        browser, asked = browser_of(mine.staff), {"booking": mine.booking.pk}
        assert post(browser, "cancel", asked, reason=" ").status_code == 400
        post(browser, "cancel", asked, reason="Дождь")

        booking = Booking.objects.get(pk=mine.booking.pk)
        assert (booking.status, booking.reason) == ("CANCELED_BY_CLUB", "Дождь")

    def test_a_request_is_approved(self, mine: World) -> None:
        assert post(browser_of(mine.staff), "approve", {"booking": mine.booking.pk}).status_code == 409


class TestMoves:
    def dearer(self, mine: World) -> Slot:
        return SlotFactory(club=mine.club, start=ahead(15), price=200_000)

    def test_the_free_times_are_listed_and_the_difference_is_shown_before_anything_moves(self, mine: World) -> None:
        browser, slot = browser_of(mine.staff), self.dearer(mine)
        listed = shown(browser, booking=mine.booking.pk, move=1).content.decode()
        step = shown(browser, booking=mine.booking.pk, to=slot.pk).content.decode().replace("\N{NO-BREAK SPACE}", " ")

        assert f"to={slot.pk}" in listed
        assert "+500 ₽" in step
        assert Booking.objects.get(pk=mine.booking.pk).slot_id == mine.slot.pk

    @pytest.mark.parametrize(("price", "raised"), [("keep", None), ("list", 200_000)])
    def test_the_price_follows_only_when_asked(self, mine: World, price: str, raised: int | None) -> None:
        slot = self.dearer(mine)
        post(browser_of(mine.staff), "move", {"booking": mine.booking.pk, "to": slot.pk}, price=price)

        booking = Booking.objects.get(pk=mine.booking.pk)
        assert (booking.slot_id, booking.price, booking.raised_price) == (slot.pk, 150_000, raised)

    def test_a_booking_goes_to_another_court_and_hour_that_nobody_offers(self, mine: World) -> None:
        court = AreaFactory(club=mine.club)
        asked = {"booking": mine.booking.pk, "to_place": f"a{court.pk}", "to_day": day_of(ahead()), "to_at": "19:15"}
        assert shown(browser_of(mine.staff), **asked).status_code == 200
        post(browser_of(mine.staff), "move", asked)

        booking = Booking.objects.get(pk=mine.booking.pk)
        assert (booking.area_id, f"{booking.date_from.astimezone(MSK):%H:%M}") == (court.pk, "19:15")

    def test_a_taken_time_refuses_and_nothing_moves(self, mine: World) -> None:
        slot = self.dearer(mine)
        book(slot, phone="+79120000003")
        answer = post(browser_of(mine.staff), "move", {"booking": mine.booking.pk, "to": slot.pk})

        assert answer.status_code == 409
        assert "Это время только что заняли" in answer.content.decode()
        assert Booking.objects.get(pk=mine.booking.pk).slot_id == mine.slot.pk


class TestIsClosed:
    def test_to_strangers(self, mine: World, theirs: World) -> None:
        browser = browser_of(mine.staff)
        place = f"a{theirs.slot.area_id}"
        own = f"a{mine.slot.area_id}"
        for asked in (
            {"club": theirs.club.pk},
            {"slot": theirs.slot.pk},
            {"booking": theirs.booking.pk},
            {"new": place},
            {"view": "week", "place": place},
            {"booking": mine.booking.pk, "to": theirs.slot.pk},
        ):
            assert shown(browser, **asked).status_code == 404, asked
        far = {"booking": mine.booking.pk, "to_place": place, "to_day": day_of(ahead()), "to_at": "10:00"}
        before = [Booking.objects.count(), Claim.objects.count(), Slot.objects.count()]
        for do, asked, data in (
            ("book", {"slot": theirs.canceled.slot_id}, party()),
            ("close", {"slot": theirs.slot.pk}, {}),
            ("unblock", {"slot": theirs.slot.pk}, {}),
            ("cancel", {"booking": theirs.booking.pk}, {"reason": "x"}),
            ("paid", {"booking": theirs.waiting.pk}, {}),
            ("move", {"booking": theirs.booking.pk, "to": mine.canceled.slot_id}, {}),
            ("move", {"booking": mine.booking.pk, "to": theirs.canceled.slot_id}, {}),
        ):
            assert post(browser, do, asked, **data).status_code == 404, (do, asked)
        assert post(browser, "move", far).status_code == 400
        for do, extra in (("publish", {"price": "5"}), ("block", {"reason": "x"})):
            assert post(browser, do, {"new": own}, **times(place), **extra).status_code == 400
        assert [Booking.objects.count(), Claim.objects.count(), Slot.objects.count()] == before
        theirs.booking.refresh_from_db(fields=["reason"])
        assert Slot.objects.get(pk=theirs.slot.pk).closed is False

    def test_to_people_of_no_club_and_to_nobody(self, mine: World) -> None:
        assert browser_of(UserFactory()).get(BOARD).status_code == 403
        assert browser_of(None).get(BOARD).status_code == 302

    def test_whoever_works_in_two_clubs_sees_one_at_a_time(self, mine: World, theirs: World) -> None:
        MembershipFactory(user=mine.staff, club=theirs.club, role="STAFF")
        page = shown(browser_of(mine.staff), club=theirs.club.pk)

        assert f"booking={theirs.booking.pk}" in cells(page)
        assert f"booking={mine.booking.pk}" not in cells(page)


GARBAGE = ("", "\0", "x", "-1", "9" * 40, "٣", "2026-02-30", "<b>", "a0", "25:61")


class TestGarbage:
    NAMES = ("day", "view", "place", "club", "slot", "booking", "new", "at", "until", "move", "to", "to_place", "to_at")

    def test_in_an_address_is_answered_in_words(self, mine: World) -> None:
        browser = browser_of(mine.staff)
        for name in self.NAMES:
            beside = {"booking": mine.booking.pk} if name.startswith("to") else {}
            beside |= {"new": f"a{mine.slot.area_id}"} if name in ("at", "until") else {}
            for text in GARBAGE:
                query = {"day": day_of(ahead()), "view": "week", **beside, name: text}
                answer = browser.get(BOARD, query, HTTP_X_BOARD="panel")
                assert answer.status_code in (200, 400, 404), (name, text)
        assert shown(browser, day="x").status_code == 400
        assert shown(browser, view="x", place="x").status_code == 404

    def test_in_a_form_is_refused_beside_its_field(self, mine: World) -> None:
        browser, slot, place = browser_of(mine.staff), SlotFactory(club=mine.club), f"a{mine.slot.area_id}"
        browser.defaults["HTTP_X_BOARD"] = "panel"
        forms: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
            ("book", {"slot": slot.pk}, party()),
            ("publish", {"new": place}, times(place) | {"price": "10"}),
            ("block", {"new": place}, times(place) | {"reason": "x"}),
            ("cancel", {"booking": mine.booking.pk}, {"reason": "x"}),
            ("not_shown", {"booking": mine.booking.pk}, {"charge": "full"}),
            ("dance", {}, {"with": "x"}),
        ]
        for do, asked, data in forms:
            for name in data:
                for text in ("", "\0", "9" * 40, "x" * 5000):
                    answer = post(browser, do, asked, **(data | {name: text}))
                    assert answer.status_code in (302, 400, 404, 409), (do, name, text)
        assert not Booking.objects.filter(slot=slot, client__full_name="").exists()
