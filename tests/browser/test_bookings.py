"""A booking's page in every state that customers meet, its door and its fee, for everybody: axe, both widths, both schemes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from access import services as access
from access.models import Lock, LockAccount
from bookings import services
from bookings.models import Booking
from bookings.services.finding import BY_EMAIL
from clubs.models import Area, Club
from palms.actors import SYSTEM
from slots.models import Claim, Slot
from tests import play
from tests.access.conftest import DOOR, World, world
from tests.bank import Bank
from tests.browser.conftest import OpenPage, booking_of
from tests.browser.looks import looked_at, still
from tests.factories import tomorrow

__all__ = ["world"]  # a fixture
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]
WIDTHS, MINUTE = [375, 1280], timedelta(minutes=1)


@dataclass
class Scene:
    """One booking of a time tomorrow, and what may be done to it."""

    slot: Slot
    bank: Bank
    world: World

    def paid(self) -> Booking:
        return booking_of(self.slot, self.bank)

    def cancelable(self) -> Booking:
        Club.objects.update(customer_cancel="always_with_fee", free_cancel_lead_minutes=0, late_cancel_fee_percent=30)
        self.slot.refresh_from_db()
        return self.paid()

    def asked(self) -> Booking:
        Area.objects.filter(pk=self.slot.area_id).update(mode="request")
        return Booking.objects.get(token=play.take(Slot.objects.get(pk=self.slot.pk)).token)

    def staying(self) -> Booking:
        Area.objects.filter(pk=self.slot.area_id).update(self_service=True, overdue_rate=60_000, overdue_cap=100_000)
        return self.paid()

    def behind_a_lock(self) -> Booking:
        account = LockAccount(club=self.slot.club, name="TTLock", username="service@club.example")
        account = access.save_account(account=account, password="password", actor=SYSTEM)
        lock = Lock(club=self.slot.club, account=account, area=self.slot.area, provider_lock_id=DOOR)
        access.fit_lock(lock=lock, actor=SYSTEM)
        play.run_all()
        return self.paid()

    @property
    def staff(self) -> Any:
        return play.staff(self.slot)

    def close(self, booking: Booking, outcome: str) -> None:
        services.close(
            booking_id=booking.pk, actor=self.staff, outcome=outcome, charge="none" if outcome == "NOT_SHOWN" else None
        )
        play.run_all()

    def owe(self, booking: Booking) -> None:
        services.leave(booking_id=booking.pk, actor=play.customer(booking.client_id))

    def pay_the_fee(self, booking: Booking) -> None:
        services.pay_fee(booking_id=booking.pk, actor=play.customer(booking.client_id))
        fee = booking.club.payments.get(overdue_id=booking.pk)
        self.bank.pay(fee.provider_payment_id or "")
        services.look_again_at_fee(token=fee.token)
        play.run_all()

    def break_the_lock(self, _booking: Booking) -> None:
        self.world.online(False)
        play.run_all()


When = Callable[[Booking], datetime]
Act = Callable[[Scene, Booking], object]


def begun(booking: Booking) -> datetime:
    return booking.date_from + MINUTE


def over(booking: Booking) -> datetime:
    return booking.date_to + 45 * MINUTE


def too_late(booking: Booking) -> datetime:
    assert booking.expires_at is not None
    return booking.expires_at + MINUTE


def as_it_is(_scene: Scene, _booking: Booking) -> None:
    """Nothing happens to the booking."""


def by(service: str, **what: Any) -> Act:
    return lambda scene, booking: getattr(services, service)(booking_id=booking.pk, actor=scene.staff, **what)


def canceled_by_the_customer(scene: Scene, booking: Booking) -> None:
    actor = play.customer(booking.client_id)
    services.cancel_by_customer(booking_id=booking.pk, actor=actor, reason="заболел")
    play.run_all()


PAGE, CANCEL, ASKED = "", "cancel/", "?checking=1"
# The state: how the booking is made, when it is looked at, what was done to it, which page, and what the page says.
SCENES: dict[str, tuple[Callable[[Scene], Booking], When | None, Act, str, str]] = {
    "requested": (Scene.asked, None, as_it_is, PAGE, "До тех пор время закреплено за вами"),
    "approved": (Scene.asked, None, by("approve"), PAGE, "и время ваше"),
    "not answered": (Scene.asked, too_late, as_it_is, PAGE, "Клуб не ответил вовремя"),
    "raised": (Scene.paid, None, by("edit", price=200_000), PAGE, "Клуб поднял цену"),
    "canceled by the customer": (Scene.cancelable, None, canceled_by_the_customer, PAGE, "Вы отменили эту бронь"),
    "canceled by the club": (Scene.paid, None, by("cancel_by_club", reason="дождь"), PAGE, "дождь"),
    "ended": (Scene.paid, None, by("end_otherwise", reason="авария"), PAGE, "Эта бронь завершена"),
    "over": (Scene.paid, over, as_it_is, PAGE, "Визит завершён"),
    "shown": (Scene.paid, over, lambda scene, one: scene.close(one, "SHOWN"), PAGE, "Визит состоялся"),
    "not shown": (Scene.paid, over, lambda scene, one: scene.close(one, "NOT_SHOWN"), PAGE, "Вы не пришли"),
    "no cancel": (Scene.paid, begun, as_it_is, CANCEL, "Эту бронь здесь отменить нельзя"),
    "cancel for nothing": (Scene.asked, None, as_it_is, CANCEL, "Ничего не было оплачено"),
    "cancel with money back": (Scene.cancelable, None, as_it_is, CANCEL, "К вам вернётся"),
    "door later": (Scene.behind_a_lock, None, as_it_is, PAGE, "Код замка появится здесь"),
    "door being prepared": (Scene.behind_a_lock, begun, as_it_is, PAGE, "Открытие готовится"),
    "door open": (Scene.behind_a_lock, begun, lambda *_: play.run_all(), PAGE, "Наберите этот код на замке"),
    "door out of reach": (Scene.behind_a_lock, begun, Scene.break_the_lock, PAGE, "Замок сейчас не отвечает"),
    "terms of staying": (Scene.staying, begun, as_it_is, PAGE, "Когда вы уйдёте"),
    "fee runs": (Scene.staying, over, as_it_is, PAGE, "Сейчас:"),
    "fee is due": (Scene.staying, over, Scene.owe, PAGE, "За задержку к оплате"),
    "fee is asked about": (Scene.staying, over, Scene.owe, ASKED, "не платите второй раз"),
    "fee is paid": (Scene.staying, over, Scene.pay_the_fee, PAGE, "внесена"),
    "fee is waived": (Scene.staying, over, by("waive_fee", reason="ворота заклинило"), PAGE, "ворота заклинило"),
}


@pytest.mark.parametrize("name", SCENES)
def test_a_booking_is_for_everybody_in_every_state(
    open_page: OpenPage, site: str, court: Slot, bank: Bank, world: World, name: str
) -> None:
    make, when, act, part, words = SCENES[name]
    scene, page = Scene(court, bank, world), still(open_page(375, reduced_motion="reduce"))
    page.route("**/door/", lambda route: route.abort())  # what is looked at must not change meanwhile
    page.route("**/stay/", lambda route: route.abort())
    booking = make(scene)
    with world.at(when(booking) if when else tomorrow(0)):
        act(scene, booking)
        for language in ("en", "ru"):
            page.goto(f"{site}/booking/{booking.token}/{part}{'&' if '?' in part else '?'}lang={language}")
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 800})
                assert looked_at(page) == [], (language, width)
        expect(page.locator("main")).to_contain_text(words)


def test_asking_for_links_too_often_or_wrongly_is_said_to_everybody(
    open_page: OpenPage, site: str, court: Slot
) -> None:
    page = open_page(375, reduced_motion="reduce")
    page.goto(f"{site}/palms/find/")
    page.fill("#id_phone", "12")
    page.click("button.go")
    expect(page.locator("#errors")).to_be_focused()
    assert looked_at(page) == []
    for _ in range(BY_EMAIL.limit + 1):
        page.goto(f"{site}/palms/find/")
        page.fill("#id_email", "anna@example.com")
        page.fill("#id_phone", "8 912 345-67-89")
        page.click("button.go")
        page.wait_for_load_state()
    expect(page.get_by_role("alert")).to_contain_text("До новой попытки осталось")
    expect(page.locator("#id_email")).to_have_value("anna@example.com")
    assert looked_at(page) == []
    page.set_viewport_size({"width": 1280, "height": 800})
    assert looked_at(page) == []


def test_the_door_of_a_booking_that_is_paid_opens_by_digits_that_are_told_one_by_one(
    open_page: OpenPage, site: str, court: Slot, bank: Bank, world: World
) -> None:
    scene = Scene(court, bank, world)
    booking = scene.behind_a_lock()
    with world.at(begun(booking)):
        page = open_page(375)
        page.goto(f"{site}/booking/{booking.token}/")
        expect(page.locator("#door")).to_contain_text("Открытие готовится")
        play.run_all()
        code = page.locator("output").inner_text(timeout=15_000).strip()  # by itself
        assert world.opens(code)
        page.get_by_role("button", name="Скопировать код").click()
        expect(page.locator("#door [role=status]")).to_have_text("Код скопирован")
    assert Claim.objects.filter(booking=booking).exists()
