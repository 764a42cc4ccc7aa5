"""Tables that people hand over: CSV (UTF-8 with or without BOM, GB18030) and XLSX, and the file of rejected rows.

A file is hostile until read: sizes are bounded before anything is unpacked, an XLSX with document types or entities is
not opened, and what is written back cannot become a formula in a spreadsheet. Row numbers are those a person sees: the
header is row 1, and blank rows count.
"""

from __future__ import annotations

import codecs
import csv
import datetime
import hashlib
import io
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from cli.instance import CommandError, Exit
from cli.printable import shortened, visible

FILE_BYTES_MAX: Final = 4 * 1024**3
"""Of a CSV file, which is read as a stream."""
XLSX_BYTES_MAX: Final = 200 * 1024**2
UNPACKED_BYTES_MAX: Final = 1024**3
"""Of all parts of an XLSX file together. A sheet is read as a stream too, but its strings stay in memory."""
STRINGS_BYTES_MAX: Final = 200 * 1024**2
RATIO_MAX: Final = 300
"""How much smaller packed than unpacked an honest part can be; small parts may be any."""
PARTS_MAX: Final = 2000
CELL_CHARACTERS_MAX: Final = 4000
FIELD_CHARACTERS_MAX: Final = 4 * 1024**2
"""A longer cell is a quotation mark that was never closed: the file is refused. Up to here it spoils its row only."""
COLUMNS_MAX: Final = 500

csv.field_size_limit(FIELD_CHARACTERS_MAX)

_BLOCK: Final = 1024**2
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_DECLARATIONS: Final = (b"<!DOCTYPE", b"<!ENTITY")


class UnusableFile(CommandError):
    """The file cannot be read as a table at all: exit code 2."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Exit.BAD_CALL)


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row: its number, its cells as text as they were found, and the values of the known columns, trimmed.

    `problem` is a stable reason where the row cannot be read: `bad_encoding`, `too_many_cells`, `cell_too_long`.
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
    delimiter: str

    def rows(self) -> Iterator[TableRow]:
        """The rows that are not blank, in the order of the file."""
        for number, cells in enumerate(_records(self.path, self.encoding, self.delimiter), start=1):
            if number > 1 and any(cell.strip() for cell in cells):
                yield self._row(number, cells)

    def _row(self, number: int, cells: Sequence[str]) -> TableRow:
        values = {
            name: unguarded(cells[place]).strip()
            for name, place in self.columns.items()
            if place < len(cells)
        }
        problem: str | None = None
        if any(cell.strip() for cell in cells[len(self.header) :]):
            problem = "too_many_cells"
        elif any(len(cell) > CELL_CHARACTERS_MAX for cell in cells):
            problem = "cell_too_long"
        elif any(_undecoded(cell) for cell in cells):
            problem = "bad_encoding"
        return TableRow(number, tuple(cells), values, problem)


def open_table(path: Path, columns: Mapping[str, Sequence[str]], required: Sequence[str]) -> Table:
    """Looks at the whole file once: its form, its header, how many rows it has.

    `columns` gives the names of each column besides its own, in any language; case, blanks and underscores do not
    matter. Other columns are ignored. Raises UnusableFile.
    """
    digest, xlsx = _inspect(path)
    encoding = "xlsx" if xlsx else _encoding(path)
    delimiter = "," if xlsx else _delimiter(path, encoding, columns)
    header: tuple[str, ...] = ()
    count = 0
    try:
        for number, cells in enumerate(_records(path, encoding, delimiter), start=1):
            if number == 1:
                header = _trimmed(cells)
            elif any(cell.strip() for cell in cells):
                count += 1
    except csv.Error as problem:
        raise UnusableFile(f"{path.name} is not a readable CSV file: {problem}") from problem
    places = _places(path, header, columns)
    if missing := [name for name in required if name not in places]:
        raise UnusableFile(
            f"{path.name} has no column {', '.join(missing)}; its first row is "
            f"{shortened(visible(', '.join(header[:20])), 300) or 'empty'}"
        )
    return Table(path, header, places, count, digest, encoding, delimiter)


def _trimmed(cells: Sequence[str]) -> tuple[str, ...]:
    """The header without the empty cells that spreadsheets leave at its end."""
    names = [cell.strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    return tuple(names)


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-（）()*：:]+", "", name).casefold()


def _places(path: Path, header: Sequence[str], columns: Mapping[str, Sequence[str]]) -> dict[str, int]:
    if len(header) > COLUMNS_MAX:
        raise UnusableFile(f"{path.name} has more than {COLUMNS_MAX} columns")
    known = {_plain(alias): name for name, aliases in columns.items() for alias in (name, *aliases)}
    places: dict[str, int] = {}
    for place, heading in enumerate(header):
        name = known.get(_plain(heading))
        if name is None:
            continue
        if name in places:
            before, now = (_plain(header[at]) == _plain(name) for at in (places[name], place))
            if before == now:
                raise UnusableFile(f"{path.name} has the column {name} twice")
            if before:
                # Beside a column's own name, one of its other names means something else.
                continue
        places[name] = place
    return places


# What kind of file it is
# ---------------------------------------------------------------------------------------------------


def _inspect(path: Path) -> tuple[str, bool]:
    """The file's SHA-256 and whether it is an XLSX, by its content and not by its name."""
    digest = hashlib.sha256()
    first = b""
    try:
        if path.is_dir():
            raise UnusableFile(f"{path} is a folder, and a file is needed")
        if not path.is_file():
            raise UnusableFile(f"there is no file {path}")
        if path.stat().st_size > FILE_BYTES_MAX:
            raise UnusableFile(f"{path.name} is larger than {FILE_BYTES_MAX // 1024**2} MB")
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                first = first or block[:8]
                digest.update(block)
    except OSError as problem:
        raise UnusableFile(f"{path} cannot be read: {problem.strerror or problem}") from problem
    if first.startswith(b"\xd0\xcf\x11\xe0"):
        raise UnusableFile(f"{path.name} is an old Excel file (or a protected one); save it as .xlsx or .csv")
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnusableFile(f"{path.name} is UTF-16; save it as UTF-8 or GB18030")
    if not first:
        raise UnusableFile(f"{path.name} is empty")
    xlsx = first.startswith(b"PK\x03\x04")
    if xlsx:
        _check_package(path)
    elif path.suffix.lower() in (".xlsx", ".xlsm"):
        raise UnusableFile(f"{path.name} is not an XLSX file")
    return digest.hexdigest(), xlsx


def _check_package(path: Path) -> None:
    """Refuses what would unpack to something enormous, and XML that declares anything."""
    if path.stat().st_size > XLSX_BYTES_MAX:
        raise UnusableFile(f"{path.name} is larger than {XLSX_BYTES_MAX // 1024**2} MB; save it as CSV")
    try:
        with zipfile.ZipFile(path) as package:
            parts = package.infolist()
            if len(parts) > PARTS_MAX or sum(part.file_size for part in parts) > UNPACKED_BYTES_MAX:
                raise UnusableFile(f"{path.name} unpacks to more than is allowed")
            for part in parts:
                _check_part(path, package, part)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as problem:
        raise UnusableFile(f"{path.name} is not a readable XLSX file") from problem


def _check_part(path: Path, package: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    if part.file_size > _BLOCK and part.file_size > RATIO_MAX * max(part.compress_size, 1):
        raise UnusableFile(f"{path.name} unpacks to more than is allowed")
    if part.filename.endswith("sharedStrings.xml") and part.file_size > STRINGS_BYTES_MAX:
        raise UnusableFile(f"{path.name} unpacks to more than is allowed")
    if part.filename.endswith((".xml", ".rels", ".vml")):
        with package.open(part) as content:
            # Declarations stand before the first element; no writer of spreadsheets needs any.
            head = content.read(65536)
        if b"\x00" in head[:4] or any(word in head for word in _DECLARATIONS):
            raise UnusableFile(f"{path.name} contains XML declarations that a spreadsheet has no use for")


def _encoding(path: Path) -> str:
    """UTF-8 unless the bytes say otherwise. A few bad bytes among good UTF-8 are bad rows, not another encoding."""
    with path.open("rb") as file:
        if file.read(3) == codecs.BOM_UTF8:
            return "utf-8-sig"
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    good = bad = 0
    with path.open("rb") as file:
        while True:
            block = file.read(_BLOCK)
            text = decoder.decode(block, final=not block)
            if not text.isascii():
                wrong = sum(1 for character in text if "\udc80" <= character <= "\udcff")
                bad += wrong
                good += sum(1 for character in text if character > "\x7f") - wrong
            if not block:
                break
    if not bad or good > 10 * bad:
        return "utf-8"
    return "gb18030" if _decodes(path, "gb18030") else "utf-8"


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _undecoded(cell: str) -> bool:
    return not cell.isascii() and any("\ud800" <= character <= "\udfff" for character in cell)


def _delimiter(path: Path, encoding: str, columns: Mapping[str, Sequence[str]]) -> str:
    """The separator under which most columns of the first row are known; spreadsheets of some countries use others."""

    def known(delimiter: str) -> int:
        try:
            first = next(_csv_records(path, encoding, delimiter), [])
            return len(_places(path, _trimmed(first), columns))
        except (csv.Error, UnusableFile):
            return 0

    return max((",", ";", "\t"), key=known)


# Records
# ---------------------------------------------------------------------------------------------------


def _records(path: Path, encoding: str, delimiter: str) -> Iterator[list[str]]:
    return _xlsx_records(path) if encoding == "xlsx" else _csv_records(path, encoding, delimiter)


def _csv_records(path: Path, encoding: str, delimiter: str) -> Iterator[list[str]]:
    with path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
        yield from csv.reader(file, delimiter=delimiter)


def _xlsx_records(path: Path) -> Iterator[list[str]]:
    with warnings.catch_warnings():
        # What the library has to say about styles and validations is of no use to the user.
        warnings.simplefilter("ignore")
        try:
            book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
        except (InvalidFileException, KeyError, ValueError, SyntaxError, OSError, AttributeError) as problem:
            raise UnusableFile(f"{path.name} is not a readable XLSX file") from problem
        try:
            if not book.worksheets:
                raise UnusableFile(f"{path.name} has no sheet")
            sheet = book.worksheets[0]
            # Some writers declare a wrong size of the sheet; what is there counts.
            sheet.reset_dimensions()
            at = 0
            for cells in sheet.iter_rows():
                number = next((cell.row for cell in cells if cell.row is not None), at + 1)
                # Rows that are altogether empty may be left out of the file, and still count.
                for _ in range(min(number - at - 1, 1_048_576)):
                    yield []
                at = number
                yield [_cell_text(cell.value) for cell in cells]
        except (SyntaxError, ValueError, KeyError, zipfile.BadZipFile) as problem:
            raise UnusableFile(f"{path.name} is not a readable XLSX file") from problem
        finally:
            book.close()


def _cell_text(value: object) -> str:
    """A cell as a person would type it: whole numbers without a point, dates as ISO 8601."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e18 else repr(value)
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() if value.time() == datetime.time() else value.isoformat(sep=" ")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)


# Rejected rows
# ---------------------------------------------------------------------------------------------------


def guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula; numbers stay as they are."""
    return f"'{cell}" if cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell) else cell


def unguarded(cell: str) -> str:
    """The reverse of `guarded`, so that a corrected file of rejects can be imported as it is."""
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(_FORMULA) else cell


@dataclass(slots=True)
class RejectFile:
    """`FILE.rejects.csv`: row, reason, and the original columns. It is there only if rows were rejected.

    Written beside its place and moved there at the end, so that it is never a half one; one of an earlier run goes.
    """

    table: Table
    count: int = 0
    _file: IO[str] | None = None

    @property
    def path(self) -> Path:
        return self.table.path.with_name(f"{self.table.path.name}.rejects.csv")

    @property
    def _draft(self) -> Path:
        return self.path.with_name(f".{self.path.name}.part")

    def __enter__(self) -> Self:
        return self

    def add(self, row: TableRow, reason: str) -> None:
        """One rejected row."""
        self.add_cells(row.number, row.cells, reason)

    def add_cells(self, number: int, cells: Sequence[str], reason: str) -> None:
        """The same for a caller that kept only the cells."""
        width = len(self.table.header)
        padded = [*cells, *[""] * (width - len(cells))]
        self._write([str(number), reason, *(guarded(cell) for cell in padded)])
        self.count += 1

    def _write(self, cells: Sequence[str]) -> None:
        if self._file is None:
            # A file that came with a BOM goes back with one, because its reader needs it.
            encoding = "utf-8-sig" if self.table.encoding == "utf-8-sig" else "utf-8"
            try:
                self._file = self._draft.open("w", encoding=encoding, errors="backslashreplace", newline="")
            except OSError as problem:
                raise UnusableFile(f"{self.path} cannot be written: {problem.strerror}") from problem
            self._write(["row", "reason", *(guarded(name) for name in self.table.header)])
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(cells)
        self._file.write(line.getvalue())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        if kind is not None:
            self._draft.unlink(missing_ok=True)
        elif self._file is not None:
            self._draft.replace(self.path)
        else:
            self.path.unlink(missing_ok=True)
