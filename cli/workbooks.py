"""Workbooks (XLSX, in both forms of Office Open XML) read as a stream of rows of text (ADR 10).

A workbook is hostile until read: its parts are bounded before anything is unpacked, elements are counted while they are
read, and XML with document types or entities is not read at all. A cell becomes what a person would type: a whole number
without a point, a date as ISO 8601 whatever the workbook's calendar and language. A number that was stored in binary is
given with the fifteen digits that a spreadsheet shows; one too large for them keeps its exponent, so that a code of which
digits are lost is not taken for a code.
"""

from __future__ import annotations

import lzma
import posixpath
import re
import struct
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Context, Decimal
from pathlib import Path
from typing import Final
from xml.parsers import expat

from cli.csv_files import COLUMNS_MAX, Record
from cli.unusable import UnusableFile

FILE_BYTES_MAX: Final = 200 * 1024**2
UNPACKED_BYTES_MAX: Final = 1024**3
"""Of all parts together."""
STRINGS_BYTES_MAX: Final = 200 * 1024**2
"""Of the texts that cells share, which stay in memory."""
RATIO_MAX: Final = 300
"""How much smaller packed than unpacked an honest part can be; small parts may be any."""
PARTS_MAX: Final = 2000
ROWS_MAX: Final = 1_048_576
ELEMENTS_MAX: Final = 30_000_000
"""Of a sheet: some ten million cells, and a minute's reading."""
CELL_CHARACTERS_MAX: Final = 32_767
SHEETS_MAX: Final = 255

_BLOCK: Final = 64 * 1024
_DATE_FORMATS: Final = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
"""Built-in number formats that show a date or a time; 27 to 36 and 50 to 58 are those of Chinese Excel (ECMA-376, 18.8.30)."""
_NO_DATE: Final = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')
_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
_CELL: Final = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")
_SHOWN: Final = Context(prec=15)
_EXACT_MAX: Final = 10**15
_SERIAL_MAX: Final = 2_950_000
"""Some twenty years before the end of the calendar, from wherever days are counted."""
_BROKEN: Final = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, expat.ExpatError,
    NotImplementedError, RuntimeError, OSError, EOFError, ValueError, LookupError, OverflowError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet of a workbook."""

    name: str
    part: str
    hidden: bool


@dataclass(frozen=True, slots=True)
class Workbook:
    """What has to be known before a sheet can be read."""

    path: Path
    sheets: tuple[Sheet, ...]
    strings: tuple[str, ...] = field(repr=False)
    dates: tuple[bool, ...] = field(repr=False)
    """By style: whether it shows numbers as dates."""
    epoch_1904: bool = False

    def rows(self, sheet: Sheet) -> Iterator[Record]:
        """The rows of a sheet from the first on, those left out of the file as empty ones. Raises UnusableFile."""
        with _readable(self.path) as package:
            reader = _SheetReader(self)
            at = 0
            for number, row in _parsed(package, sheet.part, reader):
                for _ in range(number - at - 1):
                    yield Record([])
                at = number
                yield row


def open_workbook(path: Path) -> Workbook:
    """Checks the package and reads everything but the sheets. Raises UnusableFile."""
    if path.stat().st_size > FILE_BYTES_MAX:
        raise UnusableFile("cli.file.workbook_too_large", file=path.name, megabytes=FILE_BYTES_MAX // 1024**2)
    with _readable(path) as package:
        _check_package(path, package)
        main = next(
            (target for kind, target in _relations(package, "").values() if kind == "officeDocument"), None
        )
        if main is None or main not in package.namelist():
            raise UnusableFile("cli.file.no_xlsx", file=path.name)
        relations = _relations(package, main)
        described = _collected(package, main, ("sheet", "workbookPr"))
        sheets = tuple(
            Sheet(each.get("name", ""), relations[each["id"]][1], each.get("state", "visible") != "visible")
            for kind, each in described
            if kind == "sheet" and relations.get(each.get("id", ""), ("", ""))[0] == "worksheet"
        )[:SHEETS_MAX]
        parts = dict(relations.values())
        strings = _strings(package, parts["sharedStrings"]) if "sharedStrings" in parts else ()
        dates = _date_styles(package, parts["styles"]) if "styles" in parts else ()
    if not sheets:
        raise UnusableFile("cli.file.no_sheets", file=path.name)
    epoch = next((each.get("date1904", "") for kind, each in described if kind == "workbookPr"), "")
    return Workbook(path, sheets, strings, dates, epoch in ("1", "true"))


@contextmanager
def _readable(path: Path) -> Iterator[zipfile.ZipFile]:
    """The package, with every way in which it can be broken told in one sentence."""
    try:
        with zipfile.ZipFile(path) as package:
            yield package
    except _BROKEN as problem:
        raise UnusableFile("cli.file.no_xlsx", file=path.name) from problem


def _check_package(path: Path, package: zipfile.ZipFile) -> None:
    """Refuses what would unpack to something enormous."""
    parts = package.infolist()
    bombs = (
        part.file_size > _BLOCK * 16 and part.file_size > RATIO_MAX * max(part.compress_size, 1)
        for part in parts
    )
    strings = sum(part.file_size for part in parts if part.filename.endswith("sharedStrings.xml"))
    if (
        len(parts) > PARTS_MAX
        or sum(part.file_size for part in parts) > UNPACKED_BYTES_MAX
        or strings > STRINGS_BYTES_MAX
        or any(bombs)
    ):
        raise UnusableFile("cli.file.workbook_bomb", file=path.name)


# Parts
# ---------------------------------------------------------------------------------------------------


class _Reader:
    """Hears the elements of a part by their local names, so that both forms of the format read alike."""

    def begin(self, name: str, attributes: Mapping[str, str]) -> None: ...
    def end(self, name: str) -> None: ...
    def text(self, text: str) -> None: ...
    def take(self) -> list[tuple[int, Record]]:
        return []


def _parsed(package: zipfile.ZipFile, part: str, reader: _Reader) -> Iterator[tuple[int, Record]]:
    parser = expat.ParserCreate(namespace_separator=" ")
    count = 0

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > ELEMENTS_MAX:
            raise UnusableFile("cli.file.too_many_cells")
        reader.begin(
            name.rpartition(" ")[2], {key.rpartition(" ")[2]: value for key, value in attributes.items()}
        )

    def declared(*_: object) -> None:
        raise UnusableFile("cli.file.xml_declarations")

    parser.buffer_text = True
    parser.StartElementHandler = begin
    parser.EndElementHandler = lambda name: reader.end(name.rpartition(" ")[2])
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = declared
    parser.EntityDeclHandler = declared
    with package.open(part) as content:
        while block := content.read(_BLOCK):
            parser.Parse(block, False)
            yield from reader.take()
        parser.Parse(b"", True)
    yield from reader.take()


class _Collector(_Reader):
    def __init__(self, names: tuple[str, ...]) -> None:
        self.found: list[tuple[str, dict[str, str]]] = []
        self._names = names

    def begin(self, name: str, attributes: Mapping[str, str]) -> None:
        if name in self._names:
            self.found.append((name, dict(attributes)))


def _collected(
    package: zipfile.ZipFile, part: str, names: tuple[str, ...]
) -> list[tuple[str, dict[str, str]]]:
    """The attributes of the elements of these names, in their order."""
    collector = _Collector(names)
    deque(_parsed(package, part, collector), maxlen=0)
    return collector.found


def _relations(package: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """What a part points to: by id, the last word of the kind and the other part's name."""
    folder, name = posixpath.split(part)
    rels = posixpath.join(folder, "_rels", f"{name}.rels")
    if rels not in package.namelist():
        return {}
    found: dict[str, tuple[str, str]] = {}
    for _, each in _collected(package, rels, ("Relationship",)):
        target = posixpath.normpath(posixpath.join("/", folder, each.get("Target", ""))).lstrip("/")
        found[each.get("Id", "")] = (each.get("Type", "").rpartition("/")[2], target)
    return found


class _StringReader(_Reader):
    """Shared texts; runs are joined, and what says how to pronounce them is left out."""

    def __init__(self) -> None:
        self.strings: list[str] = []
        self._parts: list[str] = []
        self._in_text = False
        self._aside = 0

    def begin(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "si":
            self._parts = []
        self._aside += name == "rPh"
        self._in_text = name == "t" and not self._aside

    def end(self, name: str) -> None:
        self._in_text = False
        self._aside -= name == "rPh"
        if name == "si":
            self.strings.append(_plain("".join(self._parts)))

    def text(self, text: str) -> None:
        if self._in_text:
            self._parts.append(text)


def _strings(package: zipfile.ZipFile, part: str) -> tuple[str, ...]:
    reader = _StringReader()
    deque(_parsed(package, part, reader), maxlen=0)
    return tuple(reader.strings)


def _plain(text: str) -> str:
    """Without the escapes for characters that XML cannot hold, such as `_x000D_`."""
    if "_x" not in text:
        return text
    return _ESCAPED.sub(lambda form: chr(int(form[1], 16)), text)


def _date_styles(package: zipfile.ZipFile, part: str) -> tuple[bool, ...]:
    """By style, whether it shows dates. A format that the workbook writes out goes before the built-in one of its number."""
    reader = _StyleReader()
    deque(_parsed(package, part, reader), maxlen=0)
    own = {number: shows_date(code) for number, code in reader.formats}
    return tuple(own.get(number, number in _DATE_FORMATS) for number in reader.styles)


class _StyleReader(_Reader):
    def __init__(self) -> None:
        self.formats: list[tuple[int, str]] = []
        self.styles: list[int] = []
        self._in_cells = False

    def begin(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "numFmt":
            self.formats.append((_whole(attributes.get("numFmtId")), attributes.get("formatCode", "")))
        elif name == "cellXfs":
            self._in_cells = True
        elif name == "xf" and self._in_cells:
            self.styles.append(_whole(attributes.get("numFmtId")))

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._in_cells = False


def _whole(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 9 else 0


def shows_date(code: str) -> bool:
    """Whether a number format shows a date or a time: letters of one outside of quotation marks and brackets."""
    bare = _NO_DATE.sub("", code.split(";")[0]).lower()
    return "general" not in bare and any(letter in bare for letter in "ymdhs")


# Cells
# ---------------------------------------------------------------------------------------------------


class _SheetReader(_Reader):
    """The rows of a sheet, each kept until it is taken."""

    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._rows: list[tuple[int, Record]] = []
        self._number = 0
        self._cells: list[str] = []
        self._too_many = False
        self._column = -1
        self._kind = ""
        self._style = 0
        self._value: list[str] = []
        self._formula: list[str] = []
        self._inside = ""
        self._aside = 0

    def take(self) -> list[tuple[int, Record]]:
        rows, self._rows = self._rows, []
        return rows

    def begin(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "row":
            number = _whole(attributes.get("r")) or self._number + 1
            if not self._number < number <= ROWS_MAX:
                raise ValueError("rows out of order")
            self._number, self._cells, self._too_many, self._column = number, [], False, -1
        elif name == "c":
            form = _CELL.fullmatch(attributes.get("r", ""))
            self._column = self._column + 1 if form is None else _column(form[1])
            self._kind = attributes.get("t", "n")
            self._style = _whole(attributes.get("s"))
            self._value, self._formula = [], []
        elif name == "rPh":
            self._aside += 1
        self._inside = name if name in ("v", "t", "f") and not self._aside else ""

    def text(self, text: str) -> None:
        if self._inside == "f":
            self._formula.append(text)
        elif self._inside:
            self._value.append(text)

    def end(self, name: str) -> None:
        self._inside = ""
        if name == "rPh":
            self._aside -= 1
        elif name == "c":
            self._keep(self._text())
        elif name == "row":
            self._rows.append(
                (self._number, Record(self._cells, "too_many_cells" if self._too_many else None))
            )

    def _keep(self, text: str) -> None:
        if not text:
            return
        if self._column >= COLUMNS_MAX:
            self._too_many = True
            return
        cells = self._cells
        cells.extend("" for _ in range(self._column + 1 - len(cells)))
        cells[self._column] = text

    def _text(self) -> str:
        value = "".join(self._value)
        if not value:
            # A formula whose result was never computed has no value, which is not the same as an empty cell.
            return f"={''.join(self._formula)}" if self._formula else ""
        if self._kind == "s":
            return self._book.strings[int(value)]
        if self._kind in ("inlineStr", "str"):
            return _plain(value)
        if self._kind == "b":
            return "TRUE" if value.strip() in ("1", "true") else "FALSE"
        if self._kind == "d":
            return value.strip().removesuffix("T00:00:00").replace("T", " ")
        if self._kind == "e":
            return value.strip()
        shown_as_date = self._style < len(self._book.dates) and self._book.dates[self._style]
        return number_text(value.strip(), shown_as_date, self._book.epoch_1904)


def _column(letters: str) -> int:
    place = 0
    for letter in letters:
        place = place * 26 + ord(letter) - 64
    return place - 1


def number_text(stored: str, is_date: bool, epoch_1904: bool = False) -> str:
    """A number as a person would type it."""
    if _NUMBER.fullmatch(stored) is None:
        return stored
    number = Decimal(stored)
    if is_date and (text := _date_text(number, epoch_1904)) is not None:
        return text
    if abs(number) >= _EXACT_MAX:
        return stored
    shown = _SHOWN.plus(number)
    return f"{shown.normalize():f}" if shown else "0"


def _date_text(number: Decimal, epoch_1904: bool) -> str | None:
    """The date, instant or time of day that a serial number means, None where it means none."""
    if not 0 <= number < _SERIAL_MAX:
        return None
    if number >= 1 and epoch_1904:
        number += 1462
    elif 1 <= number < 60:
        # The calendar of 1900 has a 29 February that never was.
        number += 1
    seconds = int((number * 86400).to_integral_value())
    at = datetime(1899, 12, 30) + timedelta(seconds=seconds)  # noqa: DTZ001 - a spreadsheet's time has no zone
    if seconds < 86400:
        return at.time().isoformat()
    return at.date().isoformat() if seconds % 86400 == 0 else at.isoformat(sep=" ")
