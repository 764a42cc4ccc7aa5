"""Rebuilds that were asked for: one row each, at most one of them under way."""

from __future__ import annotations

from typing import Any, Final

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting.adapters.reads.rows import Row, fetch
from shared.messaging.work import Work

_COLUMNS: Final = """
    id, compare_only, accept_differences, state, asked_by, asked_at, finished_at, records_read, records_to_read, report
"""


async def ask(work: Work, person: str, *, compare_only: bool, accept_differences: bool) -> int | None:
    """The number of the new one, or None where one is under way."""
    raw = await work.raw()
    number: int | None = await raw.fetchval(
        "INSERT INTO rebuilds (compare_only, accept_differences, state, asked_by, asked_at) "
        "VALUES ($1, $2, 'asked', $3, $4) ON CONFLICT DO NOTHING RETURNING id",
        compare_only,
        accept_differences,
        person,
        work.now,
    )
    return number


async def one(connection: AsyncConnection, number: int) -> Row | None:
    rows = await fetch(connection, f"SELECT {_COLUMNS} FROM rebuilds WHERE id = :number", {"number": number})
    return rows[0] if rows else None


async def latest(connection: AsyncConnection, limit: int) -> list[Row]:
    return await fetch(
        connection, f"SELECT {_COLUMNS} FROM rebuilds ORDER BY id DESC LIMIT :limit", {"limit": limit}
    )


async def under_way(connection: AsyncConnection) -> Row | None:
    """The one that was asked for and is not finished; one that a dead process left behind is begun again."""
    rows = await fetch(
        connection, f"SELECT {_COLUMNS} FROM rebuilds WHERE state IN ('asked', 'running') ORDER BY id LIMIT 1"
    )
    return rows[0] if rows else None


async def progress(work: Work, number: int, read: int, to_read: int) -> None:
    raw = await work.raw()
    await raw.execute(
        "UPDATE rebuilds SET state = 'running', records_read = $2, records_to_read = $3 WHERE id = $1",
        number,
        read,
        to_read,
    )


async def finish(work: Work, number: int, state: str, report: dict[str, Any]) -> None:
    raw = await work.raw()
    await raw.execute(
        "UPDATE rebuilds SET state = $2, finished_at = $3, report = $4::text::jsonb WHERE id = $1",
        number,
        state,
        work.now,
        orjson.dumps(report).decode(),
    )
