"""Pages of many slots: a season with its preview, changes, files in and out; garbage is an error of a form."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from openpyxl import Workbook, load_workbook

from backoffice import sheets
from backoffice.models import Job
from palms.clock import now_utc
from slots.models import Slot
from tests.backoffice.conftest import Desk, words, work_here
from tests.factories import InstructorFactory, SlotFactory, tomorrow

pytestmark = pytest.mark.django_db
PAGES = ("slot-tools", "slot-season", "slot-change", "slot-import", "slot-template")


def day(ahead: int = 1) -> str:
    return f"{tomorrow() + timedelta(days=ahead - 1):%Y-%m-%d}"


def local_day(ahead: int = 1) -> str:
    return f"{tomorrow() + timedelta(days=ahead - 1):%d.%m.%Y}"


def rules(desk: Desk, **changes: Any) -> dict[str, Any]:
    said = {
        "club": desk.club.pk, "areas": [court.pk for court in desk.courts], "first": day(1), "last": day(7),
        "weekdays": list("1234567"), "opens": "10:00", "closes": "13:00", "lengths": "60 1500", "capacity": 1,
    }  # fmt: skip
    return {name: value for name, value in (said | changes).items() if value is not None}


def changes_of(desk: Desk, **changes: Any) -> dict[str, Any]:
    said = {
        "club": desk.club.pk,
        "first": day(1),
        "last": day(30),
        "weekdays": list("1234567"),
        "what": "price",
        "value": "2000",
    }
    return {name: value for name, value in (said | changes).items() if value is not None}


def post(desk: Desk, name: str, data: dict[str, Any]) -> Any:
    return desk.browser().post(reverse(f"admin:{name}"), data)


def written(desk: Desk, answer: Any) -> Job:
    """Say the word to a preview, and let it be worked."""
    assert answer.status_code == 302, answer.context["form"].errors
    desk.browser().post(answer["Location"], {"step": "start"})
    work_here()
    return Job.objects.latest("pk")


def upload(desk: Desk, content: bytes, name: str = "slots.csv") -> Any:
    return post(desk, "slot-import", {"club": desk.club.pk, "file": SimpleUploadedFile(name, content)})


def sheet(*rows: list[Any]) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


class TestSeason:
    def test_a_preview_first_then_exactly_that(self, desk: Desk) -> None:
        answer = post(desk, "slot-season", rules(desk, band1_days="67", band1_price="2000.50"))

        page = desk.browser().get(answer["Location"])
        assert not Slot.objects.exists()
        assert "Записать 42 слота" in words(page)
        job = written(desk, answer)
        assert (job.state, job.tally) == ("DONE", {"created": 42})
        assert {slot.price for slot in Slot.objects.all()} == {150_000, 200_050}
        assert {slot.date_from.hour for slot in Slot.objects.all()} == {7, 8, 9}  # 10 to 13 in Moscow

    def test_what_is_offered_already_is_told_and_left_out(self, desk: Desk) -> None:
        written(desk, post(desk, "slot-season", rules(desk, last=day(2))))

        answer = post(desk, "slot-season", rules(desk, last=day(3)))

        job = Job.objects.latest("pk")
        assert (job.total, job.preview["refused_count"]) == (6, 12)
        assert "Такое время уже предлагается" in words(desk.browser().get(answer["Location"]))
        again = post(desk, "slot-season", rules(desk, last=day(2)))
        assert again.context["form"].errors["__all__"] == ["Все эти слоты (12) уже предлагаются."]

    def test_the_rules_can_be_changed_after_the_preview(self, desk: Desk) -> None:
        answer = post(desk, "slot-season", rules(desk, lengths="60 1500\n90 2100", breaks="11:00-11:30"))
        job = Job.objects.latest("pk")

        page = desk.browser().get(f"{reverse('admin:slot-season')}?club={desk.club.pk}&from={job.pk}")

        assert answer.status_code == 302
        assert "90 2100" in words(page)
        assert page.context["form"]["breaks"].value() == "11:00-11:30"

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"areas": []}, "areas"), ({"areas": ["x"]}, "areas"), ({"areas": [10**30]}, "areas"), ({"first": ""}, "first"),
            ({"first": "0001-01-01"}, "first"), ({"last": "9999-12-31"}, "last"), ({"last": day(-5)}, "last"),
            ({"last": day(4000)}, "last"), ({"weekdays": []}, "weekdays"), ({"weekdays": ["9"]}, "weekdays"),
            ({"opens": "25:00"}, "opens"), ({"closes": "x"}, "closes"), ({"lengths": ""}, "lengths"),
            ({"lengths": "60"}, "lengths"), ({"lengths": "1 100"}, "lengths"), ({"lengths": "60 x"}, "lengths"),
            ({"lengths": "60 99999999999"}, "lengths"), ({"lengths": "60 99999999"}, "lengths"), ({"lengths": "\0"}, "lengths"),
            ({"step": "0"}, "step"), ({"step": "x"}, "step"), ({"breaks": "13-14"}, "breaks"), ({"breaks": "13:00"}, "breaks"),
            ({"holidays": "32.01.2027"}, "holidays"), ({"holidays": "01.01.2027-01.01.2090"}, "holidays"),
            ({"special": "x"}, "special"), ({"capacity": "0"}, "capacity"), ({"capacity": "1001"}, "capacity"),
            ({"title": "x" * 121}, "title"), ({"band1_days": "67"}, "band1_price"), ({"band1_days": "9"}, "band1_days"),
            ({"band1_days": "67", "band1_price": "-1"}, "band1_price"), ({"band1_days": "67", "band1_price": "NaN"}, "band1_price"),
            ({"band1_days": "67", "band1_price": "1", "band1_from": "x"}, "band1_from"),
            ({"instructor": "999999999"}, "instructor"), ({"opens": "12:30"}, "__all__"),
            ({"lengths": "5 1", "step": "5", "opens": "00:00", "closes": "00:00", "last": day(700)}, "last"),
        ],
    )  # fmt: skip
    def test_garbage_is_an_error_of_the_form(self, desk: Desk, wrong: dict[str, Any], field: str) -> None:
        page = post(desk, "slot-season", rules(desk, **wrong))

        assert page.status_code == 200
        assert field in page.context["form"].errors
        assert not Job.objects.exists()

    def test_nothing_of_another_club_can_be_chosen(self, desk: Desk, other: Desk) -> None:
        stranger = InstructorFactory(club=other.club)
        for wrong in ({"areas": [other.courts[0].pk]}, {"instructor": stranger.pk}):
            assert post(desk, "slot-season", rules(desk, **wrong)).context["form"].errors
        assert post(desk, "slot-season", rules(desk, club=other.club.pk)).status_code == 404

    def test_the_largest_season_is_previewed_in_seconds(self, desk: Desk) -> None:
        data = rules(desk, last=day(365), closes="23:30")
        begun = now_utc()
        with CaptureQueriesContext(connection) as captured:
            answer = post(desk, "slot-season", data)
        assert answer.status_code == 302
        assert Job.objects.get().total == 365 * 13 * 2 == 9490
        assert (now_utc() - begun).total_seconds() < 10
        assert len(captured) < 40


class TestChange:
    @pytest.fixture
    def slots(self, desk: Desk) -> list[Slot]:
        """Six days at 12:00 and 18:00 UTC on the first court, and one that has begun."""
        SlotFactory(club=desk.club, area=desk.courts[0], start=now_utc() - timedelta(minutes=5))
        days = [tomorrow(hour) + timedelta(days=n) for n in range(6) for hour in (12, 18)]
        return [SlotFactory(club=desk.club, area=desk.courts[0], start=start) for start in days]

    def test_a_new_price_by_weekdays_hours_and_area(self, desk: Desk, slots: list[Slot]) -> None:
        weekday = str(slots[0].date_from.isoweekday())
        SlotFactory(club=desk.club, area=desk.courts[1], start=tomorrow(18))
        data = changes_of(desk, weekdays=[weekday], begins="21:00", before="22:00", areas=[desk.courts[0].pk])

        job = written(desk, post(desk, "slot-change", data))

        assert (job.kind, job.tally) == ("price", {"changed": 1})
        assert list(Slot.objects.filter(price=200_000)) == [slots[1]]

    @pytest.mark.parametrize(
        ("what", "value", "price"),
        [
            ("price", "0", 0),
            ("add", "-200.50", 129_950),
            ("add", "-99999", 0),
            ("percent", "10", 165_000),
            ("percent", "-33.33", 100_000),
        ],
    )
    def test_prices_are_set_raised_and_lowered(
        self, desk: Desk, slots: list[Slot], what: str, value: str, price: int
    ) -> None:
        written(desk, post(desk, "slot-change", changes_of(desk, what=what, value=value)))

        assert {slot.price for slot in Slot.objects.filter(pk__in=[slot.pk for slot in slots])} == {price}

    def test_slots_close_and_open_again(self, desk: Desk, slots: list[Slot]) -> None:
        written(desk, post(desk, "slot-change", changes_of(desk, what="close", value="", last=day(2))))
        assert Slot.objects.filter(closed=True).count() == 4
        SlotFactory(club=desk.club, area=desk.courts[0], start=slots[0].date_from)

        job = written(desk, post(desk, "slot-change", changes_of(desk, what="reopen", value="")))

        assert job.tally == {"changed": 3, "refused": 1}
        assert "Такое время уже предлагается" in words(desk.browser().get(reverse("admin:job", args=[job.pk])))

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"what": "x"}, "what"), ({"value": ""}, "value"), ({"value": "x"}, "value"), ({"value": "-1"}, "value"),
            ({"value": "1e9"}, "value"), ({"value": "NaN"}, "value"), ({"value": "99999999"}, "value"),
            ({"what": "percent", "value": "-101"}, "value"), ({"what": "percent", "value": "5000"}, "value"),
            ({"first": "x"}, "first"), ({"begins": "99"}, "begins"), ({"areas": ["1 OR 1"]}, "areas"),
            ({"begins": "03:00", "before": "03:05"}, "__all__"), ({"value": "1500"}, "__all__"),
        ],
    )  # fmt: skip
    def test_garbage_is_an_error_of_the_form(
        self, desk: Desk, slots: list[Slot], wrong: dict[str, Any], field: str
    ) -> None:
        page = post(desk, "slot-change", changes_of(desk, **wrong))

        assert field in page.context["form"].errors
        assert not Job.objects.exists()

    def test_another_clubs_slots_are_not_touched(self, desk: Desk, other: Desk, slots: list[Slot]) -> None:
        answer = post(other, "slot-change", changes_of(other))

        assert answer.context["form"].errors["__all__"]


class TestImport:
    HEADER = "Площадка;Дата;Начало;Конец;Цена;Мест;Название"

    def line(self, desk: Desk, start: str = "10:00", end: str = "11:00", price: str = "1500", **other: str) -> str:
        area, when = other.get("area", desk.courts[0].name), other.get("day", local_day())
        return f"{area};{when};{start};{end};{price};{other.get('places', '')};{other.get('title', '')}"

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16"])
    def test_a_csv_in_any_of_its_encodings(self, desk: Desk, encoding: str) -> None:
        text = "\r\n".join(
            [self.HEADER, self.line(desk, price="1 500,50", title="Йога"), "", self.line(desk, "11:00", "12:30")]
        )

        job = written(desk, upload(desk, text.encode(encoding)))

        assert job.tally == {"created": 2}
        slot = Slot.objects.get(title="Йога")
        assert (slot.price, slot.date_from.hour, slot.capacity, slot.area) == (150_050, 7, 1, desk.courts[0])

    def test_commas_and_english_names(self, desk: Desk) -> None:
        text = f'Date,Start,End,Court,Price\n{day()},22:00,00:30,"{desk.courts[1].name}",0\n'

        written(desk, upload(desk, text.encode()))

        slot = Slot.objects.get()
        assert (slot.date_to - slot.date_from, slot.price, slot.area) == (timedelta(hours=2.5), 0, desk.courts[1])

    def test_a_row_with_an_error_is_told_by_its_number_and_the_others_wait(self, desk: Desk) -> None:
        wrong = [
            self.line(desk, area="Нет"),
            self.line(desk, price="дорого"),
            self.line(desk, day="31.02.2027"),
            self.line(desk),
        ]
        text = "\n".join([self.HEADER, self.line(desk), *wrong, self.line(desk, "12:00", "13:00", places="0")])

        page = desk.browser().get(upload(desk, text.encode())["Location"])

        shown = words(page)
        assert not Slot.objects.exists()
        told = (
            "Строка 3",
            "такого названия (Нет)",
            "Строка 4",
            "дорого",
            "Строка 5",
            "31.02.2027",
            "Строка 6",
            "Строка 7",
        )
        for said in told:
            assert said in shown
        assert Job.objects.get().total == 1

    def test_a_file_without_a_good_row_is_an_error_with_its_reasons(self, desk: Desk) -> None:
        page = upload(desk, "\n".join([self.HEADER, self.line(desk, price="x")]).encode())

        assert page.context["form"].errors["file"] == ["Ни одну строку этого файла нельзя загрузить."]
        assert "Строка 2" in words(page)

    def test_what_is_exported_is_imported_again(self, desk: Desk) -> None:
        SlotFactory(
            club=desk.club, area=desk.courts[0], title="=1+1", price=123_450, reference_id=7, start=tomorrow(12)
        )
        SlotFactory(club=desk.club, area=desk.courts[0], closed=True)
        for kind in ("csv", "xlsx"):
            query = {"club": desk.club.pk, "first": day(1), "last": day(2), "form": kind}
            answer = desk.browser().get(reverse("admin:slot-export"), query)
            content = b"".join(answer.streaming_content) if answer.streaming else answer.content
            table = [row for row in sheets.read_table(f"x.{kind}", content)[1]]
            assert len(table) == 1
            assert table[0][1][7] == ("'=1+1" if kind == "csv" else "=1+1")
            Slot.objects.filter(closed=False).update(reference_id=None, closed=True)

            written(desk, upload(desk, content, f"x.{kind}"))

            slot = Slot.objects.get(closed=False)
            assert (slot.title, slot.price, slot.reference_id, slot.date_from) == ("=1+1", 123_450, 7, tomorrow(12))
        cell = load_workbook(io.BytesIO(content)).active["H2"]
        assert (cell.value, cell.data_type) == ("=1+1", "s")

    def test_an_excel_file_with_its_own_dates_times_and_numbers(self, desk: Desk) -> None:
        start = tomorrow(9).replace(tzinfo=None)
        content = sheet(
            ["Корт", "Дата", "Начало", "Конец", "Цена"],
            [desk.courts[0].name, start, start.time(), (start + timedelta(hours=1)).time(), 1500],
            [desk.courts[0].name, start.date(), "10:00", "11:00", 99.9],
            [None, None],
        )

        job = written(desk, upload(desk, content, "slots.xlsx"))

        assert job.tally == {"created": 2}
        assert sorted(Slot.objects.values_list("price", flat=True)) == [9_990, 150_000]

    @pytest.mark.parametrize(
        "content",
        [
            b"", b"\0\0\0", b"\x89PNG\r\n\x1a\n\0\0", b"\xd0\xcf\x11\xe0" + b"x" * 600, b"PK\x03\x04garbage", b"%PDF-1.7\n%\xe2",
            "только слова".encode(), "Дата;Цена\n1;2".encode(), "Дата;Дата;Начало;Конец;Цена;Корт\n1".encode(),
            b'a;"b\nc;d', b"\xff\xfe\x00", b"a;b\n" * 10_050, b"x" * 200_000 + b"\n1", b";" * 60 + b"\n;" + b"1;" * 60,
            b"x" * (sheets.MOST_BYTES + 1), b"\x00\x01\x02;\n;",
        ],
        ids=range(16),
    )  # fmt: skip
    def test_what_is_no_table_of_slots_is_an_error_in_words(self, desk: Desk, content: bytes) -> None:
        page = upload(desk, content, "slots.xlsx")

        assert page.status_code == 200
        assert page.context["form"].errors["file"]
        assert not Job.objects.exists()

    def test_bombs_and_broken_workbooks_are_errors_in_words(self, desk: Desk) -> None:
        good = sheet(["Корт", "Дата", "Начало", "Конец", "Цена"], ["x", "x", "x", "x", 1])
        head = b'<?xml version="1.0"?>'
        row = b"<worksheet><sheetData><row>" + b"<c/>" * 600_000 + b"</row></sheetData></worksheet>"
        bombs = {
            "a large part": {"xl/worksheets/sheet1.xml": b" " * (sheets.MOST_UNPACKED + 1)},
            "a wide row": {"xl/worksheets/sheet1.xml": head + row},
            "entities": {"xl/worksheets/sheet1.xml": head + b'<!DOCTYPE a [<!ENTITY b "bbbb">]><a>&b;</a>'},
            "no xml": {"xl/workbook.xml": b"<"},
            "no sheet": {"xl/worksheets/sheet1.xml": None},
            "a picture of one": {"[Content_Types].xml": None},
        }  # fmt: skip
        for name, parts in bombs.items():
            page = upload(desk, changed(good, parts), "slots.xlsx")
            assert page.status_code == 200, name
            assert page.context["form"].errors["file"], name
        assert not Job.objects.exists()

    def test_the_largest_table_is_checked_in_seconds(self, desk: Desk) -> None:
        def line(n: int) -> str:
            start = tomorrow(0) + timedelta(minutes=15 * n)
            return f"{desk.courts[0].name};{start:%d.%m.%Y};{start:%H:%M};{start + timedelta(minutes=15):%H:%M};100;;"

        begun = now_utc()
        answer = upload(desk, "\n".join([self.HEADER, *(line(n) for n in range(10_000))]).encode())

        assert answer.status_code == 302
        assert Job.objects.get().total == 10_000
        assert (now_utc() - begun).total_seconds() < 15


def changed(book: bytes, parts: dict[str, bytes | None]) -> bytes:
    """Return a workbook with these parts replaced, or left out."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for item in old.infolist():
            content = parts.get(item.filename, old.read(item)) if item.filename in parts else old.read(item)
            if content is not None:
                new.writestr(item.filename, content)
    return out.getvalue()


class TestEverywhere:
    def test_pages_open_for_the_staff_and_hide_from_others(self, desk: Desk, other: Desk) -> None:
        job = written(desk, post(desk, "slot-season", rules(desk)))
        addresses = [reverse(f"admin:{name}") for name in PAGES]
        for address in addresses:
            assert desk.browser().get(f"{address}?club={desk.club.pk}").status_code == 200, address
            assert desk.browser().get(f"{address}?club={other.club.pk}").status_code == 404, address
            assert desk.browser().get(f"{address}?club=x").status_code == 404, address
        for part in ("", "?part=1"):
            assert desk.browser().get(reverse("admin:job", args=[job.pk]) + part).status_code == 200
            assert other.browser().get(reverse("admin:job", args=[job.pk]) + part).status_code == 404
        assert other.browser().post(reverse("admin:job", args=[job.pk]), {"step": "cancel"}).status_code == 404
        assert desk.browser().get(reverse("admin:job", args=[10**17])).status_code == 404

    def test_an_old_word_is_refused_on_the_page(self, desk: Desk) -> None:
        answer = post(desk, "slot-season", rules(desk))
        Job.objects.update(created_at=now_utc() - timedelta(days=2))

        page = desk.browser().post(answer["Location"], {"step": "start"})

        assert page.status_code == 409
        assert "предпросмотр" in words(page)
        assert desk.browser().post(answer["Location"], {"step": "x"}).status_code == 302

    def test_export_garbage_comes_back_and_the_hub_asks_the_same_for_many(self, desk: Desk) -> None:
        for query in ({}, {"first": "x", "last": "y", "form": "z"}, {"first": day(3), "last": day(1), "form": "csv"}):
            answer = desk.browser().get(reverse("admin:slot-export"), {"club": desk.club.pk, **query})
            assert answer.status_code == 302

        def asked() -> int:
            with CaptureQueriesContext(connection) as captured:
                desk.browser().get(reverse("admin:slot-tools"), {"club": desk.club.pk})
            return len(captured)

        written(desk, post(desk, "slot-season", rules(desk, last=day(1))))
        before = asked()
        written(desk, post(desk, "slot-season", rules(desk)))
        assert asked() == before
