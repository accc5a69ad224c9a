"""What staff do in the back office goes through services, says who did it, and a refusal is a message."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser
from django.urls import reverse

from bookings.models import Booking, Overdue
from clients.models import Client
from clubs.models import ApiKey, Area, Club, Instructor, Membership, User
from clubs.selectors import zone_of
from clubs.services import digest_of
from palms import clock
from palms.clock import to_zone
from palms.secrets import unseal
from payments.models import Payment, ProviderAccount
from slots.models import Claim, Slot
from tests.admin.conftest import World, book, browser_of, words
from tests.factories import AreaFactory, ClientFactory, MembershipFactory, SlotFactory, ahead

LIST = "/admin/bookings/booking/"


def act(browser: Browser, action: str, *bookings: Booking, **data: Any) -> Any:
    return browser.post(LIST, {"action": action, "_selected_action": [b.pk for b in bookings], **data})


def status(booking: Booking) -> str:
    return Booking.objects.get(pk=booking.pk).status


def later(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    """Let the services' clock show another moment."""
    for module in ("bookings.services.closing", "bookings.services.requesting", "bookings.services.ending"):
        monkeypatch.setattr(f"{module}.now_utc", lambda: moment)
    assert clock.now_utc() < moment


class TestBookings:
    def test_a_cancel_asks_for_its_reason_first(self, mine: World) -> None:
        page = act(browser_of(mine.staff), "cancel_by_club", mine.booking)

        assert page.status_code == 200
        assert list(page.context["form"].fields) == ["reason", "keep"]
        assert status(mine.booking) == "CONFIRMED"

    def test_a_cancel_frees_the_place_and_names_who_did_it(self, mine: World) -> None:
        act(browser_of(mine.staff), "cancel_by_club", mine.booking, apply="1", reason="The roof leaks")

        booking = Booking.objects.get(pk=mine.booking.pk)
        event = booking.events.select_related("pgh_context").order_by("pgh_id").last()
        assert (booking.status, booking.reason) == ("CANCELED_BY_CLUB", "The roof leaks")
        assert not Claim.objects.filter(booking=booking).exists()
        told = event.pgh_context.metadata
        assert (told["actor"], told["actor_id"], told["through"]) == ("staff", mine.staff.pk, "admin")

    def test_a_cancel_without_a_reason_asks_again(self, mine: World) -> None:
        page = act(browser_of(mine.staff), "cancel_by_club", mine.booking, apply="1", reason=" ")

        assert page.context["form"].errors.keys() == {"reason"}
        assert status(mine.booking) == "CONFIRMED"

    def test_a_refusal_is_a_message_and_stops_nobody_else(self, mine: World) -> None:
        both = (mine.canceled, mine.booking)
        answer = act(browser_of(mine.owner), "cancel_by_club", *both, apply="1", reason="rain")

        assert answer.status_code == 302
        assert len(words(answer)) == 2
        assert status(mine.booking) == "CANCELED_BY_CLUB"

    def test_another_clubs_booking_is_out_of_reach(self, mine: World, theirs: World) -> None:
        act(browser_of(mine.owner), "cancel_by_club", theirs.booking, apply="1", reason="rain")

        assert status(theirs.booking) == "CONFIRMED"

    def test_the_platform_admin_reaches_every_club(self, mine: World, platform_admin: User) -> None:
        act(browser_of(platform_admin), "cancel_by_club", mine.booking, apply="1", reason="rain")

        assert status(mine.booking) == "CANCELED_BY_CLUB"

    def test_approve_refuses_what_is_not_requested(self, mine: World) -> None:
        answer = act(browser_of(mine.staff), "approve", mine.booking)

        assert (
            words(answer) == [f"{mine.booking.pk}: Сейчас с этой бронью так поступить нельзя"]
            or len(words(answer)) == 1
        )
        assert status(mine.booking) == "CONFIRMED"

    def test_a_payment_on_site_confirms(self, mine: World) -> None:
        act(browser_of(mine.staff), "record_on_site", mine.waiting, apply="1", amount="1500.00")

        assert status(mine.waiting) == "CONFIRMED"
        assert Payment.objects.get(booking=mine.waiting).amount == 150_000

    def test_what_is_due_is_recorded_where_no_amount_is_given(self, mine: World) -> None:
        act(browser_of(mine.staff), "record_on_site", mine.waiting, apply="1")

        assert Payment.objects.get(booking=mine.waiting).amount == mine.waiting.price

    def test_too_little_on_site_is_refused_and_not_kept(self, mine: World) -> None:
        answer = act(browser_of(mine.staff), "record_on_site", mine.waiting, apply="1", amount="1")

        assert len(words(answer)) == 1
        assert status(mine.waiting) == "APPROVED"
        assert not Payment.objects.filter(booking=mine.waiting).exists()

    def test_nobody_closes_a_visit_that_has_not_begun(self, mine: World) -> None:
        answer = act(browser_of(mine.staff), "close_shown", mine.booking, apply="1", charge="full")

        assert len(words(answer)) == 1
        assert status(mine.booking) == "CONFIRMED"

    @pytest.mark.parametrize(
        ("action", "data", "outcome", "kept"),
        [
            ("close_shown", {"charge": "full"}, "SHOWN", 150_000),
            ("close_not_shown", {"charge": "none"}, "NOT_SHOWN", 0),
            ("close_not_shown", {"charge": "amount", "amount": "500.50"}, "NOT_SHOWN", 50_050),
        ],
    )
    def test_a_visit_is_closed_and_charged(
        self, mine: World, monkeypatch: pytest.MonkeyPatch,
        action: str, data: dict[str, str], outcome: str, kept: int,
    ) -> None:  # fmt: skip
        later(monkeypatch, mine.booking.date_to + timedelta(minutes=1))

        act(browser_of(mine.staff), action, mine.booking, apply="1", **data)

        assert status(mine.booking) == outcome
        assert mine.payment.keep == kept

    @pytest.mark.parametrize(
        "data", [{}, {"charge": "amount"}, {"charge": "amount", "amount": "x"}, {"charge": "half"}]
    )
    def test_a_no_show_needs_its_charge(self, mine: World, data: dict[str, str]) -> None:
        page = act(browser_of(mine.staff), "close_not_shown", mine.booking, apply="1", **data)

        assert page.status_code == 200
        assert page.context["form"].errors

    @pytest.mark.parametrize("amount", ["0.001", "-1", "99999999999999", "NaN", "1e400"])
    def test_an_amount_that_is_none_is_asked_again(self, mine: World, amount: str) -> None:
        page = act(browser_of(mine.staff), "record_on_site", mine.waiting, apply="1", amount=amount)

        assert page.status_code == 200
        assert page.context["form"].errors.keys() == {"amount"}

    def test_the_page_of_a_booking_shows_all_about_it(self, mine: World) -> None:
        page = browser_of(mine.staff).get(f"{LIST}{mine.canceled.pk}/change/")

        tables = {formset.opts.model.__name__ for formset in page.context["inline_admin_formsets"]}
        assert tables == {"Payment", "Overdue", "Claim", "BookingContact", "Notification"}
        assert "cancel" in page.content.decode()  # the cause of its refund

    def test_too_many_at_once_are_refused(self, mine: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("palms.taking.MOST_AT_ONCE", 1)

        answer = act(browser_of(mine.staff), "approve", mine.booking, mine.waiting)

        assert len(words(answer)) == 1


class TestSlots:
    def form(self, world: World, **changes: Any) -> dict[str, Any]:
        day = (ahead() + timedelta(days=3)).date()
        entered = {
            "club": world.club.pk, "area": world.slot.area_id, "title": "New", "capacity": 4, "price": "1200.50",
            "date_from_0": f"{day:%d.%m.%Y}", "date_from_1": "18:00", "date_to_0": f"{day:%d.%m.%Y}", "date_to_1": "19:30",
        }  # fmt: skip
        return {name: value for name, value in (entered | changes).items() if value is not None}

    def test_a_slot_is_published_by_the_clubs_clock(self, mine: World) -> None:
        Club.objects.filter(pk=mine.club.pk).update(timezone="Asia/Yekaterinburg")

        answer = browser_of(mine.staff).post("/admin/slots/slot/add/", self.form(mine))

        assert answer.status_code == 302
        slot = Slot.objects.get(title="New")
        assert (slot.date_from.hour, slot.date_to.hour, slot.price, slot.exclusive) == (13, 14, 120_050, True)
        assert slot.events.get().pgh_context.metadata["actor_id"] == mine.staff.pk

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"date_to_1": "17:00"}, "date_to"),
            ({"area": None}, "area"),
            ({"capacity": "0"}, "capacity"),
            ({"capacity": "5000"}, "capacity"),
            ({"price": "-1"}, "price"),
            ({"price": "1.001"}, "price"),
            ({"price": "1e30"}, "price"),
            ({"date_from_0": "01.01.0001", "date_to_0": "02.01.0001"}, "date_from"),
            ({"date_from_0": "31.12.9999", "date_to_0": "31.12.9999"}, "date_from"),
            ({"cancelation_time_0": "01.01.2190", "cancelation_time_1": "00:00"}, "cancelation_time"),
            ({"title": "x" * 200}, "title"),
        ],
    )
    def test_what_makes_no_sense_is_an_error_of_the_form(self, mine: World, wrong: dict[str, Any], field: str) -> None:
        page = browser_of(mine.staff).post("/admin/slots/slot/add/", self.form(mine, **wrong))

        assert page.status_code == 200
        assert field in page.context["adminform"].form.errors

    def test_the_same_offer_twice_is_an_error_of_the_form(self, mine: World) -> None:
        browser = browser_of(mine.staff)
        browser.post("/admin/slots/slot/add/", self.form(mine))

        page = browser.post("/admin/slots/slot/add/", self.form(mine))

        assert page.status_code == 200
        assert page.context["adminform"].form.non_field_errors()
        assert Slot.objects.filter(title="New").count() == 1

    @pytest.mark.parametrize("name", ["club", "area", "instructor"])
    def test_nothing_of_another_club_is_offered(self, mine: World, theirs: World, name: str) -> None:
        foreign = {"club": theirs.club.pk, "area": theirs.slot.area_id, "instructor": theirs.slot.instructor_id}

        page = browser_of(mine.owner).post("/admin/slots/slot/add/", self.form(mine, **{name: foreign[name]}))

        assert name in page.context["adminform"].form.errors

    def test_who_serves_two_clubs_does_not_mix_them(self, mine: World, theirs: World) -> None:
        MembershipFactory(user=mine.owner, club=theirs.club, role="STAFF")

        page = browser_of(mine.owner).post("/admin/slots/slot/add/", self.form(mine, area=theirs.slot.area_id))

        assert "area" in page.context["adminform"].form.errors

    def test_a_slot_is_closed_and_opened(self, mine: World) -> None:
        browser = browser_of(mine.staff)

        browser.post("/admin/slots/slot/", {"action": "close", "_selected_action": [mine.slot.pk]})
        assert Slot.objects.get(pk=mine.slot.pk).closed is True

        browser.post("/admin/slots/slot/", {"action": "reopen", "_selected_action": [mine.slot.pk]})
        assert Slot.objects.get(pk=mine.slot.pk).closed is False

    def test_opening_what_is_offered_again_already_is_a_message(self, mine: World) -> None:
        slot = SlotFactory(club=mine.club, area=mine.slot.area, start=ahead(20), closed=True)
        SlotFactory(club=mine.club, area=mine.slot.area, start=ahead(20))

        answer = browser_of(mine.staff).post("/admin/slots/slot/", {"action": "reopen", "_selected_action": [slot.pk]})

        assert len(words(answer)) == 1
        assert Slot.objects.get(pk=slot.pk).closed is True


class TestStaying:
    """Staff at a place where staying costs 600 an hour after 15 minutes: the guest is 75 minutes late."""

    @pytest.fixture
    def stayed(self, mine: World) -> Iterator[Booking]:
        booking = Booking.objects.get(overdue__isnull=False, club=mine.club)
        with time_machine.travel(booking.date_to + timedelta(minutes=75)):
            yield booking

    def fee(self, booking: Booking) -> tuple[str, int | None, str]:
        return Overdue.objects.values_list("state", "amount", "reason").get(pk=booking.pk)

    def test_the_guest_left_when_staff_say(self, mine: World, stayed: Booking) -> None:
        left = to_zone(stayed.date_to + timedelta(minutes=45), zone_of(mine.club))
        act(browser_of(mine.staff), "guest_left", stayed, apply="1", left_at=f"{left:%Y-%m-%dT%H:%M}")

        assert self.fee(stayed) == ("DUE", 30_000, "")

    def test_a_visit_is_not_completed_before_its_fee_is_settled(self, mine: World, stayed: Booking) -> None:
        staff = browser_of(mine.staff)
        assert len(words(act(staff, "complete", stayed))) == 1
        assert status(stayed) == "CONFIRMED"
        act(staff, "fee_on_site", stayed)
        assert self.fee(stayed) == ("PAID", 60_000, "")
        act(staff, "complete", stayed)
        assert status(stayed) == "SHOWN"

    def test_a_fee_is_waived_with_a_reason(self, mine: World, stayed: Booking) -> None:
        staff = browser_of(mine.staff)
        assert act(staff, "waive_fee", stayed, apply="1", reason=" ").context["form"].errors.keys() == {"reason"}
        act(staff, "waive_fee", stayed, apply="1", reason="The gate was stuck")

        assert self.fee(stayed) == ("WAIVED", None, "The gate was stuck")

    def test_force_says_why_and_leaves_the_fee_owed(self, mine: World, stayed: Booking) -> None:
        staff = browser_of(mine.staff)
        assert act(staff, "force_complete", stayed, apply="1").context["form"].errors.keys() == {"reason"}
        act(staff, "force_complete", stayed, apply="1", reason="Gone without a word")

        assert (status(stayed), self.fee(stayed)) == ("SHOWN", ("DUE", 60_000, ""))

    def test_another_club_reaches_none_of_it(self, mine: World, theirs: World, stayed: Booking) -> None:
        for action in ("guest_left", "waive_fee", "force_complete", "fee_on_site"):
            act(browser_of(theirs.owner), action, stayed, apply="1", reason="x")

        assert (status(stayed), self.fee(stayed)) == ("CONFIRMED", ("RUNNING", None, ""))


class TestClubs:
    def entered(self, world: World, **changes: Any) -> dict[str, Any]:
        form = browser_of(world.owner).get(f"/admin/clubs/club/{world.club.pk}/change/").context["adminform"].form
        values = {name: value for name, value in form.initial.items() if value is not None}
        return values | {"is_public": "on", "_save": "1"} | changes

    def test_an_owner_changes_a_policy(self, mine: World) -> None:
        url = f"/admin/clubs/club/{mine.club.pk}/change/"

        answer = browser_of(mine.owner).post(url, self.entered(mine, hold_seconds=600))

        assert answer.status_code == 302
        assert Club.objects.get(pk=mine.club.pk).hold_seconds == 600
        event = mine.club.events.order_by("pgh_id").last()
        assert event.pgh_context.metadata["actor_id"] == mine.owner.pk

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("timezone", "Mars/Olympus"), ("timezone", "../etc"), ("currency", "XXX"), ("currency", "rub"),
            ("slug", "admin"), ("slug", "a b"), ("hold_seconds", 5), ("late_cancel_fee_percent", 101),
            ("free_cancel_lead_minutes", 2_000_000_000), ("horizon_days", 2_000_000_000), ("customer_cancel", "maybe"),
        ],
    )  # fmt: skip
    def test_a_policy_that_breaks_pages_is_refused(self, mine: World, field: str, value: Any) -> None:
        url = f"/admin/clubs/club/{mine.club.pk}/change/"

        page = browser_of(mine.owner).post(url, self.entered(mine, **{field: value}))

        assert page.status_code == 200
        errors = page.context["adminform"].form.errors
        assert field in errors or "__all__" in errors

    def area(self, area: Area, **changes: Any) -> dict[str, Any]:
        return {
            "name": area.name,
            "kind": area.kind,
            "mode": area.mode,
            "position": 0,
            "is_active": "on",
            "booked_by": "slots",
            "overdue_grace_minutes": 15,
        } | changes

    def test_an_area_with_overlapping_parties_does_not_become_exclusive(self, mine: World) -> None:
        slope = AreaFactory(club=mine.club, exclusive=False)
        for minutes in (60, 90):
            book(SlotFactory(club=mine.club, area=slope, minutes=minutes))
        url = f"/admin/clubs/area/{slope.pk}/change/"

        page = browser_of(mine.owner).post(url, self.area(slope, exclusive="on"))

        assert page.status_code == 200
        assert "exclusive" in page.context["adminform"].form.errors
        assert Area.objects.get(pk=slope.pk).exclusive is False

    def test_an_area_without_rivals_becomes_exclusive_with_its_slots(self, mine: World) -> None:
        slope = AreaFactory(club=mine.club, exclusive=False)
        slot = SlotFactory(club=mine.club, area=slope)
        booking = book(slot)

        answer = browser_of(mine.owner).post(f"/admin/clubs/area/{slope.pk}/change/", self.area(slope, exclusive="on"))

        assert answer.status_code == 302
        assert Slot.objects.get(pk=slot.pk).exclusive is True
        assert Claim.objects.get(booking=booking).exclusive is True

    def test_two_areas_of_one_name_are_an_error_of_the_form(self, mine: World) -> None:
        area = AreaFactory(club=mine.club)
        data = self.area(area, name=mine.slot.area.name)

        page = browser_of(mine.owner).post(f"/admin/clubs/area/{area.pk}/change/", data)

        assert page.status_code == 200
        assert page.context["adminform"].form.errors

    def test_a_row_does_not_move_to_another_club(self, mine: World, theirs: World) -> None:
        instructor = Instructor.objects.get(club=mine.club)
        MembershipFactory(user=mine.owner, club=theirs.club)

        browser_of(mine.owner).post(
            f"/admin/clubs/instructor/{instructor.pk}/change/", {"name": "New", "club": theirs.club.pk}
        )

        instructor.refresh_from_db()
        assert (instructor.name, instructor.club) == ("New", mine.club)

    def test_a_key_is_shown_once(self, mine: World) -> None:
        data = {"club": mine.club.pk, "name": "Site", "scopes": ["bookings:read"]}

        answer = browser_of(mine.owner).post("/admin/clubs/apikey/add/", data)

        key = ApiKey.objects.get(name="Site")
        secret = next(word for text in words(answer) for word in text.split() if word.startswith("palms_live_"))
        assert digest_of(secret) == key.digest
        assert key.scopes == ["bookings:read"]

    @pytest.mark.parametrize(("who", "revoked"), [("owner", True), ("staff", False)])
    def test_only_an_owner_revokes_a_key(self, mine: World, who: str, revoked: bool) -> None:
        key = mine.club.api_keys.get()

        browser_of(getattr(mine, who)).post("/admin/clubs/apikey/", {"action": "revoke", "_selected_action": [key.pk]})

        assert (ApiKey.objects.get(pk=key.pk).revoked_at is not None) is revoked

    def test_an_owner_elsewhere_who_is_staff_here_revokes_nothing(self, mine: World, theirs: World) -> None:
        key = theirs.club.api_keys.get()
        MembershipFactory(user=mine.owner, club=theirs.club, role="STAFF")

        browser_of(mine.owner).post("/admin/clubs/apikey/", {"action": "revoke", "_selected_action": [key.pk]})
        made = browser_of(mine.owner).post(
            "/admin/clubs/apikey/add/", {"club": theirs.club.pk, "name": "Mine now", "scopes": ["bookings:read"]}
        )

        assert ApiKey.objects.get(pk=key.pk).revoked_at is None
        assert made.status_code == 200
        assert not ApiKey.objects.filter(name="Mine now").exists()

    def test_nobody_joins_a_club_unasked(self, mine: World, theirs: World, platform_admin: User) -> None:
        """Not even somebody known to Palms: who owns a club would read their name, and where they sign in."""
        for who in (mine.owner, platform_admin):
            for person in (theirs.staff.email, "new@example.com"):
                data = {"club": mine.club.pk, "email": person, "role": "STAFF", "user": theirs.staff.pk}
                assert browser_of(who).post("/admin/clubs/membership/add/", data).status_code == 403

        assert not Membership.objects.filter(club=mine.club, user=theirs.staff).exists()
        assert not User.objects.filter(email="new@example.com").exists()

    def test_the_last_owner_is_kept_with_a_word(self, mine: World) -> None:
        membership = Membership.objects.get(user=mine.owner)
        browser = browser_of(mine.owner)

        gone = browser.post(f"/admin/clubs/membership/{membership.pk}/delete/", {"post": "yes"})
        lowered = browser.post(f"/admin/clubs/membership/{membership.pk}/change/", {"role": "STAFF"})

        assert (gone.status_code, lowered.status_code) == (302, 200)
        assert lowered.context["adminform"].form.non_field_errors()
        assert Membership.objects.get(pk=membership.pk).role == "OWNER"

    def test_a_colleague_is_dismissed(self, mine: World) -> None:
        membership = Membership.objects.get(user=mine.staff)

        answer = browser_of(mine.owner).post(f"/admin/clubs/membership/{membership.pk}/delete/", {"post": "yes"})

        assert answer.status_code == 302
        assert not Membership.objects.filter(pk=membership.pk).exists()


class TestAccounts:
    def test_credentials_go_in_sealed_and_are_never_shown(self, mine: World) -> None:
        account = ProviderAccount.objects.get(club=mine.club)
        url = f"/admin/payments/provideraccount/{account.pk}/change/"
        browser = browser_of(mine.owner)

        answer = browser.post(url, {"is_default": "on", "receipt_mode": "full_payment", "secret_key": "live_secret"})

        account.refresh_from_db()
        assert answer.status_code == 302
        assert unseal(account.credentials) == {"shop_id": account.account_id, "secret_key": "live_secret"}
        assert "live_secret" not in browser.get(url).content.decode()

    def test_empty_fields_keep_what_is_stored(self, mine: World) -> None:
        account = ProviderAccount.objects.get(club=mine.club)
        url = f"/admin/payments/provideraccount/{account.pk}/change/"

        changed = browser_of(mine.owner).post(
            url, {"is_default": "on", "receipt_mode": "full_payment", "vat_code": "1", "secret_key": ""}
        )

        assert changed.status_code == 302
        assert ProviderAccount.objects.get(pk=account.pk).credentials == account.credentials

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [({"tax_system": "1"}, "vat_code"), ({"vat_code": "13"}, "vat_code"), ({"tax_system": "4"}, "tax_system")],
    )
    def test_a_receipt_of_no_sense_is_refused(self, mine: World, wrong: dict[str, str], field: str) -> None:
        account = ProviderAccount.objects.get(club=mine.club)
        url = f"/admin/payments/provideraccount/{account.pk}/change/"

        page = browser_of(mine.owner).post(url, {"is_default": "on", "receipt_mode": "full_payment", **wrong})

        assert field in page.context["adminform"].form.errors

    def test_a_second_default_account_is_an_error_of_the_form(self, mine: World) -> None:
        data = {"club": mine.club.pk, "provider": "yookassa", "account_id": "2", "secret_key": "s"}
        data |= {"receipt_mode": "full_payment"}
        browser = browser_of(mine.owner)

        refused = browser.post("/admin/payments/provideraccount/add/", data | {"is_default": "on"})
        taken = browser.post("/admin/payments/provideraccount/add/", data)
        again = browser.post("/admin/payments/provideraccount/add/", data)

        assert (refused.status_code, taken.status_code, again.status_code) == (200, 302, 200)
        assert "is_default" in refused.context["adminform"].form.errors

    def test_staff_set_no_credentials(self, mine: World) -> None:
        account = ProviderAccount.objects.get(club=mine.club)
        url = f"/admin/payments/provideraccount/{account.pk}/change/"
        browser = browser_of(mine.staff)

        assert browser.post(url, {"secret_key": "s"}).status_code == 404
        assert browser.get(url).status_code == 404


class TestPeople:
    def test_a_password_is_changed_and_works(self, mine: World) -> None:
        data = {"usable_password": "true", "password1": "kfm7-x3hp-9wdt", "password2": "kfm7-x3hp-9wdt"}
        data["set-password"] = "1"

        answer = browser_of(mine.owner).post(reverse("admin:auth_user_password_change", args=[mine.staff.pk]), data)

        assert answer.status_code == 302
        assert User.objects.get(pk=mine.staff.pk).check_password("kfm7-x3hp-9wdt")

    def test_people_sign_in_by_email(self, mine: World) -> None:
        mine.staff.set_password("kfm7-x3hp-9wdt")
        mine.staff.save()

        answer = Browser().post(
            "/admin/login/?next=/admin/", {"username": mine.staff.email, "password": "kfm7-x3hp-9wdt"}
        )

        assert answer["Location"] == "/admin/"

    @pytest.mark.parametrize("case", ["foreign", "works elsewhere too", "superuser", "by staff"])
    def test_nobody_takes_over_somebody_else(self, mine: World, theirs: World, platform_admin: User, case: str) -> None:
        who, target = mine.owner, theirs.staff
        if case == "works elsewhere too":
            MembershipFactory(user=theirs.staff, club=mine.club, role="STAFF")
        elif case == "superuser":
            MembershipFactory(user=platform_admin, club=mine.club, role="STAFF")
            target = platform_admin
        elif case == "by staff":
            who, target = mine.staff, mine.owner
        browser = browser_of(who)
        data = {
            "usable_password": "true",
            "password1": "kfm7-x3hp-9wdt",
            "password2": "kfm7-x3hp-9wdt",
            "set-password": "1",
        }

        by_password = browser.post(reverse("admin:auth_user_password_change", args=[target.pk]), data)
        by_form = browser.post(f"/admin/clubs/user/{target.pk}/change/", {"email": "me@example.com", "is_active": "on"})

        expected = 404 if case in ("foreign", "by staff") else 403
        assert (by_password.status_code, by_form.status_code) == (expected, expected)
        assert not User.objects.get(pk=target.pk).check_password("kfm7-x3hp-9wdt")

    def test_an_owner_makes_nobody_a_superuser(self, mine: World) -> None:
        data = {"name": "New name", "is_active": "on", "is_staff": "on", "is_superuser": "on", "email": "x@example.com"}

        browser_of(mine.owner).post(f"/admin/clubs/user/{mine.staff.pk}/change/", data)

        staff = User.objects.get(pk=mine.staff.pk)
        assert (staff.name, staff.is_superuser, staff.email) == ("New name", False, mine.staff.email)

    def test_the_platform_admin_makes_a_user_by_email(self, platform_admin: User) -> None:
        data = {"email": "n@example.com", "name": "N", "usable_password": "true", "password1": "kfm7-x3hp-9wdt"}

        answer = browser_of(platform_admin).post("/admin/clubs/user/add/", data | {"password2": "kfm7-x3hp-9wdt"})

        assert answer.status_code == 302
        assert User.objects.get(email="n@example.com").check_password("kfm7-x3hp-9wdt")

    def test_one_email_is_one_person(self, platform_admin: User) -> None:
        data = {"email": "ROOT@example.com", "usable_password": "true", "password1": "kfm7-x3hp-9wdt"}

        page = browser_of(platform_admin).post("/admin/clubs/user/add/", data | {"password2": "kfm7-x3hp-9wdt"})

        assert page.status_code == 200
        assert page.context["adminform"].form.errors

    def test_a_clients_phone_is_kept_in_one_spelling(self, mine: World) -> None:
        client = mine.booking.client
        data = {"full_name": "Анна Иванова", "phone": "8 (916) 111-22-33", "email": "", "birth_date": ""}

        answer = browser_of(mine.staff).post(f"/admin/clients/client/{client.pk}/change/", data)

        assert answer.status_code == 302
        assert Client.objects.get(pk=client.pk).phone == "+79161112233"

    def test_a_phone_of_another_client_is_an_error_of_the_form(self, mine: World) -> None:
        other = ClientFactory(club=mine.club)
        data = {"full_name": "Other", "phone": mine.booking.client.phone, "email": "", "birth_date": ""}

        page = browser_of(mine.staff).post(f"/admin/clients/client/{other.pk}/change/", data)

        assert page.status_code == 200
        assert page.context["adminform"].form.errors
