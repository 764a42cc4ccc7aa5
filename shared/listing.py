"""One way to read a list: what is selected, how narrowed, in which order, a page at a time, in the caller's scope.

A list is a value. Its pages are cut by the sort key of the last row (keyset), so that a page costs the same wherever it lies
and rows that come meanwhile neither repeat nor hide others. Whose rows are seen is the database's word (`shared.scope`).

    PLANS = KeysetList(
        "plans", "plans.read", "SELECT p.* FROM plans p",
        filters={"state": "p.state = :state"},
        orders={"filed": Order((Column("p.filed_at", "filed_at", "timestamptz"), Column("p.id", "id")), descending=True)},
    )
    page = await PLANS.read(reader, caller, {"state": state}, cursor, limit)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.auth.policy import Operation
from shared.auth.principals import Principal
from shared.paging import Key, Listing, bad_cursor
from shared.scope import reading

Row = dict[str, Any]
SqlType = Literal["text", "bigint", "timestamptz", "date"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a sort key: its expression, never null, and the name it has in the rows."""

    sql: str
    name: str
    type: SqlType = "text"


@dataclass(frozen=True, slots=True)
class Order:
    """A sort key, all of it in one direction. Together its columns are unique."""

    columns: tuple[Column, ...]
    descending: bool = False

    def key_of(self, row: Mapping[str, Any]) -> Key:
        """The row's place as a cursor carries it."""
        return tuple(_printed(row[column.name]) for column in self.columns)


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of a page, and the cursor of the next one, None at the end."""

    items: list[Row]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class KeysetList:
    """A list in pages. `select` is a query without WHERE; `filters` are conditions by the name of the value that they compare
    with (`:name`); `always` holds for every row; the first of `orders` is the one that nobody asked for."""

    name: str
    operation: Operation
    select: str
    orders: Mapping[str, Order]
    filters: Mapping[str, str]
    always: str = "true"

    async def read(
        self,
        reader: AsyncEngine,
        caller: Principal,
        asked: Mapping[str, Any],
        cursor: str | None,
        limit: int,
        order: str | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> Page:
        """A page of what the caller may see. `asked` are values of filters; None narrows nothing. `given` are further values
        that the query names, such as the instant: they narrow nothing, and a cursor holds whatever they are. Raises the
        problem 400 `bad_cursor`."""
        async with reading(reader, caller, self.operation) as connection:
            return await self.read_in(connection, asked, cursor, limit, order, given)

    async def read_in(
        self,
        connection: AsyncConnection,
        asked: Mapping[str, Any],
        cursor: str | None,
        limit: int,
        order: str | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> Page:
        """The same inside a transaction that has said for whom it reads."""
        order = order or next(iter(self.orders))
        key = self.orders[order]
        values = {name: value for name, value in asked.items() if value is not None}
        listing = Listing(self.name, {**values, "order": order})
        conditions = [self.always, *(self.filters[name] for name in values)]
        if cursor is not None:
            place = listing.after(cursor, tuple(_FIRST[column.type] for column in key.columns))
            conditions.append(_beyond(key))
            values.update(
                {
                    f"key_{number}": _read(part, column.type)
                    for number, (part, column) in enumerate(zip(place, key.columns, strict=True))
                }
            )
        direction = " DESC" if key.descending else ""
        rows = await connection.execute(
            text(
                f"{self.select} WHERE {' AND '.join(conditions)} "
                f"ORDER BY {', '.join(column.sql + direction for column in key.columns)} LIMIT :page_limit"
            ),
            {**(given or {}), **values, "page_limit": limit + 1},
        )
        items, following = listing.page([plain(row) for row in rows.mappings()], limit, key.key_of)
        return Page(items, following)


def under_unit(path: str, units: str = "units", code: str = "unit_code", unit_path: str = "unit_path") -> str:
    """The condition (SQL) that `path` is that of the unit `:unit` or of one below it. A unit that nobody has told of is found
    by the end of the path."""
    return (
        f"(right({path}, length(:unit) + 1) = '/' || :unit OR starts_with({path} || '/', "
        f"(SELECT u.{unit_path} || '/' FROM {units} u WHERE u.{code} = :unit)))"
    )


def plain(row: Mapping[Any, Any]) -> Row:
    """A row whose whole figures are `int`: PostgreSQL gives sums and wide figures as decimals."""
    return {
        str(name): int(value) if isinstance(value, Decimal) and value == int(value) else value
        for name, value in row.items()
    }


def _beyond(key: Order) -> str:
    columns = ", ".join(column.sql for column in key.columns)
    values = ", ".join(f"CAST(:key_{number} AS {column.type})" for number, column in enumerate(key.columns))
    return f"({columns}) {'<' if key.descending else '>'} ({values})"


_FIRST: Final[Mapping[SqlType, str | int]] = {"text": "", "bigint": 0, "timestamptz": "", "date": ""}
"""A value of the type that a part of a cursor has."""


def _printed(value: Any) -> str | int:
    return value.isoformat() if isinstance(value, date) else value


def _read(part: str | int, type: SqlType) -> str | int | datetime | date:
    try:
        if type == "timestamptz":
            instant = datetime.fromisoformat(str(part))
            if instant.tzinfo is None:
                raise bad_cursor()
            return instant
        return date.fromisoformat(str(part)) if type == "date" else part
    except ValueError:
        raise bad_cursor() from None
