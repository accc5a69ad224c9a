"""Tables as files: CSV and XLSX, read with suspicion and written so that no cell is a formula.

Read: CSV in UTF-8 (with or without its mark), UTF-16 with its mark or Windows-1251, columns by `;`, `,` or tab; XLSX of
`MOST_BYTES` that unpacks to `MOST_UNPACKED`. Nothing is believed before its size is known.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from itertools import chain
from typing import IO, Any
from xml.parsers import expat

from django.utils.translation import gettext as _
from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.utils.exceptions import InvalidFileException

from backoffice.errors import FileRefused

MOST_BYTES = 5_000_000
MOST_UNPACKED = 40_000_000
MOST_PARTS = 200
MOST_ROWS = 10_000  # after the header
MOST_COLUMNS = 50
LONGEST_CELL = 2_000
BLANK_ROWS = 1_000  # a sheet may end with as many
FORMULA = ("=", "+", "-", "@", "\t", "\r")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
OLD_EXCEL = b"\xd0\xcf\x11\xe0"
BROKEN = (
    zipfile.BadZipFile, zipfile.LargeZipFile, InvalidFileException, KeyError, ValueError, TypeError, AttributeError,
    IndexError, EOFError, OSError, NotImplementedError, RuntimeError, SyntaxError, expat.ExpatError,
)  # fmt: skip  # what openpyxl and zipfile say of what is no workbook
Row = list[Any]


def read_table(name: str, content: bytes) -> tuple[Row, list[tuple[int, Row]]]:
    """Return the header and the other rows that are not empty, with their numbers in the file (the header is 1).

    Cells are texts, numbers, dates or times.

    Raises:
        FileRefused: in words that say what to do.
    """
    if len(content) > MOST_BYTES:
        raise FileRefused(_("The file is larger than %(most)s MB.") % {"most": MOST_BYTES // 1_000_000})
    if not content.strip(b"\0 \r\n\t"):
        raise FileRefused(_("The file is empty."))
    if content.startswith(OLD_EXCEL):
        raise FileRefused(_("This is an old or a protected Excel file. Save it as .xlsx or .csv without a password."))
    rows = _workbook(content) if content.startswith(b"PK") else _csv(content)
    return _checked(rows)


def _checked(rows: Iterator[Row]) -> tuple[Row, list[tuple[int, Row]]]:
    found: list[tuple[int, Row]] = []
    blank = 0
    for number, row in enumerate(rows, start=1):
        cells = [cell.strip() if isinstance(cell, str) else cell for cell in row]
        while cells and cells[-1] in (None, ""):
            cells.pop()
        blank = 0 if cells else blank + 1
        if blank > BLANK_ROWS:
            break
        if len(cells) > MOST_COLUMNS or any(isinstance(one, str) and len(one) > LONGEST_CELL for one in cells):
            raise FileRefused(_("Row %(row)s has too many columns or too long a text.") % {"row": number})
        if cells:
            found.append((number, cells))
        if len(found) > MOST_ROWS + 1:
            raise FileRefused(_("The file has more than %(most)s rows: divide it.") % {"most": MOST_ROWS})
    if len(found) < 2:
        raise FileRefused(_("The file has no rows below its header."))
    return found[0][1], found[1:]


def _csv(content: bytes) -> Iterator[Row]:
    text = _decoded(content)
    head = text.lstrip("\r\n").split("\n", 1)[0]
    delimiter = max(";,\t", key=head.count)
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    except csv.Error:
        raise FileRefused(_("This is not a table: the quotes in it do not match.")) from None


def _decoded(content: bytes) -> str:
    names = ("utf-16",) if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1251")
    for name in names:
        try:
            text = content.decode(name)
        except UnicodeError:
            continue
        if not CONTROL.search(text):
            return text
    raise FileRefused(_("This is not a table. Use .xlsx, or .csv in UTF-8 or Windows-1251."))


def _workbook(content: bytes) -> Iterator[Row]:
    words = _("This is not a workbook of Excel, or it is damaged. Save it again as .xlsx.")
    try:
        _look_inside(content)
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # what the file says of its own size is not believed
        for row in sheet.iter_rows(max_col=MOST_COLUMNS + 1, max_row=MOST_ROWS + BLANK_ROWS + 2, values_only=True):
            yield list(row)
    except BROKEN:
        raise FileRefused(words) from None


def _look_inside(content: bytes) -> None:
    """Refuse what would unpack to too much, or hold too many cells, before anything of it is built."""
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        listed = parts.infolist()
        if len(listed) > MOST_PARTS or sum(part.file_size for part in listed) > MOST_UNPACKED:
            raise FileRefused(_("The workbook is too large when unpacked. Save only the sheet with the table."))
        for part in listed:
            if part.filename.endswith((".xml", ".rels")):
                with parts.open(part) as opened:
                    _Counter().read(opened)


class _Counter:
    """Reads XML for nothing but its size: no entity, no row of a million cells."""

    MOST = {"c": (MOST_ROWS + BLANK_ROWS) * MOST_COLUMNS, "si": 200_000, "row": 1_048_576, "xf": 100_000}

    def __init__(self) -> None:
        self.counts = dict.fromkeys(self.MOST, 0)
        self.in_row = 0

    def read(self, opened: IO[bytes]) -> None:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = self._starts
        parser.StartDoctypeDeclHandler = self._refuse
        parser.ParseFile(opened)

    def _starts(self, name: str, _attributes: Any) -> None:
        tag = name.rpartition(" ")[2]
        self.in_row = 0 if tag == "row" else self.in_row + (tag == "c")
        if tag in self.counts:
            self.counts[tag] += 1
        if self.in_row > 16_384 or self.counts.get(tag, 0) > self.MOST.get(tag, 1):
            self._refuse()

    def _refuse(self, *_told: Any) -> None:
        raise FileRefused(_("The workbook is too large when unpacked. Save only the sheet with the table."))


def safe(cell: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula; `bare` undoes it."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def bare(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield a CSV that Excel opens by a double click: with a mark, by `;`, decimals by a comma."""
    yield "\N{ZERO WIDTH NO-BREAK SPACE}"
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";")
    for row in chain([header], rows):
        writer.writerow([_text(safe(cell)) for cell in row])
        yield out.getvalue()
        out.seek(0)
        out.truncate()


def _text(cell: Any) -> str:
    if isinstance(cell, datetime):
        return f"{cell:%d.%m.%Y %H:%M}"
    if isinstance(cell, date):
        return f"{cell:%d.%m.%Y}"
    if isinstance(cell, time):
        return f"{cell:%H:%M}"
    if isinstance(cell, float | Decimal):
        return str(cell).replace(".", ",")
    return "" if cell is None else str(cell)


def xlsx(header: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str) -> bytes:
    """Return a workbook of one sheet. Texts are texts, whatever they begin with."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(title[:31])
    sheet.freeze_panes = "A2"
    for row in chain([header], rows):
        sheet.append([_cell(sheet, value) for value in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _cell(sheet: Any, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    cell = WriteOnlyCell(sheet, value="".join(letter for letter in value if letter.isprintable() or letter == "\n"))
    cell.data_type = "s"
    return cell
