"""Rows as plain values, and the few conditions that many lists share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.paging import bad_cursor

Row = dict[str, Any]
Page = tuple[list[Row], str | None]
"""The rows of a page and the cursor of the next one, None at the end."""

_UNDER_UNIT: Final = (
    "(right(%(table)s.unit_path, length(:unit) + 1) = '/' || :unit OR starts_with(%(table)s.unit_path || '/', "
    "(SELECT u.unit_path || '/' FROM unit_view u WHERE u.unit_code = :unit)))"
)
FIRST_INSTANT: Final = "0001-01-01T00:00:00+00:00"
LAST_INSTANT: Final = "9999-12-31T00:00:00+00:00"


_OPENING, _CLOSING = "[{<〔【〈《「『｢", "]}>〕】〉》」』｣"
_BRACKETS: Final = f"'{_OPENING}{_CLOSING}', '{'(' * len(_OPENING)}{')' * len(_CLOSING)}'"
_FOLDED: Final = (
    f"regexp_replace(translate(lower(normalize(%s, NFKC)), {_BRACKETS}), "
    r"'[\s\u200b-\u200f\u2060\ufeff]+', '', 'g')"
)


def folded(text: str) -> str:
    """A text (SQL) without the accidents of typing: width, case, blanks, kinds of brackets. The registry knows names of
    customers by the same form (`identity_key`), so that who looks for a name finds what would be a duplicate of it."""
    return _FOLDED % text


def has_part(column: str) -> str:
    """The condition (SQL) that a text has the part `:q` in it, however either was typed."""
    return f"strpos({folded(column)}, {folded('CAST(:q AS text)')}) > 0"


def under_unit(table: str) -> str:
    """The condition (SQL) that a row belongs to the unit `:unit` or to one below it. A unit that nobody has told of is
    found by the end of the path."""
    return _UNDER_UNIT % {"table": table}


def under_unit_or_at_the_root(table: str) -> str:
    """The same for rows that may belong to no unit anybody knows (`/`): those are the root's."""
    at_root = f"({table}.unit_path = '/' AND EXISTS (SELECT FROM unit_view u WHERE u.unit_code = :unit AND u.parent IS NULL))"
    return f"({under_unit(table)} OR {at_root})"


async def fetch(
    connection: AsyncConnection, query: str, values: Mapping[str, Any] | None = None
) -> list[Row]:
    """Every row, whole numbers as `int`."""
    rows = (await connection.execute(text(query), dict(values or {}))).mappings()
    return [plain(row) for row in rows]


async def fetch_one(connection: AsyncConnection, query: str, values: Mapping[str, Any] | None = None) -> Row:
    """The only row of a query that always has one."""
    (row,) = await fetch(connection, query, values)
    return row


def plain(row: Mapping[Any, Any]) -> Row:
    """A row whose figures are `int`: PostgreSQL gives sums and wide figures as decimals."""
    return {str(name): int(value) if isinstance(value, Decimal) else value for name, value in row.items()}


def given(asked: Any) -> Row:
    """What a filter narrows by; a filter that says nothing is not there."""
    return {name: value for name in asked.__slots__ if (value := getattr(asked, name)) is not None}


def instant(printed: str | int) -> datetime:
    """The instant in a cursor. Raises the problem 400 `bad_cursor`."""
    try:
        found = datetime.fromisoformat(str(printed))
    except ValueError:
        raise bad_cursor() from None
    if found.tzinfo is None:
        raise bad_cursor()
    return found


def where(conditions: list[str]) -> str:
    return " AND ".join(conditions) or "true"
