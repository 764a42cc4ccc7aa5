"""Tables that people hand over: CSV (UTF-8 with or without a byte order mark, GB18030) and XLSX.

The content decides what a file is, and its header where it begins: titles above it, empty columns before it and sheets that
explain it are passed over and named. Row numbers are those a person sees: the first row of the file or the sheet is row 1,
and blank rows count. Every row below the header that is not blank is either read or has a problem by name; none is lost.
"""

from __future__ import annotations

import codecs
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, Literal

from cli.csv_files import COLUMNS_MAX, DELIMITERS, CsvForm, Record, Width, form_of, records, undecoded
from cli.headings import Columns, Headings, read_headings, row_numbers
from cli.printable import shortened, visible
from cli.spreadsheet_talk import is_error, plain_text
from cli.unusable import UnusableFile
from cli.words import phrase, word
from cli.workbooks import Sheet, Workbook, open_workbook

FILE_BYTES_MAX: Final = 4 * 1024**3
"""Of a CSV file, which is read as a stream."""
CELL_CHARACTERS_MAX: Final = 4000
HEADER_ROWS_MAX: Final = 20
"""So far down the header is looked for."""

_BLOCK: Final = 1024**2

RowProblem = Literal[
    "bad_encoding",
    "too_many_cells",
    "cell_too_long",
    "row_too_long",
    "open_quote",
    "rows_in_a_cell",
    "broken_line",
    "spreadsheet_error",
]
"""Why a row cannot be read; the words of each are a `row_problem` of the catalogue."""


def in_words(problem: str) -> str:
    """A problem of a row as the file of rejects gives it."""
    return f"{problem}: {word('row_problem', problem)}"


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row: its number, its cells as text as they were found, and the values of the known columns, trimmed.

    `problem` is a `RowProblem` where the row cannot be read.
    """

    number: int
    cells: tuple[str, ...]
    values: Mapping[str, str]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A file with a header that has been understood. `rows` can be gone through more than once."""

    path: Path
    header: tuple[str, ...]
    columns: Mapping[str, int]
    row_count: int
    """Rows that are not blank."""
    sha256: str
    encoding: str
    """`utf-8`, `utf-8-sig`, `gb18030` or `xlsx`."""
    notices: tuple[str, ...] = ()
    """What was not read and somebody may have meant to be: columns, sheets, rows above the header."""
    unread_sheets: tuple[str, ...] = ()
    rows_elsewhere: bool = False
    """Whether another sheet that a person sees has rows of this kind."""
    _source: _Source | None = field(default=None, repr=False)
    _header_row: int = 1
    _width: Width | None = None

    def rows(self) -> Iterator[TableRow]:
        """The rows that are not blank, in the order of the file."""
        if self._source is None:
            return
        for number, record in enumerate(self._source.records(self._width), start=1):
            if number > self._header_row and not _blank(record):
                yield self._row(number, record)

    def _row(self, number: int, record: Record) -> TableRow:
        cells = record.cells
        values = {
            name: plain_text(cells[place]) for name, place in self.columns.items() if place < len(cells)
        }
        problem = record.problem
        if problem is None:
            if any(cell.strip() for cell in cells[len(self.header) :]):
                problem = "too_many_cells"
            elif any(len(cell) > CELL_CHARACTERS_MAX for cell in cells):
                problem = "cell_too_long"
            elif any(undecoded(cell) for cell in cells):
                problem = "bad_encoding"
            elif any(is_error(value) for value in values.values()):
                problem = "spreadsheet_error"
        return TableRow(number, tuple(cells), values, problem)


def open_table(path: Path, columns: Columns, required: Sequence[str], sheet: str | None = None) -> Table:
    """Looks at the whole file once: its form, its header, how many rows it has.

    Other columns than the known ones are ignored. Without a sheet's name the first one is read that a person sees and that
    has the header. Raises UnusableFile.
    """
    digest, is_package = _inspect(path)
    try:
        if is_package:
            found = _of_workbook(open_workbook(path), columns, required, sheet, digest)
        elif sheet is not None:
            raise UnusableFile("cli.file.no_workbook", file=path.name)
        else:
            found = _of_csv(path, columns, required, digest)
    except OSError as problem:
        raise _unreadable(path, problem) from problem
    return found


def _of_csv(path: Path, columns: Columns, required: Sequence[str], digest: str) -> Table:
    form = form_of(path)
    sources = [_Csv(path, form, delimiter) for delimiter in DELIMITERS]
    heads = [_head(source, columns, required) for source in sources]
    # The separator under which most columns are known; spreadsheets of some countries use others than the comma.
    best = max(range(len(sources)), key=lambda at: len(heads[at].headings.places))
    _refuse_unless_complete(path, heads[best], required)
    return _table(path, sources[best], heads[best], required, digest, form.encoding)


def _of_workbook(
    book: Workbook, columns: Columns, required: Sequence[str], wanted: str | None, digest: str
) -> Table:
    chosen = [each for each in book.sheets if (each.name == wanted if wanted else not each.hidden)]
    if not chosen:
        sheets = [visible(each.name) for each in book.sheets]
        key = "cli.file.no_sheet" if wanted else "cli.file.no_visible_sheet"
        raise UnusableFile(key, file=book.path.name, sheet=wanted, sheets=sheets)
    heads = [(each, _head(_XlsxSheet(book, each), columns, required)) for each in chosen]
    complete = [(each, head) for each, head in heads if head.complete(required)]
    sheet, head = complete[0] if complete else max(heads, key=lambda one: len(one[1].headings.places))
    _refuse_unless_complete(book.path, head, required)
    unread = tuple(each.name for each in book.sheets if each is not sheet and not _empty(book, each))
    elsewhere = any(_has_rows(book, each, head) for each, head in complete[1:])
    notices = _notices_of_sheets(sheet, unread, elsewhere)
    source = _XlsxSheet(book, sheet)
    return _table(book.path, source, head, required, digest, "xlsx", notices, unread, elsewhere)


def _notices_of_sheets(sheet: Sheet, unread: tuple[str, ...], elsewhere: bool) -> list[str]:
    if not unread:
        return []
    key = "cli.file.one_sheet_of_several" if elsewhere else "cli.file.one_sheet"
    return [phrase(key, sheet=visible(sheet.name), others=[visible(name) for name in unread])]


# Header
# ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Head:
    """Where the header stands and what it says."""

    row: int
    header: tuple[str, ...]
    headings: Headings
    above: int
    """Rows above it that are not blank."""

    def complete(self, required: Sequence[str]) -> bool:
        return not self.headings.lacking(required) and not self.headings.doubled


def _head(source: _Source, columns: Columns, required: Sequence[str]) -> _Head:
    """The first row with every column that must be there, else the one in which most are known."""
    best = _Head(1, (), Headings({}), 0)
    above = 0
    for number, record in enumerate(islice(source.records(None), HEADER_ROWS_MAX), start=1):
        if _blank(record):
            continue
        header = _trimmed(record.cells)
        found = _Head(number, header, read_headings(header, columns), above)
        if not found.headings.lacking(required):
            return found
        if len(found.headings.places) > len(best.headings.places) or not best.header:
            best = found
        above += 1
    return best


def _trimmed(cells: Sequence[str]) -> tuple[str, ...]:
    """The header without the empty cells that spreadsheets leave at its end."""
    names = [plain_text(cell) for cell in cells]
    while names and not names[-1]:
        names.pop()
    return tuple(names)


def _refuse_unless_complete(path: Path, head: _Head, required: Sequence[str]) -> None:
    if len(head.header) > COLUMNS_MAX:
        raise UnusableFile("cli.file.too_many_columns", file=path.name, most=COLUMNS_MAX)
    if head.headings.doubled:
        columns = [visible(heading) for heading in head.headings.doubled]
        raise UnusableFile("cli.file.column_twice", file=path.name, columns=columns)
    if missing := head.headings.lacking(required):
        raise _incomplete(path, head, missing)


def _incomplete(path: Path, head: _Head, missing: list[str]) -> UnusableFile:
    header = shortened(visible(", ".join(head.header[:20])), 300) or phrase("cli.file.blank_header")
    numbers = [visible(heading) for heading in row_numbers(head.header)]
    if "id" in missing and numbers:
        return UnusableFile(
            "cli.file.no_id", file=path.name, columns=missing, header=header, headings=numbers
        )
    return UnusableFile("cli.file.no_column", file=path.name, columns=missing, header=header)


def _width(head: _Head, required: Sequence[str]) -> Width:
    """A row says something as soon as it reaches the last column that must be there."""
    full = max(0, len(head.header) - 1)
    return Width(full, max((head.headings.places[name] for name in required), default=0) or full)


def _table(
    path: Path,
    source: _Source,
    head: _Head,
    required: Sequence[str],
    digest: str,
    encoding: str,
    notices: Sequence[str] = (),
    unread: tuple[str, ...] = (),
    elsewhere: bool = False,
) -> Table:
    unread_parts = [
        phrase("cli.file.column_unread", heading=visible(heading), field=name, stronger=visible(stronger))
        for heading, name, stronger in head.headings.passed_over
    ]
    if head.above:
        unread_parts.append(phrase("cli.file.rows_above", row=head.row, count=head.above))
    width = _width(head, required)
    count = sum(
        1
        for number, record in enumerate(source.records(width), start=1)
        if number > head.row and not _blank(record)
    )
    return Table(
        path,
        head.header,
        head.headings.places,
        count,
        digest,
        encoding,
        (*unread_parts, *notices),
        unread,
        elsewhere,
        source,
        head.row,
        width,
    )


def _blank(record: Record) -> bool:
    return record.problem is None and not any(cell.strip() for cell in record.cells)


# Sources of records
# ---------------------------------------------------------------------------------------------------


class _Source(ABC):
    """Where records come from; they can be gone through more than once."""

    @abstractmethod
    def records(self, width: Width | None) -> Iterator[Record]: ...


@dataclass(frozen=True, slots=True)
class _Csv(_Source):
    path: Path
    form: CsvForm
    delimiter: str

    def records(self, width: Width | None) -> Iterator[Record]:
        return records(self.path, self.form, self.delimiter, width)


@dataclass(frozen=True, slots=True)
class _XlsxSheet(_Source):
    book: Workbook
    sheet: Sheet

    def records(self, width: Width | None) -> Iterator[Record]:
        return self.book.rows(self.sheet)


def _empty(book: Workbook, sheet: Sheet) -> bool:
    return all(_blank(record) for record in islice(book.rows(sheet), HEADER_ROWS_MAX))


def _has_rows(book: Workbook, sheet: Sheet, head: _Head) -> bool:
    below = islice(book.rows(sheet), head.row, None)
    return any(not _blank(record) for record in below)


# What kind of file it is
# ---------------------------------------------------------------------------------------------------


def _inspect(path: Path) -> tuple[str, bool]:
    """The file's SHA-256 and whether it is a package, by its content and not by its name."""
    digest = hashlib.sha256()
    first = b""
    try:
        if path.is_dir():
            raise UnusableFile("cli.file.folder", file=path)
        if not path.is_file():
            raise UnusableFile("cli.file.missing", file=path)
        if path.stat().st_size > FILE_BYTES_MAX:
            raise UnusableFile("cli.file.too_large", file=path.name, megabytes=FILE_BYTES_MAX // 1024**2)
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                first = first or block[:64]
                digest.update(block)
    except OSError as problem:
        raise _unreadable(path, problem) from problem
    _refuse_by_content(path, first)
    return digest.hexdigest(), first.startswith(b"PK\x03\x04")


def _unreadable(path: Path, problem: OSError) -> UnusableFile:
    return UnusableFile("cli.unreadable", file=path, why=problem.strerror or problem)


def _refuse_by_content(path: Path, first: bytes) -> None:
    """Refuses what no reader of tables can take, with the cure."""
    key = _cure(first)
    if key is not None:
        raise UnusableFile(key, file=path.name)


def _cure(first: bytes) -> str | None:
    """The key of the words with the cure for a file that begins so; None where it may be a table."""
    if not first:
        return "cli.file.empty"
    if first.startswith(b"\xd0\xcf\x11\xe0"):
        return "cli.file.old_excel"
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "cli.file.utf_sixteen"
    text = first.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if text.startswith((b"<html", b"<!doctype", b"<?xml", b"<table", b"<meta")):
        return "cli.file.web_page"
    return None
