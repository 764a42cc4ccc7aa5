"""The file of rejected rows beside an imported one, which can be corrected and imported in its turn."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from cli.spreadsheet_talk import guard
from cli.tabular import Table, TableRow
from cli.unusable import UnusableFile


@dataclass(slots=True)
class RejectFile:
    """`FILE.rejects.csv`: row, reason, and the original columns. It is there only if rows were rejected.

    Written beside its place and moved there at the end, so that it is never a half one; one of an earlier run goes. It has a
    byte order mark, without which a spreadsheet reads Chinese as something else.
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
        width = len(self.table.header)
        padded = [*row.cells, *[""] * (width - len(row.cells))]
        self._write([str(row.number), reason, *(guard(cell) for cell in padded)])
        self.count += 1

    def _write(self, cells: Sequence[str]) -> None:
        if self._file is None:
            try:
                self._file = self._draft.open(
                    "w", encoding="utf-8-sig", errors="backslashreplace", newline=""
                )
            except OSError as problem:
                raise UnusableFile("cli.file.not_written", file=self.path, why=problem.strerror) from problem
            self._write(["row", "reason", *(guard(name) for name in self.table.header)])
        line = io.StringIO()
        # The writer puts marks around a cell with a line break only where the break could end its own line.
        csv.writer(line, lineterminator="\r\n").writerow(cells)
        self._file.write(line.getvalue().removesuffix("\r\n") + "\n")

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
