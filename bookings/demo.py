"""Demo data: three clubs that look lived in. The same on every run of one day, but for passwords and keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q

from access import services as access
from access.models import Lock, LockAccount
from bookings import services
from bookings.models import Booking
from clubs.hours import Stretch, set_hours
from clubs.models import Area, Club, Hours, Instructor, Membership, User
from clubs.selectors import zone_of
from clubs.services import make_api_key, new_password
from palms.actors import acting, system
from palms.clock import to_zone
from palms.secrets import seal
from payments.models import Provider, ProviderAccount
from slots.errors import SlotInPast, SlotTaken
from slots.intervals import Interval
from slots.models import Slot

DAYS = 31  # today and thirty more
OPENS, CLOSES, EVENING = 8, 22, 17
ACTOR = system("demo")
PEOPLE = (
    ("Анна Смирнова", "+79161112201", "anna@example.com"),
    ("Павел Орлов", "+79161112202", "pavel@example.com"),
    ("Мария Ким", "+79161112203", "maria@example.com"),
    ("Игорь Волков", "+79161112204", "igor@example.com"),
    ("Елена Белова", "+79161112205", "elena@example.com"),
    ("Тимур Галеев", "+79161112206", "timur@example.com"),
    ("Ольга Лебедева", "+79161112207", "olga@example.com"),
    ("Денис Фомин", "+79161112208", "denis@example.com"),
)
# (days from today, local hour, area or title, how many): the near days as a club knows them. Begun already: left out.
TAKEN = (
    (0, 18, "Корт 1", 1), (0, 19, "Корт 3", 1), (0, 20, "Падел", 1), (0, 21, "Корт 2", 1),
    (1, 9, "Корт 1", 1), (1, 10, "Падел", 1), (1, 18, "Корт 1", 1), (1, 18, "Корт 3", 1), (1, 20, "Корт 1", 1),
    (1, 19, "Групповая тренировка", 5),
    (2, 8, "Корт 3", 1), (2, 17, "Корт 2", 1), (2, 18, "Падел", 1), (2, 19, "Групповая тренировка", 8),
    (3, 11, "Корт 1", 1), (3, 19, "Корт 1", 1),
)  # fmt: skip
LOCKED = 2  # sunbeds with a lock, of the sandbox's two
STAYS = ((0, 2, 18, 2), (0, 3, 20, 2), (1, 2, 11, 3), (1, 3, 15, 1.5), (1, 4, 8, 4))  # days, bed, local hour, hours


@dataclass(frozen=True, slots=True)
class _Offer:
    """One offer of a local day: hours as numbers (9.5 is half past nine), price per participant in minor units."""

    area: Area
    start: float
    hours: float
    price: int
    title: str = ""
    instructor: Instructor | None = None
    capacity: int = 1
    sport: str = "tennis"

    def on(self, day: date, zone: ZoneInfo) -> Slot:
        midnight = datetime.combine(day, time(), zone)
        starts = (midnight + timedelta(hours=self.start)).astimezone(UTC)  # by the wall clock, also when clocks change
        return Slot(
            club_id=self.area.club_id, area=self.area, instructor=self.instructor, title=self.title, date_from=starts,
            date_to=starts + timedelta(hours=self.hours), price=self.price, currency="RUB", capacity=self.capacity,
            exclusive=self.area.exclusive, sport_type=self.sport,
        )  # fmt: skip


def load(*, now: datetime) -> dict[str, Any]:
    """Make everything and return what signs in: {"api": {"key"}, "admin": {"users": [{role, login, password}]}}.

    The caller opens the transaction and has seen that the database is empty.
    """
    with acting(ACTOR):
        palms, vorona, laguna = _palms(now), _vorona(now), _laguna(now)
        for club in (palms, vorona, laguna):
            _account(club)
        _fit_locks(laguna)
        _occupy(palms, now)
        _request(vorona, now)
        _stays(laguna, now)
        _key, secret = make_api_key(club_id=palms.pk, name="CRM", actor=ACTOR)
        return {"api": {"key": secret}, "admin": {"users": list(_users(palms))}}


def _palms(now: datetime) -> Club:
    club = Club.objects.create(
        name="Теннисный клуб «Пальмы»", slug="palms-tennis", timezone="Europe/Moscow", currency="RUB",
        address="Москва, Лужнецкая набережная, 24, стр. 10", phone="+74951234567", email="club@palms.demo",
        description="Четыре корта под крышей и на воздухе, тренировки для взрослых и детей, прокат ракеток.",
        free_cancel_lead_minutes=24 * 60, customer_cancel=Club.CustomerCancel.UNTIL,
    )  # fmt: skip
    courts = [
        Area.objects.create(club=club, name=name, location=where, position=position, kind=Area.Kind.COURT)
        for position, (name, where) in enumerate(
            [
                ("Корт 1", "Хард, зал"),
                ("Корт 2", "Хард, зал"),
                ("Корт 3", "Грунт, под тентом"),
                ("Падел", "Стеклянный корт"),
            ],
            start=1,
        )
    ]
    trainers = [Instructor.objects.create(club=club, name=name) for name in ("Алексей Рыбаков", "Виктория Соколова")]
    _publish(club, now, lambda day: _tennis_day(day, courts, trainers))
    _open_day(club, courts[3], now)
    return club


def _price(day: date, hour: float) -> int:
    """Return the price of a court's hour in kopecks: dearer in the evening, dearest at the weekend."""
    if day.weekday() >= 5:
        return 2_500_00
    return 2_200_00 if hour >= EVENING else 1_500_00


def _tennis_day(day: date, courts: list[Area], trainers: list[Instructor]) -> Iterator[_Offer]:
    hard, second, clay, padel = courts
    for court in courts:
        sport = "padel" if court is padel else "tennis"
        for hour in range(OPENS, CLOSES):
            yield _Offer(court, hour, 1, _price(day, hour), sport=sport)
    for start in (9.5, 18, 19.5):  # the same court, longer: whoever comes first takes the hours
        for court, sport in ((clay, "tennis"), (padel, "padel")):
            yield _Offer(court, start, 1.5, _price(day, start) * 3 // 2, sport=sport)
    for hour in (10, 11, 16):
        yield _Offer(hard, hour, 1, 3_500_00, "Индивидуальная тренировка", trainers[0])
    for hour in (9, 12):
        yield _Offer(clay, hour, 1, 3_500_00, "Индивидуальная тренировка", trainers[1])
    if day.weekday() < 5:
        yield _Offer(second, 19, 1.5, 1_200_00, "Групповая тренировка", trainers[1], capacity=8)


def _open_day(club: Club, court: Area, now: datetime) -> None:
    """Offer one free afternoon: next Saturday."""
    today = to_zone(now, zone_of(club)).date()
    saturday = today + timedelta(days=(5 - today.weekday()) % 7 or 7)
    _Offer(court, 12, 2, 0, "День открытых дверей", capacity=12, sport="padel").on(saturday, zone_of(club)).save()


def _vorona(now: datetime) -> Club:
    club = Club.objects.create(
        name="Горнолыжный склон «Ворона»", slug="vorona", timezone="Asia/Yekaterinburg", currency="RUB",
        address="Екатеринбург, гора Ворона, 1", phone="+73432345678", email="slope@palms.demo",
        description="Учебный склон с подъёмником, группы для новичков и домик у склона по заявке.",
    )  # fmt: skip
    slope = Area.objects.create(
        club=club, name="Учебный склон", kind=Area.Kind.SLOPE, location="Южная сторона", exclusive=False, position=1
    )
    lodge = Area.objects.create(
        club=club, name="Домик у склона", kind=Area.Kind.HALL, location="База", mode=Area.Mode.REQUEST, position=2
    )
    trainers = [Instructor.objects.create(club=club, name=name) for name in ("Сергей Ворона", "Дарья Снегова")]
    _publish(club, now, lambda day: _slope_day(day, slope, lodge, trainers))
    return club


def _slope_day(day: date, slope: Area, lodge: Area, trainers: list[Instructor]) -> Iterator[_Offer]:
    dearer = day.weekday() >= 5
    for hour in (10, 13, 18):
        price = 1_800_00 if dearer else 1_400_00
        yield _Offer(slope, hour, 2, price, "Лыжи: группа для новичков", trainers[0], capacity=12, sport="ski")
    for hour in (11, 15):
        price = 2_000_00 if dearer else 1_600_00
        yield _Offer(slope, hour, 2, price, "Сноуборд: группа", trainers[1], capacity=12, sport="snowboard")
    for hour in (10, 14, 18):
        yield _Offer(lodge, hour, 3, 9_000_00 if dearer else 6_000_00, sport="rest")


def _laguna(now: datetime) -> Club:
    club = Club.objects.create(
        name="Пляж «Лагуна»", slug="laguna", timezone="Europe/Moscow", currency="RUB",
        address="Сочи, Приморская набережная, 3", phone="+78622345678", email="beach@palms.demo",
        description="Лежаки с зонтом и шкафчиком под электронным замком: код приходит к началу вашего времени.",
        customer_cancel=Club.CustomerCancel.UNTIL, free_cancel_lead_minutes=60,
    )  # fmt: skip
    for number in (1, 2, 3, 4):
        bed = Area.objects.create(
            club=club, name=f"Лежак {number}", kind=Area.Kind.SUNBED, location="Первая линия", position=number,
            booked_by=Area.BookedBy.INTERVAL, step_minutes=30, min_minutes=30, max_minutes=8 * 60, price_per_hour=600_00,
            self_service=True, overdue_rate=600_00, overdue_cap=1_200_00, overdue_grace_minutes=10,
        )  # fmt: skip
        set_hours(area=bed, stretches=_beach_hours(whole_day=number <= LOCKED))
    return club


def _beach_hours(*, whole_day: bool) -> Iterator[Stretch]:
    """Open every day from 8 to 22, or round the clock: a code opens those. Dearer in the afternoon, dearest at the weekend."""
    for day in range(1, 8):
        yield Stretch(Hours.Kind.OPEN, day, 0 if whole_day else 8 * 60, 24 * 60 if whole_day else 22 * 60)
        yield Stretch(Hours.Kind.PEAK, day, 12 * 60, 17 * 60, 1_000_00 if day > 5 else 800_00)


def _stays(club: Club, now: datetime) -> None:
    """Book some of the beach for today and tomorrow, as staff at the desk do. Begun already: left out."""
    zone = zone_of(club)
    beds = list(Area.objects.filter(club=club).order_by("position"))
    for number, (days, bed, hour, hours) in enumerate(STAYS):
        midnight = datetime.combine(to_zone(now, zone).date() + timedelta(days=days), time(), zone)
        start = midnight + timedelta(hours=hour)
        name, phone, email = PEOPLE[number % len(PEOPLE)]
        with suppress(SlotInPast):
            services.book_for_client(
                interval=Interval(beds[bed - 1].pk, start, start + timedelta(hours=hours)), club_id=club.pk,
                typed=services.Typed(name, phone, email), participants_count=1, actor=ACTOR, key=f"demo-stay-{number}",
                onsite_amount="full",
            )  # fmt: skip


def _fit_locks(club: Club) -> None:
    """Put the sandbox's two locks on the first two sunbeds."""
    account = LockAccount(club=club, name="TTLock", username="service@club.example")
    access.save_account(account=account, password="password", actor=ACTOR)  # noqa: S106  the sandbox's own
    for number, area in enumerate(Area.objects.filter(club=club).order_by("position")[:LOCKED]):
        lock = Lock(club=club, account=account, area=area, provider_lock_id=700_001 + number, gateway="800001")
        access.fit_lock(lock=lock, actor=ACTOR)


def _publish(club: Club, now: datetime, offers: Callable[[date], Iterator[_Offer]]) -> None:
    zone = zone_of(club)
    today = to_zone(now, zone).date()
    dates = [today + timedelta(days=number) for number in range(DAYS)]
    Slot.objects.bulk_create([offer.on(day, zone) for day in dates for offer in offers(day)], batch_size=1000)


def _account(club: Club) -> None:
    ProviderAccount.objects.create(
        club=club, provider=Provider.YOOKASSA, account_id="100500", is_test=True,
        credentials=seal({"shop_id": "100500", "secret_key": "test_sandbox_secret"}),
    )  # fmt: skip


def _users(club: Club) -> Iterator[dict[str, str]]:
    """Make who signs in; yield the logins."""
    for role, login, name in (
        ("owner", "owner@palms.demo", "Ирина Пальмина"),
        ("staff", "staff@palms.demo", "Олег, администратор"),
        ("platform admin", "admin@palms.demo", "Palms"),
    ):
        password = new_password()
        if role == "platform admin":
            User.objects.create_superuser(login, password, name=name)
        else:
            user = User.objects.create_user(login, password, name=name)
            Membership.objects.create(user=user, club=club, role=role.upper())
        yield {"role": role, "login": login, "password": password}


def _occupy(club: Club, now: datetime) -> None:
    """Book the near days as staff at the desk do: mostly paid on the spot, now and then waiting for the payment."""
    for number, (days, hour, what, count) in enumerate(TAKEN):
        slot = _slot_at(club, now, days, hour, what)
        if slot is not None:
            _book(slot, number, count, waits=number % 6 == 5)


def _slot_at(club: Club, now: datetime, days: int, hour: int, what: str) -> Slot | None:
    zone = zone_of(club)
    day = to_zone(now, zone).date() + timedelta(days=days)
    start = datetime.combine(day, time(hour), zone)
    named = Q(title=what) | Q(area__name=what, title="")
    return Slot.objects.filter(named, club=club, date_from=start).order_by("date_to", "pk").first()


def _book(slot: Slot, number: int, count: int, *, waits: bool) -> Booking | None:
    name, phone, email = PEOPLE[number % len(PEOPLE)]
    try:
        return services.book_for_client(
            slot_id=slot.pk, club_id=slot.club_id, typed=services.Typed(name, phone, email), participants_count=count,
            actor=ACTOR, key=f"demo-{number}", onsite_amount=None if waits else slot.price * count,
        )  # fmt: skip
    except (SlotInPast, SlotTaken):  # the day has gone on
        return None


def _request(club: Club, now: datetime) -> None:
    """Ask for the lodge, so that staff have something to approve; and send a small group to the slope."""
    for number, days in enumerate((2, 3)):
        lodge = _slot_at(club, now, days, 14, "Домик у склона")
        name, phone, email = PEOPLE[number]
        if lodge is not None:
            services.checkout(
                slot_id=lodge.pk, club_id=club.pk, typed=services.Typed(name, phone, email), participants_count=1,
                key=f"demo-request-{number}", visitor="", actor=ACTOR,
            )  # fmt: skip
    group = _slot_at(club, now, 1, 13, "Лыжи: группа для новичков")
    if group is not None:
        _book(group, 3, 4, waits=False)
