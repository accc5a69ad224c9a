"""The letter to a club about a request: to whom the club has said, or its owners; not about what is answered already."""

from __future__ import annotations

import pytest
from django.core import mail

from bookings import services
from clubs.models import Club
from clubs.selectors import letters_to
from tests.factories import AreaFactory, ClubFactory, MembershipFactory, UserFactory
from tests.play import offer, run_all, staff, take

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def club() -> Club:
    found: Club = ClubFactory()
    MembershipFactory(club=found, user=UserFactory(email="owner@example.com"), role="OWNER")
    MembershipFactory(club=found, user=UserFactory(email="desk@example.com"), role="STAFF")
    MembershipFactory(club=found, user=UserFactory(email="gone@example.com", is_active=False), role="OWNER")
    return found


def to_club() -> list[list[str]]:
    return [letter.to for letter in mail.outbox if letter.subject.startswith("Ждёт ответа")]


def test_a_request_is_told_to_the_owners(club: Club) -> None:
    checkout = take(offer(club=club, area=AreaFactory(club=club, mode="request", name="Корт 7")))
    run_all()

    assert to_club() == [["owner@example.com"]]
    letter = next(one for one in mail.outbox if one.to == ["owner@example.com"])
    assert "Корт 7" in letter.subject
    assert "/admin/bookings/booking/" in letter.body
    assert "Петрова" not in letter.body
    assert checkout.token not in letter.body


def test_or_to_whom_the_club_has_said(club: Club) -> None:
    Club.objects.filter(pk=club.pk).update(letters_to=["a@example.com", "b@example.com"])
    take(offer(club=club, area=AreaFactory(club=club, mode="request")))
    run_all()

    assert to_club() == [["a@example.com", "b@example.com"]]
    assert letters_to(club.pk) == ("a@example.com", "b@example.com")


def test_what_is_answered_before_the_letter_leaves_is_not_told(club: Club) -> None:
    slot = offer(club=club, area=AreaFactory(club=club, mode="request"))
    take(slot)
    services.cancel_by_club(booking_id=club.bookings.get().pk, actor=staff(slot), reason="rain")
    run_all()

    assert to_club() == []


def test_where_nobody_works_yet_the_email_that_customers_see_hears_of_it() -> None:
    club = ClubFactory(email="club@example.com")
    assert letters_to(club.pk) == letters_to(club.pk, everybody=True) == ("club@example.com",)
    assert letters_to(ClubFactory(email="").pk) == ()
    MembershipFactory(club=club, role="STAFF", user=UserFactory(email="desk@example.com"))
    assert letters_to(club.pk) == ("club@example.com",), "a club without an owner"
    assert letters_to(club.pk, everybody=True) == ("desk@example.com",)
