"""What `keypost demo` plays: transactions in the order of their arrival, with the business day that they have reached.

A file holds the columns of `import transactions`, or `event_id, customer, line, amount, business_date` with amounts in
minor units, negative for a reversal that names no sale; plain or gzip. The lines of the second form may have any names:
those that are no postal lines become postal lines in their order of appearance.
"""

from __future__ import annotations

import gzip
import itertools
import re
import tempfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

from cli.grants import default_unit
from cli.tabular import FILE_BYTES_MAX, Table, TableRow, open_table
from cli.transaction_rows import (
    COLUMNS,
    REQUIRED,
    Rejected,
    cell_phrase,
    event,
    event_of,
)
from cli.unusable import UnusableFile
from cli.words import phrase, word
from shared.contracts.counter_v1 import LINES
from shared.kernel.writing import read_day
from shared.money import format_yuan

Item = dict[str, Any] | Rejected
"""An event to be sent, or a row that makes none."""

_MINOR: Final = re.compile(r"-?[0-9]{1,18}")
_WINDOW_ROWS: Final = 25
_BLOCK: Final = 1024**2
_EARLIEST: Final = date(1900, 1, 1)
_TOKENS: Final = ("event_id", "customer")
_REQUIRED_OF_SECOND_FORM: Final = (*_TOKENS, "line", "amount", "business_date")


@dataclass(frozen=True, slots=True)
class Step:
    """Transactions that arrive while the business day goes from `on` to `until`."""

    on: date
    until: date
    items: Sequence[Item]


@dataclass(slots=True)
class EventFile:
    """A file of transactions that was read through once."""

    path: Path
    table: Table
    minor_units: bool
    """Whether it has the second form."""
    customers: dict[str, None] = field(default_factory=dict)
    """Customer codes in order of appearance."""
    lines: dict[str, str] = field(default_factory=dict)
    """Postal line of each line in the file."""
    first: date = _EARLIEST
    """The earliest business date; agreements of the customers begin here."""
    last: date = _EARLIEST
    """The business day that is reached at the end."""

    @property
    def label(self) -> str:
        return self.path.name

    def steps(self) -> Iterator[Step]:
        return _steps(self._dated(self._item), self._window)

    @property
    def _window(self) -> int:
        return max(1, min(_WINDOW_ROWS, self.table.row_count // 50))

    def look_through(self) -> None:
        """Which customers, lines and dates there are. Raises UnusableFile where no row has a date."""
        names: dict[str, None] = {}
        earliest: list[date] = []

        def note(row: TableRow) -> Item:
            if (code := row.values.get("customer" if self.minor_units else "customer_code")) is not None:
                self.customers.setdefault(code)
            if line := row.values.get("line"):
                names.setdefault(line)
            return {}

        def dates() -> Iterator[tuple[date, Item]]:
            for on, item in self._dated(note):
                if not earliest or on < earliest[0]:
                    earliest[:] = [on]
                yield on, item

        for step in _steps(dates(), self._window):
            self.last = step.until
        if not earliest:
            raise UnusableFile("cli.file.no_dates", file=self.path.name)
        self.first = max(earliest[0], _EARLIEST)
        self.lines = postal_lines(names)

    def _dated(self, make: Callable[[TableRow], Item]) -> Iterator[tuple[date, Item]]:
        """The rows with the dates in them; one without a usable date comes with the row before it."""
        on: date | None = None
        early: list[Item] = []
        for row in self.table.rows():
            item = (
                make(row) if row.problem is None else Rejected(row.problem, word("row_problem", row.problem))
            )
            found = read_day(row.values.get("business_date", ""))
            on = found or on
            if on is None:
                early.append(item)
                continue
            for waiting in early:
                yield on, waiting
            early.clear()
            yield on, item

    def _item(self, row: TableRow) -> Item:
        if not self.minor_units:
            return event_of(row.values, default_unit())
        return minor_event(row.values, f"/demo/{self.table.sha256[:12]}", self.lines)


def minor_event(values: Mapping[str, str], source: str, lines: Mapping[str, str]) -> Item:
    """The event of a row of the second form."""
    if absent := [name for name in _REQUIRED_OF_SECOND_FORM if not values.get(name)]:
        return Rejected("missing_field", phrase("cli.file.lacks", fields=absent))
    on = read_day(values["business_date"])
    if on is None:
        return Rejected("bad_field", cell_phrase("cli.file.no_day", "business_date", values))
    if _MINOR.fullmatch(values["amount"]) is None:
        return Rejected("bad_field", cell_phrase("cli.file.no_minor_units", "amount", values))
    fen = int(values["amount"])
    data = {
        "customer_code": values["customer"],
        "counter_id": "demo",
        "line": lines[values["line"]],
        "kind": "sale" if fen > 0 else "reversal",
        "amount": format_yuan(abs(fen)),
        "occurred_at": f"{on}T00:00:00+08:00",
        "business_date": on.isoformat(),
    }
    return event(values["event_id"], source, data)


def postal_lines(names: Iterable[str]) -> dict[str, str]:
    """A postal line for every name: its own where it is one, else the next free one, in order of appearance. More names
    than lines begin with the first line again."""
    known = list(dict.fromkeys(names))
    free = [line for line in LINES if line not in known] or list(LINES)
    following = itertools.cycle(free)
    return {name: name if name in LINES else next(following) for name in known}


@contextmanager
def open_events(path: Path) -> Iterator[EventFile]:
    """A file to be played, looked through once. Raises UnusableFile."""
    with tempfile.TemporaryDirectory(prefix="keypost-demo-") as scratch:
        plain = _unpacked(path, Path(scratch)) if _is_gzip(path) else path
        columns = {**COLUMNS, **dict.fromkeys(_TOKENS, ())}
        # `customer` is a column of the second form here, and not another word for the code.
        columns["customer_code"] = tuple(alias for alias in COLUMNS["customer_code"] if alias != "customer")
        table = open_table(plain, columns, ("line", "amount", "business_date"))
        minor_units = all(name in table.columns for name in _TOKENS)
        if not minor_units and any(name not in table.columns for name in REQUIRED):
            raise UnusableFile(
                "cli.file.neither_form", file=path.name, columns=REQUIRED, others=_REQUIRED_OF_SECOND_FORM
            )
        file = EventFile(path, table, minor_units)
        file.look_through()
        yield file


def _is_gzip(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(2) == b"\x1f\x8b"
    except OSError:
        return False


def _unpacked(path: Path, folder: Path) -> Path:
    plain = folder / (path.name.removesuffix(".gz") or "events")
    size = 0
    try:
        with gzip.open(path) as packed, plain.open("wb") as out:
            while block := packed.read(_BLOCK):
                size += len(block)
                if size > FILE_BYTES_MAX:
                    size_max = FILE_BYTES_MAX // 1024**2
                    raise UnusableFile("cli.file.packed_too_large", file=path.name, megabytes=size_max)
                out.write(block)
    except (OSError, EOFError, zlib.error) as problem:
        raise UnusableFile("cli.file.not_unpacked", file=path.name, why=problem) from problem
    return plain


def _steps(dated: Iterable[tuple[date, Item]], window: int) -> Iterator[Step]:
    """Groups what arrives at the same business day. The day reached is the earliest date among the next rows, and never
    goes back: neither a late row nor a date mistyped far ahead moves it."""
    group: list[Item] = []
    reached: date | None = None
    for on, item in _reached(dated, window):
        if reached is not None and on > reached:
            yield Step(reached, on, group)
            group = []
        reached = on
        group.append(item)
    if reached is not None:
        yield Step(reached, reached, group)


def _reached(dated: Iterable[tuple[date, Item]], window: int) -> Iterator[tuple[date, Item]]:
    ahead: deque[tuple[date, Item]] = deque()
    reached = date.min
    for pair in dated:
        ahead.append(pair)
        if len(ahead) == window:
            reached = max(reached, min(on for on, _item in ahead))
            yield reached, ahead.popleft()[1]
    if reached == date.min and ahead:
        reached = min(on for on, _item in ahead)
    for _on, item in ahead:
        yield reached, item
