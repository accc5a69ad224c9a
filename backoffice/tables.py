"""Tables as values: one shape for the page, CSV and XLSX. Words that a spreadsheet would read as a formula are made harmless."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from palms.money import Money

Cell = str | int | Decimal | date | Money | None
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
LONGEST_SHEET = 31
NOT_IN_A_SHEET = str.maketrans("", "", "[]:*?/\\'")


@dataclass(frozen=True, slots=True)
class Table:
    """`key` names it in addresses; `words` is its title; each row has as many cells as there are columns."""

    key: str
    words: Any
    columns: Sequence[Any]
    rows: Sequence[Sequence[Cell]]


def plain(cell: Cell) -> str | int | Decimal | date | None:
    """Return a cell for a spreadsheet: money in major units, text that starts like a formula behind an apostrophe."""
    if isinstance(cell, Money):
        return cell.decimal
    if cell is None or isinstance(cell, int | Decimal | date):
        return cell
    text = ILLEGAL_CHARACTERS_RE.sub("", str(cell))
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) or text.startswith(FORMULA) else text


def as_csv(table: Table) -> bytes:
    """Return a table for spreadsheets: UTF-8 with its mark, semicolons, as Russian Excel opens them."""
    text = io.StringIO()
    rows = csv.writer(text, delimiter=";", lineterminator="\r\n")
    rows.writerow([plain(str(name)) for name in table.columns])
    rows.writerows([_in_csv(cell) for cell in row] for row in table.rows)
    return text.getvalue().encode("utf-8-sig")


def _in_csv(cell: Cell) -> str:
    found = plain(cell)
    return "" if found is None else found.isoformat() if isinstance(found, date) else str(found)


def as_xlsx(tables: Sequence[Table]) -> bytes:
    """Return a workbook, a sheet for each table."""
    book = Workbook(write_only=True)
    for table in tables:
        sheet: Any = book.create_sheet(str(table.words).translate(NOT_IN_A_SHEET)[:LONGEST_SHEET])
        sheet.append([plain(str(name)) for name in table.columns])
        for row in table.rows:
            sheet.append([plain(cell) for cell in row])
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()
