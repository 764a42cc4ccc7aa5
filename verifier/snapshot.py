"""One database at one instant: everything is read in a single repeatable-read transaction that may not write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

import asyncpg

CHUNK: Final = 10_000
Row = Any
"""A row answers to column names and to positions."""


class Snapshot:
    """A service's database as it stood when the snapshot was taken."""

    def __init__(self, service: str, connection: Any, taken_at: datetime) -> None:
        self.service = service
        self.taken_at = taken_at
        self._connection = connection
        self._columns: dict[str, frozenset[str]] = {}

    async def rows(self, statement: str, *arguments: object) -> list[Row]:
        """All rows; for what is certainly small."""
        return list(await self._connection.fetch(statement, *arguments))

    async def value(self, statement: str, *arguments: object) -> Any:
        return await self._connection.fetchval(statement, *arguments)

    async def chunks(self, statement: str, *arguments: object) -> AsyncIterator[list[Row]]:
        """Rows from a server-side cursor, some thousands at a time."""
        cursor = await self._connection.cursor(statement, *arguments)
        while found := await cursor.fetch(CHUNK):
            yield found

    async def columns(self, table: str) -> frozenset[str]:
        """A table's columns; empty when there is no such table."""
        if table not in self._columns:
            found = await self.rows(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1",
                table,
            )
            self._columns[table] = frozenset(row[0] for row in found)
        return self._columns[table]

    async def has(self, *tables: str) -> bool:
        return all([bool(await self.columns(table)) for table in tables])


@asynccontextmanager
async def snapshot(service: str, address: str) -> AsyncIterator[Snapshot]:
    """Take a snapshot; it holds until the block ends."""
    connection = await asyncpg.connect(
        address,
        timeout=30,
        server_settings={"application_name": "keypost verify", "timezone": "UTC", "jit": "off"},
    )
    try:
        # Cursors are read to their end, so plans for the first rows only would be the wrong ones.
        await connection.execute("SET cursor_tuple_fraction = 1")
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            # The first statement is what fixes the instant of the snapshot.
            taken_at = await connection.fetchval("SELECT clock_timestamp()")
            yield Snapshot(service, connection, taken_at)
    finally:
        await connection.close()


class Grouped:
    """A stream of rows ordered by an integer first column, handed out group by group (one account after another)."""

    def __init__(self, chunks: AsyncIterator[list[Row]]) -> None:
        self._chunks = chunks
        self._rows: list[Row] = []
        self._at = 0

    async def head(self) -> int | None:
        """The group that comes next; None at the end."""
        if self._at >= len(self._rows):
            self._rows, self._at = await anext(self._chunks, []), 0
            if not self._rows:
                return None
        return int(self._rows[self._at][0])

    async def parts(self, group: int) -> AsyncIterator[list[Row]]:
        """The rows of a group, in parts that fit into memory."""
        while await self.head() == group:
            start = self._at
            rows = self._rows
            if rows[-1][0] == group:
                self._at = len(rows)
            else:
                while rows[self._at][0] == group:
                    self._at += 1
            yield rows[start : self._at]

    async def take(self, group: int) -> list[Row]:
        return [row async for part in self.parts(group) for row in part]
