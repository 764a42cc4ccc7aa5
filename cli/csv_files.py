"""CSV files as they come: their encoding, and their records, none of which can swallow another.

A quotation mark that is opened in one row and closed in a later one makes everything between them one cell, and a reader that
follows the letter of the format loses those rows without a word. So a record may only go over several lines where its
quotation marks close as they should (RFC 4180). Where they do not, the line on which the mark was opened is one bad row,
and reading goes on with the next line; where they do close and the cell holds as many separators as a row has, the record
is one bad row with all that it holds. Either way each line of the file is seen again, in a row that is loaded or in one
that is told of.

What is read at a time is bounded, whatever the file holds.
"""

from __future__ import annotations

import codecs
import io
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

LINE_CHARACTERS_MAX: Final = 1024**2
"""A longer line is one bad row; no more than this is kept of it."""
QUOTED_CHARACTERS_MAX: Final = 64 * 1024
"""A spreadsheet's cell holds 32 767. What is longer is a quotation mark that was never closed."""
COLUMNS_MAX: Final = 500
DELIMITERS: Final = (",", ";", "\t")

_BLOCK: Final = 1024**2
_QUOTED: Final = re.compile(r'(?:[^"]++|"")*+')
_UNDECODED: Final = re.compile("[\ud800-\udfff]")
_EURO_IN_GBK: Final = "\udc80"
"""The byte 0x80, which Chinese Windows writes for the euro sign and the standard has no character for."""


class Record(NamedTuple):
    """The cells of a record, and a stable reason where it cannot be read as it stands: `open_quote`, `rows_in_a_cell`,
    `broken_line`, `row_too_long`, `too_many_cells`."""

    cells: list[str]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class CsvForm:
    """How a CSV file is written."""

    encoding: str
    """`utf-8`, `utf-8-sig` or `gb18030`."""
    newline: str
    mark_bytes: int
    """Of the byte order marks at its beginning. Programs add theirs one after the other."""


@dataclass(frozen=True, slots=True)
class Width:
    """How many separators a row has: as many as the header, and the shortest that says anything."""

    full: int
    shortest: int


def form_of(path: Path) -> CsvForm:
    """The encoding that explains most of the file. A few bad bytes spoil their rows and not the file."""
    marks = 0
    with path.open("rb") as file:
        while file.read(3) == codecs.BOM_UTF8:
            marks += 3
    encoding = "utf-8-sig" if marks else "utf-8"
    if not marks:
        good, bad = _characters(path, "utf-8")
        # By chance, Chinese text of the other encoding has one good sequence for a dozen bad ones.
        if bad >= good and bad > _characters(path, "gb18030")[1]:
            encoding = "gb18030"
    return CsvForm(encoding, "\n" if _has_line_feed(path) else "\r", marks)


def _characters(path: Path, encoding: str) -> tuple[int, int]:
    """How many characters beyond ASCII there are, and how many bytes that make none."""
    decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
    good = bad = 0
    with path.open("rb") as file:
        while True:
            block = file.read(_BLOCK)
            text = decoder.decode(block, final=not block)
            if not text.isascii():
                wrong = len(_UNDECODED.findall(text))
                if encoding == "gb18030":
                    wrong -= text.count(_EURO_IN_GBK)
                bad += wrong
                good += sum(1 for character in text if character > "\x7f") - wrong
            if not block:
                return good, bad


def _has_line_feed(path: Path) -> bool:
    with path.open("rb") as file:
        return any(b"\n" in block for block in iter(lambda: file.read(_BLOCK), b""))


def undecoded(cell: str) -> bool:
    """Whether a cell has bytes that make no character."""
    return not cell.isascii() and _UNDECODED.search(cell) is not None


def records(path: Path, form: CsvForm, delimiter: str, width: Width | None = None) -> Iterator[Record]:
    """The records of a file, blank ones too. Without a width no cell is suspected of holding rows."""
    with path.open("rb") as raw:
        raw.seek(form.mark_bytes)
        lines = _Lines(raw, form)
        while (line := lines.take()) is not None:
            if line.too_long:
                yield Record(_split(line.text, delimiter).cells, "row_too_long")
            elif '"' in line.text:
                yield _Quoted(line, lines, delimiter).record(width)
            else:
                found = _split(line.text, delimiter)
                yield found._replace(problem="broken_line") if "\r" in line.text else found


def _split(text: str, delimiter: str) -> Record:
    cells = text.split(delimiter, COLUMNS_MAX)
    if len(cells) <= COLUMNS_MAX:
        return Record(cells)
    beyond = cells[-1].strip(f"{delimiter} ")
    return Record(cells if beyond else cells[:-1], "too_many_cells" if beyond else None)


class _Line(NamedTuple):
    text: str
    too_long: bool


class _Lines:
    """The lines of a file, each bounded; some can be put back."""

    def __init__(self, raw: io.BufferedReader, form: CsvForm) -> None:
        encoding = "utf-8" if form.encoding == "utf-8-sig" else form.encoding
        self._text = io.TextIOWrapper(raw, encoding, "surrogateescape", newline=form.newline)
        self._gbk = encoding == "gb18030"
        self._newline = form.newline
        self._back: deque[_Line] = deque()

    def take(self) -> _Line | None:
        if self._back:
            return self._back.popleft()
        text = self._text.readline(LINE_CHARACTERS_MAX)
        if not text:
            return None
        too_long = len(text) == LINE_CHARACTERS_MAX and not text.endswith(self._newline)
        if too_long:
            while (more := self._text.readline(LINE_CHARACTERS_MAX)) and not more.endswith(self._newline):
                pass
        text = text.removesuffix("\n").removesuffix("\r")
        return _Line(text.replace(_EURO_IN_GBK, "€") if self._gbk else text, too_long)

    def put_back(self, lines: list[_Line]) -> None:
        self._back.extendleft(reversed(lines))


class _Quoted:
    """One record with quotation marks in it. A mark in the middle of a cell is a character like any other."""

    def __init__(self, first: _Line, lines: _Lines, delimiter: str) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._taken = [first]
        self._cells: list[str] = []
        self._text = first.text
        self._at = 0

    def record(self, width: Width | None) -> Record:
        problem: str | None = None
        while True:
            if self._text.startswith('"', self._at):
                begun, opened = len(self._taken), self._at
                end = self._quoted_cell()
                if end is None:
                    return self._cut(begun, opened)
            else:
                end = self._text.find(self._delimiter, self._at)
                cell = self._text[self._at :] if end < 0 else self._text[self._at : end]
                if "\r" in cell:
                    problem = "broken_line"
                self._cells.append(cell)
            if end < 0:
                break
            if len(self._cells) > COLUMNS_MAX:
                self._cells.append(self._text[end + 1 :])
                return Record(self._cells, "too_many_cells")
            self._at = end + 1
        if width is not None and self._holds_rows(width):
            problem = "rows_in_a_cell"
        return Record(self._cells, problem)

    def _quoted_cell(self) -> int | None:
        """Takes a cell that begins with a mark. Where the separator after it stands, -1 at the end of the record, None
        where the mark is not closed before either."""
        parts: list[str] = []
        size = 0
        at = self._at + 1
        while True:
            form = _QUOTED.match(self._text, at)
            end = at if form is None else form.end()
            parts.append(self._text[at:end])
            size += end - at
            if end < len(self._text):
                break
            following = self._lines.take() if size < QUOTED_CHARACTERS_MAX else None
            if following is None:
                return None
            self._taken.append(following)
            if following.too_long:
                return None
            self._text, at = following.text, 0
            parts.append("\n")
        end += 1
        while self._text.startswith(" ", end):
            end += 1
        if end < len(self._text) and not self._text.startswith(self._delimiter, end):
            return None
        self._cells.append("".join(parts).replace('""', '"'))
        return end if end < len(self._text) else -1

    def _cut(self, lines: int, opened: int) -> Record:
        """The record as far as the line whose mark is not closed; what follows is read again as lines of their own."""
        self._lines.put_back(self._taken[lines:])
        rest = self._taken[lines - 1].text[opened:].split(self._delimiter, COLUMNS_MAX)
        return Record([*self._cells, *rest], "open_quote")

    def _holds_rows(self, width: Width) -> bool:
        if len(self._taken) == 1:
            return False
        inside = sum(cell.count(self._delimiter) for cell in self._cells if "\n" in cell)
        beyond = max(0, len(self._cells) - 1 - width.full)
        # A row that is short by separators which stand between the marks has lost its own end to them.
        short = width.full - (len(self._cells) - 1)
        return inside + beyond >= max(1, width.shortest) or 0 < short <= inside
