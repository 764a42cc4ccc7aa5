"""Rows as plain values, and the few conditions that many lists share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.listing import Page, plain, under_unit

Row = dict[str, Any]

FIRST_INSTANT: Final = "0001-01-01T00:00:00+00:00"
LAST_INSTANT: Final = "9999-12-31T00:00:00+00:00"
KEY: Final = "sort_"
"""Begins the name of what a list selects only to be sorted by."""


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


def in_unit(table: str) -> str:
    """The condition (SQL) that a row belongs to the unit `:unit` or to one below it."""
    return under_unit(f"{table}.unit_path", "unit_view")


def in_unit_or_at_the_root(table: str) -> str:
    """The same for rows that may belong to no unit anybody knows (`/`): those are the root's."""
    at_root = f"({table}.unit_path = '/' AND EXISTS (SELECT FROM unit_view u WHERE u.unit_code = :unit AND u.parent IS NULL))"
    return f"({in_unit(table)} OR {at_root})"


def or_first(column: str) -> str:
    """An instant (SQL) that sorts before all others where there is none."""
    return f"coalesce({column}, timestamptz '{FIRST_INSTANT}')"


def or_last(column: str) -> str:
    """An instant (SQL) that sorts behind all others where there is none."""
    return f"coalesce({column}, timestamptz '{LAST_INSTANT}')"


def one_of(name: str, conditions: Mapping[str, str]) -> str:
    """The condition (SQL) that the value `:name` stands for; one that stands for none finds nothing."""
    cases = " ".join(f"WHEN '{value}' THEN {condition}" for value, condition in conditions.items())
    return f"CASE CAST(:{name} AS text) {cases} ELSE false END"


def without_keys(page: Page) -> Page:
    """The page as others see it."""
    rows = [{name: value for name, value in row.items() if not name.startswith(KEY)} for row in page.items]
    return Page(rows, page.next_cursor)


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


def given(asked: Any) -> Row:
    """What a filter narrows by; a filter that says nothing is not there."""
    return {name: value for name in asked.__slots__ if (value := getattr(asked, name)) is not None}


def where(conditions: list[str]) -> str:
    return " AND ".join(conditions) or "true"
