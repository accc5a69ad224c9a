"""The list of clubs, and a club's day: what is offered, what is not a link, and what it costs to show."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from palms.clock import now_utc
from tests.factories import AreaFactory, ClubFactory, InstructorFactory, SlotFactory, ahead
from tests.pages.conftest import address_of, text_of
from tests.play import booked, offer, take

pytestmark = pytest.mark.django_db
money_moves = pytest.mark.django_db(transaction=True)


def day(client: Client, slug: str, **query: str) -> Any:
    return client.get(reverse("club-day", kwargs={"slug": slug}), query)


def that_day(client: Client, slot: Any, **headers: str) -> Any:
    address = reverse("club-day", kwargs={"slug": slot.club.slug})
    return client.get(f"{address}?day={slot.date_from:%Y-%m-%d}", headers=headers)


def test_the_list_shows_public_clubs_only(client: Client) -> None:
    shown, hidden = ClubFactory(name="Открытый"), ClubFactory(name="Закрытый", is_public=False)
    page = text_of(client.get("/"))
    assert reverse("club-day", kwargs={"slug": shown.slug}) in page
    assert hidden.name not in page
    assert day(client, hidden.slug).status_code == 404


def test_the_list_without_clubs_says_so(client: Client) -> None:
    assert "Пока ни один клуб не принимает брони" in text_of(client.get("/"))


def test_a_free_cell_is_a_link_that_names_date_time_court_and_price(client: Client) -> None:
    slot = SlotFactory(area__name="Корт 7")
    page = text_of(that_day(client, slot))
    assert f'<a href="{address_of(slot)}">' in page
    link = page[page.index(f'<a href="{address_of(slot)}">') :]
    link = link[: link.index("</a>")]
    for words in ("15:00–16:00", "Корт 7", "1 500 ₽", "1 ч"):
        assert words in link


def test_a_group_names_the_places_left(client: Client) -> None:
    slot = SlotFactory(area__exclusive=False, capacity=12, title="Йога")
    page = text_of(that_day(client, slot))
    assert "осталось 12 мест" in page
    assert "Йога" in page


def test_a_long_day_has_its_parts_to_jump_to_and_a_short_one_has_none(client: Client) -> None:
    slot = SlotFactory(start=ahead(4))  # 7:00 by the club's clock
    assert 'class="parts"' not in text_of(that_day(client, slot))
    for hour in range(5, 16):
        SlotFactory(club=slot.club, area=slot.area, start=ahead(hour))
    page = text_of(that_day(client, slot))
    assert re.findall(r'<li><a href="#(\w+)">([^<]+)', page) == [
        ("morning", "Утро"),
        ("afternoon", "День"),
        ("evening", "Вечер"),
    ]
    assert re.findall(r'<tr id="(\w+)"><th scope="row"><time [^>]+>([\d:]+)', page) == [
        ("morning", "07:00"),
        ("afternoon", "12:00"),
        ("evening", "17:00"),
    ]


@money_moves
def test_taken_held_and_past_times_are_words_and_not_links(client: Client, bank: Any) -> None:
    taken = offer()
    held = SlotFactory(club=taken.club, area=taken.area, start=taken.date_from + timedelta(hours=2))
    past = SlotFactory(club=taken.club, area=taken.area, start=taken.date_from - timedelta(hours=2))
    booked(taken, bank)
    take(held, phone="+79120000002")
    with time_machine.travel(taken.date_from - timedelta(hours=1)):
        take(held, phone="+79120000003")
        page = text_of(that_day(client, taken))
    for slot in (taken, held, past):
        assert address_of(slot) not in page
    for word in ("занято", "оформляют", "прошло"):
        assert word in page


def test_what_the_club_withdrew_is_not_shown(client: Client) -> None:
    slot = SlotFactory(closed=True, area__name="Снятый")
    page = text_of(that_day(client, slot))
    assert "Снятый" not in page
    assert "клуб не предлагает времени" in page


def test_overlapping_offers_of_one_court_stand_in_one_cell_shortest_first(client: Client) -> None:
    hour = SlotFactory()
    longer = SlotFactory(club=hour.club, area=hour.area, start=hour.date_from, minutes=120)
    middle = SlotFactory(club=hour.club, area=hour.area, start=hour.date_from, minutes=90)
    page = text_of(that_day(client, hour))
    places = [page.index(address_of(slot)) for slot in (hour, middle, longer)]
    assert places == sorted(places)
    assert "</td>" not in page[places[0] : places[2]]
    assert "1 ч 30 мин" in page


def test_an_instructor_without_a_court_has_a_column(client: Client) -> None:
    club = ClubFactory()
    slot = SlotFactory(club=club, area=None, instructor=InstructorFactory(club=club, name="Иван Тренер"))
    assert '<th scope="col">Иван Тренер</th>' in text_of(that_day(client, slot))


@money_moves
def test_a_full_day_points_at_the_next_free_time(client: Client, bank: Any) -> None:
    taken = offer()
    later = SlotFactory(club=taken.club, area=taken.area, start=taken.date_from + timedelta(days=2))
    booked(taken, bank)
    page = text_of(that_day(client, taken))
    assert "свободного времени больше нет" in page
    assert address_of(later) in page


def test_an_empty_day_says_what_to_do(client: Client) -> None:
    club = ClubFactory(phone="+79001112233")
    page = text_of(day(client, club.slug))
    assert "клуб не предлагает времени" in page
    assert "tel:+79001112233" in page


def test_today_is_the_clubs_today_and_its_zone_is_named(client: Client) -> None:
    club = ClubFactory(timezone="Asia/Vladivostok")
    with time_machine.travel("2026-11-21T20:00:00+00:00"):
        page = text_of(day(client, club.slug))
    assert "Воскресенье, 22 ноября" in page
    assert "владивостокское время (UTC+10)" in page


@pytest.mark.parametrize(
    "asked", ["abc", "2026-13-45", "0001-01-01", "9999-12-31", "2026-11-21T00:00", "\0", "1" * 10_000]
)
def test_a_day_that_cannot_be_read_shows_today_and_says_so(client: Client, asked: str) -> None:
    response = day(client, ClubFactory().slug, day=asked)
    assert response.status_code == 400
    assert "Дату не удалось прочитать" in text_of(response)


@pytest.mark.parametrize("asked", ["", "2000-01-01", "2199-12-30", "2028-02-29"])
def test_days_far_away_are_shown(client: Client, asked: str) -> None:
    assert day(client, ClubFactory().slug, day=asked).status_code == 200


def test_days_around_are_links(client: Client) -> None:
    slot = SlotFactory(start=ahead() + timedelta(days=3))
    page = text_of(that_day(client, slot))
    for days in (-1, 1, 3):
        near = slot.date_from + timedelta(days=days)
        assert f'href="/{slot.club.slug}/?day={near:%Y-%m-%d}" hx-get="/{slot.club.slug}/?day={near:%Y-%m-%d}"' in page


def test_htmx_gets_the_day_alone_at_the_same_address(client: Client) -> None:
    slot = SlotFactory()
    response = that_day(client, slot, HX_Request="true")
    assert text_of(response).lstrip().startswith("<title>")
    assert "<header" not in text_of(response)
    assert address_of(slot) in text_of(response)
    assert "HX-Request" in response.headers["Vary"]


def test_a_time_beyond_the_horizon_is_not_offered(client: Client) -> None:
    slot = SlotFactory(club__horizon_days=3, start=ahead() + timedelta(days=9))
    page = text_of(that_day(client, slot))
    assert address_of(slot) not in page
    assert "запись ещё не открыта" in page


@pytest.mark.parametrize("courts", [1, 50])
def test_a_day_takes_four_queries_however_many_courts(
    client: Client, courts: int, django_assert_num_queries: Any
) -> None:
    club = ClubFactory()
    for _ in range(courts):
        SlotFactory(club=club, area=AreaFactory(club=club))
    address = f"/{club.slug}/?day={ahead():%Y-%m-%d}"
    with django_assert_num_queries(4):
        page = text_of(client.get(address))
    assert page.count('<th scope="col">') == courts + 1


def test_nothing_is_written_and_no_cookie_is_set_by_looking(client: Client) -> None:
    slot = SlotFactory()
    that_day(client, slot)
    client.get("/")
    assert not client.cookies
    assert now_utc() < slot.date_from
