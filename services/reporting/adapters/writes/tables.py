"""The statement that stores a batch of one view: arrays in, however large the batch, and of two rows the one that holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

Given = TypeVar("Given")

_PASSED_AS: Final = {"text[]": "text", "jsonb": "text"}
"""An array of arrays would have to be rectangular, so lists travel as JSON."""
_READ_AS: Final = {
    "text[]": "ARRAY(SELECT jsonb_array_elements_text(t.{name}::jsonb))",
    "jsonb": "t.{name}::jsonb",
}


@dataclass(frozen=True)
class Table(Generic[Given]):
    """One view: `columns` by name with their types in the order of `row`'s values, `key`, and `newer`, the condition (SQL
    over `v`, the stored row, and `excluded`) under which a row replaces the stored one; without it the first one stays,
    or `folded` says what becomes of the two.

    `owner` is the column by which the row belongs to a customer, whose unit and managers it takes; of a customer that was
    merged these are the survivor's.
    """

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]
    row: Callable[[Given], tuple[Any, ...]]
    newer: str | None = None
    owner: str | None = None
    folded: str | None = None

    @property
    def statement(self) -> str:
        names = list(self.columns)
        target = ", ".join((*names, *(BELONGING if self.owner else ())))
        values = ", ".join(
            _READ_AS.get(kind, "t.{name}").format(name=name) for name, kind in self.columns.items()
        )
        if self.owner:
            values += ", s.unit_path, s.manager_a, s.manager_b"
        return (
            f"INSERT INTO {self.name} AS v ({target}) SELECT {values} FROM {self.source(1)} "
            f"{belonging('t', self.owner) if self.owner else ''} "
            f"ORDER BY {', '.join(f't.{name}' for name in self.key)} "
            f"ON CONFLICT ({', '.join(self.key)}) {self._conflict(names)}"
        )

    def source(self, first: int) -> str:
        """The arrays as a table `t`; `first` is the number of the first parameter."""
        arrays = ", ".join(
            f"${number}::{_PASSED_AS.get(kind, kind)}[]"
            for number, kind in enumerate(self.columns.values(), first)
        )
        return f"unnest({arrays}) AS t({', '.join(self.columns)})"

    def _conflict(self, names: Sequence[str]) -> str:
        if self.folded is not None:
            return f"DO UPDATE SET {self.folded}"
        if self.newer is None:
            return "DO NOTHING"
        changed = [name for name in names if name not in self.key]
        excluded = ", ".join(f"excluded.{name}" for name in changed)
        return f"DO UPDATE SET ({', '.join(changed)}) = ROW({excluded}) WHERE {self.newer}"


BELONGING: Final = ("unit_path", "manager_a", "manager_b")
"""What decides who sees a row."""


def belonging(table: str, column: str) -> str:
    """Joins that bring, as `s`, the customer to whom rows with this column belong."""
    return (
        f"LEFT JOIN customer_view c ON c.customer_code = {table}.{column} "
        "LEFT JOIN customer_view s ON s.customer_code = c.survivor"
    )


def columns_of(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    """Rows as the arrays that a statement takes."""
    return [list(column) for column in zip(*rows, strict=True)]


FIRST_OFFSET: Final = "record_offset = least(v.record_offset, excluded.record_offset)"
"""An event says the same for ever; it is remembered by where it came first."""
BY_VERSION: Final = "v.version < excluded.version"
BY_VERSION_AND_OFFSET: Final = "(v.version, v.state_offset) < (excluded.version, excluded.state_offset)"
