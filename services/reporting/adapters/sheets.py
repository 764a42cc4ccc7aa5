"""Tables as files for spreadsheets: CSV line by line, XLSX by way of a temporary file. Memory stays small however long they
are.

What comes from outside is text and nothing else. A spreadsheet takes a text that begins with `=`, `+`, `-` or `@` for a
formula, and a formula can call programs and send the sheet away; so in CSV such a text gets an apostrophe before it, and
in XLSX every text is a cell of text. Codes stay text too, or their last digits would be rounded. What is a date or a figure
is one in a workbook, so that it can be sorted and summed.

A workbook carries its watermark in its footer and its properties. A CSV file has it in its name only: a line of its own
would be a row when the file is imported again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import xlsxwriter  # type: ignore[import-untyped]

from shared.clock import SHANGHAI

BYTE_ORDER_MARK: Final = "\ufeff"
"""Without it a spreadsheet reads Chinese as something else."""
SHEET_ROWS_MAX: Final = 1_000_000
"""A sheet takes 1 048 576 rows; what is more goes on in the next one."""
CELL_MAX: Final = 32_767
EXACT_FEN_MAX: Final = 10**15
"""Up to here a spreadsheet's number shows every fen."""
_STARTS_FORMULA: Final = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in fen, shown in yuan."""

    fen: int


Cell = str | int | Money | date | datetime | bool | Sequence[Any] | None


def text_of(value: Cell) -> str:
    """A value as people read it: instants in Asia/Shanghai, lists with commas, nothing for what is not there."""
    match value:
        case None:
            return ""
        case bool():
            return "1" if value else "0"
        case Money(fen):
            return f"{Decimal(fen) / 100:.2f}"
        case datetime():
            return value.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
        case date():
            return value.isoformat()
        case str() | int():
            return str(value)
    return ", ".join(str(one) for one in value)


def csv_line(values: Iterable[Cell]) -> str:
    """One line; text is quoted, figures are not."""
    return ",".join(_csv_cell(value) for value in values) + "\r\n"


def _csv_cell(value: Cell) -> str:
    printed = text_of(value)
    if isinstance(value, int | Money | date) or value is None:
        return printed
    return '"' + harmless(printed).replace('"', '""') + '"'


def harmless(printed: str) -> str:
    """The text with an apostrophe before it where a spreadsheet would take it for a formula."""
    shown = printed.lstrip()
    hidden = printed[:1] in ("\t", "\r", "\n")
    return f"'{printed}" if hidden or shown[:1] in _STARTS_FORMULA else printed


@dataclass(frozen=True, slots=True)
class SheetColumn:
    """A column of a sheet: its title, and its width in characters."""

    title: str
    width: int = 14


class Workbook:
    """An XLSX file being written to disk row by row. Its calls take time: make them outside the event loop."""

    def __init__(
        self, name: str, columns: Sequence[SheetColumn], watermark: str, written_at: datetime
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="keypost-export-", ignore_cleanup_errors=True)
        self.path: Final = Path(self._folder.name) / "table.xlsx"
        self._book = xlsxwriter.Workbook(
            str(self.path), {"constant_memory": True, "tmpdir": self._folder.name}
        )
        self._book.set_properties(
            {"comments": watermark, "created": written_at.astimezone(SHANGHAI).replace(tzinfo=None)}
        )
        self._yuan = self._book.add_format({"num_format": "0.00"})
        self._day = self._book.add_format({"num_format": "yyyy-mm-dd"})
        self._instant = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._bold = self._book.add_format({"bold": True})
        self._name = name
        self._columns = list(columns)
        self._sheets = 0
        # An ampersand begins an instruction in headers and footers.
        self._watermark = watermark.replace("&", "&&")[:200]
        self._row = 0
        self._begin_sheet()

    def _begin_sheet(self) -> None:
        self._sheets += 1
        self._sheet = self._book.add_worksheet(
            self._name if self._sheets == 1 else f"{self._name} {self._sheets}"
        )
        self._sheet.set_footer(f"&L{self._watermark}&R&P / &N")
        self._sheet.freeze_panes(1, 0)
        for place, column in enumerate(self._columns):
            self._sheet.set_column(place, place, column.width)
            self._sheet.write_string(0, place, column.title, self._bold)
        self._row = 1

    def _end_sheet(self) -> None:
        self._sheet.autofilter(0, 0, self._row - 1, len(self._columns) - 1)

    def add(self, rows: Iterable[Sequence[Cell]]) -> None:
        for row in rows:
            if self._row > SHEET_ROWS_MAX:
                self._end_sheet()
                self._begin_sheet()
            for column, value in enumerate(row):
                self._write(column, value)
            self._row += 1

    def _write(self, column: int, value: Cell) -> None:
        if value is None:
            return
        if isinstance(value, Money) and abs(value.fen) < EXACT_FEN_MAX:
            self._sheet.write_number(self._row, column, value.fen / 100, self._yuan)
        elif isinstance(value, datetime):
            # A spreadsheet's time has no zone; it is that of the organisation, as everywhere on the screen.
            local = value.astimezone(SHANGHAI).replace(tzinfo=None)
            self._sheet.write_datetime(self._row, column, local, self._instant)
        elif isinstance(value, date):
            self._sheet.write_datetime(self._row, column, value, self._day)
        elif isinstance(value, int) and not isinstance(value, bool) and abs(value) < EXACT_FEN_MAX:
            self._sheet.write_number(self._row, column, value)
        else:
            self._sheet.write_string(self._row, column, text_of(value)[:CELL_MAX])

    def finish(self) -> None:
        self._end_sheet()
        self._book.close()

    def remove(self) -> None:
        self._folder.cleanup()
