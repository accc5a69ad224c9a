"""The demo command fills an empty database, once, and tells its logins to nobody but the file it was given."""

import json
import stat
import time
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command

from bookings.models import Booking
from clubs.models import ApiKey, Area, Club, Membership, User
from clubs.services import digest_of
from palms.clock import now_utc, to_zone
from palms.secrets import unseal
from payments.models import ProviderAccount
from slots.models import Slot
from slots.selectors import day_of_club
from tests.factories import ClubFactory


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "logins.json"


@pytest.mark.django_db
def test_it_fills_an_empty_database_quickly(out: Path) -> None:
    started = time.monotonic()

    call_command("demo", out=out)

    took = time.monotonic() - started
    palms, vorona = Club.objects.get(slug="palms-tennis"), Club.objects.get(slug="vorona")
    assert (palms.timezone, vorona.timezone) == ("Europe/Moscow", "Asia/Yekaterinburg")
    assert (palms.customer_cancel, palms.free_cancel_lead_minutes) == ("until_cancelation_time", 1440)
    assert palms.areas.filter(exclusive=True, kind="court").count() == 4
    assert palms.instructors.count() == 2
    assert vorona.areas.filter(kind="slope", exclusive=False).count() == 1
    assert vorona.areas.filter(mode="request").count() == 1
    assert Slot.objects.filter(club=palms, price=0).count() == 1
    assert took < 20  # 5 s on a free machine


@pytest.mark.django_db
def test_every_day_of_a_month_has_offers_from_morning_to_night(out: Path) -> None:
    call_command("demo", out=out)

    court = Area.objects.get(name="Корт 1")
    zone = ZoneInfo("Europe/Moscow")
    starts = [to_zone(slot.date_from, zone) for slot in Slot.objects.filter(area=court, title="")]
    hours = {(local.date(), local.hour) for local in starts}
    days = {day for day, _hour in hours}
    assert len(days) == 31
    assert hours == {(day, hour) for day in days for hour in range(8, 22)}


@pytest.mark.django_db
def test_weekdays_evenings_and_weekends_have_their_prices(out: Path) -> None:
    call_command("demo", out=out)

    prices = {
        (local.weekday() >= 5, local.hour >= 17): slot.price
        for slot in Slot.objects.filter(area__name="Корт 1", title="")
        for local in [to_zone(slot.date_from, ZoneInfo("Europe/Moscow"))]
    }
    assert prices == {(False, False): 150_000, (False, True): 220_000, (True, False): 250_000, (True, True): 250_000}


@pytest.mark.django_db
def test_the_file_signs_in_whom_it_names_and_is_private(out: Path) -> None:
    call_command("demo", out=out)

    logins = json.loads(out.read_text())
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    key = ApiKey.objects.get(digest=digest_of(logins["api"]["key"]))
    assert (key.club.slug, key.is_test) == ("palms-tennis", False), (
        "the tour of docs/api.md takes money on site with it"
    )
    assert [user["role"] for user in logins["admin"]["users"]] == ["owner", "staff", "platform admin"]
    for user in logins["admin"]["users"]:
        assert len(user["password"]) >= 12
        assert User.objects.get(email=user["login"]).check_password(user["password"])
    roles = dict(Membership.objects.values_list("user__email", "role"))
    assert roles == {"owner@palms.demo": "OWNER", "staff@palms.demo": "STAFF"}
    assert list(User.objects.filter(is_superuser=True).values_list("email", flat=True)) == ["admin@palms.demo"]


@pytest.mark.django_db
def test_every_club_can_take_money_in_the_sandbox(out: Path) -> None:
    call_command("demo", out=out)

    accounts = list(ProviderAccount.objects.order_by("pk"))
    expected = ("yookassa", "100500", True, True)
    assert [(a.provider, a.account_id, a.is_test, a.is_default) for a in accounts] == [expected] * 3
    assert {unseal(a.credentials)["secret_key"] for a in accounts} == {"test_sandbox_secret"}


@pytest.mark.django_db
def test_the_near_days_look_alive(out: Path) -> None:
    call_command("demo", out=out)

    club = Club.objects.get(slug="palms-tennis")
    now = now_utc()
    tomorrow = to_zone(now, ZoneInfo(club.timezone)).date() + timedelta(days=1)
    offers = day_of_club(club=club, day=tomorrow, now=now).offers
    assert {str(offer.status) for offer in offers} >= {"AVAILABLE", "BOOKED"}
    assert set(Booking.objects.values_list("status", flat=True)) == {"CONFIRMED", "APPROVED", "REQUESTED"}


@pytest.mark.django_db
@pytest.mark.parametrize("again", ["own data", "somebody's club"])
def test_it_changes_nothing_where_clubs_exist(out: Path, again: str) -> None:
    if again == "own data":
        call_command("demo", out=out)
        out.unlink()
    else:
        ClubFactory()
    before = _counts()

    call_command("demo", out=out)

    assert _counts() == before
    assert not out.exists()


@pytest.mark.django_db
def test_a_file_that_cannot_be_written_leaves_no_data(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        call_command("demo", out=tmp_path / "missing" / "logins.json")

    assert not Club.objects.exists()


def _counts() -> list[int]:
    return [model.objects.count() for model in (Club, Area, User, ApiKey, Slot, Booking)]
