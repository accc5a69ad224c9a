"""Seats: a club fills its share, all together theirs, and whoever leaves makes room."""

from contextlib import ExitStack
from typing import Any

import pytest

from bookings import services
from palms.models import Intent
from palms.seats import seat
from payments.services.inbox import receive_yookassa
from tests.bank import Bank
from tests.play import offer, payment_of, run_all, take


@pytest.fixture
def few(settings: Any) -> None:
    settings.WEB_THREADS = 8  # two for a club, six for all


def sit(stack: ExitStack, club: int) -> bool:
    return stack.enter_context(seat(club))


@pytest.mark.usefixtures("few")
def test_a_club_fills_a_quarter_and_all_clubs_three_quarters() -> None:
    with ExitStack() as stack:
        assert [sit(stack, club) for club in (1, 1, 1, 2, 2, 2, 3, 3, 4)] == [
            True, True, False, True, True, False, True, True, False,
        ]  # fmt: skip
    with ExitStack() as stack:
        assert [sit(stack, 4) for _ in range(3)] == [True, True, False]


def test_a_process_of_one_thread_has_one_seat(settings: Any) -> None:
    settings.WEB_THREADS = 1
    with seat(1) as first, seat(2) as second:
        assert (first, second) == (True, False)


@pytest.mark.usefixtures("few")
def test_a_defect_gives_its_seat_back() -> None:
    def fail() -> None:
        with seat(1) as seated:
            assert seated
            raise ValueError("defect")

    for _ in range(3):
        with pytest.raises(ValueError, match="defect"):
            fail()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("few")
def test_who_finds_no_seat_is_told_preparing_and_the_sweep_makes_the_page(bank: Bank) -> None:
    slot, key = offer(), "form-1"
    with seat(slot.club_id), seat(slot.club_id):
        made = take(slot, key=key)
        assert (made.state, made.payment_url) == ("preparing", None)
        assert services.look_again(token=made.token)
        assert bank.calls() == []
        assert Intent.objects.get(kind="payments.create").attempts == 0
        assert take(slot, key=key) == made  # and nobody waits for the next try
        run_all()
    assert payment_of(made).confirmation_url.startswith(bank.url)
    assert len(bank.calls("POST", "/payments")) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("few")
def test_a_look_and_a_notification_without_a_seat_lose_nothing(bank: Bank) -> None:
    made = take(offer())
    payment = payment_of(made)
    bank.pay(payment.provider_payment_id or "")
    shown = bank.payment(payment.provider_payment_id or "")["object"]
    before = len(bank.calls())
    with seat(payment.club_id), seat(payment.club_id):
        assert not services.look_again(token=made.token)
        receive_yookassa({"type": "notification", "event": "payment.waiting_for_capture", "object": shown})
        assert len(bank.calls()) == before
    run_all()
    assert payment_of(made).status == "AUTHORIZED"
